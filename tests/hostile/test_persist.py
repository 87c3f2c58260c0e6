"""A guest that may write to its raw disk writes another format's header there: it stays raw."""

import asyncio
import fcntl
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from hostile.chains import overlay, taken, with_data_file
from support.engine_lab import Lab, Story, tell
from support.facts import plan_of
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.format_ledger import Ledger, entry_for
from vmtiming_tui.images.gate.gate_process import Request, answers
from vmtiming_tui.images.gate.permission import Rules, settled
from vmtiming_tui.images.guard.opening import open_file
from vmtiming_tui.model import events as ev

SECRET = b"the host's own".ljust(1 << 20, b"\7")


def header(folder: Path, kind: str, secret: Path) -> bytes:
    """What the guest writes over its disk's first sectors."""
    path = folder / "made"
    make = overlay if kind == "backing file" else with_data_file
    raw = make(path, str(secret)).read_bytes()
    path.unlink()
    return raw


@pytest.fixture
def secret(tmp_path) -> Path:
    path = tmp_path / "elsewhere" / "secret"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


def write_as_the_guest(disk: Path, raw: bytes) -> None:
    with disk.open("r+b") as file:
        file.write(raw)


def as_root_alone() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has files of others")


def formats_in(story: Story) -> set[str]:
    """The formats of the nodes QEMU was given for the disks that were named."""
    found = set()
    for launched in story.of(ev.VmLaunched):
        words = zip(launched.argv, launched.argv[1:], strict=False)
        nodes = [json.loads(value) for flag, value in words if flag == "-blockdev"]
        named = {node["node-name"]: node for node in nodes}
        found.add(named.get("root-image", named["root"])["driver"])
    return found


@pytest.mark.parametrize("kind", ["backing file", "data file"])
@pytest.mark.parametrize("later", [{"persist": True}, {}])
async def test_a_raw_disk_stays_raw_in_later_runs_whatever_was_written_to_it(
    lab: Lab, secret: Path, kind: str, later: dict[str, bool]
):
    config = lab.config(1, persist=True)
    first = await tell(lab, config)
    write_as_the_guest(config.image(0), header(lab.folder, kind, secret))
    again = await tell(lab, lab.config(1, **later))

    assert first.states == again.states == ["booted"]
    assert formats_in(first) == formats_in(again) == {"raw"}
    said = " ".join(notice.text for notice in again.of(ev.Notice))
    assert "begins like a qcow2, and is booted as raw" in said
    assert "--format qcow2" in said
    assert str(secret) not in " ".join(again.of(ev.VmLaunched)[0].argv)


async def test_within_a_run_it_stays_raw_even_where_nothing_can_be_written_down(
    lab: Lab, secret: Path, monkeypatch
):
    (lab.folder / "state").write_text("a file where the folder would be")
    config = lab.config(1, persist=True)
    raw = header(lab.folder, "backing file", secret)
    (lab.folder / "header").write_bytes(raw)
    hook = f"test -e {lab.folder}/ran && dd if={lab.folder}/header of={config.image(0)} "
    plan = replace(
        plan_of(config), runs=2,
        prepare=f"{hook} conv=notrunc status=none; touch {lab.folder}/ran",
    )  # fmt: skip
    story = await tell(lab, plan)

    assert formats_in(story) == {"raw"}
    assert any("cannot be written down" in notice.text for notice in story.of(ev.Notice))


def test_the_users_word_outweighs_what_was_written_down(tmp_path, secret):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    ledger = Ledger(tmp_path / "state" / "ledger")
    ledger.write(settled(taken(disk)))
    (tmp_path / "base").write_bytes(bytes(512))
    write_as_the_guest(disk, overlay(tmp_path / "made", "base").read_bytes())

    assert taken(disk, Ledger(tmp_path / "state" / "ledger")).format == "raw"
    assert taken(disk, Ledger(tmp_path / "state" / "ledger"), format="qcow2").format == "qcow2"


def test_what_the_user_said_once_holds_from_then_on(tmp_path):
    path = tmp_path / "ledger"
    image = overlay(tmp_path / "vm-0.img", "", "")
    Ledger(path).write([replace(entry, format="raw") for entry in settled(taken(image))])
    assert taken(image, Ledger(path)).format == "raw"
    request = Request(images=(str(image),), rules=Rules(format="qcow2"), ledger=str(path))
    assert [answer.why for answer in answers(request)] == ["", ""]

    assert taken(image, Ledger(path)).format == "qcow2"


def test_a_backing_file_that_a_guest_once_wrote_to_stays_raw_too(tmp_path, secret):
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(settled(taken(disk)))
    write_as_the_guest(disk, overlay(tmp_path / "made", str(secret)).read_bytes())
    top = overlay(tmp_path / "vm-0.img", "disk", "")

    assert [layer.format for layer in taken(top, ledger).layers] == ["qcow2", "raw"]


def test_what_a_guest_wrote_into_a_data_file_is_raw_too(tmp_path, secret):
    (tmp_path / "data").write_bytes(bytes(1 << 20))
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(settled(taken(with_data_file(tmp_path / "vm-0.img", "data"))))
    write_as_the_guest(tmp_path / "data", overlay(tmp_path / "made", str(secret)).read_bytes())

    assert taken(tmp_path / "data", ledger).format == "raw"


@pytest.mark.parametrize("damage", [b"", b"\0\xff{", b"[[[[" * 5000, b'{"device": "x"}\n' * 10])
def test_a_damaged_ledger_holds_nothing_and_is_written_anew(tmp_path, damage):
    (tmp_path / "ledger").write_bytes(damage)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(512))
    Ledger(tmp_path / "ledger").write(settled(taken(disk)))

    (line,) = (tmp_path / "ledger").read_text().splitlines()
    assert json.loads(line)["format"] == "raw"


@pytest.mark.parametrize("kind", ["pipe", "link", "writable", "another user's"])
def test_a_ledger_that_others_can_write_to_says_nothing_and_is_left_alone(tmp_path, kind, secret):
    """Root has the ledger of a user's whose HOME was kept; whoever can write to it says no word."""
    image = overlay(tmp_path / "vm-0.img", str(secret))
    file, fd = open_file(str(image))
    os.close(fd)
    path = tmp_path / "ledger"
    Ledger(path).write([entry_for(file, "qcow2", backing=str(secret))])
    assert len(taken(image, Ledger(path)).layers) == 2
    match kind:
        case "pipe":
            path.unlink()
            os.mkfifo(path)
        case "link":
            path.symlink_to(path.rename(tmp_path / "theirs"))
        case "writable":
            path.chmod(0o620)
        case _:
            as_root_alone()
            os.chown(path, 65534, 65534)
    before = path.lstat()

    with pytest.raises(ImageError, match="which is neither in its own folder"):
        taken(image, Ledger(path))
    with pytest.raises(OSError, match=r"others can write to|symbolic links"):
        Ledger(path).write([entry_for(file, "raw")])
    assert path.lstat() == before


def test_a_lock_that_somebody_else_may_hold_is_not_waited_for(tmp_path):
    as_root_alone()
    lock = tmp_path / "ledger.lock"
    lock.touch()
    os.chown(lock, 65534, 65534)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(512))

    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="others can write to"):
            Ledger(tmp_path / "ledger").write(settled(taken(disk)))


@pytest.mark.real
@pytest.mark.parametrize("kind", ["backing file", "data file"])
def test_a_real_qemu_reads_and_writes_the_disk_and_nothing_else(lab: Lab, secret: Path, kind: str):
    """Its guest is the firmware alone, whose reads of the first sector are enough."""
    settings = {"boot": "firmware", "kernel": "", "qemu": "qemu-system-x86_64", "timeout_s": 2.0}
    config = lab.config(1, persist=True, memory_mib=32, **settings)
    with config.image(0).open("wb") as disk:
        disk.truncate(1 << 20)
    asyncio.run(tell(lab, config))
    write_as_the_guest(config.image(0), header(lab.folder, kind, secret))
    before = hashlib.sha256(config.image(0).read_bytes()).digest()
    os.utime(secret, ns=(0, 0))
    story = asyncio.run(tell(lab, config))

    assert story.states == ["timed out"]
    assert formats_in(story) == {"raw"}
    assert secret.stat().st_atime_ns == 0
    assert secret.read_bytes() == SECRET
    assert hashlib.sha256(config.image(0).read_bytes()).digest() == before
