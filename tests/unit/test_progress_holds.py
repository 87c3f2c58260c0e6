"""progress: the bound is never broken, in runs of every shape played through the engine's gate."""

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from support.simulated import Course, Fate, simulated_run
from vmtiming_tui.analysis.progress import TimeLeft, time_left
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import VmState
from vmtiming_tui.model.config import StartMode
from vmtiming_tui.model.fleet import Fleet
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.sweeps import build_plan

BOOT_S = st.one_of(st.floats(4, 6), st.floats(0.1, 400), st.none())
FATES = st.builds(
    Fate,
    boot_s=BOOT_S,
    fails=st.sampled_from([False, False, False, True]),
    up_s=st.one_of(st.just(0.2), st.floats(0, 45)),
    late_s=st.floats(0, 5),
    off_s=st.one_of(st.just(3.0), st.floats(0, 97)),
)
HANGS = Fate(boot_s=None)


@st.composite
def plans(draw: st.DrawFn) -> RunPlan:
    raw = {
        "prefix": "vm",
        "kernel": "k",
        "number": str(draw(st.integers(1, 16))),
        "timeout_s": str(draw(st.sampled_from([5, 20, 60, 300]))),
        "stagger_s": str(draw(st.sampled_from([0, 0, 0.5, 30]))),
    }
    if draw(st.booleans()):
        raw["parallel"] = str(draw(st.integers(1, 15)))
    elif draw(st.booleans()):
        raw["start"] = StartMode.TOGETHER
    swept = {"smp": "1,2", "number": "2,5"}
    names = draw(st.lists(st.sampled_from(sorted(swept)), unique=True, max_size=1))
    return build_plan(
        raw,
        warmup=draw(st.integers(0, 2)),
        runs=draw(st.integers(1, 3)),
        sweeps=[(name, swept[name]) for name in names],
        files=False,
    )


@st.composite
def courses(draw: st.DrawFn, plan: RunPlan) -> Course:
    storms = [
        draw(st.lists(FATES, min_size=(n := each.variant.config.number), max_size=n))
        for each in plan.storms()
    ]
    before_s = draw(st.lists(st.floats(0, 60), min_size=len(storms), max_size=len(storms)))
    vms = st.integers(0, plan.config.number - 1)
    return Course(
        storms,
        before_s,
        again=draw(st.dictionaries(vms, FATES, max_size=3)),
        stop_s=draw(st.one_of(st.none(), st.none(), st.floats(0, 100))),
    )


RUNS = plans().flatmap(lambda plan: st.tuples(st.just(plan), courses(plan)))


def check(plan: RunPlan, course: Course) -> int:
    """Assert that no bound is broken at any event, nor just before one; return how many held."""
    stream = simulated_run(plan, course)
    attempts = list(Fleet(stream).attempts)
    planned_ns = max(a.decided_ns for a in attempts if a.storm <= len(plan))
    again_ns = max(a.decided_ns for a in attempts)
    fleet, held = Fleet(), 0
    for event, after in pairwise(stream):
        fleet.fold(event)
        if fleet.storm is None:
            continue
        end_ns = planned_ns if fleet.storm.number <= len(plan) else again_ns
        for now_ns in {event.at_ns, max(event.at_ns, after.at_ns - 1)}:
            left = time_left(fleet, plan, now_ns)
            if left.at_most_ns is not None:
                assert now_ns + left.at_most_ns >= end_ns
                assert left.about_ns is None or 0 <= left.about_ns <= left.at_most_ns
                held += 1
            assert left.about_ns is None or not has_hung(fleet) or left == TimeLeft(0, 0)
    return held


def has_hung(fleet: Fleet) -> bool:
    return any(attempt.state is VmState.TIMED_OUT for attempt in fleet.attempts)


@settings(max_examples=60)
@given(RUNS)
def test_a_bound_of_what_is_left_is_never_broken(run):
    assert check(*run)


def test_a_bound_is_said_all_through_a_run_in_which_vms_hang():
    plan = build_plan(
        {"prefix": "vm", "kernel": "k", "number": "6", "parallel": "2", "timeout_s": "20"},
        warmup=1, runs=2, files=False,
    )  # fmt: skip
    storm = [Fate(), HANGS, Fate(boot_s=9), Fate(fails=True), HANGS, Fate()]
    stream = simulated_run(plan, Course([storm] * 3, [1.0] * 3))
    begins = next(at for at, e in enumerate(stream) if isinstance(e, ev.StormStarted))

    for seen in range(begins + 1, len(stream)):
        fleet = Fleet(stream[:seen])
        assert time_left(fleet, plan, fleet.last_ns).at_most_ns is not None


def test_the_bound_allows_for_qemus_that_come_up_in_turns(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    plan = build_plan(
        {"prefix": "vm", "kernel": "k", "number": "40", "timeout_s": "5"}, files=False
    )

    assert check(plan, Course([[Fate(boot_s=None, up_s=45)] * 40], [1.0]))
