"""What is brought into a guest from outside: archives, credentials, and which way is taken."""

import base64
import io
import itertools
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from support.packers import PACKERS
from support.qemu_words import split_options
from vmtiming_tui.engine.children.rundir import RunDir
from vmtiming_tui.engine.inject.report_service import (
    credentials,
    initrd_archive,
    report_unit,
)
from vmtiming_tui.engine.qemu.command_line import command_line
from vmtiming_tui.engine.qemu.launch import Launch, chosen_way, credential_words
from vmtiming_tui.engine.qemu.machine import machine_of
from vmtiming_tui.errors import EngineError
from vmtiming_tui.images.system.initrd.contents import InitrdKind, LookedAt, names
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio
from vmtiming_tui.images.system.initrd.joint import gap
from vmtiming_tui.model.config import Accel, BootMode, Inject, RunConfig

NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=40)
NAMES = NAME.filter(lambda name: name not in (".", "..", "TRAILER!!!"))
TREES = st.dictionaries(NAMES, st.binary(max_size=300), max_size=8)

TOOLS_INITRD = cpio(
    [Entry("conf"), Entry("conf/conf.d"), Entry("conf/initramfs.conf", b""), Entry("init", b"#!")]
)
DRACUT_INITRD = cpio([Entry("usr/lib/dracut/hooks"), Entry("usr/bin/sh", b"")])
SYSTEMD_INITRD = cpio([Entry("usr/lib/systemd/systemd", b""), Entry("usr/bin/bash", b"")])
KINDS = {
    InitrdKind.INITRAMFS_TOOLS: TOOLS_INITRD,
    InitrdKind.DRACUT: DRACUT_INITRD,
    InitrdKind.SYSTEMD: SYSTEMD_INITRD,
    InitrdKind.OTHER: cpio([Entry("init", b"#!/bin/busybox sh")]),
    InitrdKind.UNREADABLE: b"\x89PNG is no initrd",
}


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack as the kernel does: a file whose folder is missing is skipped."""
    subprocess.run(
        ["cpio", "-i", "--quiet", "--no-absolute-filenames"],
        input=archive, cwd=folder, check=False, capture_output=True,
    )  # fmt: skip


@given(TREES)
def test_an_archive_lists_what_was_put_in(tree: dict[str, bytes]):
    archive = cpio(Entry(name, data) for name, data in tree.items())

    assert list(names(io.BytesIO(archive))) == list(tree)
    assert len(archive) % 4 == 0


def test_cpio_itself_unpacks_it_with_contents_and_modes(tmp_path):
    unpack(
        cpio([Entry("a"), Entry("a/run", b"#!/bin/sh\n", 0o755), Entry("a/odd", b"xyz")]), tmp_path
    )

    assert (tmp_path / "a" / "odd").read_bytes() == b"xyz"
    assert (tmp_path / "a" / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", KINDS)
def test_an_initrd_is_known_by_what_is_in_it(kind):
    assert LookedAt.file(io.BytesIO(KINDS[kind])).kind is kind


@pytest.mark.parametrize("compress", PACKERS)
def test_compression_and_early_microcode_before_it_are_seen_through(compress):
    microcode = cpio([Entry("kernel/x86/microcode/AuthenticAMD.bin", b"\1" * 777)])

    initrd = microcode + bytes(512) + compress(DRACUT_INITRD)

    assert LookedAt.file(io.BytesIO(initrd)).kind is InitrdKind.DRACUT


@pytest.mark.parametrize(
    "damaged",
    [b"", b"\x1f\x8b\x08 broken", TOOLS_INITRD[:-200], b"070701" + b"z" * 200, b"070701"],
)
def test_a_damaged_initrd_is_no_reason_to_fall_over(damaged):
    assert LookedAt.file(io.BytesIO(damaged)).kind in InitrdKind


def test_an_injected_initrd_is_still_of_its_own_kind():
    for kind in (InitrdKind.INITRAMFS_TOOLS, InitrdKind.DRACUT, InitrdKind.SYSTEMD):
        injected = KINDS[kind] + gap(len(KINDS[kind])) + initrd_archive()
        assert LookedAt.file(io.BytesIO(injected)).kind is kind


def test_folders_of_other_kinds_of_initrd_are_not_made():
    """So that the kernel skips the files that belong to a kind of initrd this one is not."""
    made = set(names(io.BytesIO(initrd_archive())))

    assert not made & {"conf", "conf/conf.d", "lib", "lib/dracut", "usr", "var"}


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]], ids=lambda it: it[0])
def test_the_hook_waits_for_run_to_be_mounted_and_then_stands_aside(shell, tmp_path):
    (tmp_path / "conf" / "conf.d").mkdir(parents=True)
    unpack(initrd_archive(), tmp_path)
    hook = (tmp_path / "conf/conf.d/vm-report").read_text()
    (tmp_path / "hook").write_text(hook.replace(". /vm-report.sh", 'echo "in: $(ls -A /run)"'))
    story = (
        "set -e; . ./hook; mount -t tmpfs tmpfs conf; mount -t nonsense it /run || echo failed; "
        "mount -t tmpfs tmpfs /run; mkdir /run/kept; mount -t tmpfs tmpfs conf; "
        "[ -d /run/kept ] && echo kept"
    )

    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", *shell, "-c", story],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["failed", "in: ", "kept"]


def test_a_systemd_runs_it_but_where_dracut_has_a_unit_that_runs_its_hooks(tmp_path):
    """Its folder of hooks alone does not say so: one without that unit has it, too."""
    unpack(initrd_archive(), tmp_path)

    unit = (tmp_path / "etc/systemd/system/vm-report-inject.service").read_text()

    assert re.findall("Condition.*", unit) == [
        f"ConditionPathExists=!/{top}lib/systemd/system/dracut-cmdline.service"
        for top in ("", "usr/")
    ]


def test_what_it_writes_below_run_is_the_unit_and_the_script_to_the_byte(tmp_path):
    unpack(initrd_archive(), tmp_path)
    writer = (tmp_path / "vm-report.sh").read_text()
    run = tmp_path / "run"
    moved = tmp_path / "moved.sh"
    moved.write_text(
        re.sub(r"(?m)(^if .*? |^mkdir .*? | (?=/run/systemd.*\.d$)|' >)/run/", rf"\1{run}/", writer)
    )
    for _ in range(2):
        subprocess.run(["dash", moved], check=True)

    script = Path(__file__).parents[2] / "assets" / "vm-report.sh"
    assert (run / "vm-report/vm-report.sh").read_text() == script.read_text()
    unit = (run / "systemd/system/vm-report.service").read_text()
    assert "ExecStart=-/bin/sh /run/vm-report/vm-report.sh" in unit
    drop_in = run / "systemd/system/multi-user.target.d/vm-report.conf"
    assert drop_in.read_text() == "[Unit]\nWants=vm-report.service\n"
    asked = run / "systemd/system/systemd-firstboot.service.d/vm-report.conf"
    assert asked.read_text() == "[Unit]\nConditionKernelCommandLine=systemd.firstboot=yes\n"


def test_the_unit_is_the_images_own_but_for_where_the_script_is():
    unit = report_unit("/somewhere")

    assert "Type=exec" in unit
    assert unit.count("ExecStart") == 1
    assert "Install" not in unit


def test_credentials_come_as_smbios_strings_in_files_that_qemu_reads(tmp_path):
    words = credential_words(RunDir(tmp_path, -1))

    assert words[::2] == ("-smbios",) * len(credentials())
    for word, (name, text) in zip(words[1::2], credentials().items(), strict=True):
        kind, path = split_options(word)
        assert kind == "type=11"
        head, _, coded = Path(path.removeprefix("path=")).read_text().partition("=")
        assert head == f"io.systemd.credential.binary:{name}"
        assert base64.b64decode(coded).decode() == text


def test_a_full_disk_below_the_runs_folder_is_said_in_words(tmp_path):
    with pytest.raises(EngineError, match="cannot put the report service into"):
        credential_words(RunDir(tmp_path / "gone", -1))


WITH_INITRD = {"kernel": "k", "initrd": "i"}
BY_FIRMWARE = {"boot": BootMode.FIRMWARE}


@pytest.mark.parametrize(
    ("inject", "settings", "way"),
    [
        (Inject.OFF, WITH_INITRD, Inject.OFF),
        (Inject.AUTO, WITH_INITRD, Inject.INITRD),
        (Inject.AUTO, {"kernel": "k"}, Inject.CREDENTIALS),
        (Inject.AUTO, WITH_INITRD | BY_FIRMWARE, Inject.CREDENTIALS),
        (Inject.AUTO, WITH_INITRD | {"qemu": "qemu-system-aarch64"}, Inject.INITRD),
        (Inject.AUTO, BY_FIRMWARE | {"qemu": "qemu-system-aarch64"}, Inject.CREDENTIALS),
        (Inject.CREDENTIALS, WITH_INITRD, Inject.CREDENTIALS),
        (Inject.INITRD, WITH_INITRD, Inject.INITRD),
    ],
)
def test_auto_takes_the_way_that_is_open(inject, settings, way):
    config = RunConfig(inject=inject, **{"qemu": "qemu-system-x86_64"} | settings)

    assert chosen_way(config, machine_of(config)) is way


@pytest.mark.parametrize(
    ("inject", "settings"),
    [
        (Inject.INITRD, {"kernel": "k"}),
        (Inject.INITRD, BY_FIRMWARE),
        (Inject.AUTO, {"kernel": "k", "qemu": "qemu-system-aarch64"}),
        (Inject.CREDENTIALS, WITH_INITRD | {"qemu": "qemu-system-riscv64"}),
        (Inject.CREDENTIALS, WITH_INITRD | {"machine": "microvm"}),
    ],
)
def test_where_no_way_is_open_it_says_so_and_what_to_give(inject, settings):
    config = RunConfig(inject=inject, **{"qemu": "qemu-system-x86_64"} | settings)

    with pytest.raises(EngineError) as caught:
        chosen_way(config, machine_of(config))
    assert "-i" in caught.value.hint


def test_qemu_is_given_our_initrd_in_place_of_the_users():
    config = RunConfig(kernel="k", initrd="theirs", prefix="p")
    words = command_line(
        0,
        config,
        accel=Accel.TCG,
        disks=(),
        report_socket=Path("/r"),
        launch=Launch(initrd="/run/ours", credentials=("-smbios", "type=11,value=x")),
    )

    assert ("-initrd", "/run/ours") in itertools.pairwise(words)
    assert ("-smbios", "type=11,value=x") in itertools.pairwise(words)
    assert "theirs" not in words
