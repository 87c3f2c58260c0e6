"""Which stages a console shows, by texts that firmware, loaders, kernels and inits write."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from vmtiming_tui.engine.guest.boot_signs import LOOKED_AT_BYTES, BootSigns
from vmtiming_tui.model.stage import Stage

FIRMWARE, LOADER, KERNEL, INITRD, USERSPACE = tuple(Stage)[:5]

DEBIAN_BIOS = b"""\
\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)\r
\r
Booting from Hard Disk...\r
GRUB loading.\r
Welcome to GRUB!\r
  Booting `Debian GNU/Linux'\r
\r
Loading Linux 6.1.0-18-amd64 ...\r
Loading initial ramdisk ...\r
[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)\r
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-18-amd64 root=/dev/vda1\r
[    1.203155] Run /init as init process\r
Loading, please wait...\r
Starting systemd-udevd version 252.22-1~deb12u1\r
Begin: Loading essential drivers ... done.\r
Begin: Mounting root file system ... Begin: Running /scripts/local-top ... done.\r
[    2.911034] systemd[1]: Inserted module 'autofs4'\r
[    2.951034] systemd[1]: systemd 252.22-1~deb12u1 running in system mode (+PAM +AUDIT)\r
[    2.960101] systemd[1]: Detected virtualization qemu.\r
\r
Welcome to \x1b[1mDebian GNU/Linux 12 (bookworm)\x1b[0m!\r
\r
[\x1b[0;32m  OK  \x1b[0m] Created slice \x1b[0;1;39msystem-getty.slice\x1b[0m.\r
"""
FEDORA_UEFI = b"""\
UEFI firmware (version edk2-20230524-3.fc38 built at 00:00:00 on May 24 2023)\r
BdsDxe: loading Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)\r
BdsDxe: starting Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0)\r
EFI stub: Loaded initrd from LINUX_EFI_INITRD_MEDIA_GUID device path\r
[    0.000000][    T0] Linux version 6.5.6-300.fc39.x86_64 (mockbuild@fedora)\r
[    1.777700] systemd[1]: systemd 254.5-2.fc39 running in system mode (+PAM +AUDIT)\r
[    1.777754] systemd[1]: Detected architecture x86-64.\r
[    1.777762] systemd[1]: Running in initrd.\r
\r
Welcome to \x1b[0;38;2;60;110;180mFedora Linux 39 (Cloud Edition) dracut-059 (Initramfs)\x1b[0m!\r
\r
[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mlocal-fs.target\x1b[0m.\r
[    2.100000] dracut-cmdline[257]: dracut-39 (Thirty Nine) dracut-059-16.fc39\r
[    6.200000] systemd[1]: Reached target initrd.target - Initrd Default Target.\r
"""
SWITCHED = b"[    7.133550] systemd[1]: Switching root.\r\n"
WELCOMED = b"\nWelcome to \x1b[0;38;2;60;110;180mFedora Linux 39 (Cloud Edition)\x1b[0m!\r\n"
ANEW = b"[    8.133550] systemd[1]: systemd 254.5-2.fc39 running in system mode (+PAM)\r\n"


def stages(*pieces: bytes, by_firmware: bool = False) -> list[Stage]:
    signs = BootSigns(by_firmware=by_firmware)
    return [stage for piece in pieces for stage in signs.look(piece)]


def test_a_boot_by_a_bios_shows_every_stage():
    assert stages(DEBIAN_BIOS) == [FIRMWARE, LOADER, KERNEL, INITRD, USERSPACE]


def test_what_a_boot_began_in_is_not_seen_again():
    assert stages(DEBIAN_BIOS, by_firmware=True) == [LOADER, KERNEL, INITRD, USERSPACE]


def test_a_systemd_in_the_initrd_is_not_userspace():
    assert stages(FEDORA_UEFI, by_firmware=True) == [LOADER, KERNEL, INITRD]


@pytest.mark.parametrize("end", [SWITCHED, WELCOMED, ANEW], ids=["switch", "welcome", "anew"])
def test_userspace_begins_where_the_initrd_is_left(end: bytes):
    assert stages(FEDORA_UEFI, end, by_firmware=True)[-1] is USERSPACE


def test_an_initrd_that_greets_as_the_system_does_is_told_by_its_log():
    greeting = b"Welcome to Arch Linux!\n"
    signs = BootSigns(by_firmware=False)
    assert signs.look(b"[ 1.1] systemd[1]: Running in initial RAM disk.\n" + greeting) == [INITRD]
    assert signs.look(b"[  OK  ] Reached target Initrd Root Device.\n") == []
    assert signs.look(greeting) == [USERSPACE]


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        (b"Probing EDD (edd=off to disable)... o[    0.000000] Linux version 5.5.0", KERNEL),
        (b"Linux version 6.1.0 (printk.time=0)", KERNEL),
        (b"[12345.678901] usb 1-1: new device", KERNEL),
        (b":: running early hook [udev]", INITRD),
        (b"[    1.5] dracut: Mounting root", INITRD),
        (b"Alpine Init 3.8.1-r0", INITRD),
        (b"Booting initrd of NixOS 26.05 (Yarara) (Initrd).", INITRD),
        (b"[    1.928728] Run /sbin/init as init process", USERSPACE),
        (b"[    3.1] dracut: Switching root", USERSPACE),
        (b"INIT: version 3.06 booting", USERSPACE),
        (b"   OpenRC 0.54 is starting up Linux 6.6.7-0-virt (x86_64)", USERSPACE),
        (b"[  OK  ] Started cron.service - Regular background program.", USERSPACE),
        (b"[    2.1] systemd[1]: Queued start job for default target.", USERSPACE),
        (b"ISOLINUX 6.04 EDD Copyright (C) 1994-2015 H. Peter Anvin et al", LOADER),
        (b"                             GNU GRUB  version 2.06", LOADER),
        (b"iPXE (http://ipxe.org) 00:03.0 CA00 PCI2.10 PnP", FIRMWARE),
    ],
)
def test_one_line_can_be_enough(line: bytes, stage: Stage):
    assert stages(line + b"\n") == [stage]


def test_without_firmware_the_first_line_is_the_kernels_at_the_earliest():
    assert stages(b"hello world\n") == [KERNEL]
    assert stages(b"hello world\n", by_firmware=True) == []


def test_half_a_line_says_nothing():
    signs = BootSigns(by_firmware=False)
    assert signs.look(b"Loading, please wait") == []
    assert signs.look(b"...\n") == [INITRD]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, len(DEBIAN_BIOS)), max_size=40))
def test_it_does_not_matter_where_pieces_are_cut(cuts: list[int]):
    ends = sorted({0, *cuts, len(DEBIAN_BIOS)})
    pieces = [DEBIAN_BIOS[a:b] for a, b in pairwise(ends)]
    assert stages(*pieces) == [FIRMWARE, LOADER, KERNEL, INITRD, USERSPACE]


def test_after_a_reset_all_begins_anew():
    signs = BootSigns(by_firmware=True)
    signs.look(DEBIAN_BIOS)
    signs.begin_anew()
    assert signs.look(DEBIAN_BIOS) == [LOADER, KERNEL, INITRD, USERSPACE]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8))
def test_whatever_a_guest_writes_stages_come_once_and_in_order(pieces: list[bytes]):
    seen = stages(*pieces, b"\n", DEBIAN_BIOS)
    assert seen == sorted(set(seen), key=list(Stage).index)


@pytest.mark.parametrize(
    "noise", [b"\n", b"x", b"systemd[1]: \n", b"\x1b[", b"[", b"dracut-a", b"Begin: "]
)
def test_a_flood_costs_little(noise: bytes):
    signs = BootSigns(by_firmware=True)
    piece = noise * (4096 // len(noise))
    began_s = time.process_time()
    for _ in range(16 * LOOKED_AT_BYTES // len(piece)):
        signs.look(piece)
    assert time.process_time() - began_s < 2


def test_a_line_without_end_keeps_its_beginning_only():
    signs = BootSigns(by_firmware=True)
    signs.look(b"Linux version 6.1.0 ")
    for _ in range(50):
        signs.look(b"x" * 10_000)
    assert signs.look(b"\n") == [KERNEL]
