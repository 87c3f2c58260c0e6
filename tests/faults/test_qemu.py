"""A QEMU that fails: it cannot be started, dies, hangs, or answers with rubbish."""

import errno
import os
import socket
from dataclasses import dataclass

import pytest

from faults.fault import Fault, as_one
from faults.middle import BOOTED, MIDDLE, for_middle, suffers
from support.engine_lab import Lab, engine, tell
from support.facts import plan_of
from support.traces import nothing_left
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.children.rundir import run_dir
from vmtiming_tui.engine.qemu import accel
from vmtiming_tui.engine.qemu.accel import ProofStore, choose_accel
from vmtiming_tui.engine.qemu.confinement import Powers
from vmtiming_tui.engine.qmp.controller import QmpController
from vmtiming_tui.engine.qmp.event_stamps import StampReader
from vmtiming_tui.errors import QemuError
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.config import Accel

TITLE = "A QEMU that fails"

NOTHING_BEGUN = "nothing was started"
WORDS = "QEMU's own words and its exit code"
CONSOLE = "the end of its console, its QMP events"
TIME = "the boot and its time"


# The program.


@dataclass(frozen=True)
class Program:
    """What stands where QEMU should: a file's text, None where there is no file."""

    text: str | None
    mode: int = 0o755


PROGRAMS = [
    Fault(
        "there is no QEMU",
        Program(None),
        "not started",
        "cannot be started: No such file or directory",
        NOTHING_BEGUN,
    ),
    Fault(
        "QEMU may not be executed",
        Program("#!/bin/sh\n", 0o644),
        "not started",
        "cannot be started: Permission denied",
        NOTHING_BEGUN,
    ),
    Fault(
        "QEMU was built for another kind of host",
        Program("\x7fELF rubbish"),
        "not started",
        "cannot be started: Exec format error",
        NOTHING_BEGUN,
    ),
    Fault(
        "what is called QEMU is another program",
        Program("#!/bin/sh\necho hello\n"),
        "not started",
        "does not answer like QEMU: hello",
        NOTHING_BEGUN,
    ),
    Fault(
        "QEMU is too old",
        Program("#!/bin/sh\necho QEMU emulator version 2.0.0\n"),
        "not started",
        "QEMU 2.0.0, which is too old: 6.0 or newer is needed",
        NOTHING_BEGUN,
    ),
]


@pytest.mark.parametrize("fault", PROGRAMS, ids=str)
async def test_a_program_that_will_not_do_is_refused_before_anything_starts(
    lab: Lab, fault: Fault[Program]
):
    path = lab.folder / "its-qemu"
    if fault.how.text is not None:
        lab.launcher(path.name, fault.how.text).chmod(fault.how.mode)
    config = lab.config(2, qemu=str(path))
    with nothing_left(lab.runtime, config.image(0), config.image(1)):
        story = await tell(lab, config)
    (failure,) = story.of(ev.EngineFailed)

    assert fault.words in failure.why
    assert str(path) in failure.why
    assert failure.hint
    assert story.of(ev.VmQueued) == []
    assert [event.outcome for event in story.of(ev.RunEnded)] == [ev.Outcome.INTERRUPTED]


# One of three.

STARTS = [
    Fault(
        "QEMU does not know an option (`--`, `--machine`, `--cpu`)",
        "die=start:1 stderr=qemu:+-foo:+invalid+option",
        "failed",
        "QEMU does not take its arguments (qemu: -foo: invalid option)",
        WORDS,
    ),
    Fault(
        "QEMU cannot load the kernel",
        "die=start:1 stderr=qemu:+could+not+load+kernel",
        "failed",
        "QEMU cannot load the kernel or initrd",
        WORDS,
    ),
    Fault(
        "another program holds the disk image",
        'die=start:1 stderr=Failed+to+get+"write"+lock',
        "failed",
        "another program holds its disk image",
        WORDS,
    ),
    Fault(
        "the disk image is damaged",
        "die=start:1 stderr=Image+is+not+in+qcow2+format",
        "failed",
        "its disk image is damaged",
        WORDS,
    ),
    Fault(
        "the backing file of an overlay is missing or another",
        "die=start:1 stderr=Could+not+open+backing+file:+No+such+file+or+directory",
        "failed",
        "its overlay's backing file cannot be opened",
        WORDS,
    ),
    Fault(
        "the host has no memory for the guest",
        "die=start:1 stderr=cannot+set+up+guest+memory",
        "failed",
        "the host has not enough memory for it",
        WORDS,
    ),
    Fault(
        "`--accel kvm` without the right to `/dev/kvm`",
        "die=start:1 stderr=Could+not+access+KVM+kernel+module:+Permission+denied",
        "failed",
        "no right to use KVM",
        WORDS,
    ),
    Fault(
        "QEMU ends at once with words we do not know",
        "die=start:3 stderr=qemu:+no+such+luck",
        "failed",
        "QEMU ended before it could be spoken to (exit code 3): qemu: no such luck",
        WORDS,
    ),
    Fault(
        "QEMU ends at once without a word",
        "die=start:3",
        "failed",
        "QEMU ended before it could be spoken to (exit code 3)",
        WORDS,
    ),
]

DEATHS = [
    Fault(
        "QEMU is killed while the guest boots",
        "die=half:KILL",
        "failed",
        "QEMU was killed by SIGKILL before its guest reported",
        CONSOLE,
    ),
    Fault(
        "QEMU is ended from outside (SIGTERM)",
        "shutdown=host-signal",
        "failed",
        "QEMU was ended by a signal from outside",
        CONSOLE,
    ),
    Fault(
        "QEMU is killed before it can be spoken to",
        "die=connected:KILL",
        "failed",
        "QEMU was killed by SIGKILL before it could be spoken to",
        WORDS,
    ),
    Fault(
        "QEMU crashes as it is first spoken to",
        "die=greeted:SEGV",
        "failed",
        "QEMU was killed by SIGSEGV before ",
        CONSOLE,
    ),
    Fault(
        "QEMU crashes while the guest boots",
        "die=half:SEGV",
        "failed",
        "QEMU was killed by SIGSEGV before its guest reported",
        CONSOLE,
    ),
    Fault("QEMU is killed after the report", "die=reported:KILL", BOOTED, "", TIME),
    Fault("QEMU crashes after the report", "die=reported:SEGV", BOOTED, "", TIME),
    Fault(
        "QEMU is stopped while the guest boots (SIGSTOP)",
        "hang=go",
        "timed out",
        "no report within 2 s",
        "what it wrote till then; it is killed",
    ),
]

TALK = [
    Fault(
        "QEMU's control socket (QMP) speaks something else",
        "greet=garbage",
        "failed",
        "QEMU's control socket (QMP) failed: it does not speak QMP",
        WORDS,
    ),
    Fault(
        "QMP writes and writes without the end of a message",
        "greet=flood",
        "failed",
        "it wrote more than 1 MiB without the end of a message",
        WORDS,
    ),
    Fault(
        "QMP closes instead of a greeting",
        "greet=close",
        "failed",
        "QEMU's control socket (QMP) failed: it closed the connection",
        WORDS,
    ),
    Fault(
        "QMP closes while the guest boots",
        "qmp=half:close boot=3",
        "failed",
        "QEMU's control socket (QMP) was lost while it runs: it closed the connection",
        CONSOLE,
    ),
    Fault(
        "QMP writes rubbish while the guest boots",
        "qmp=half:garbage boot=3",
        "failed",
        "QEMU's control socket (QMP) was lost while it runs: it does not speak QMP",
        CONSOLE,
    ),
    Fault(
        "QMP writes lists nested too deep to read",
        "qmp=half:deep~5000 boot=3",
        "failed",
        "QEMU's control socket (QMP) was lost while it runs",
        CONSOLE,
    ),
    Fault("QMP writes lists nested deep", "qmp=half:deep~600", BOOTED, "", TIME),
    Fault("QMP leaves a question open", "deaf=query-cpus-fast", BOOTED, "", TIME),
    Fault(
        "QEMU stops the guest of its own accord",
        "event=half:STOP silent=1",
        "timed out",
        "no report within 2 s; QEMU had stopped it of its own accord",
        CONSOLE,
    ),
    Fault(
        "QEMU does not connect the report port",
        "noport=1",
        "failed",
        "QEMU did not connect its report port to us",
        WORDS,
    ),
    Fault(
        "the host's disk is full, and QEMU stops the guest",
        'event=half:BLOCK_IO_ERROR:{"action":"stop","nospace":true} boot=3',
        "failed",
        "the host's disk is full, so QEMU stopped the guest",
        CONSOLE,
    ),
]


@pytest.mark.parametrize("fault", [*STARTS, *DEATHS, *TALK], ids=str)
async def test_one_failing_qemu_leaves_the_others_alone(lab: Lab, fault: Fault[str]):
    story = await suffers(lab, fault)
    attempt = story.fleet.vms[MIDDLE].newest

    if words := dict(word.split("=", 1) for word in fault.how.split()).get("stderr"):
        assert attempt.stderr == words.replace("+", " ")
    assert attempt.hint or fault not in STARTS[:-2]


IMAGE_GONE = Fault(
    "a disk image vanishes between the check and the start",
    "",
    "failed",
    "cannot be read: No such file or directory",
    "the other VMs' boots",
)


async def test_an_image_that_vanishes_fails_its_own_vm(lab: Lab):
    plan = plan_of(lab.config(3))
    image = plan.config.image(MIDDLE)
    whole = image.read_bytes()
    image.unlink()
    with nothing_left(lab.runtime, plan.config.image(0), plan.config.image(2)):
        story = await tell(lab, plan)
    attempt = story.fleet.vms[MIDDLE].newest

    assert story.states == ["booted", IMAGE_GONE.ends, "booted"]
    assert IMAGE_GONE.words in attempt.why
    assert attempt.hint == "check -v, -p and -s, and the image's permissions"
    assert whole
    assert not image.exists()


# A QEMU that never says a word.

SILENT = [
    Fault(
        "QMP never says a word, and you stop the run",
        "greet=never",
        "killed",
        "stopped with the run",
        "the other VMs' boots",
    ),
    Fault(
        "QEMU is stopped before it can be spoken to, and you stop the run",
        "hang=start",
        "killed",
        "stopped with the run",
        "the other VMs' boots",
    ),
]


@pytest.mark.parametrize("fault", SILENT, ids=str)
async def test_a_stop_does_not_wait_for_a_greeting(lab: Lab, fault: Fault[str]):
    config = lab.config(3, for_middle(fault.how))
    with nothing_left(lab.runtime, *(config.image(vm) for vm in range(3))):
        async with engine(lab) as story:
            story.client.send(commands.Start(plan=plan_of(config)))
            await story.till(lambda story: story.of(ev.VmFrozen, 0) and story.of(ev.VmFrozen, 2))
            asked_ns = story.events[-1].at_ns
            story.client.send(commands.Stop())
            await story.to_end()

    assert story.states == ["booted", fault.ends, "booted"]
    assert story.fleet.vms[MIDDLE].newest.why == fault.words
    assert story.of(ev.VmExited, MIDDLE)[0].at_ns - asked_ns < 30_000_000_000


NO_GREETING = Fault(
    "QEMU does not answer, and nobody stops the run",
    "",
    "failed",
    "QEMU did not answer on its control socket (QMP) within ",
    "what QEMU wrote in those 30 s",
)


async def test_a_greeting_is_not_waited_for_for_ever():
    ours, theirs = socket.socketpair()
    with theirs:
        controller = QmpController(
            ours, "vm-1", on_event=print, on_lost=print, on_flood=print, stamps=StampReader()
        )
        with pytest.raises(QemuError, match=r"within 0\.05 s") as caught:
            await controller.connect(0.05)
        await controller.close()

    assert NO_GREETING.words in caught.value.message


# KVM.

KVM = [
    Fault(
        "this host has no /dev/kvm (`--accel auto`)",
        errno.ENOENT,
        "a warning, and TCG",
        "this host has no /dev/kvm, so QEMU emulates the CPU (TCG), which is slower",
        "the reason, with the run's figures",
    ),
    Fault(
        "you have no right to /dev/kvm (`--accel auto`)",
        errno.EACCES,
        "a warning, and TCG",
        "you have no right to /dev/kvm (join the group kvm: sudo usermod -aG kvm $USER), "
        "so QEMU emulates the CPU (TCG), which is slower",
        "the reason, with the run's figures",
    ),
    Fault(
        "`/dev/kvm` opens, and every kernel hangs under it",
        0,
        "a warning, and TCG",
        "/dev/kvm is there, but a kernel hangs under it",
        "the answer, till the host boots again or QEMU or the kernel changes",
    ),
]


@pytest.mark.parametrize("fault", KVM, ids=str)
async def test_without_a_kvm_that_works_the_run_goes_on_under_tcg(
    lab: Lab, fault: Fault[int], monkeypatch: pytest.MonkeyPatch
):
    device, really_open = lab.folder / "kvm", os.open

    def opens(path: object, *how: int, **more: int) -> int:
        if path == device and fault.how:
            raise OSError(fault.how, os.strerror(fault.how))
        return really_open(path, *how, **more)

    device.touch()
    monkeypatch.setattr(os, "open", opens)
    monkeypatch.setattr(accel, "KVM", device)
    monkeypatch.setattr(accel, "PROOF_LIMIT_S", 0.3)
    silent = lab.launcher("silent-qemu", "#!/bin/sh\nexec sleep 60\n")
    config = lab.config(1, qemu=str(silent), accel=Accel.AUTO)
    with nothing_left(lab.runtime, config.image(0)), run_dir() as folder:
        async with start_warden(folder) as children:
            store = ProofStore(lab.folder / "proofs")
            choice = await choose_accel(config, Powers(version="7.2"), children, store)

    assert choice.accel is Accel.TCG
    assert choice.warns
    assert fault.words in choice.reason


# The manual tells of an image that is held where it tells of two runs at once.
TOLD_ELSEWHERE = STARTS[2]

FAULTS = [
    *as_one("QEMU is not there, may not be executed, or is another program", PROGRAMS[:4]),
    PROGRAMS[4],
    *(fault for fault in STARTS[:-2] if fault is not TOLD_ELSEWHERE),
    *as_one("QEMU ends at once for any other reason", STARTS[-2:]),
    IMAGE_GONE,
    *as_one("QEMU is killed or crashes before the guest reports", DEATHS[:5]),
    *as_one("QEMU is killed or crashes after the report", DEATHS[5:7]),
    DEATHS[7],
    *as_one("QEMU's control socket (QMP) says rubbish, or is closed", TALK[:6]),
    *TALK[8:],
    *as_one("QEMU does not answer, and you stop the run", SILENT),
    NO_GREETING,
    *as_one("`/dev/kvm` is missing, or you have no right to it", KVM[:2]),
    KVM[2],
]
