"""RunConfig: values are checked once, by the same code for every front end, all faults at once."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from vmtiming_tui.errors import ConfigError
from vmtiming_tui.model.config import Accel, AfterReport, End, RunConfig, StartMode
from vmtiming_tui.request.settings import build_config, field_problem, raw_of

GOOD = {"number": "8", "memory_mib": "340", "prefix": "your-os", "suffix": ".img", "kernel": "k"}


def problems_of(raw, **kwargs):
    with pytest.raises(ConfigError) as caught:
        build_config(raw, **kwargs)
    return {problem.field: problem.text for problem in caught.value.problems}


def test_good_texts_become_typed_values():
    config = build_config(
        GOOD | {"accel": "TCG", "start": "together", "timeout_s": "2.5", "parallel": ""},
        files=False,
    )

    assert config == RunConfig(
        number=8,
        memory_mib=340,
        prefix="your-os",
        suffix=".img",
        kernel="k",
        accel=Accel.TCG,
        start=StartMode.TOGETHER,
        timeout_s=2.5,
    )


def test_what_becomes_of_a_booted_vm_is_a_word_and_its_shutdown_has_a_limit():
    default = build_config(GOOD, files=False)
    asked = build_config(
        GOOD | {"after_report": "Run", "end": "quit", "shutdown_timeout_s": "7.5"}, files=False
    )

    told = [(each.after_report, each.end, each.shutdown_timeout_s) for each in (default, asked)]
    assert told == [(AfterReport.FREEZE, End.POWEROFF, 120.0), (AfterReport.RUN, End.QUIT, 7.5)]


def test_what_cannot_become_of_a_booted_vm_is_said_with_what_can():
    found = problems_of(
        GOOD | {"after_report": "stop", "end": "kill", "shutdown_timeout_s": "0"}, files=False
    )

    assert found == {
        "after_report": "--after-report: 'stop' is none of freeze, run, off",
        "end": "--end: 'kill' is none of poweroff, quit",
        "shutdown_timeout_s": "--shutdown-timeout: 0 is out of range; give seconds from 0.001, "
        "such as 120 (--end quit waits for no shutdown)",
    }


def test_every_fault_is_named_at_once_with_its_flag():
    found = problems_of(
        {"number": "many", "memory_mib": "-1", "accel": "xen", "timeout_s": "nan", "smp": "0"},
        files=False,
    )

    assert set(found) == {
        "number", "memory_mib", "accel", "timeout_s", "smp", "prefix", "kernel",
    }  # fmt: skip
    assert found["number"].startswith("-n/--number: 'many' is no whole number")
    assert "auto, kvm, tcg" in found["accel"]


def test_images_are_named_as_the_original_named_them():
    config = build_config(GOOD | {"vmdir": "vms/"}, files=False)

    assert str(config.image(3)) == "vms/your-os-3.img"


def test_missing_files_are_all_named(tmp_path):
    found = problems_of(
        GOOD
        | {
            "kernel": str(tmp_path / "vmlinuz"),
            "initrd": str(tmp_path / "initrd"),
            "vmdir": str(tmp_path),
            "qemu": "no-such-qemu",
        }
    )

    assert set(found) == {"kernel", "initrd", "qemu", "number"}
    assert "and 7 more not found" in found["number"]
    assert "--base" in found["number"]


def test_missing_images_are_no_fault_when_they_can_be_made(tmp_path):
    for name in ("vmlinuz", "rootfs.img"):
        (tmp_path / name).touch()

    config = build_config(
        GOOD
        | {
            "kernel": str(tmp_path / "vmlinuz"),
            "base": str(tmp_path / "rootfs.img"),
            "vmdir": str(tmp_path / "vms"),
            "qemu": "sh",
        }
    )

    assert config.base


def test_together_and_parallel_contradict_each_other():
    assert set(problems_of(GOOD | {"start": "together", "parallel": "2"}, files=False)) == {
        "parallel"
    }


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"parallel": "4"}, {"parallel": 4}),
        ({"parallel": "4/host"}, {"parallel": 4, "parallel_per_host": True}),
        ({"stagger_s": " 0.5 / Host "}, {"stagger_s": 0.5, "stagger_per_host": True}),
        ({"rate": "4"}, {"stagger_s": 0.25}),
        ({"rate": "0.5/host"}, {"stagger_s": 2.0, "stagger_per_host": True}),
    ],
)
def test_what_is_counted_is_over_all_hosts_or_on_each(given, made):
    config = build_config(GOOD | given, files=False)

    assert config == replace(build_config(GOOD, files=False), **made)
    assert build_config(raw_of(config), files=False) == config


def test_a_rate_and_a_stagger_contradict_each_other():
    found = problems_of(GOOD | {"rate": "2", "stagger_s": "0.5/host"}, files=False)

    assert found == {
        "rate": "--rate: so many VMs a second are so far apart, which --stagger says too; leave "
        "one of the two out"
    }


def test_what_no_rate_is_and_no_host_is_said_in_words():
    found = problems_of(GOOD | {"rate": "0/host", "parallel": "/host"}, files=False) | problems_of(
        GOOD | {"stagger_s": "1/hosts"}, files=False
    )

    assert found == {
        "rate": "--rate: 0 is out of range; give 0.001 to 100000 VMs a second, such as 2 or 2/host",
        "parallel": "--parallel: '/host' is no whole number; give one such as 4 or 4/host",
        "stagger_s": "--stagger: '1/hosts' is no number of seconds; try 0.5 or 0.5/host",
    }


@pytest.mark.parametrize("detail", ["on", "extra"])
@pytest.mark.parametrize("setting", [{"boot": "firmware"}, {"after_report": "off"}])
def test_where_no_kernel_can_be_asked_for_its_details_that_is_refused(detail, setting):
    found = problems_of(GOOD | setting | {"kernel_detail": detail}, files=False)

    assert set(found) == {"kernel_detail"}
    assert found["kernel_detail"].startswith("--kernel-detail: ")


def test_images_that_are_written_to_are_not_cut_off_from_power():
    assert set(problems_of(GOOD | {"persist": True, "end": "quit"}, files=False)) == {"end"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "0"), ("number", "1.5"), ("memory_mib", "12GB"), ("stagger_s", "-1"),
        ("timeout_s", "inf"), ("append", "a\nb"), ("append", "x" * 3000), ("prefix", ""),
        ("kernel", "a\0b"), ("parallel", "0"), ("parallel", "0/host"), ("rate", "0"), ("rate", "x"),
        ("rate", "nan"), ("rate", "1e9/host"), ("after_report", "quit"), ("after_report", ""),
        ("end", "off"), ("end", ""), ("shutdown_timeout_s", "-1"), ("shutdown_timeout_s", "soon"),
        ("shutdown_timeout_s", "nan"), ("shutdown_timeout_s", "1e9"), ("shutdown_timeout_s", ""),
    ],
)  # fmt: skip
def test_a_form_sees_the_same_fault_while_typing(name, text):
    assert field_problem(name, text)
    assert name in problems_of(GOOD | {name: text}, files=False)


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "smp", "accel", "parallel", "rate", "after_report", "end"]),
        st.text(),
    )
)
def test_any_text_is_either_a_config_or_a_config_error(raw):
    try:
        config = build_config(raw, files=False)
    except ConfigError as error:
        assert error.problems
    else:
        assert config.number >= 1
