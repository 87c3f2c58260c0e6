"""Try one disk image in every format of QEMU's: prepared in both ways, and booted.

    PYTHONPATH=tests python -m matrix.formats disk.raw --work DIR [--timeout 0] [NAME...]

``disk.raw`` is an image that boots, such as one that ``python -m matrix`` made. It prints a line
for each format and way; without a boot where ``--timeout`` is 0.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from matrix.trying import HEADING, tried
from support.disk_images import sh

# Each is how qemu-img makes it: of the raw image, or empty on what stands there before it.
WAYS: dict[str, Sequence[Sequence[str]]] = {
    "compressed.qcow2": [("convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd")],
    "extended.qcow2": [("convert", "-O", "qcow2", "-o", "extended_l2=on")],
    "data-file.qcow2": [("convert", "-O", "qcow2", "-o", "data_file=data-file.data")],
    "old.qcow2": [("convert", "-O", "qcow2", "-o", "compat=0.10")],
    "on-vdi.qcow2": [("convert", "-O", "vdi"), ("create", "-f", "qcow2", "-F", "vdi")],
    "dynamic.vdi": [("convert", "-O", "vdi")],
    "dynamic.vhdx": [("convert", "-O", "vhdx")],
    "azure.vhd": [("convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on")],
    "dynamic.vhd": [("convert", "-O", "vpc", "-o", "force_size=on")],
    "appliance.vmdk": [("convert", "-O", "vmdk", "-o", "subformat=streamOptimized")],
    "flat.vmdk": [("convert", "-O", "vmdk", "-o", "subformat=monolithicFlat")],
    "parts.vmdk": [("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse")],
    "snapshot.vmdk": [
        ("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
        ("create", "-f", "vmdk", "-F", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"),
    ],
    "snapshot-of-one.vmdk": [("convert", "-O", "vmdk"), ("create", "-f", "vmdk", "-F", "vmdk")],
    "disk.hdd": [("convert", "-O", "parallels")],
    "disk.qed": [("convert", "-O", "qed")],
}


def made(name: str, raw: Path, folder: Path) -> Path:
    """Make the image of that name in a folder of its own."""
    source = raw
    for number, (command, *words) in enumerate(WAYS[name]):
        options = [word.replace("data_file=", f"data_file={folder}/") for word in words]
        target = folder / (name if number == len(WAYS[name]) - 1 else f"below-{name}")
        source_words = ("-f", "raw", source) if command == "convert" else ("-b", source.name)
        sh("qemu-img", command, "-q", *options, *source_words, target)
        source = target
    return source


def main() -> None:
    """Do what the words ask for."""
    parser = argparse.ArgumentParser(prog="python -m matrix.formats", description=__doc__)
    parser.add_argument("raw", type=Path, help="an image that boots")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--work", type=Path, required=True, help="a folder for twice the image")
    parser.add_argument("--timeout", type=int, default=400, help="seconds a boot may take; 0: none")
    given = parser.parse_intermixed_args()
    if unknown := set(given.names) - set(WAYS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    print(HEADING, flush=True)
    for name in given.names or WAYS:
        for options in ((), ("--untouched",)):
            with tempfile.TemporaryDirectory(prefix="matrix-", dir=given.work) as folder:
                image = made(name, given.raw.resolve(), Path(folder))
                print(tried(image, options, Path(folder), timeout_s=given.timeout), flush=True)


if __name__ == "__main__":
    main()
