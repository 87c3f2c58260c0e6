"""The matrix by hand: build, prepare, boot, and print what came of each image."""

import argparse
import os
import tempfile
from pathlib import Path

from matrix.debian_root import SUITE, make, mirror, run_inside
from matrix.trying import HEADING, tried

WAYS = {
    "mkosi": ("", "--untouched"),
    "repart-root": ("", "--untouched"),
    "repart-xfs": ("", "--untouched"),
    "repart-btrfs": ("", "--untouched"),
    "repart-usr-ext4": ("", "--untouched"),
    "repart-usr-erofs": ("", "--untouched"),
    "repart-usr-squashfs": ("",),
    "fstab-usr-home": ("", "--untouched"),
    "home-by-type": ("", "--untouched"),
    "first-boot": ("", "--untouched"),
    "loader-entries": ("", "--untouched"),
    "usr-verity": ("", "--untouched"),
    "root-verity": ("",),
    "usr-alone": ("",),
    "erofs-overlay": ("", "--untouched"),
    "ostree": ("", "--untouched"),
    "ostree-xfs": ("--untouched",),
    "live": ("",),
}
SOURCE_KEYS = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"


def main() -> None:
    """Do what the words ask for."""
    parser = argparse.ArgumentParser(prog="python -m matrix", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--work", type=Path, required=True, help="a folder for 10 GiB, kept")
    parser.add_argument("--timeout", type=int, default=400, help="seconds a boot may take; 0: none")
    given = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("this takes root: it makes a Debian, and enters it")
    if unknown := set(given.names) - set(WAYS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    root, work = given.work / "root", given.work / "images"
    work.mkdir(parents=True, exist_ok=True)
    make(root)
    print(HEADING, flush=True)
    for name in given.names or WAYS:
        if image := _built(name, root, work):
            for way in WAYS[name]:
                with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
                    options = way.split()
                    print(tried(image, options, Path(folder), timeout_s=given.timeout), flush=True)


def _built(name: str, root: Path, work: Path) -> Path | None:
    """Return an image, made where it is not there yet; None, and said, where it cannot be made."""
    image = work / f"{name}.raw"
    if not image.exists():
        script = work / "build.sh"
        script.write_bytes((Path(__file__).parent / "build.sh").read_bytes())
        source = f"deb {SOURCE_KEYS} {mirror()} {SUITE} main"
        words = ["env", f"SUITE={SUITE}", f"SOURCE={source}", "bash", "/work/build.sh", name]
        log = work / f"{name}.log"
        if code := run_inside(root, work, words, log):
            print(f"{name:20} could not be built (exit {code}): see {log}", flush=True)
            image.unlink(missing_ok=True)
            return None
    return image


if __name__ == "__main__":
    main()
