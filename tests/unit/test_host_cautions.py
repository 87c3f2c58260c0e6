"""What is to be kept in mind of several hosts: said by host, alike ones together."""

import pytest

from support.facts import MS, SECOND, plan
from support.many_hosts import HOSTS, many_hosts_run
from vmtiming_tui.analysis.cautions import CautionKind, cautions
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.fleet import Fleet


def said(events, kind=CautionKind.HOST):
    return [each.text for each in cautions(Fleet(events)) if each.kind is kind]


def quiet_run(**hosting):
    return many_hosts_run(number=9, how={"usage": False}, **hosting)


def unlike(**facts):
    return quiet_run(unlike=facts)


def test_quiet_hosts_that_are_alike_need_none():
    assert said(quiet_run()) == []


def test_a_busy_host_is_said_by_its_name():
    (text,) = said(unlike(b={"load1": 4.0}))

    assert text == (
        "host b: the host was busy before the first storm (load 4.00 on 8 cores); let it settle"
    )


def test_hosts_of_which_the_same_is_to_be_said_are_named_together():
    (text,) = said(unlike(a={"governor": "powersave"}, c={"governor": "powersave"}))

    assert text.startswith("hosts a and c: the CPU governor is powersave;")


def test_of_figures_that_differ_the_worst_is_said():
    busy = {name: {"load1": 4.0 + place} for place, name in enumerate(HOSTS)}
    (text,) = said(unlike(**busy))

    assert text.startswith("hosts a, b and c: the host was busy before the first storm (load 6.00")
    assert text.endswith("(most on host c)")


def test_pressure_while_vms_boot_is_each_hosts_own():
    strained = ev.HostSample(at_ns=6000 * SECOND, cpu_percent=9, load1=1, psi_io=45, host="b")
    (text,) = said([*quiet_run(), strained])

    assert text.startswith("host b: the host waited for its disk (pressure up to 45 %)")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"cpu_model": "Slow CPU"}, "CPU (Imaginary CPU @ 3.00GHz on hosts a and c, Slow CPU on"),
        ({"cores": 4}, "cores (8 on hosts a and c, 4 on host b)"),
        ({"kernel": "5.10"}, "kernel (6.1.0-18-amd64 on hosts a and c, 5.10 on host b)"),
        ({"qemu_version": "8.0"}, "QEMU (7.2.15 on hosts a and c, 8.0 on host b)"),
        ({"accel": "tcg"}, "accelerator (kvm on hosts a and c, tcg on host b)"),
        ({"tool_version": "2"}, "vm-timing-report (0.1.0 on hosts a and c, 2 on host b)"),
    ],
)
def test_hosts_of_one_run_that_are_unlike_are_said(facts, words):
    text = next(text for text in said(unlike(b=facts)) if "unlike" in text)

    assert words in text
    assert text.endswith("so read those of each host")


def test_a_lost_host_is_said_with_the_reason():
    text, *_ = said(quiet_run(lost={"b": 3.0}))

    assert text.startswith("host b was lost at 3.0 s (its worker was killed)")


def test_hosts_lost_for_one_reason_are_said_together():
    text, *others = said(quiet_run(lost={"b": 4.0, "c": 3.0}))

    assert text.startswith("hosts b and c were lost, the first at 3.0 s (its worker was killed)")
    assert not [each for each in others if "lost" in each]


def test_clocks_known_less_well_than_hosts_were_apart_are_said():
    apart = {"a": 0, "b": MS, "c": 0}
    (text,) = said(quiet_run(skew_ns=apart, uncertainty_ns={"b": 10 * MS}))

    assert text.startswith("hosts let their VMs go 1.0 ms apart")
    assert "that of host b the least (10.0 ms)" in text
    assert said(quiet_run(skew_ns=apart)) == []


def files_on(name, size_bytes, modified_ns=0):
    file = ev.BootFile(role="kernel", path="/k", size_bytes=size_bytes, modified_ns=modified_ns)
    return ev.FilesSeen(at_ns=6000 * SECOND, files=(file,), host=name)


def test_files_that_differ_between_hosts_are_said():
    same = [files_on("a", 10, 1), files_on("b", 10, 2)]
    (text,) = said([*quiet_run(), *same, files_on("c", 11)])

    assert text == (
        "hosts boot from different files: the kernel has 10 bytes on hosts a and b, "
        "11 bytes on host c"
    )
    assert said([*quiet_run(), *same]) == []


def test_each_host_is_to_hold_the_vms_that_it_boots():
    started = {"plan": plan(30)}
    few, many = ({vm: "b" if vm < split else "a" for vm in range(30)} for split in (8, 22))

    def of(placing):
        run = many_hosts_run(("a", "b"), 30, placing=placing, how={"started": started})
        return said(run, CautionKind.SIZE)

    assert of(few) == [
        "host a: up to 22 vCPUs share 8 cores: boot times include waiting for one another"
    ]
    assert of(many)[0].startswith("host b: up to 22 vCPUs")


def test_storms_after_a_host_was_lost_are_no_other_storms():
    slow = {"b": 3.0}
    run = many_hosts_run(number=9, storms=6, lost={"b": 4.0}, slow=slow, how={"usage": False})

    assert said(run, CautionKind.REPEATS) == []
