"""Which initrds the report service is brought in with, and what is said of the others."""

import io

import pytest
from hypothesis import given, strategies as st

from readers.memory import tree
from support.packers import lz4, zstd
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.system.initrd.contents import InitrdKind, LookedAt
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import Joint
from vmtiming_tui.images.system.way_in import check_way_in

# What these makers' initrds hold, as far as it tells them apart.
MADE_BY = {
    "initramfs-tools": ("init", "conf/initramfs.conf", "conf/conf.d", "bin/sh"),
    "dracut": ("init", "usr/lib/systemd/systemd", "usr/lib/dracut/hooks", "usr/bin/sh"),
    "dracut, under var": ("init", "var/lib/dracut/hooks", "bin/sh"),
    "mkosi-initrd": ("init", "usr/lib/systemd/systemd", "usr/bin/bash", "usr/bin/sh"),
    "mkinitcpio, systemd": ("init", "usr/lib/systemd/systemd", "usr/bin/sh", "config"),
}
NOT_SERVED = {
    "mkinitcpio, busybox": ("init", "init_functions", "config", "hooks/udev", "usr/bin/sh"),
    "booster": ("init", "etc/booster.init.yaml", "usr/bin/fsck"),
    "u-root": ("init", "bbin/bb", "bin/sh"),
    "tinyinitramfs": ("init", "dev", "proc", "sys", "root"),
    "genkernel": ("init", "etc/initrd.scripts", "etc/initrd.defaults", "bin/sh"),
    "buildroot": ("init", "sbin/init", "etc/inittab", "bin/sh"),
    "Alpine": ("init", "etc/mkinitfs", "bin/sh", "usr/share/udhcpc/default.script"),
    "NixOS": ("init", "nix/store/x-stage-1-init.sh"),
    "dracut without a shell": ("init", "usr/lib/systemd/systemd", "var/lib/dracut/hooks"),
    "a systemd without a shell": ("init", "usr/lib/systemd/systemd"),
}


def made(names, pack=zstd) -> bytes:
    """An initrd as it comes: microcode in an archive of its own, then the rest, packed."""
    early = cpio([Entry("kernel/x86/microcode/GenuineIntel.bin", b"m")]) + bytes(512)
    return early + pack(cpio(map(Entry, names)))


def checked(tmp_path, data: bytes, systemd: str):
    (tmp_path / "initrd").write_bytes(data)
    said: list[str] = []
    root = {f"usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-{systemd}.so": b""}
    check_way_in(tmp_path / "initrd", tree(root if systemd else {}), said.append)
    return said


@pytest.mark.parametrize("names", MADE_BY.values(), ids=MADE_BY)
def test_those_it_is_brought_in_with(names, tmp_path):
    assert LookedAt.file(io.BytesIO(made(names))).kind.is_served
    assert checked(tmp_path, made(names, lz4), "252") == []


@pytest.mark.parametrize("names", NOT_SERVED.values(), ids=NOT_SERVED)
def test_credentials_are_the_way_into_others_where_the_systemd_takes_them(names, tmp_path):
    assert "credentials bring it in" in checked(tmp_path, made(names), "257")[0]
    assert "which takes systemd 256 or newer" in checked(tmp_path, made(names), "")[0]
    with pytest.raises(ImageError, match="takes systemd 256, and the image has 252") as refused:
        checked(tmp_path, made(names), "252")
    assert "without --untouched" in refused.value.hint


def test_why_one_cannot_be_read_is_said(tmp_path):
    old = b"070707" + bytes(100)

    assert (
        "old kind (no -H newc), which no kernel reads: --inject=cred"
        in checked(tmp_path, old, "257")[0]
    )
    with pytest.raises(ImageError, match="it is an archive of cpio's old kind"):
        checked(tmp_path, old, "252")


KINDS = st.sampled_from([kind for kind in InitrdKind if kind is not InitrdKind.UNREADABLE])
JOINTS = st.builds(Joint, st.integers(0, 99), st.none() | st.integers(0, 1 << 40))


@given(st.builds(LookedAt, KINDS, JOINTS))
def test_what_a_child_tells_is_heard(found: LookedAt):
    assert LookedAt.heard(found.told(), 99) == found


@given(st.text(max_size=40) | st.from_regex(r"(dracut|other|systemd) -?[0-9]{1,30} .{0,9}"))
def test_nonsense_from_a_child_is_an_initrd_that_cannot_be_read(line: str):
    heard = LookedAt.heard(line, 99)

    assert heard.kind is InitrdKind.UNREADABLE or heard.joint.offset <= 99
