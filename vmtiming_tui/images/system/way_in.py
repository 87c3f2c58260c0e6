"""Whether, and how, the report service can be brought into a system that stays as it is."""

from collections.abc import Callable
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.initrd.contents import LookedAt
from vmtiming_tui.images.system.layout import systemd_version

# Since then it makes units of credentials (systemd.system-credentials(7), systemd.extra-unit.*).
MIN_SYSTEMD = 256


def check_way_in(initrd: Path, root: Tree, say: Callable[[str], None]) -> None:
    """See to it that a run brings the report service in by an initrd, or can do it without.

    Raises ``ImageError`` where it cannot.
    """
    with initrd.open("rb") as file:
        found = LookedAt.file(file)
    if found.kind.is_served:
        return
    what = "the initrd is none that the report service can be brought in by (initramfs-tools, "
    what += "dracut, systemd with a shell)"
    what += f": it is {found.fault}" if found.fault else ""
    version = systemd_version(root)
    if 0 < version < MIN_SYSTEMD:
        raise ImageError(
            f"{what}; without it that takes systemd {MIN_SYSTEMD}, and the image has {version}",
            hint="without --untouched a root is made that has it inside; -i INITRD gives another",
        )
    way = "--inject=credentials brings it in" if found.fault else "credentials bring it in"
    say(f"{what}: {way}, which takes systemd {MIN_SYSTEMD} or newer")
