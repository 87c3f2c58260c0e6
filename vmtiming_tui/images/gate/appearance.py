"""Whether an image looks like what is said of it.

Each returns what a person should know, empty where all fits, and raises ``ImageError``.
"""

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.formats import CHAINED_FORMATS, READ_ONLY_FORMATS
from vmtiming_tui.images.gate.header import ImageHeader
from vmtiming_tui.images.gate.refusals import into_one_file, on_another, quoted
from vmtiming_tui.images.quoting import shown


def beside_what_was_written_down(path: str, mark: str, form: str) -> str:
    """Look at an image whose format an earlier run settled; ``mark`` is what it begins like."""
    if not mark or mark == form:
        return ""
    return (
        f"{shown(path)} begins like a {mark}, and is booted as {form}: so it was written down "
        "before a guest could write to it (if you put another image in its place, say so: "
        f"--format {mark})"
    )


def beside_what_stands_on_it(path: str, mark: str, told: str, above: str) -> str:
    """Look at a backing file whose format is what the layer above has it be."""
    if not told or mark == told:
        return ""
    rebase = on_another(above, path, mark or "raw")
    if told in CHAINED_FORMATS:
        raise ImageError(
            f"{shown(path)!r} is no {told}, as {shown(above)!r} has it",
            hint=f"say what it is: {rebase}",
        )
    if not mark:
        return ""
    return (
        f"{shown(path)} begins like a {mark}, and is taken for {told}, as what stands on it has "
        f"it; if that is wrong: {rebase}"
    )


def beside_what_is_wanted(
    named: str, path: str, header: ImageHeader | None, form: str, *, writable: bool
) -> str:
    """Look at an image that guests see, and may write to where it is ``writable``."""
    is_fixed = form in READ_ONLY_FORMATS or (header is not None and header.is_compressed)
    if is_fixed and writable:
        raise ImageError(
            f"{shown(path)!r} is a {form} that QEMU only reads, or compressed",
            hint=f"leave out --persist, or write it anew: {into_one_file(named)}",
        )
    if header is None or not header.is_damaged:
        return ""
    what = f"{shown(path)!r} says of itself that it is damaged"
    mend = f"mend it: qemu-img check -r all {quoted(named)}"
    if writable:
        raise ImageError(what, hint=mend)
    return f"{what}; {mend}"
