"""Control groups: where a QEMU's is made, and that none is left."""

from pathlib import Path

import pytest

from vmtiming_tui.engine.children import groups
from vmtiming_tui.engine.children.groups import Groups, bases

SCOPE = "0::/user.slice/app.slice/shell.scope\n"


@pytest.fixture
def second(tmp_path) -> Path:
    """Version 2, where the group above ours hands on both controllers."""
    above = tmp_path / "user.slice" / "app.slice"
    above.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").touch()
    (above / "cgroup.subtree_control").write_text("cpu memory pids\n")
    return tmp_path


def test_in_version_2_it_is_a_sibling_of_our_own(second):
    ((folder, limits),) = bases(str(second), SCOPE)

    assert folder == f"{second}/user.slice/app.slice"
    assert limits == {"memory": "memory.max", "pids": "pids.max"}


def test_where_a_controller_is_not_handed_on_there_is_none(second):
    (second / "user.slice/app.slice/cgroup.subtree_control").write_text("cpu pids\n")

    assert bases(str(second), SCOPE) == []


def test_in_version_1_it_is_below_our_own_in_each_hierarchy(tmp_path):
    (tmp_path / "memory/docker").mkdir(parents=True)
    (tmp_path / "pids").mkdir()
    found = bases(str(tmp_path), "5:memory:/docker\n4:pids:/\n3:cpu,cpuacct:/\n0::/\n")

    assert [folder for folder, _ in found] == [f"{tmp_path}/memory/docker", f"{tmp_path}/pids"]


@pytest.mark.parametrize("ours", ["", "5:memory:/gone\n"])
def test_where_nothing_can_be_made_nothing_is(tmp_path, ours):
    assert bases(str(tmp_path), ours) == []


def test_limits_are_written_and_groups_removed_when_they_are_empty(second, monkeypatch):
    monkeypatch.setattr(groups, "bases", lambda *_: [(str(second), {"memory": "memory.max"})])
    made = Groups("abc")
    (folder,) = map(Path, made.make(7, {"memory": 1 << 30, "pids": 9}))
    limit = folder / "memory.max"

    assert limit.read_text() == str(1 << 30)
    made.release(7)
    assert folder.exists()  # as while something still runs in it
    limit.unlink()
    made.close()
    assert not folder.exists()
