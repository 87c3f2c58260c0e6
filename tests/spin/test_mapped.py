"""Logical volumes that only the device mapper can put together: the same files, by way of a VM."""

from support import disk_images as images
from support.disk_images import Partition
from support.mapped import group_made_by
from support.spinning import differences, opened, spin

FILL = "dd if=$content of=/dev/mapper/vg--tiny-root bs=1M conv=notrunc"
THIN = (
    "lvm lvcreate -y -L {pool}M --poolmetadatasize 4M --thinpool pool vg-tiny {disk} && "
    f"lvm lvcreate -y -V {{size}}M --thin -n root vg-tiny/pool && {FILL}"
)
# Each beside the others on two disks: where it belongs, and what makes it.
BELOW = {
    "home": ("thin", "lvm lvcreate -y -V 32M --thin -n home vg-tiny/pool"),
    "opt": ("striped", "lvm lvcreate -y -i 2 -I 64 -L 16M -n opt vg-tiny"),
    "media": ("raid1", "lvm lvcreate -y --type raid1 -m 1 -L 16M -n media vg-tiny"),
    "var": (
        "cache",
        "lvm lvcreate -y -L 16M -n var vg-tiny /dev/vdb && "
        "lvm lvcreate -y --type cache-pool -L 12M -n fast vg-tiny /dev/vdc && lvm lvconvert -y "
        "--type cache --cachemode writeback --cachepool fast vg-tiny/var",
    ),
}  # fmt: skip


def made_below(name: str, make: str) -> str:
    """Make a volume, and an ext4 with a letter in it."""
    device = f"/dev/mapper/vg--tiny-{name}"
    return (
        f"{make} && /tools/mke2fs -q -t ext4 {device} && mount -t ext4 {device} /tmp && "
        f"echo 'from {name}' >/tmp/letter && umount /tmp"
    )


def test_an_xfs_in_a_thin_volume(tree, folder):
    content = images.mounted_fs(folder / "root.fs", "xfs", tree, 320)
    image = folder / "disk.img"
    make = THIN.format(pool=340, size=400, disk="")
    group_made_by(make, [image], content, ["thin"], 400)

    spun = spin(image, folder / "out")

    assert "Tiny Linux 1 on vg-tiny/root (xfs)" in spun.said
    with opened(spun) as root:
        assert differences(tree, root) == set()


def test_volumes_of_every_kind_merge_boot_untouched_and_are_left_out_by_mount(tree, folder):
    copy = folder / "tree"
    images.sh("cp", "-a", tree, copy)
    images.sh("rm", "-r", copy / "home")
    with (copy / "etc/fstab").open("a") as fstab:
        for name in BELOW:
            (copy / name).mkdir(exist_ok=True)
            fstab.write(f"/dev/vg-tiny/{name} /{name} ext4 defaults 0 0\n")
    parts = [folder / "0.pv", folder / "1.pv"]
    make = [THIN.format(pool=96, size=64, disk="/dev/vdb")]
    make += [made_below(name, how) for name, (_, how) in BELOW.items()]
    content = images.ext4(folder / "root.fs", copy, 64)
    group_made_by(" && ".join(make), parts, content, [kind for kind, _ in BELOW.values()], 176)
    image = images.disk(folder / "disk.img", "gpt", [Partition("lvm", part) for part in parts])

    whole = spin(image, folder / "out")
    untouched = spin(image, folder / "boot", "--boot-files")
    trusted = spin(image, folder / "trusted", "--mount")

    assert "Tiny Linux 1 on vg-tiny/root (ext4)" in whole.said
    with opened(whole) as root:
        for name in BELOW:
            assert (root / name / "letter").read_text() == f"from {name}\n"
        assert (root / "etc/fstab").read_text().startswith("/dev/vda / ext4 ")
        changed = {str(facts[0]).split("/")[0] for facts in differences(copy, root)}
        assert changed <= set(BELOW)
    assert (untouched.out / "BFILES/cmdline").read_text() == (
        "root=/dev/mapper/vg--tiny-root rd.lvm.lv=vg-tiny/root\n"
    )
    assert trusted.code == 1
    assert trusted.said.count("--mount does not (without --mount a VM does)") == 5
