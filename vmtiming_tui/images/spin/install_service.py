"""What vm-timing-report needs inside a root, whoever writes it there."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.system.fstab import new_crypttab

UNIT = "vm-report.service"
UNIT_LABEL = "systemd_unit_file_t"
_WANTS = "etc/systemd/system/multi-user.target.wants"
_PRESETS = "etc/systemd/system-preset"
# A first boot applies presets, and some distributions' disable what they do not know.
_PRESET = f"enable {UNIT}\n".encode()
_SELINUX = re.compile(r"^SELINUX=([a-z]*)", re.MULTILINE)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report service's own files."""

    script: bytes
    unit: bytes


class Root(Protocol):
    """A root that is written to; every path is one of ours, and raises ``ImageError``."""

    @property
    def tree(self) -> Tree:
        """Its files, those that tell which system it is at least."""

    def put_file(self, path: str, content: bytes, mode: int, label: str) -> None:
        """Write a file of root's, in the place of what has its name; ``label`` is SELinux's."""

    def put_link(self, path: str, target: str) -> None:
        """Write a link."""

    def has_labels(self) -> bool:
        """Whether its files have SELinux's labels."""

    def set_labels(self) -> None:
        """Give what is written from here on SELinux's labels."""

    def finish(self) -> None:
        """See that all of it is there, and the file system whole."""


def install_service(root: Root, report: Report, units: str, fstab: str, say: Say) -> None:
    """Put the report service and a fstab for a VM into a root; ``units``: systemd's own folder."""
    state = (_SELINUX.findall(root.tree.text("etc/selinux/config")) or [""])[-1]
    if state in ("enforcing", "permissive"):
        if root.has_labels():
            root.set_labels()
            say(f"SELinux is {state}: the new files get their labels, a relabelling is not needed")
        else:
            say(f"SELinux is {state} but the files have no labels: boot with --append enforcing=0")
    root.put_file("usr/bin/vm-report", report.script, 0o755, "bin_t")
    root.put_file(f"{units}/{UNIT}", report.unit, 0o644, UNIT_LABEL)
    root.put_link(f"{_WANTS}/{UNIT}", f"/{units}/{UNIT}")
    root.put_file(f"{_PRESETS}/00-vm-report.preset", _PRESET, 0o644, UNIT_LABEL)
    root.put_file("etc/fstab", fstab.encode(errors="surrogateescape"), 0o644, "etc_t")
    if crypttab := new_crypttab(root.tree.text("etc/crypttab")):
        root.put_file("etc/crypttab", crypttab.encode(errors="surrogateescape"), 0o600, "etc_t")
        say("its encrypted volumes are not in the new image: crypttab emptied")
