"""Why an image is not taken, and the command that helps: what its gate says to a person.

A command names an image as the user did, and is given only where what the image names has been
looked at: to run it opens no more than the gate would have.
"""

import os
from collections.abc import Sequence

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import shell_line
from vmtiming_tui.images.gate.header import Extent, ImageHeader
from vmtiming_tui.images.quoting import shown


def into_one_file(named: str) -> str:
    """Return the command that writes an image and all it stands on into one file."""
    return f"qemu-img convert -O qcow2 {quoted(named)} {quoted(_stem(named))}-whole.qcow2"


def where_it_should_be(named: str, name: str, what: str) -> str:
    """Return what helps where a file that an image asks for is not there."""
    own = os.path.dirname(named) or "."  # noqa: PTH120
    base = name.replace("\\", "/").rpartition("/")[2]
    if base != name and os.path.lexists(f"{own}/{base}"):
        if what == "backing file":
            how = f"say so: {on_another(named, base)}"
        else:
            how = f"write {shown(base)!r} in its place into {shown(named)!r}"
        return f"{shown(base)!r} lies beside the image: {how}"
    if what == "extent":
        return "a disk in several files needs all of them: get this one, too"
    if what == "backing file":
        return f"put it there, or say where it is: {on_another(named, 'FILE')}"
    return "put it back in its place"


def no_file(named: str, what: str) -> str:
    """Return what helps where an image asks for what is no file."""
    if what == "backing file":
        return f"only files are taken; where it stands on one: {on_another(named, 'FILE')}"
    return "only files are taken"


def on_another(named: str, base: str, form: str = "FORMAT") -> str:
    """Return the command that has an image say anew what it stands on; no data is touched."""
    return f"qemu-img rebase -u -b {quoted(base)} -F {form} {quoted(named)}"


def refuse_differing(named: str, path: str, header: ImageHeader) -> None:
    """Raise ``ImageError`` for an image that differs from a parent which QEMU does not follow."""
    if not header.differs_from:
        return
    if header.format == "vhdx":
        merge = "with Hyper-V: Convert-VHD -Path CHILD -DestinationPath WHOLE"
    else:
        whole = f"{quoted(_stem(named))}-whole.vdi"
        merge = f"with VirtualBox: VBoxManage clonemedium disk {quoted(named)} {whole}"
    raise ImageError(
        f"{shown(path)!r} is a differencing {header.format}: it holds only what differs from "
        f"'{shown(header.differs_from)}', and QEMU does not put the two together",
        hint=f"write both into one file where the other is, too, {merge}",
    )


def refuse_changed_parent(path: str, header: ImageHeader | None, above: ImageHeader | None) -> None:
    """Raise ``ImageError`` where a VMDK was written to since another was made to stand on it."""
    ids = header.content_ids if header else None
    wanted = above.content_ids if above else None
    if wanted and (ids is None or ids[0] != wanted[1]):
        has = f"its CID is {ids[0]:08x}, and not {wanted[1]:08x}" if ids else "it is no VMDK"
        raise ImageError(
            f"{shown(path)!r} is not what it was when a VMDK came to stand on it ({has})",
            hint="get both again, together",
        )


def refuse_extent(path: str, extent: Extent) -> None:
    """Raise ``ImageError`` for a part of a VMDK of a kind that is not read here."""
    raise ImageError(
        f"{shown(path)!r} is a VMDK with a part of a kind that is not taken "
        f"({shown(extent.name or extent.kind)!r}, {shown(extent.kind)})",
        hint="write it into one file where it was made: vmkfstools -i DISK NEW, or "
        "vmware-vdiskmanager -r DISK -t 0 NEW",
    )


def refuse_parts(named: str, path: str, parts: Sequence[str]) -> None:
    """Raise ``ImageError`` where QEMU would have to open the files that a VMDK names."""
    names = ", ".join(repr(shown(os.path.basename(name))) for name in parts[:3])  # noqa: PTH119
    raise ImageError(
        f"{shown(path)!r} is a VMDK whose data is in other files ({names})",
        hint=f"no VM boots from it as it is; write it into one file: {into_one_file(named)}, or "
        f"make a root of it: vm-timing-report prepare {quoted(named)}",
    )


def quoted(named: str) -> str:
    """Return a path as one word of a command that is shown, and never one of its options."""
    return shell_line([named if not named.startswith("-") else f"./{named}"])


def _stem(named: str) -> str:
    return os.path.splitext(named)[0]  # noqa: PTH122
