"""QEMU's wall-clock stamps on the monotonic clock."""

import time

from vmtiming_tui.engine.qmp.event_stamps import StampReader, stamp_of

MS = 1_000_000


def wall(monotonic_ns: int) -> int:
    return monotonic_ns + time.time_ns() - time.monotonic_ns()


def test_a_stamp_just_before_its_receipt_is_converted():
    received_ns = time.monotonic_ns()
    found = StampReader().to_monotonic(wall(received_ns - 3 * MS), received_ns)

    assert found is not None
    assert abs(found - (received_ns - 3 * MS)) < MS


def test_a_stamp_is_never_later_than_its_receipt():
    received_ns = time.monotonic_ns()

    assert StampReader().to_monotonic(wall(received_ns + 2 * MS), received_ns) == received_ns


def test_a_stamp_an_hour_off_is_not_believed():
    received_ns, hour_ns = time.monotonic_ns(), 3600 * 10**9

    for off_ns in (-hour_ns, hour_ns):
        assert StampReader().to_monotonic(wall(received_ns + off_ns), received_ns) is None


def test_a_clock_set_between_stamp_and_receipt_is_seen(monkeypatch):
    reader = StampReader()
    received_ns = time.monotonic_ns()
    stamped = wall(received_ns - 3 * MS)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3600 * 10**9)
    found = reader.to_monotonic(stamped, received_ns)

    assert found is not None
    assert abs(found - (received_ns - 3 * MS)) < MS


def test_a_stamp_that_is_none_is_none():
    assert stamp_of({"seconds": 1, "microseconds": 5}) == 1_000_005_000
    for other in (None, {}, {"seconds": -1, "microseconds": -1}, {"seconds": "1"}, [1, 2]):
        assert stamp_of(other) is None
