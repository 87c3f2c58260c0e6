"""A run from the command line with stand-ins: the report, the events, the exit code."""

import json
import re

from support.engine_lab import processes_naming
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.fleet import Fleet


def test_the_report_reads_as_the_original_wrote_it(run, arguments):
    code, out, _ = run(*arguments(3, "boot=0.05~0.2"))
    lines = out.splitlines()

    assert code == 0
    assert sum(bool(re.fullmatch(r"Got a connection: \d+", line)) for line in lines) == 3
    assert sorted(line for line in lines if "reported as" in line) == [
        f"VM {vm} reported as booted" for vm in range(3)
    ]
    for vm, line in enumerate(lines[-5:-2]):
        assert re.match(rf"VM {vm} booted in: [\d.e-]+s: Startup finished in ", line)
    assert re.fullmatch(r"Average boot: [\d.]+s", lines[-2])
    assert re.fullmatch(r"It took [\d.]+s to boot all VMs", lines[-1])


def test_a_vm_that_fails_has_a_line_and_makes_the_exit_code_1(run, arguments):
    code, out, err = run(*arguments(3, "1.die=go:KILL"))

    assert code == 1
    assert re.search(r"^VM 1 failed: .*SIGKILL", out, re.MULTILINE)
    assert "VM 0 booted in" in out
    assert "2 of 3 VMs" in out
    assert "1 of 3 boots failed" in err


def test_a_silent_guest_times_out_and_is_left_out_of_the_average(run, arguments):
    code, out, _ = run(*arguments(2, "0.silent=1", "--timeout", "0.5"))

    assert code == 1
    assert re.search(r"^VM 0 timed out: .*0.5 s", out, re.MULTILINE)


def test_a_boot_over_the_limit_makes_the_exit_code_3(run, arguments):
    code, _, err = run(*arguments(2, "0.boot=0.6", "--fail-over", "0.5"))

    assert code == 3
    assert "VM 0 took 0.6" in err
    assert run(*arguments(2, "", "--fail-over", "20"))[0] == 0


def test_each_limit_is_a_line_and_what_nothing_tells_of_makes_it_4(run, arguments):
    limits = ("--fail-over", "p99=20", "--fail-over", "unit:none=1")

    code, _, err = run(*arguments(2, "", *limits))

    assert code == 4
    assert "p99=20       boot p99" in err
    assert "Exit: whether unit:none=1 was kept cannot be told" in err
    assert run(*arguments(2, "", *limits, "--allow-undecided"))[0] == 0
    assert "unit:none=1" in run("show", "last")[1]


def test_json_is_the_stream_itself(run, arguments):
    code, out, _ = run(*arguments(2, "", "--json"))
    fleet = Fleet(ev.decode(line) for line in out.splitlines())

    assert code == 0
    assert [attempt.state for attempt in fleet.newest] == [VmState.BOOTED] * 2
    assert json.loads(out.splitlines()[-1])["event"] == "run_ended"


def test_what_follows_two_dashes_goes_to_qemu(run, arguments):
    _, out, _ = run(*arguments(1, "", "--", "-cpu", "a b,c"))

    assert "-cpu 'a b,c'" in out


def test_missing_images_are_made_as_overlays_of_the_base(run, arguments, lab):
    (lab.folder / "rootfs.img").write_bytes(b"root" * 1024)

    code, _, err = run(*arguments(2, "", "-v", "new/vms", "--base", "rootfs.img"))

    assert code == 0, err
    assert sorted(path.name for path in (lab.folder / "new/vms").iterdir()) == [
        "vm-0.img", "vm-1.img",
    ]  # fmt: skip


def test_two_hundred_vms_boot_and_nothing_is_left(run, arguments, lab):
    code, out, err = run(*arguments(200, "boot=0.1~1"))

    assert code == 0, err
    assert out.count("reported as booted") == 200
    assert "to boot all VMs" in out
    assert processes_naming(str(lab.qemu)) == []
    assert not list(lab.runtime.iterdir())


def test_what_a_run_failed_of_is_said_once(run, arguments, lab):
    lab.qemu.write_text("#!/bin/sh\necho 'QEMU emulator version none' >&2; exit 1\n")

    code, _, err = run(*arguments(1, ""))

    (error,) = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert code == 1
    assert err.count(error.removeprefix("Error: ")) == 1
