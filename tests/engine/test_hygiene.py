"""Nothing outlives the engine: not when it ends, is told to, is killed, or its reader is gone."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys

import pytest

from support.engine_lab import Lab, Story, engine, until, warden_of
from support.facts import plan_of
from support.wrappers import WRAPPERS, wrapped
from vmtiming_tui.engine.children import rundir
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.sources import live_engine
from vmtiming_tui.sources.live_engine import EngineClient, engine_command


async def started(client: EngineClient, lab: Lab, wrapper: str = "direct") -> Story:
    story = Story(client)
    config = lab.config(3, "boot=60", qemu=wrapped(lab, wrapper))
    client.send(commands.Start(plan=plan_of(config)))
    await story.till(lambda story: len(story.of(ev.VmStarted)) == 3)
    return story


@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_no_qemu_outlives_an_engine_that_is_killed(lab: Lab, wrapper: str):
    async with EngineClient() as client:
        await started(client, lab, wrapper)
        os.kill(client.pid, signal.SIGKILL)
        await until(lambda: lab.leftovers() == [])


@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_a_vm_boots_and_is_known_through_a_wrapper(lab: Lab, wrapper: str):
    async with engine(lab) as story:
        config = lab.config(2, qemu=wrapped(lab, wrapper))
        story.client.send(commands.Start(plan=plan_of(config)))
        await story.to_end()

    assert story.states == ["booted", "booted"]


async def test_a_killed_engine_is_an_event_with_words(lab: Lab):
    async with EngineClient() as client:
        story = await started(client, lab)
        os.kill(client.pid, signal.SIGKILL)
        await story.to_end()

    (failure,) = story.of(ev.EngineFailed)
    assert failure.why == "the engine ended unexpectedly (killed by SIGKILL)"


async def test_no_qemu_outlives_the_warden_and_the_engine_says_so(lab: Lab):
    async with EngineClient() as client:
        story = await started(client, lab)
        warden = warden_of(client.pid)
        os.kill(warden, signal.SIGKILL)
        await story.to_end()
        await until(lambda: lab.leftovers() == [])

    (failure,) = story.of(ev.EngineFailed)
    assert "helper process" in failure.why
    assert story.of(ev.RunEnded)[-1].outcome is ev.Outcome.INTERRUPTED


async def test_no_qemu_outlives_a_front_end_that_is_killed(lab: Lab):
    program = (
        "import asyncio, sys\n"
        "from vmtiming_tui.model import commands\n"
        "from vmtiming_tui.sources.live_engine import EngineClient\n"
        "async def main():\n"
        "    async with EngineClient() as client:\n"
        "        client.send(commands.decode(sys.argv[1]))\n"
        "        async for batch in client.batches():\n"
        "            for event in batch:\n"
        "                print(type(event).__name__, flush=True)\n"
        "asyncio.run(main())\n"
    )
    start = commands.encode(commands.Start(plan=plan_of(lab.config(2, "boot=60"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, start, stdout=subprocess.PIPE
    )
    seen = 0
    while seen < 2:
        seen += b"VmStarted" in await process.stdout.readline()
    process.kill()
    await process.wait()

    await until(lambda: lab.leftovers() == [])


async def test_an_engine_that_hears_nothing_does_not_outlive_its_front_end(lab: Lab):
    """Whatever it hangs in, it and its QEMUs are gone within two seconds or so."""
    start = commands.encode(commands.Start(plan=plan_of(lab.config(2, "boot=60"))))
    process = await asyncio.create_subprocess_exec(
        *engine_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(start.encode() + b"\n")
    seen = 0
    while seen < 2:
        seen += b'"vm_started"' in await process.stdout.readline()
    os.kill(process.pid, signal.SIGSTOP)
    process.stdin.close()
    async with asyncio.timeout(15):
        assert await process.wait() == -signal.SIGKILL
        await until(lambda: lab.leftovers() == [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_ends_the_engine_in_order(lab: Lab, number: int):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(2, "boot=60"))))
        await story.till(lambda story: len(story.of(ev.VmStarted)) == 2)
        os.kill(story.client.pid, number)
        await story.to_end()

    assert story.states == ["killed", "killed"]
    assert {event.reason for event in story.of(ev.VmExited)} == {"guest-shutdown"}


async def test_a_reader_that_goes_away_takes_everything_down(lab: Lab):
    start = commands.encode(commands.Start(plan=plan_of(lab.config(2, "boot=60"))))
    process = await asyncio.create_subprocess_exec(
        *engine_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(start.encode() + b"\n")
    seen = 0
    while seen < 2:
        seen += b'"vm_started"' in await process.stdout.readline()
    process.stdout._transport.close()
    await until(lambda: lab.leftovers() == [])
    await process.wait()


async def test_leaving_the_client_early_leaves_nothing(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(3, "boot=60"))))
        await story.till(lambda story: story.of(ev.VmLaunched))


async def test_the_tap_gets_every_line_also_those_after_leaving(lab: Lab):
    taken = []
    async with EngineClient(tap=taken.extend) as client:
        await started(client, lab)
    kinds = [type(event) for _, event in taken]
    assert [ev.decode(line) for line, _ in taken] == [event for _, event in taken]

    assert kinds[0] is ev.RunStarted
    assert kinds[-1] is ev.RunEnded
    assert kinds.count(ev.VmExited) == 3


async def test_a_command_that_is_none_is_said_and_survived(lab: Lab):
    process = await asyncio.create_subprocess_exec(
        *engine_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    process.stdin.write(b'nonsense\n{"command":"rerun","vms":[1]}\n\xff\xfe\n')
    notices = [ev.decode(await process.stdout.readline()) for _ in range(2)]
    process.stdin.write(commands.encode(commands.Quit()).encode() + b"\n")

    assert all(notice.level is ev.Level.ERROR for notice in notices)
    assert await process.wait() == 0


async def test_the_report_socket_is_private_and_strangers_are_refused(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(1, "boot=60"))))
        await story.till(lambda story: story.of(ev.VmStarted))
        (folder,) = lab.runtime.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        reader, writer = await asyncio.open_unix_connection(str(folder / "report"))
        writer.write(b"VMREPORTID:0|||I am VM 0, believe me\n")
        await story.till(lambda story: story.warnings)
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
        story.client.send(commands.Stop(now=True))
        await story.to_end()

    assert story.states == ["killed"]
    assert f"process {os.getpid()}" in story.warnings[0]


def test_folders_of_dead_engines_are_removed_and_those_of_living_ones_stay(lab: Lab):
    with rundir.run_dir() as living:
        (living.path / "report").touch()
        dead = lab.runtime / "vmtiming-deadbeef"
        dead.mkdir(mode=0o700)
        (dead / "lock").write_bytes((living.path / "lock").read_bytes())
        (dead / "console-1-1").write_text("x")
        kept = lab.folder / "kept"
        kept.write_text("precious")
        (dead / "link").symlink_to(kept)
        (lab.runtime / "vmtiming-linklink").symlink_to(lab.folder)
        removed = rundir.remove_leftovers()

        assert removed == 1
        assert not dead.exists()
        assert (living.path / "report").exists()
    assert kept.read_text() == "precious"
    assert not living.path.exists()


@pytest.mark.parametrize("lock", [None, b"", b"somebody else's"])
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_a_folder_that_only_has_such_a_name_is_left_alone(lab: Lab, lock, mode):
    """A name, an owner and an age make no folder ours: only the mark in its lock does."""
    theirs = lab.runtime / "vmtiming-projects"
    theirs.mkdir()
    theirs.chmod(mode)
    (theirs / "vm-0.img").write_text("precious")
    if lock is not None:
        (theirs / "lock").write_bytes(lock)
    os.utime(theirs, (0, 0))

    assert rundir.remove_leftovers() == 0
    assert (theirs / "vm-0.img").read_text() == "precious"


def test_a_runtime_folder_with_too_long_a_name_is_not_used(lab: Lab, monkeypatch):
    long = lab.folder / ("d" * 120)
    long.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with rundir.run_dir() as made:
        assert len(os.fsencode(made.socket)) < 108
        assert not str(made.path).startswith(str(long))


async def test_what_the_host_refuses_the_engine_is_said_in_words(lab: Lab, monkeypatch):
    """Also where nothing but the socket, or the thread's descriptors, cannot be had."""
    program = (
        "import errno, os, sys\n"
        "from vmtiming_tui.engine import __main__ as engine\n"
        "from vmtiming_tui.engine.guest import report_stamper as stamper\n"
        "def refuse(*_):\n"
        "    raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))\n"
        "stamper.os.eventfd = refuse\n"
        "engine.main()\n"
    )
    monkeypatch.setattr(live_engine, "engine_command", lambda: [sys.executable, "-c", program])
    async with engine(lab) as story:
        await story.to_end()

    (failure,) = story.of(ev.EngineFailed)
    assert failure.why.endswith("something it needs: Too many open files in system")
    assert "fs.file-max" in failure.hint


async def test_errors_of_several_tasks_at_once_are_named_too(lab: Lab, monkeypatch):
    program = "raise ExceptionGroup('several', [ValueError('the first'), ValueError('the last')])"
    monkeypatch.setattr(live_engine, "engine_command", lambda: [sys.executable, "-c", program])
    async with EngineClient() as this:
        story = Story(this)
        await story.to_end()

    (failure,) = story.of(ev.EngineFailed)
    assert failure.why == "the engine ended unexpectedly (exit code 1): ValueError: the last"
