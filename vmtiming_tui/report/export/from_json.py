"""A JSON export read back: the run it was made of, as far as it says.

What is not in an export (the console, most QMP events) is missing then; every figure is the same.
"""

import heapq
import json
import os
import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from vmtiming_tui.errors import EventError, ExportError
from vmtiming_tui.escape import one_line, printable
from vmtiming_tui.model import events as ev
from vmtiming_tui.model.attempt import Phase
from vmtiming_tui.model.codec import from_json
from vmtiming_tui.model.fleet import Fleet, RunState
from vmtiming_tui.report.export.as_json import FORMAT, READABLE, VERSION
from vmtiming_tui.report.export.json_boots import UNIT_STAMPS, Body

_MAX_BYTES = 1 << 30
_MOST_S = 9e9
_ENDED = {
    RunState.FINISHED: ev.Outcome.FINISHED,
    RunState.STOPPED: ev.Outcome.STOPPED,
    RunState.INTERRUPTED: ev.Outcome.INTERRUPTED,
}


def read_export(path: Path) -> Fleet:
    """Return the run of a file that ``--export FILE.json`` wrote; raise ``ExportError``."""
    shown = printable(str(path))
    try:
        text = _content(path, shown)
    except OSError as error:
        raise ExportError(
            f"{shown} cannot be read: {error.strerror}", hint="give the path of a JSON export"
        ) from error
    try:
        return fleet_of(text)
    except ExportError as error:
        raise ExportError(f"{shown}: {error.message}", hint=error.hint) from None


def _content(path: Path, shown: str) -> bytes:
    """Read a regular file of a bounded size; no pipe or device is waited for."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ExportError(f"{shown} is no regular file", hint="give the path of a JSON export")
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise ExportError(f"{shown} is too large to be an export", hint="give another file")
    return text


def fleet_of(text: str | bytes) -> Fleet:
    """Return the run of a JSON export's text; raise ``ExportError`` where it is none."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"not JSON: {error}", hint="only JSON exports can be read back") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise ExportError(
            "not an export of vm-timing-report", hint="give a file that --export FILE.json wrote"
        )
    if body.get("version") not in READABLE:
        raise ExportError(
            f"its schema is version {one_line(repr(body.get('version')), 40)}, "
            f"this program reads version {VERSION}",
            hint="export it again, or use the program that wrote it",
        )
    try:
        return _with_disturbance(Fleet(_events(body)), body)
    except (EventError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = error.message if isinstance(error, EventError) else f"{error!r}"
        raise ExportError(f"damaged: {one_line(what, 200)}", hint="export the run again") from None


def _ns(value_s: float | None) -> int:
    """Return seconds as ns; raise ``EventError`` for what is no moment."""
    if not isinstance(value_s, (int, float)) or not abs(value_s) < _MOST_S:
        raise EventError(f"expected seconds, found {value_s!r}")
    return round(value_s * 1e9)


def _maybe_ns(value_s: float | None) -> int | None:
    return None if value_s is None else _ns(value_s)


def _events(body: Body) -> Iterator[ev.Event]:
    if body["run"] is not None:
        yield _run_started(body)
    yield from _hosts(body)
    if files := body.get("files"):
        yield from_json(ev.FilesSeen, {"at_ns": 0, "files": files})
    for sample in body["host_samples"]:
        yield from_json(ev.HostSample, {**sample, "at_ns": _ns(sample["at_s"])})
    for notice in body["notices"]:
        yield from_json(ev.Notice, {**notice, "at_ns": _ns(notice["at_s"])})
    boots: dict[int, list[tuple[int, Body]]] = {}
    for vm in body["vms"]:
        for attempt in vm["attempts"]:
            boots.setdefault(attempt["storm"], []).append((vm["vm"], attempt))
    storms = {storm["storm"]: storm for storm in body["storms"]}
    for number in sorted({*storms, *boots}):
        yield from _storm(storms.get(number), boots.get(number, []))
    if (order := body.get("unit_order")) is not None:
        who = next(
            ({"vm": vm, "attempt": told["attempt"]} for vm, told in chain(*boots.values())), {}
        )
        yield from_json(ev.UnitOrder, {**order, **who, "at_ns": 0})
    if (concluded := body.get("decision")) is not None:
        yield from_json(ev.Concluded, {**concluded, "at_ns": _ns(concluded["at_s"])})
    if (failure := body["failure"]) is not None:
        yield from_json(ev.EngineFailed, {**failure, "at_ns": _ns(failure["at_s"])})
    outcome = _ENDED.get(RunState(body["state"]))
    if outcome is not None:
        ended_s = body["run"]["ended_at_s"] if body["run"] else None
        yield ev.RunEnded(at_ns=_maybe_ns(ended_s) or 0, outcome=outcome)


def _with_disturbance(fleet: Fleet, body: Body) -> Fleet:
    """Return a run with what was measured while it went on.

    An export does not tell all by which it could be reckoned again: a VM may have gone on and stood
    still several times. One of earlier versions tells none, and what is reckoned stays.
    """
    known = {attempt.key: attempt for attempt in fleet.attempts}
    for vm in body["vms"]:
        for told in vm["attempts"]:
            attempt = known.get((vm["vm"], told["attempt"]))
            if attempt is not None and "disturbed_s" in told:
                attempt.disturbed_ns = _maybe_ns(told["disturbed_s"])
    return fleet


def _run_started(body: Body) -> ev.RunStarted:
    run = body["run"]
    facts = {**run, "run": run["id"], "at_ns": 0, "host": body["host"], "plan": body["plan"]}
    return from_json(ev.RunStarted, facts)


def _hosts(body: Body) -> Iterator[ev.Event]:
    """Yield who took part of several hosts; earlier versions knew one, and did not name it."""
    for told in body.get("hosts", ()):
        name = told["name"]
        joined = {**told, "host": name, "at_ns": _ns(told["joined_at_s"])}
        yield from_json(ev.HostJoined, joined)
        for lost in told["losses"]:
            yield from_json(ev.HostLost, {**lost, "host": name, "at_ns": _ns(lost["at_s"])})
        if told["losses"] and not told["is_lost"]:
            yield from_json(ev.HostJoined, joined)
        if files := told["files"]:
            yield from_json(ev.FilesSeen, {"at_ns": 0, "files": files, "host": name})
        newest = [told["clock"]] if told["clock"] is not None else []
        for clock in (*told["clocks_before"], *newest):
            yield from_json(ev.ClockMeasured, {**clock, "host": name, "at_ns": _ns(clock["at_s"])})


def _storm(storm: Body | None, boots: list[tuple[int, Body]]) -> Iterator[ev.Event]:
    if storm is not None:
        yield from_json(ev.StormStarted, {**storm, "at_ns": _ns(storm["started_at_s"])})
    lives = [_attempt(vm, body) for vm, body in boots]
    yield from (next(life) for life in lives)
    if storm is not None:
        yield from _rounds(storm, boots)
    yield from heapq.merge(*lives, key=lambda event: event.at_ns)
    if storm is not None:
        yield from _end_of(storm)


def _rounds(storm: Body, boots: list[tuple[int, Body]]) -> Iterator[ev.RoundStarted]:
    """Yield the rounds of a storm whose VMs are queued; earlier versions knew none."""
    told = {"at_ns": _ns(storm["started_at_s"]), "storm": storm["storm"]}
    rounds = min(storm.get("rounds", 0), len(boots))
    for number in range(1, rounds + 1):
        vms = [vm for vm, body in boots if body["round"] == number]
        yield from_json(ev.RoundStarted, {**told, "round": number, "rounds": rounds, "vms": vms})


def _end_of(storm: Body) -> Iterator[ev.Event]:
    """Yield how far a storm has come."""
    round_ = {"storm": storm["storm"], "round": storm.get("rounds", 0) or 1}
    if (at_s := storm.get("decided_at_s")) is not None:
        yield from_json(ev.StormDecided, {**round_, "at_ns": _ns(at_s)})
    if (at_s := storm.get("collected_at_s")) is not None:
        yield from_json(ev.StormCollected, {**round_, "at_ns": _ns(at_s)})
    if storm["ended_at_s"] is not None:
        yield ev.StormEnded(at_ns=_ns(storm["ended_at_s"]), storm=storm["storm"])


def _attempt(vm: int, body: Body) -> Iterator[ev.Event]:
    """Yield the events of one attempt, in the order of its life."""
    who = {"vm": vm, "attempt": body["attempt"]}
    queued_ns = _ns(body["queued_at_s"])
    queued = {"at_ns": queued_ns, "storm": body["storm"], "host": body.get("host", "")}
    yield from_json(ev.VmQueued, {**who, **queued})
    if body["spawned_at_s"] is not None:
        spawn_ns = _ns(body["spawned_at_s"])
        launched = {"pid": body["pid"], "argv": body["argv"], "spawn_ns": spawn_ns}
        yield from_json(ev.VmLaunched, {**who, "at_ns": spawn_ns, **launched})
    if body["connected_at_s"] is not None:
        yield from_json(ev.VmConnected, {**who, "at_ns": _ns(body["connected_at_s"])})
    go_ns = _maybe_ns(body["started_at_s"])
    if go_ns is not None:
        yield from_json(ev.VmStarted, {**who, "at_ns": go_ns, "go_ns": go_ns})
        yield from _mishaps(who, body, go_ns)
    decided_ns = _maybe_ns(body["decided_at_s"])
    if decided_ns is not None:
        yield _decision(who, body, decided_ns)
    for rejected in body["rejected"]:
        yield from_json(ev.ReportRejected, {**who, **rejected, "at_ns": _ns(rejected["at_s"])})
    known_ns = decided_ns or queued_ns
    if body["guest"] is not None:
        yield from _guest(who, body["guest"], known_ns)
    if (log := body.get("kernel")) is not None:
        yield from_json(ev.VmKernel, {**who, "at_ns": known_ns, "log": log})
    if body["usage"] is not None:
        yield _usage(who, body["usage"], known_ns)
    yield from _left_out(who, body, known_ns)
    yield from _after_report(who, body, known_ns)


def _after_report(who: Body, body: Body, reported_ns: int) -> Iterator[ev.Event]:
    """Yield the phases of a VM after its report, and its end; earlier versions knew none."""
    release = body.get("release")
    if body.get("resumed") and release != ev.ReleaseCause.BY_HAND:
        by_hand = {"at_ns": reported_ns, "cause": ev.ReleaseCause.BY_HAND}
        yield from_json(ev.VmReleased, {**who, **by_hand})
    if body.get("phase") == Phase.FROZEN:
        yield from_json(ev.VmFrozen, {**who, "at_ns": reported_ns})
    if body.get("released_at_s") is not None:
        at_ns = _ns(body["released_at_s"])
        yield from_json(ev.VmReleased, {**who, "at_ns": at_ns, "cause": release})
    if body.get("ending_at_s") is not None:
        ending = {"at_ns": _ns(body["ending_at_s"]), "how": body["end"]}
        yield from_json(ev.VmEnding, {**who, **ending})
    if body["exited_at_s"] is not None:
        exited = {
            "at_ns": _ns(body["exited_at_s"]),
            "exit_code": body["exit_code"],
            "reason": body["exit_reason"],
            "shutdown_ns": _maybe_ns(body.get("shutdown_at_s")),
            "stderr": body["stderr"],
        }
        yield from_json(ev.VmExited, {**who, **exited})


def _left_out(who: Body, body: Body, at_ns: int) -> Iterator[ev.Event]:
    """Yield what tells how much of a VM's words was not kept; a first export says nothing of it."""
    if counts := body.get("qmp_left_out"):
        yield from_json(ev.QmpLeftOut, {**who, "at_ns": at_ns, "counts": counts})
    if (console := body.get("console")) is not None:
        text = "".join(map(_stop_line, body.get("stop_jobs", ())))
        yield from_json(ev.VmConsole, {**console, **who, "at_ns": at_ns, "text": text})


def _stop_line(job: Body) -> str:
    """Return what a console said of a unit that the shutdown waited for."""
    limit_s = job["limit_s"]
    limit = "no limit" if limit_s is None else f"{limit_s:.10g}s"
    return f"A stop job is running for {job['unit']} ({job['waited_s']:.10g}s / {limit})\n"


def _mishaps(who: Body, body: Body, at_ns: int) -> Iterator[ev.QmpSeen]:
    names = ["STOP", "RESUME"] * min(body["pauses"], 100) + ["RESET"] * min(body["resets"], 100)
    names += ["GUEST_PANICKED"] * bool(body["panicked"])
    for name in names:
        yield from_json(ev.QmpSeen, {**who, "at_ns": at_ns, "name": name})


def _decision(who: Body, body: Body, at_ns: int) -> ev.Event:
    base = {**who, "at_ns": at_ns}
    match body["state"]:
        case "booted" | "off":
            report = {
                "report_ns": _ns(body["reported_at_s"]),
                "uncertainty_ns": _ns(body["uncertainty_s"]),
                "text": body["text"],
            }
            return from_json(ev.VmBooted, base | report)
        case "timed out":
            late = {"limit_ns": _ns(body["limit_s"]), "why": body["why"]}
            return from_json(ev.VmTimedOut, base | late)
        case "killed":
            return from_json(ev.VmKilled, {**base, "why": body["why"]})
        case "failed":
            words = {"why": body["why"], "hint": body["hint"], "stderr": body["stderr"]}
            return from_json(ev.VmFailed, base | words)
        case other:
            raise EventError(f"a decided attempt cannot be {other!r}")


def _guest(who: Body, guest: Body, at_ns: int) -> Iterator[ev.Event]:
    """Yield what a guest told of its boot; earlier versions knew no units."""
    yield from_json(ev.VmDetails, {**guest, **who, "at_ns": at_ns})
    units = guest.get("units")
    if units:
        words = {word: [unit[word] for unit in units] for word in ("active", "sub", "result")}
        stamps = {
            f"{stage}_us": [_maybe_us(unit[f"{stage}_s"]) for unit in units]
            for stage in UNIT_STAMPS
        }
        names = [unit["name"] for unit in units]
        yield from_json(ev.VmUnits, {**who, "at_ns": at_ns, "names": names, **words, **stamps})


def _maybe_us(value_s: float | None) -> int:
    """Return a unit's stamp; 0 where it has none."""
    return 0 if value_s is None else round(_ns(value_s) / 1e3)


def _usage(who: Body, usage: Body, at_ns: int) -> ev.VmUsage:
    spent = {f"{name}_ns": _ns(usage[f"{name}_s"]) for name in ("cpu", "vcpu_run", "vcpu_wait")}
    return from_json(ev.VmUsage, {**who, **usage, **spent, "at_ns": at_ns})
