"""Disks whose logical volumes the device mapper has to put together, made in a VM by lvm2 itself.

A host may have no device mapper, and names of volumes that are taken; a VM of its own has neither
trouble. It is the one that reads images, with another script.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from support.disk_images import MIB
from vmtiming_tui.images.reader.device_mapper import modules_for
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.reader.host_kernel import kernels
from vmtiming_tui.images.reader.reader_vm_initrd import initrd
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio

_LIMIT_S = 600
_INIT = """\
#!/bin/busybox sh
export PATH=/bin:/tools LVM_SYSTEM_DIR=/job MKE2FS_CONFIG=/job/mke2fs.conf
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module.ko"; done </job/modules
set -x
{ lvm pvcreate $(cat /job/disks) && lvm vgcreate vg-tiny $(cat /job/disks) && . /job/make &&
    lvm vgchange -a n -y vg-tiny && sync && echo "all made"; } >/dev/console 2>&1
sync
reboot -f
"""


def group_made_by(
    make: str, disks: Sequence[Path], content: Path, kinds: Sequence[str], mib: int
) -> None:
    """Make new files of so many MiB the disks of the group `vg-tiny`.

    ``make`` is a script, each command of which must succeed for the next; its disks are /dev/vdb
    and on, and `$content` is one with what is to go into a volume.
    """
    names = [f"/dev/vd{chr(ord('b') + number)}" for number in range(len(disks))]
    for path in disks:
        path.touch()
        os.truncate(path, mib * MIB)
    job = {"disks": " ".join(names), "make": f"content=/dev/vda\n{make}"}
    with kernels() as found:
        kernel = GuestKernel(found[0].version, found[0].fd)
        modules = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", *modules_for(kinds)]
        data = initrd(kernel, modules, job, lvm=True) + cpio([Entry("init", _INIT.encode(), 0o755)])
        archive = disks[0].with_suffix(".initrd")
        archive.write_bytes(data)
        done = _run(f"/boot/vmlinuz-{kernel.version}", archive, [content, *disks])
    archive.unlink()
    assert "\nall made\n" in done, done


def _run(kernel: str, archive: Path, disks: Sequence[Path]) -> str:
    words = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-cpu", "max",
             "-m", "768", "-kernel", kernel, "-initrd", archive, "-serial", "stdio",
             "-append", "console=ttyS0 loglevel=4 panic=-1 no_timer_check"]  # fmt: skip
    for disk in disks:
        words += ["-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,detect-zeroes=on"]
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        timeout=_LIMIT_S, errors="replace",
    ).stdout.replace("\r", "")  # fmt: skip
