"""What goes wrong with one VM: how it ends, in which words, and that nobody else is touched."""

import resource

import pytest
from engine_lab import Lab, engine, tell

from vmtiming_tui import commands
from vmtiming_tui import events as ev
from vmtiming_tui.config import Accel
from vmtiming_tui.engine.preflight import shortages
from vmtiming_tui.plan import plan_of

# VM 1's script, the state it ends in, and what its reason must say.
TROUBLES = [
    ("die=start:1 stderr=qemu:+could+not+load+kernel", "failed", "cannot load the kernel"),
    ("die=start:1 stderr=qemu:+-foo:+invalid+option", "failed", "does not take its arguments"),
    ('die=start:1 stderr=Failed+to+get+"write"+lock', "failed", "another program holds its disk"),
    ("die=start:1 stderr=Image+is+not+in+qcow2+format", "failed", "disk image is damaged"),
    ("die=start:1 stderr=cannot+set+up+guest+memory", "failed", "not enough memory"),
    ("die=start:3", "failed", "before it could be spoken to (exit code 3)"),
    ("die=connected:KILL", "failed", "killed by SIGKILL"),
    ("die=greeted:SEGV", "failed", "killed by SIGSEGV"),
    ("die=half:KILL", "failed", "killed by SIGKILL before its guest reported"),
    ("die=reported:KILL", "off", ""),
    ("greet=garbage", "failed", "does not speak QMP"),
    ("greet=flood", "failed", "more than 1 MiB"),
    ("greet=close", "failed", "it closed the connection"),
    ("qmp=half:close boot=3", "failed", "was lost while it runs"),
    ("qmp=half:garbage boot=3", "failed", "was lost while it runs"),
    ("qmp=half:deep~5000 boot=3", "failed", "was lost while it runs"),
    ("qmp=half:deep~600", "off", ""),
    ("event=half:STOP silent=1", "timed out", "within 2 s; QEMU had stopped it of its own accord"),
    ("noport=1", "failed", "did not connect its report port"),
    ("shutdown=guest-panic", "failed", "kernel panicked"),
    ("shutdown=guest-reset", "failed", "rebooted before it reported"),
    ("shutdown=guest-shutdown", "failed", "shut down before it reported"),
    ("shutdown=host-signal", "failed", "ended by a signal from outside"),
    ("shutdown=guest-reset console=Kernel+panic+-+not+syncing:+no+root", "failed", "no root"),
    ('event=half:BLOCK_IO_ERROR:{"action":"stop","nospace":true} boot=3', "failed", "disk is full"),
    ("silent=1", "timed out", "no report within 2 s; its console stayed empty"),
    ("hang=go", "timed out", "no report within 2 s"),
    ("report=other", "failed", "bad report: it claims to be VM 2"),
    ("report=range", "failed", "bad report: it claims to be VM 999999"),
    ("report=negative", "failed", "no VM's number"),
    ("report=huge", "failed", "no VM's number"),
    ("report=word", "failed", "no VM's number"),
    ("report=binary", "failed", "not a report"),
    ("report=empty", "failed", "shut down before it reported"),
    ("report=half", "failed", "half a line"),
    ("report=flood", "failed", "it wrote more than 1 MiB"),
    ("report=slow pace=0.5", "timed out", "no report within 2 s"),
    ("report=early silent=1", "timed out", "no report within 2 s"),
    ("report=twice", "off", ""),
    ("report=first", "off", ""),
    ("report=long", "off", ""),
    ("report=pieces", "off", ""),
    ("report=utf8", "off", ""),
    ("report=bars", "off", ""),
    ("report=escapes", "off", ""),
    ("stranger=1", "off", ""),
    ("noise=1000000", "off", ""),
    ("deaf=query-cpus-fast", "off", ""),
]


@pytest.mark.parametrize(("script", "state", "words"), TROUBLES, ids=[row[0] for row in TROUBLES])
async def test_trouble_of_one_vm(lab: Lab, script: str, state: str, words: str):
    for_one = " ".join(f"1.{word}" for word in script.split())
    story = await tell(lab, lab.config(3, for_one, timeout_s=2.0))
    attempt = story.fleet.vms[1].newest

    assert story.states == ["off", state, "off"]
    assert words in attempt.why
    assert attempt.exited_ns is not None
    assert attempt.why.isprintable()


async def test_text_from_a_guest_is_shown_escaped(lab: Lab):
    story = await tell(lab, lab.config(1, "report=escapes"))

    text = story.fleet.vms[0].newest.text
    assert text.startswith(r"\x1b]0;owned\x07\x1b[31mred\u202etxt.exe\x00")
    assert text.isprintable()


async def test_what_qemu_wrote_to_standard_error_is_kept(lab: Lab):
    story = await tell(lab, lab.config(1, "die=start:1 stderr=first+words"))

    assert story.fleet.vms[0].newest.stderr == "first words"


async def test_a_greeting_that_never_comes_does_not_keep_others_waiting(lab: Lab):
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(lab.config(3, "1.greet=never"))))
        await story.till(lambda story: story.of(ev.VmExited, 0) and story.of(ev.VmExited, 2))
        story.client.send(commands.Stop(now=True))
        await story.to_end()

    assert story.states == ["off", "killed", "off"]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("missing", None, "cannot be started"),
        ("not-executable", "", "cannot be started"),
        ("no-program", "\x7fELF rubbish", "cannot be started"),
        ("no-qemu", "#!/bin/sh\necho hello\n", "does not answer like QEMU: hello"),
    ],
)
async def test_a_qemu_that_is_none_ends_the_run_in_words(lab: Lab, name, text, words):
    path = lab.folder / name
    if text is not None:
        lab.launcher(name, text)
    if not text:
        path.exists() and path.chmod(0o644)
    story = await tell(lab, lab.config(2, qemu=str(path)))

    (failure,) = story.of(ev.EngineFailed)
    assert words in failure.why
    assert failure.hint


def test_too_few_descriptors_are_said_with_what_fits(lab: Lab, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (300, 300))
    (found, *_) = shortages(lab.config(100), Accel.TCG)

    assert "100 VMs need 564 open files, and 300 are allowed: 47 VMs fit" in found.text
    assert "ulimit -n 564" in found.hint


async def test_memory_that_would_not_do_is_refused_unless_forced(lab: Lab):
    story = await tell(lab, lab.config(1, memory_mib=1 << 23, force=False))

    (failure,) = story.of(ev.EngineFailed)
    assert "MiB available: 0 VMs fit" in failure.why
    assert "--force" in failure.hint
    assert story.of(ev.VmQueued) == []
