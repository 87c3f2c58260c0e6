"""The demo guest: built once, built anew when its recipe changes, never half."""

import os
import time

import pytest

from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.guests import demo_guest, scripts
from vmtiming_tui.guests.demo_guest import DemoVariant, build_guest, cached_guest, demo_raw

BUILDER = """#!/bin/sh
mkdir -p "$3/BFILES" && echo "$2" >"$3/rootfs.img"
echo kernel >"$3/BFILES/vmlinuz" && echo initrd >"$3/BFILES/initrd"
echo built >>"{log}"
"""


@pytest.fixture
def kitchen(tmp_path, monkeypatch):
    """A builder that only notes its calls; returns the folder it and the cache are in."""
    for parts in demo_guest.INGREDIENTS:
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(exist_ok=True)
        path.write_text(BUILDER.format(log=tmp_path / "log"))
    for module in (demo_guest, scripts):
        monkeypatch.setattr(module, "resource", tmp_path.joinpath)
    return tmp_path


def builds(kitchen):
    return (kitchen / "log").read_text().count("built")


def test_a_guest_is_built_once(kitchen):
    first, second = (build_guest(DemoVariant.QUICK, kitchen / "cache") for _ in range(2))

    assert first == second
    assert first.rootfs.read_text() == "quick\n"
    assert builds(kitchen) == 1


def test_a_changed_recipe_makes_a_new_guest_and_forgets_one_long_unused(kitchen):
    cache = kitchen / "cache"
    old = build_guest(DemoVariant.QUICK, cache)
    (kitchen / "assets" / "vm-report.sh").write_text("changed")
    new = build_guest(DemoVariant.QUICK, cache)

    assert new.folder != old.folder
    assert old.is_whole

    week_ago = time.time() - demo_guest.KEPT_UNUSED_S - 1
    os.utime(old.folder, (week_ago, week_ago))
    (kitchen / "assets" / "vm-report.sh").write_text("changed again")
    build_guest(DemoVariant.QUICK, cache)
    assert not old.folder.exists()
    assert new.is_whole


def test_a_builder_that_fails_is_said_and_leaves_nothing_to_trust(kitchen):
    (kitchen / "spin" / "gen-demo-guest.sh").write_text("exit 3")

    with pytest.raises(VmTimingError, match="could not be built"):
        build_guest(DemoVariant.DEMO, kitchen / "cache")
    assert not cached_guest(DemoVariant.DEMO, kitchen / "cache").is_whole


def test_what_the_user_asks_for_goes_before_what_the_demo_would_do(kitchen):
    guest = build_guest(DemoVariant.DEMO, kitchen / "cache")

    raw = demo_raw({"memory_mib": "512"}, guest)
    assert (raw["number"], raw["memory_mib"], raw["base"]) == ("4", "512", str(guest.rootfs))


def test_kernel_arguments_are_added_to_the_demos_own_which_they_win_over(kitchen):
    guest = build_guest(DemoVariant.DEMO, kitchen / "cache")

    assert demo_raw({}, guest)["append"] == "loglevel=6"
    assert demo_raw({"append": "loglevel=3 x=1"}, guest)["append"] == "loglevel=6 loglevel=3 x=1"
