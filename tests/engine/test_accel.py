"""How an accelerator is chosen, and what is remembered of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from support.engine_lab import Lab
from vmtiming_tui.engine.children.children import Children, start_warden
from vmtiming_tui.engine.children.rundir import run_dir
from vmtiming_tui.engine.qemu import accel
from vmtiming_tui.engine.qemu.accel import ProofStore, choose_accel, prove_kvm
from vmtiming_tui.engine.qemu.confinement import Powers
from vmtiming_tui.model.config import Accel, RunConfig


@asynccontextmanager
async def children() -> AsyncIterator[Children]:
    with run_dir() as folder:
        async with start_warden(folder) as made:
            yield made


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev/kvm that opens."""
    path = tmp_path / "kvm"
    path.touch()
    monkeypatch.setattr(accel, "KVM", path)
    monkeypatch.setattr(accel, "PROOF_LIMIT_S", 0.5)
    return path


def qemu(lab: Lab, does: str) -> RunConfig:
    """A QEMU that notes each start and does something on its console, descriptor 4."""
    starts = lab.folder / "starts"
    path = lab.launcher("fake-qemu", f'#!/bin/sh\necho "$*" >>{starts}\n{does}\n')
    return lab.config(1, qemu=str(path), accel=Accel.AUTO)


def starts(lab: Lab) -> int:
    path = lab.folder / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def test_a_kernel_that_speaks_under_kvm_is_proof_and_is_remembered(lab: Lab, device):
    config = qemu(lab, "echo '[    0.000000] Linux version 6.1' >&4; exec sleep 60")
    store = ProofStore(lab.folder / "proofs.json")
    async with children() as made:
        for _ in range(2):
            choice = await choose_accel(config, Powers(version="7.2"), made, store)
            assert choice.accel is Accel.KVM
            assert not choice.warns

    assert starts(lab) == 1


async def test_a_kernel_that_hangs_under_kvm_means_tcg_with_a_plain_word(lab: Lab, device):
    config = qemu(lab, "printf 'SeaBIOS' >&4; exec sleep 60")
    store = ProofStore(lab.folder / "proofs.json")
    async with children() as made:
        first = await choose_accel(config, Powers(version="7.2"), made, store)
        again = await choose_accel(config, Powers(version="7.2"), made, store)

    assert first.accel is again.accel is Accel.TCG
    assert first.warns
    assert first.reason == (
        "/dev/kvm is there, but a kernel hangs under it (no sign of life in 0.5 s), "
        "so QEMU emulates the CPU (TCG), which is slower"
    )
    assert starts(lab) == 1


def change(path: str) -> None:
    Path(path).write_text("another")


async def test_another_kernel_or_qemu_needs_another_proof(lab: Lab, device):
    config = qemu(lab, "exec sleep 60")
    store = ProofStore(lab.folder / "proofs.json")
    async with children() as made:
        await choose_accel(config, Powers(version="7.2"), made, store)
        await choose_accel(config, Powers(version="8.0"), made, store)
        change(config.kernel)
        await choose_accel(config, Powers(version="8.0"), made, store)

    assert starts(lab) == 3


async def test_what_is_not_kvms_fault_is_not_remembered(lab: Lab, device):
    config = qemu(lab, "echo 'qemu: could not load kernel' >&2; exit 1")
    store = ProofStore(lab.folder / "proofs.json")
    async with children() as made:
        choice = await choose_accel(config, Powers(version="7.2"), made, store)
        await choose_accel(config, Powers(version="7.2"), made, store)

    assert choice.accel is Accel.TCG
    assert "could not be tried: QEMU cannot load the kernel" in choice.reason
    assert starts(lab) == 2


async def test_without_the_device_nothing_is_tried(lab: Lab, device):
    device.unlink()
    config = qemu(lab, "exec sleep 60")
    async with children() as made:
        choice = await choose_accel(config, Powers(version="7.2"), made)

    assert choice.accel is Accel.TCG
    assert choice.reason.startswith("this host has no /dev/kvm")
    assert starts(lab) == 0


@pytest.mark.parametrize("asked", [Accel.KVM, Accel.TCG])
async def test_what_is_asked_for_is_taken_at_its_word(lab: Lab, asked: Accel):
    async with children() as made:
        choice = await choose_accel(lab.config(1, accel=asked), Powers(version="7.2"), made)

    assert choice.accel is asked


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 3}'])
def test_a_damaged_store_is_done_without_and_mended(tmp_path: Path, text: str):
    path = tmp_path / "proofs.json"
    path.write_text(text)
    store = ProofStore(path)
    assert store.get("a") is None
    store.put("a", works=True)

    assert store.get("a") is True
    assert [entry.name for entry in tmp_path.iterdir()] == ["proofs.json"]


async def test_a_proof_ends_its_qemu(lab: Lab, device):
    config = qemu(lab, "exec sleep 61.5")
    async with children() as made:
        proof = await prove_kvm(config, Powers(), made)
        await asyncio.sleep(0)

    assert not proof.works
    assert lab.leftovers() == []
