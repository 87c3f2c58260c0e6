"""When each unit of one boot began to start and when it was up, on the guest's clock."""

from dataclasses import dataclass

from vmtiming_tui.model.guest_events import VmUnits


@dataclass(frozen=True, slots=True)
class Spans:
    """The units of a boot with their spans, by places (µs of the guest's clock; 0: never).

    ``up_us`` is when a unit was up, or done, where it never was, such as a oneshot that ended.
    ``took_us`` is how long it took to start, 0 where it never began, or never was up.
    """

    names: tuple[str, ...] = ()
    begun_us: tuple[int, ...] = ()
    up_us: tuple[int, ...] = ()
    took_us: tuple[int, ...] = ()

    @classmethod
    def of(cls, units: VmUnits | None) -> "Spans":
        """Return the spans of what a guest told; none where it told nothing."""
        if units is None:
            return cls()
        stamps = zip(
            units.activating_us,
            units.active_us,
            units.deactivating_us,
            units.inactive_us,
            strict=True,
        )
        up_us = tuple(
            up if up and up >= begun else _other_end(begun, down, over)
            for begun, up, down, over in stamps
        )
        spans = zip(units.activating_us, up_us, strict=True)
        took_us = tuple(up - begun if begun and up else 0 for begun, up in spans)
        return cls(units.names, units.activating_us, up_us, took_us)


def _other_end(begun_us: int, down_us: int, over_us: int) -> int:
    """Return when a unit's span ended that was not up in it; 0 where that was not yet."""
    return next((end for end in (down_us, over_us) if end and end >= begun_us), 0)
