"""The README's tables of faults, made of the rows; ``write`` puts them in.

PYTHONPATH=tests:tests/engine python -m faults.readme
"""

from pathlib import Path

from faults import (
    test_ending,
    test_guest,
    test_host,
    test_images,
    test_neighbours,
    test_paths,
    test_qemu,
)
from faults.fault import markdown

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN = "<!-- Made of the rows in tests/faults: python -m faults.readme -->\n"
END = "<!-- The rows end here. -->\n"
MODULES = (test_guest, test_qemu, test_host, test_ending, test_neighbours, test_images, test_paths)


def tables() -> str:
    """Return a heading and a table for each module of faults."""
    return "\n".join(f"### {module.TITLE}\n\n{markdown(module.FAULTS)}" for module in MODULES)


def with_tables(text: str) -> str:
    """Return the README's text with the tables as the rows have them now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}\n{END}{after}"


def write() -> None:
    """Bring the README up to date."""
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
