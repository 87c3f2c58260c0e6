"""Another release of Debian beside this one, entered as if it were the machine's own."""

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.kept import kept

CHECKOUT = Path(__file__).resolve().parents[2]

# The old root goes before the command starts: nothing of the host is in reach but the checkout.
ENTER = """
root=$1 checkout=$2 wheels=$3 archives=$4; shift 4
mount --bind "$root" "$root"
for each in "$checkout:checkout" "$wheels:wheels" "$archives:var/cache/apt/archives"; do
    mkdir -p "$root/${each##*:}"
    mount --bind "${each%:*}" "$root/${each##*:}"
done
mount -o remount,bind,ro "$root/checkout"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/old"
cd "$root"
pivot_root . old
cd /root
PATH=$SEARCHED
umount -l /old
exec "$@"
"""


def _make_root(suite: str, folder: Path) -> None:
    keep = 'echo "APT::Keep-Downloaded-Packages true;" >"$1/etc/apt/apt.conf.d/keep"'
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--format=directory",
         f"--customize-hook={keep}", suite, folder / "root"],
        check=True,
    )  # fmt: skip
    (folder / "archives/partial").mkdir(parents=True)


def _wheels(python: str) -> Path:
    """Return a folder with all that pip needs to install the checkout into that Python."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    needed = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    tested = CHECKOUT / "tests/constraints.txt"

    def download(folder: Path) -> None:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder,
             "--only-binary", ":all:", "--python-version", python, "--constraint", tested, *needed],
            check=True,
        )  # fmt: skip

    digest = hashlib.sha256(" ".join([python, *needed, tested.read_text()]).encode())
    return kept(f"wheels-{digest.hexdigest()[:12]}", download)


@contextmanager
def elsewhere(suite: str, python: str, folder: Path) -> Iterator[list[object]]:
    """Yield the words that go before a command to run it on a fresh minimal system of ``suite``.

    There it finds the checkout at /checkout, read-only, and what pip needs in /wheels; what apt-get
    downloads is kept for the next time, and all else goes with the command.
    """
    kept_root = kept(f"root-{suite}", lambda made: _make_root(suite, made))
    root = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", kept_root / "root", root], check=True)
    proxies = [f"{name}={os.environ[name]}" for name in os.environ if "_proxy" in name.lower()]
    try:
        yield [
            "unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child",
            "--propagation", "private",
            "env", "--ignore-environment", "HOME=/root", "LANG=C.UTF-8", "PIP_NO_INDEX=1",
            "PIP_FIND_LINKS=/wheels", f"PATH={os.environ['PATH']}",
            "SEARCHED=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *proxies,
            "bash", "-euc", ENTER, "enter", root, CHECKOUT, _wheels(python), kept_root / "archives",
        ]  # fmt: skip
    finally:
        shutil.rmtree(root)
