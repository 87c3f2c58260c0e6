"""Under what conditions a boot was made, as far as boots of one run may differ in them."""

from dataclasses import dataclass

from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.model.events import NoticeCode
from vmtiming_tui.model.fleet import Fleet


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under what conditions an attempt booted.

    ``cache`` is what the host's page cache held of the images: ``cold`` where it was emptied,
    ``warm`` where an earlier storm of the run read them, else ``as found``. ``boot`` is ``first``
    or ``repeated`` in this run.
    """

    accel: str
    cache: str
    boot: str


def _accel(attempt: Attempt, otherwise: str) -> str:
    words = attempt.argv
    if "-accel" in words[:-1]:
        return words[words.index("-accel") + 1].partition(",")[0]
    return "kvm" if "-enable-kvm" in words else otherwise


def conditions_of(fleet: Fleet, attempt: Attempt) -> Conditions:
    """Return under what conditions an attempt booted; its accelerator is what QEMU was given."""
    storm = fleet.storms.get(attempt.storm)
    refused = any(notice.code is NoticeCode.CACHE_KEPT for notice in fleet.notices)
    is_first_storm = storm is None or storm.number == min(fleet.storms)
    if fleet.plan is not None and fleet.plan.drop_caches and not refused:
        cache = "cold"
    else:
        cache = "as found" if is_first_storm else "warm"
    return Conditions(
        accel=_accel(attempt, storm.accel if storm else fleet.run.accel if fleet.run else ""),
        cache=cache,
        boot="first" if attempt.number == 1 else "repeated",
    )
