"""What a sweep varies is found out for each setting, and told of each storm."""

from support.engine_lab import Lab, tell
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.conditions import conditions_of
from vmtiming_tui.model import events as ev
from vmtiming_tui.request.sweeps import build_plan


def asked(lab: Lab, number: int = 1, **more: object) -> dict[str, object]:
    """The texts of a run of stand-ins."""
    config = lab.config(number)
    names = ("prefix", "suffix", "vmdir", "kernel", "qemu")
    return {name: getattr(config, name) for name in names} | {
        "number": str(number), "memory_mib": "1", "accel": "tcg", "force": True, **more
    }  # fmt: skip


async def test_each_setting_has_its_own_qemu_version_and_accelerator(lab: Lab):
    newer = lab.launcher(
        "qemu-newer",
        f'#!/bin/sh\ncase " $* " in\n*" -version "*) {lab.qemu} "$@" | sed s/7.2.0/9.1.0/ ;;\n'
        f'*) exec {lab.qemu} "$@" ;;\nesac\n',
    )
    sweeps = [("qemu", f"{lab.qemu},{newer}"), ("accel", "tcg,kvm")]
    story = await tell(lab, build_plan(asked(lab), sweeps=sweeps, runs="1"))

    told = [(event.qemu_version, event.accel) for event in story.of(ev.StormStarted)]
    assert told == [("7.2.0", "tcg"), ("7.2.0", "kvm"), ("9.1.0", "tcg"), ("9.1.0", "kvm")]
    attempts = story.fleet.vms[0].attempts
    assert [attempt.state.is_booted for attempt in attempts] == [True] * 4
    assert [conditions_of(story.fleet, each).accel for each in attempts] == ["tcg", "kvm"] * 2
    side = side_of(story.fleet)
    assert side.circumstances["accelerator"] == "kvm, tcg"
    assert [sample.facts["QEMU"] for sample in side.samples] == ["7.2.0"] * 2 + ["9.1.0"] * 2
    assert story.of(ev.RunStarted)[0].qemu_version == "7.2.0"
    assert (story.fleet.accel, story.fleet.qemu_version) == ("kvm, tcg", "7.2.0, 9.1.0")


async def test_a_setting_whose_qemu_is_none_is_found_before_anything_boots(lab: Lab):
    other = lab.launcher("qemu-none", "#!/bin/sh\necho hello\n")
    sweeps = [("qemu", f"{lab.qemu},{other}")]
    story = await tell(lab, build_plan(asked(lab), sweeps=sweeps))

    (failure,) = story.of(ev.EngineFailed)
    assert "qemu-none" in failure.why
    assert story.of(ev.StormStarted) == []


async def test_each_base_has_overlays_of_its_own(lab: Lab):
    bases = [lab.folder / folder / "rootfs.img" for folder in ("old", "new")]
    for base in bases:
        base.parent.mkdir()
        base.write_bytes(b"\1" * 4096)
    raw = asked(lab, prefix="own", suffix=".qcow2", format="")
    sweeps = [("base", ",".join(map(str, bases)))]
    plan = build_plan(raw, sweeps=sweeps, runs="2")
    story = await tell(lab, plan)

    images = [variant.config.image(0) for variant in plan.variants]
    assert len({*images}) == 2
    assert all(image.name.startswith("own-rootfs-") for image in images)
    for base, image in zip(bases, images, strict=True):
        assert str(base).encode() in image.read_bytes()
    assert story.states == ["booted"]
    made = [notice.text for notice in story.of(ev.Notice) if notice.text.startswith("made 1 ")]
    assert len(made) == 2


async def test_images_parallel_and_start_are_each_settings_own(lab: Lab):
    lab.config(2)
    for vm in range(2):
        (lab.folder / f"other-{vm}.img").write_bytes(b"disk" * 128)
    sweeps = [("prefix", "vm,other"), ("parallel", "1,")]
    plan = build_plan(asked(lab, 2), sweeps=sweeps)
    story = await tell(lab, plan)

    disks = [" ".join(event.argv) for event in story.of(ev.VmLaunched, 0)]
    assert ["other-0.img" in words for words in disks] == [False, False, True, True]
    assert [variant.config.parallel for variant in plan.variants] == [1, None, 1, None]
    assert len(story.of(ev.VmBooted)) == 8
