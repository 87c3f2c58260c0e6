"""How the report service comes in, by what a user's initrd turns out to be."""

from pathlib import Path

import pytest

from support.packers import lz4, zstd
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.children.rundir import run_dir
from vmtiming_tui.engine.inject.report_service import initrd_archive
from vmtiming_tui.engine.qemu.launch import Launch, prepare_launch
from vmtiming_tui.errors import EngineError
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.model.config import Inject, RunConfig

DRACUT = cpio([Entry("init"), Entry("usr/lib/dracut/hooks"), Entry("usr/bin/sh")])
BUSYBOX = cpio([Entry("init"), Entry("bin/busybox"), Entry("bin/sh")])
OLD = b"070707" + bytes(100)


async def launched(initrd: bytes, inject: Inject, tmp_path: Path, qemu: str = "x86_64"):
    """How it would be launched, the initrd made for it, and what was said."""
    (tmp_path / "initrd").write_bytes(initrd)
    config = RunConfig(
        qemu=f"qemu-system-{qemu}", kernel="k", initrd=str(tmp_path / "initrd"), inject=inject
    )
    said: list[str] = []
    with run_dir() as folder:
        async with start_warden(folder) as children:
            launch: Launch = await prepare_launch(
                config, has_esp=False, folder=folder, children=children,
                say=lambda _, text: said.append(text),
            )  # fmt: skip
            made = (folder.path / Path(launch.initrd).name).read_bytes() if launch.initrd else b""
    return launch, made, said


@pytest.mark.parametrize("inject", [Inject.AUTO, Inject.INITRD])
@pytest.mark.parametrize("pack", [zstd, lz4])
async def test_one_that_serves_has_the_archive_joined_to_it(pack, inject, tmp_path):
    launch, made, said = await launched(pack(DRACUT), inject, tmp_path)

    assert launch.injected == "the initrd (dracut)"
    assert not launch.credentials
    assert made.startswith(pack(DRACUT))
    assert initrd_archive() in made
    assert "the report service is brought in by the initrd (dracut)" in said[0]


async def test_one_that_does_not_is_left_to_itself_and_credentials_do_it(tmp_path):
    launch, _, said = await launched(zstd(BUSYBOX), Inject.AUTO, tmp_path)

    assert (launch.injected, launch.initrd) == ("SMBIOS credentials", "")
    assert "'initrd' is none of the initrds the report service can be brought in by" in said[0]
    assert "the guest's systemd must be 256 or newer" in said[1]


@pytest.mark.parametrize(
    ("initrd", "inject", "qemu", "hint"),
    [
        (BUSYBOX, Inject.INITRD, "x86_64", "--inject=credentials brings it into guests"),
        (OLD, Inject.AUTO, "x86_64", "prepare any other without --untouched"),
        (BUSYBOX, Inject.AUTO, "aarch64", "prepare the image without --untouched"),
    ],
    ids=["asked for", "no kernel reads it", "no SMBIOS tables"],
)
async def test_where_credentials_are_not_to_do_it_or_cannot_it_is_refused(
    initrd, inject, qemu, hint, tmp_path
):
    with pytest.raises(EngineError, match="is none of the initrds") as refused:
        await launched(initrd, inject, tmp_path, qemu)

    assert hint in refused.value.hint
    assert refused.value.message.endswith("which no kernel reads") is (initrd is OLD)
