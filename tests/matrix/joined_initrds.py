"""Try by booting it whether a kernel finds what is joined to initrds of all kinds.

    PYTHONPATH=tests python -m matrix.joined_initrds /boot/vmlinuz-* [--only lz4]

It boots each kernel some forty times under TCG, a few seconds each, and prints a line for each
initrd; it ends with 1 where a kernel did not find everything. Needs bzip2, lz4, lzop, xz and zstd.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support.tiny_systems import join, mark, tiny_system, told_by
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import gap

PACKED = (
    "cat", "gzip -9n", "bzip2 -9", "xz --check=crc32 -1", "xz --check=none -1",
    "xz --check=crc32 -1 -T2 --block-size=500000", "xz --format=lzma -1", "lzop -1", "lzop -9",
    "lz4 -lqc", "lz4 -lqc -9", "zstd -qc", "zstd -qc -1 --no-check", "zstd -qc --long=27",
    "zstd -qc --ultra -22",
)  # fmt: skip
MICROCODE = cpio([Entry("kernel"), Entry("kernel/x86"), Entry("found-early", b"found early\n")])


def packed(command: str, data: bytes) -> bytes:
    return subprocess.check_output(command.split(), input=data)


def initrds() -> Iterator[tuple[str, bytes, set[str]]]:
    """Yield initrds: how each is made, its bytes, and the marks in it."""
    for command in PACKED:
        data = packed(command, tiny_system())
        yield command, data, set()
        yield f"microcode, {command}", MICROCODE + bytes(512) + data, {"early"}
        yield f"{command}, zeros", data + bytes(4099), set()
        yield (
            f"{command} twice",
            data + gap(len(data)) + packed(command, mark("second")),
            {"second"},
        )
        if command != "cat":
            yield f"{command}, junk", data + b"\0\0\0\0\0junk" * 99, set()
    everything = tiny_system()
    for number, command in enumerate(PACKED):
        everything += gap(len(everything)) + packed(command, mark(f"part-{number}"))
    yield "all of them", everything, {f"part-{number}" for number in range(len(PACKED))}
    seen: set[int] = set()
    for extra in range(200):
        noise = Entry("noise", bytes(range(extra % 200, extra % 200 + 8)) * extra)
        data = packed("lz4 -lqc -9", tiny_system(noise))
        if len(data) % 4 not in seen:
            seen.add(len(data) % 4)
            yield f"lz4 -l -9, {len(data) % 4} modulo 4", data, set()


def main() -> int:
    asked = argparse.ArgumentParser(description="Boot kernels with initrds that were joined to.")
    asked.add_argument("kernels", nargs="+", type=Path, metavar="KERNEL")
    asked.add_argument("--only", default="", help="initrds whose names have this in them")
    given = asked.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        initrd = Path(folder) / "initrd"
        for name, data, inside in initrds():
            for kernel in given.kernels if given.only in name else ():
                initrd.write_bytes(data)
                join(initrd, mark("ours"))
                join(initrd, mark("again"))
                began = time.monotonic()
                missing = (inside | {"ours", "again"}) - set(told_by(kernel, initrd))
                failed += bool(missing)
                word = f"MISSING {' '.join(sorted(missing))}" if missing else "found"
                took_s = time.monotonic() - began
                print(f"{kernel.name}\t{name}\t{word}\t{took_s:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
