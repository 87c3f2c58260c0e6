"""Debians with nothing of ours inside, as the usual tools make them; made once and kept."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from support.kept import kept
from vmtiming_tui.resources import resource

GENERATOR = resource("spin", "gen-debian-rawfs.sh")
SIZE = "640M"
PACKAGES = "systemd-sysv,udev,linux-image-cloud-amd64,initramfs-tools"


def run(*words: object, **given: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, check=False, **given
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def users_may_make_namespaces() -> bool:
    """Whether this host lets users do what building without root takes."""
    command = ["setpriv", "--reuid", "nobody", "--clear-groups", "unshare", "--user", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def generate(out: Path, *options: str) -> None:
    """Build a Debian by gen-debian-rawfs.sh: as `nobody`, where this host lets users do so.

    It must leave the image and nothing else.
    """
    with tempfile.TemporaryDirectory() as name:
        # The image's own folder may lie where `nobody` has no way in.
        folder = Path(name)
        folder.chmod(0o777)
        image = folder / out.name
        command: list[object] = ["bash", GENERATOR, *options, image]
        if not users_may_make_namespaces():
            run(*command)
        else:
            ranges = folder / "ranges"
            ranges.write_text("nobody:100000:65536\n")
            # Seen by this process alone: the host's own tables are left as they are.
            mount = "; ".join(f"mount --bind {ranges} /etc/{each}" for each in ("subuid", "subgid"))
            become = "exec setpriv --reuid nobody --regid nogroup --clear-groups"
            run("unshare", "--mount", "sh", "-ec", f'{mount}; {become} "$@"', "sh", *command,
                env=os.environ | {"HOME": "/nonexistent"})  # fmt: skip
            ranges.unlink()
        assert list(folder.iterdir()) == [image]
        run("mv", image, out)


SHELL_ONLY = "systemd systemd-initrd systemd-udevd dracut-systemd"
WITHOUT_DRACUT = "rm -rf {usr,var}/lib/dracut; find etc usr/lib -name 'dracut-*' -delete"


def _make_plain(folder: Path) -> None:
    """A Debian of gen-debian-rawfs.sh with its own kernel, and initrds of all kinds beside it."""
    folder.chmod(0o755)
    raw = folder / "vm-0.img"
    generate(raw, "--packages", "less,dracut-core", "--size", SIZE)
    copy, root = folder / "copy.img", folder / "root"
    run("cp", "--sparse=always", raw, copy)
    root.mkdir()
    inside = (
        f"mount -o loop {copy} {root}; mount --bind /dev {root}/dev; "
        f"mount -t proc proc {root}/proc; mount -t tmpfs tmpfs {root}/var/tmp; "
        f"version=$(ls {root}/lib/modules); "
        f"dracut() {{ chroot {root} env -u TMPDIR dracut --quiet --no-hostonly "
        # Left to itself it packs for half a minute.
        "--compress 'gzip -n -1' \"$@\"; }; "
        "dracut /boot/initrd.dracut $version & "
        f"dracut --omit '{SHELL_ONLY}' /boot/initrd.shell $version; wait $!; "
        f"cp {root}/boot/vmlinuz-* {folder}/vmlinuz; "
        f"cp {root}/boot/initrd.img-* {folder}/initrd.initramfs-tools; "
        f"cp {root}/boot/initrd.dracut {root}/boot/initrd.shell {folder}"
    )
    run("unshare", "--mount", "--propagation", "private", "bash", "-ec", inside)
    copy.unlink()
    root.rmdir()
    repack(folder / "initrd.dracut", folder / "initrd.systemd", WITHOUT_DRACUT)


def repack(initrd: Path, target: Path, change: str) -> None:
    """Write a dracut initrd anew after shell commands have changed what is in it."""
    with tempfile.TemporaryDirectory() as tree:
        unpack = 'gzip -dc "$1" | cpio --extract --quiet --make-directories --no-absolute-filenames'
        pack = "find . | cpio --create --quiet --format=newc | gzip -1"
        run("bash", "-euo", "pipefail", "-c",
            f'cd "$0"; {unpack}; {change}; {pack} >"$2"', tree, initrd, target)  # fmt: skip


def plain_debian() -> Path:
    """Return a folder with vm-0.img, vmlinuz and an initrd of each kind.

    Besides initramfs-tools they are dracut's, its own without a systemd inside (shell), and one
    with a systemd but nothing of dracut's (systemd). The image is whole and unprepared; what made
    it decides whether a kept one still counts.
    """
    digest = hashlib.sha256()
    for path in (GENERATOR, GENERATOR.with_name("lib-debian.sh"), Path(__file__)):
        digest.update(path.read_bytes())
    return kept(f"debian-{digest.hexdigest()[:12]}", _make_plain)


def _make_newer(folder: Path) -> None:
    """A Debian with systemd 256 or newer; the hooks may run as another user."""
    folder.chmod(0o777)
    hooks = [
        f'cp "$1"/boot/vmlinuz-* {folder}/vmlinuz',
        f'cp "$1"/boot/initrd.img-* {folder}/initrd.initramfs-tools',
        f"chmod a+r {folder}/initrd.*",
        # A plain bind mount shows the tree without the /proc, /sys and /dev mounted inside it.
        'unshare --mount sh -c \'mount --bind "$0" "$0/mnt" && '
        f'mke2fs -q -t ext4 -d "$0/mnt" {folder}/vm-0.img 900M\' "$1"',
    ]
    run("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}",
        *(f"--customize-hook={hook}" for hook in hooks), "trixie", "/dev/null")  # fmt: skip
    folder.chmod(0o755)


def newer_debian() -> Path:
    """Return a folder with vm-0.img, vmlinuz and initrd.initramfs-tools of Debian 13."""
    return kept("trixie", _make_newer)
