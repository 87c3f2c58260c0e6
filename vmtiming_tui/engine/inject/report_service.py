"""Bring the report service into a guest that nobody prepared, without writing to its image.

Two ways. An archive appended to the initrd: Linux unpacks archives one after another into one
tree, so a few small files of ours join the initrd's own and write the unit to ``/run``, which every
initrd hands on to the real root. Or credentials in the SMBIOS tables, from which a systemd since
256 makes units (systemd.system-credentials(7)); QEMU's fw_cfg, which systemd reads, too, takes no
names as long as theirs.

All of this is text and bytes; who writes it where is none of this module's business.
"""

import base64
import shlex

from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.resources import resource

UNIT = "vm-report.service"
TARGET = "multi-user.target"
FIRST_BOOT = "systemd-firstboot.service"
RUN_SCRIPT = "/run/vm-report/vm-report.sh"
HOOK = "00-vm-report.sh"
HOOK_FOLDERS = ("lib/dracut/hooks/cmdline", "var/lib/dracut/hooks/cmdline")
CREDENTIAL_SCRIPT = "vm-report.sh"


def report_script() -> str:
    """Return the script that reports."""
    return resource("assets", "vm-report.sh").read_text()


def report_unit(script: str) -> str:
    """Return the unit that runs the script from a path, which may be on a noexec mount."""
    unit = resource("assets", UNIT).read_text()
    lines = [
        f"ExecStart=-/bin/sh {script}" if line.startswith("ExecStart=") else line
        for line in unit.splitlines()
        if line.strip() not in ("[Install]", f"WantedBy={TARGET}")
    ]
    return "\n".join(lines).strip() + "\n"


def pulling_in() -> str:
    """Return the drop-in that makes the target want the unit.

    A plain file; in ``.wants`` it would have to be a link, and not every initrd has an ``ln``.
    """
    return f"[Unit]\nWants={UNIT}\n"


def asking_nobody() -> str:
    """Return the drop-in that keeps a first boot from waiting for answers at the console.

    Whoever wants to be asked says so to the kernel.
    """
    return "[Unit]\nConditionKernelCommandLine=systemd.firstboot=yes\n"


def _writer() -> str:
    """Return shell commands that put unit and script below ``/run``, once.

    They need a shell and ``mkdir``, which is all that the leanest initrd has.
    """
    units = "/run/systemd/system"
    texts = (
        (RUN_SCRIPT, report_script()),
        (f"{units}/{UNIT}", report_unit(RUN_SCRIPT)),
        (f"{units}/{TARGET}.d/vm-report.conf", pulling_in()),
        (f"{units}/{FIRST_BOOT}.d/vm-report.conf", asking_nobody()),
    )
    lines = ["if [ ! -d /run/vm-report ]; then"]
    lines.append(f"mkdir -p /run/vm-report {units}/{TARGET}.d {units}/{FIRST_BOOT}.d")
    lines += [f"printf %s {shlex.quote(text)} >{path}" for path, text in texts]
    return "\n".join([*lines, "fi"]) + "\n"


def _for_initramfs_tools() -> list[Entry]:
    """Its init reads ``conf.d`` before it mounts ``/run``: so we wait for that mount, in its way.

    A function takes the place of ``mount`` till then; nothing runs beside the init, or polls.
    """
    script = (
        "mount() {\n"
        'command mount "$@" || return\n'
        "for vm_report_last; do :; done\n"
        '[ "$vm_report_last" = /run ] || return 0\n'
        "unset -f mount\n"
        "unset vm_report_last\n"
        ". /vm-report.sh\n"
        "}\n"
    )
    return [Entry("conf/conf.d/vm-report", script.encode())]


def _for_dracut() -> list[Entry]:
    """Its cmdline hooks run with ``/run`` mounted, under systemd and without."""
    return [Entry(f"{folder}/{HOOK}", b". /vm-report.sh\n") for folder in HOOK_FOLDERS]


def _for_systemd() -> list[Entry]:
    """A unit of the initrd's own systemd, beside its other work; not where dracut runs the hook.

    A dracut without its own units makes the folders of hooks, too, but never looks into them.
    """
    runner = "lib/systemd/system/dracut-cmdline.service"
    conditions = "".join(f"ConditionPathExists=!/{top}{runner}\n" for top in ("", "usr/"))
    unit = (
        "[Unit]\nDescription=Bring in the VM report\nDefaultDependencies=no\n"
        f"{conditions}Before=initrd.target\n\n"
        "[Service]\nType=oneshot\nExecStart=/bin/sh /vm-report.sh\n"
    )
    units = "etc/systemd/system"
    name = "vm-report-inject.service"
    return [
        Entry("etc"),
        Entry("etc/systemd"),
        Entry(units),
        Entry(f"{units}/{name}", unit.encode()),
        Entry(f"{units}/initrd.target.d"),
        Entry(f"{units}/initrd.target.d/vm-report.conf", f"[Unit]\nWants={name}\n".encode()),
    ]


def initrd_archive() -> bytes:
    """Return the archive that serves initramfs-tools, dracut and systemd initrds alike.

    It holds the way in for each. Folders of theirs are not made, and a file whose folder is not
    there is skipped by the kernel: so only the ways that fit the initrd come to be in it.
    """
    return cpio(
        [
            Entry("vm-report.sh", _writer().encode()),
            *_for_initramfs_tools(),
            *_for_dracut(),
            *_for_systemd(),
        ]
    )


def credentials() -> dict[str, str]:
    """Return the credentials, by name, from which a systemd since 256 makes the report's units."""
    return {
        CREDENTIAL_SCRIPT: report_script(),
        f"systemd.extra-unit.{UNIT}": report_unit(f"/run/credentials/@system/{CREDENTIAL_SCRIPT}"),
        f"systemd.unit-dropin.{TARGET}": pulling_in(),
        f"systemd.unit-dropin.{FIRST_BOOT}": asking_nobody(),
    }


def smbios_credential(name: str, text: str) -> str:
    """Return a credential as an SMBIOS type 11 string (systemd(1), "io.systemd.credential")."""
    return f"io.systemd.credential.binary:{name}={base64.b64encode(text.encode()).decode()}"
