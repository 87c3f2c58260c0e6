"""What is brought to hosts, looked at first: images by the real gate."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from hostile.chains import overlay
from support.engine_lab import Lab
from support.facts import plan_of
from vmtiming_tui.cluster.shipping.shipped_file import Looks
from vmtiming_tui.cluster.shipping.store import PIECE_BYTES
from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.image.overlays import make_overlays
from vmtiming_tui.errors import ImageError
from vmtiming_tui.model.config import RunConfig


def based_on(lab: Lab, base: Path) -> RunConfig:
    (lab.folder / "kernel").write_bytes(b"kernel")
    vms = str(lab.folder / "vms")
    return lab.config(2, base=str(base), vmdir=vms, kernel=str(lab.folder / "kernel"))


def create(path: Path, image_format: str) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", image_format, path, "8M"], check=True)


async def make(config: RunConfig) -> None:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            await make_overlays(config, range(config.number), children)


@pytest.mark.parametrize("image_format", ["raw", "qcow2", "vdi"])
async def test_a_base_goes_with_the_format_that_the_gate_tells(lab: Lab, image_format: str):
    base = lab.folder / "base.img"
    create(base, image_format)
    shipped = {file.path: file for file in await Looks().at(plan_of(based_on(lab, base)))}
    kernel = shipped[str(lab.folder / "kernel")]

    assert shipped[str(base)].image_format == image_format
    assert shipped[str(base)].modified_ns == base.stat().st_mtime_ns
    assert shipped[str(base)].content.digest == hashlib.sha256(base.read_bytes()).hexdigest()
    assert (kernel.image_format, kernel.data_bytes) == ("", len(b"kernel"))


async def test_of_a_sparse_base_only_pieces_with_data_are_brought(lab: Lab):
    base = lab.folder / "base.img"
    with base.open("wb") as writer:
        os.truncate(writer.fileno(), 64 * PIECE_BYTES)
        os.pwrite(writer.fileno(), b"data", 7 * PIECE_BYTES + 5)
    file, _ = await Looks().at(plan_of(based_on(lab, base)))

    assert file.offsets == (7 * PIECE_BYTES,)
    assert (file.content.size_bytes, file.data_bytes) == (64 * PIECE_BYTES, PIECE_BYTES)


async def test_a_base_that_stands_on_others_is_refused_with_what_makes_one_of_it(lab: Lab):
    below = lab.folder / "below.img"
    below.write_bytes(bytes(1 << 20))
    base = overlay(lab.folder / "base.img", str(below))

    with pytest.raises(ImageError, match=r"--ship: the base .* is no image without") as caught:
        await Looks().at(plan_of(based_on(lab, base)))
    assert str(below) in caught.value.message
    assert f"qemu-img convert -O qcow2 {base} flat.qcow2" in caught.value.hint


async def test_images_of_their_own_are_not_passed_over(lab: Lab):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    config = based_on(lab, base)
    own = config.image(1)
    own.parent.mkdir()
    own.write_bytes(b"mine")

    with pytest.raises(ImageError, match="is no overlay of the base"):
        await Looks().at(plan_of(config))


async def test_overlays_of_the_base_are_no_hindrance(lab: Lab):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    config = based_on(lab, base)
    await make(config)

    assert len(await Looks().at(plan_of(config))) == 2


@pytest.mark.parametrize("what", ["missing", "empty"])
async def test_a_file_that_cannot_be_brought_is_said(lab: Lab, what: str):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    config = based_on(lab, base)
    kernel = lab.folder / "kernel"
    kernel.write_bytes(b"") if what == "empty" else kernel.unlink()

    words = {"missing": "cannot be read: No such file", "empty": "is empty"}
    with pytest.raises(ImageError, match=words[what]):
        await Looks().at(plan_of(config))


async def test_a_file_is_read_once_for_as_long_as_it_stays_as_it_is(lab: Lab):
    base = lab.folder / "base.img"
    base.write_bytes(b"x" * 512)
    os.utime(base, ns=(0, 1))
    looks, plan = Looks(), plan_of(based_on(lab, base))
    first = await looks.at(plan)
    with base.open("r+b") as writer:
        writer.write(b"y")
    os.utime(base, ns=(0, 1))
    assert await looks.at(plan) == first

    os.utime(base, ns=(0, 2))
    assert (await looks.at(plan))[0].content != first[0].content
