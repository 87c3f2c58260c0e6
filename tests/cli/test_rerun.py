"""A VM run again after three storms, by the real engine with stand-ins: what counts stays."""

from support.engine_lab import Lab, engine
from vmtiming_tui.analysis.exit_code import exit_code, reasons
from vmtiming_tui.analysis.summary import summarise_fleet
from vmtiming_tui.analysis.thresholds import parse_threshold
from vmtiming_tui.model import commands, events as ev
from vmtiming_tui.model.plan import RunPlan, Variant
from vmtiming_tui.report.export import render


async def test_a_rerun_leaves_the_storms_their_figures_and_the_run_its_exit_code(lab: Lab):
    plan = RunPlan(
        variants=(Variant(config=lab.config(2, "1.boot=0.5")),),
        runs=3,
        thresholds=(parse_threshold("0.4"),),
    )

    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan, interactive=True))
        await story.till(lambda story: story.of(ev.RunEnded))
        before = summarise_fleet(story.fleet), reasons(story.fleet)
        story.client.send(commands.Rerun(vms=(1,)))
        await story.till(lambda story: len(story.of(ev.RunEnded)) == 2)
        story.client.send(commands.Quit())
        await story.to_end()

    fleet = story.fleet
    assert len(fleet.vms[1].attempts) == 4
    assert (summarise_fleet(fleet), reasons(fleet)) == before
    assert [sentence.split(",")[0][-10:] for sentence in before[1][:3]] == [
        "in storm 1", "in storm 2", "in storm 3",
    ]  # fmt: skip
    assert exit_code(fleet) == 3
    assert render(".csv", fleet).count(",rerun,") == 1
