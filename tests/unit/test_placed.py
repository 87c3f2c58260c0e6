"""What a host is told to boot: the plan's settings, with its own paths of what was brought."""

from dataclasses import replace

from support.facts import plan_of
from vmtiming_tui.cluster.shipping.placed import Placed
from vmtiming_tui.model import commands
from vmtiming_tui.model.config import BootMode, KernelDetail, RunConfig
from vmtiming_tui.model.plan import RunPlan, StormKind, Variant

CONFIG = RunConfig(
    number=4, prefix="vm", suffix=".img", vmdir="vms", kernel="k", initrd="i", base="b", smp=2
)
PLACED = Placed({"k": "/c/1", "k2": "/c/2", "i": "/c/3", "b": "/c/4"})
THERE = replace(CONFIG, kernel="/c/1", initrd="/c/3", base="/c/4", vmdir="/c/4-vms")


def test_a_config_names_what_is_there_and_is_otherwise_as_it_was():
    assert PLACED.config(CONFIG) == THERE


def test_an_image_that_boots_itself_needs_its_base_alone():
    config = replace(CONFIG, boot=BootMode.FIRMWARE, kernel="", initrd="")

    assert PLACED.config(config) == replace(THERE, boot=BootMode.FIRMWARE, kernel="", initrd="")


def test_every_setting_of_a_plan_is_placed_and_has_its_storms_for_details():
    other = replace(CONFIG, kernel="k2", kernel_detail=KernelDetail.EXTRA)
    plan = RunPlan(
        variants=(
            Variant(config=CONFIG, parameters={"kernel": "k"}),
            Variant(config=other, parameters={"kernel": "k2"}),
        ),
        runs=3,
    )
    placed = PLACED.plan(plan)

    assert [each.config.kernel for each in placed.variants] == ["/c/1", "/c/2"]
    assert [each.parameters for each in placed.variants] == [{"kernel": "k"}, {"kernel": "k2"}]
    assert placed.runs == 3
    assert set(placed.configs) == {PLACED.config(each) for each in plan.configs}


def test_commands_have_the_hosts_own_paths():
    start = commands.Start(plan=plan_of(CONFIG), led=True)
    share = commands.Share(config=CONFIG, vms=(2, 3), attempts=(0, 0))
    boot = commands.Boot(storm=0, kind=StormKind.RUN, parameters={}, planned=1, shares=(share,))

    assert [PLACED.command(each) for each in (start, boot, commands.Stop())] == [
        replace(start, plan=plan_of(THERE)),
        replace(boot, shares=(replace(share, config=THERE),)),
        commands.Stop(),
    ]
