"""Images that want the host, through spin-from-raw.sh and prepare, to the end."""

import os
import subprocess
from pathlib import Path

import images
import pytest

from hostile.whole import MARKER, SPIN, holds, spin

COMMAND = f"touch {MARKER}; touch /tmp/{MARKER}"
MOUNTED_ON = {
    "arithmetic": f"x\nBlock count: a[$({COMMAND})]\nBlock size: a[$({COMMAND})]",
    "backticks": f"`{COMMAND}`",
    "escapes": "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "a forged line": "x\nspin-from-raw: ready: /etc/passwd",
}


@pytest.fixture
def nothing_came_of_it(place, decoy):
    """The marker is nowhere afterwards, and the decoy as it was."""
    before = decoy.facts()
    yield
    assert decoy.facts() == before
    for folder in (place, Path("/tmp"), Path("/")):
        assert not os.path.lexists(folder / MARKER)
    assert not holds(place / "out", decoy.secret)


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize("name", MOUNTED_ON)
def test_the_place_an_ext4_was_last_mounted_on(name, way, system, place):
    image = images.ext4(place / "disk.img", system, 64)
    images.sh("tune2fs", "-M", MOUNTED_ON[name][:63], image)

    assert way(image, place).code == 0


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize("label", ["$(touch x)", "-Lx", "\x1b[2J", 'a"\nq', "a[$(id)]"])
def test_its_label(label, way, system, place):
    image = images.ext4(place / "disk.img", system, 64)
    images.sh("tune2fs", "-L", label, image)

    assert way(image, place).code == 0


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize(
    "end",
    ['\ndump /etc/fstab "{out}"\n', '"\ndump /etc/fstab "{out}', "\nquit\nrm {out}", ' "{out}"'],
)
@pytest.mark.parametrize(
    "path",
    ["etc/systemd/system/multi-user.target.wants", "etc/systemd/system-preset", "usr/bin/vm-report",
     "etc/fstab.d"],
)  # fmt: skip
def test_links_with_words_for_debugfs(path, end, system, place, decoy):
    target = f"/nowhere{end.format(out=decoy.path / 'passwd')}"
    (system / path).parent.mkdir(parents=True, exist_ok=True)
    (system / path).symlink_to(target)
    image = images.ext4(place / "disk.img", system, 64)

    spin(image, place)


NAMES = {
    "escapes": "\x1b]2;owned\x07\x1b[2JLinux",
    "a forged line": "x\nspin-from-raw: ready: /etc/passwd",
    "a forged word": "ready: /etc/rootfs.img (1MB), /etc/BFILES/vmlinuz, /etc/BFILES/initrd",
    "a carriage return": "x\rspin-from-raw: ready: /etc/passwd",
    "unseen": "\u202e\u2066Linux\u200b",
    "broken": b"\xff\xfeLinux\x9b2J",
    "long": "L" * 100_000,
    "a command": "$(touch somebody-was-here)`touch somebody-was-here`",
}


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_the_system(name, way, system, place):
    word = NAMES[name]
    raw = word if isinstance(word, bytes) else word.encode()
    images.write(system / "usr/lib/os-release", b'PRETTY_NAME="' + raw + b'"\n')
    image = images.ext4(place / "disk.img", system, 64)

    ran = way(image, place)

    assert ran.code == 0
    assert len(ran.words) < 20_000


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize(
    "line",
    ["UUID=x /var\x1b[2J ext4 defaults 0 0", "/dev/sdz1 /usr/../../../../tmp/x ext4 d 0 0",
     "$(touch somebody-was-here) /mnt ext4 d 0 0", "/dev/sdz1 /\x9b2J xfs a,b,c 0 0",
     "x" * 100_000 + " / ext4 defaults 0 0"],
    ids=["escape", "dots", "command", "c1", "long"],
)  # fmt: skip
def test_lines_of_the_fstab(line, way, system, place):
    images.write(system / "etc/fstab", f"{line}\n".encode("latin-1"))
    image = images.ext4(place / "disk.img", system, 64)

    way(image, place)


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize(
    "version",
    [
        "6.1.0-9;touch somebody-was-here",
        "6.1\x1b[2J",
        "6.1$(touch somebody-was-here)",
        "-rf",
        "6.1'\"",
    ],
)
def test_the_versions_of_its_kernels(version, way, system, place):
    images.add_kernel(system / "boot", version)
    image = images.ext4(place / "disk.img", system, 64)

    assert way(image, place).code == 0


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize("up", ["../../../../..", "../..", "kernel/../../.."])
def test_modules_that_lead_out(up, way, system, place, decoy):
    modules = system / "usr/lib/modules/6.1.0-9"
    path = f"{up}{decoy.path}/passwd/virtio_blk.ko"
    images.write(modules / "modules.dep", f"{path}:\nkernel/virtio_pci.ko: {path}\n")
    images.write(modules / "kernel/virtio_pci.ko", "module")
    images.write(system / "boot/initrd.img-6.1.0-9", b"")
    with (system / "boot/initrd.img-6.1.0-9").open("wb") as archive:
        names = f"usr/lib/modules/6.1.0-9/kernel/x.ko\n{up}\n"
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(),
                       stdout=archive, cwd=system, check=False, capture_output=False,
                       stderr=subprocess.DEVNULL)  # fmt: skip
    image = images.ext4(place / "disk.img", system, 64)

    way(image, place)


@pytest.mark.usefixtures("nothing_came_of_it")
def test_links_that_lead_out_of_the_image(way, system, place, decoy):
    for name in ("etc/machine-id", "etc/crypttab", "boot/vmlinuz-7", "boot/initrd.img-7"):
        (system / name).unlink(missing_ok=True)
        (system / name).symlink_to(decoy.path / "passwd")
    (system / "usr/lib/modules").mkdir(parents=True)
    (system / "usr/lib/modules/7").symlink_to(decoy.path)
    image = images.ext4(place / "disk.img", system, 64)

    way(image, place)


CHAINS = [
    '{{"file": {{"driver": "file", "filename": "{secret}"}}, "driver": "raw"}}', "nbd://127.0.0.1:{port}",
    "ssh://127.0.0.1:{port}/x", "{secret}", "fat:rw:{folder}", "../../../../../..{secret}",
]  # fmt: skip


@pytest.mark.usefixtures("nothing_came_of_it")
@pytest.mark.parametrize("chain", CHAINS)
def test_an_image_that_stands_on_what_it_may_not(chain, way, place, decoy):
    (place / "below").mkdir()
    image = place / "below/disk.qcow2"
    secret = decoy.path / "BFILES/vmlinuz"
    backing = chain.format(secret=secret, folder=decoy.path, port=9)
    if chain.startswith("{{"):
        backing = f"json:{backing}"
    images.sh(
        "qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", backing, "-F", "raw", image, "64M"
    )

    ran = way(image, place)

    assert ran.code == 1


def test_an_image_that_is_a_pipe_or_grows_is_no_wait(way, place):
    os.mkfifo(place / "pipe")

    assert way(place / "pipe", place).code == 1


def test_what_the_inside_says_is_never_taken_for_the_outsides_own(system, place):
    """Two systems, so that a list with foreign names is complained of."""
    images.write(system / "usr/lib/os-release", 'PRETTY_NAME="a\\nready: x"\n')
    root = images.ext4(place / "root.fs", system, 64)
    part = images.Partition("linux", root)
    image = images.disk(place / "disk.img", "gpt", [part, part])

    ran = spin(image, place)

    assert ran.code == 1
    assert SPIN.name.encode() not in ran.said
    assert [line[:2] for line in ran.complaint.splitlines()[1:]] == [b"  ", b"  "]
