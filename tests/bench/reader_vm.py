"""What reading an xfs in a throw-away VM costs beside a mount; prints, asserts nothing. As root.

python tests/bench/reader_vm.py [MiB of files] [turns]
The same image is spun by a VM, by --mount, by the VM again, and so on; figures are ratios of what
stands beside them, since a load of the host slows both.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "spin"))

import images  # noqa: E402

SPIN = TESTS.parent / "spin" / "spin-from-raw.sh"
FILES = 2000


def an_xfs(folder: Path, mib: int) -> Path:
    tree = images.make_tree(folder / "tree")
    images.add_kernel(tree / "boot", "6.1.0-9")
    for number in range(FILES):
        images.write(
            tree / f"srv/many/{number % 50}/{number}", os.urandom(mib * images.MIB // FILES)
        )
    return images.mounted_fs(folder / "disk.img", "xfs", tree, mib + 320)


def seconds(image: Path, out: Path, *options: str) -> float:
    start = time.perf_counter()
    subprocess.run(
        [SPIN, image, "--out", out, "--force", *options], check=True, capture_output=True
    )
    return time.perf_counter() - start


def main(mib: int = 200, turns: int = 3) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = an_xfs(folder, mib)
        out = folder / "out"
        ratios = []
        for turn in range(turns):
            before = seconds(image, out)
            mounted = seconds(image, out, "--mount")
            after = seconds(image, out)
            ratios.append((before + after) / 2 / mounted)
            load = os.getloadavg()[0]
            print(f"turn {turn + 1}: VM {before:.1f} s, --mount {mounted:.1f} s, VM {after:.1f} s: "
                  f"{ratios[-1]:.1f} times as long, load {load:.1f}")  # fmt: skip
        empty = seconds(image, out, "--dry-run"), seconds(image, out, "--dry-run", "--mount")
        print(
            f"{mib} MiB in {FILES:,} files: {statistics.median(ratios):.1f} times as long (median)"
        )
        print(f"one boot and a look alone (--dry-run): {empty[0] / empty[1]:.1f} times as long, "
              f"{empty[0] - empty[1]:.1f} s more")  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
