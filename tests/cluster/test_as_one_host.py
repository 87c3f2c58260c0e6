"""A run on ``local:3`` says what it would on one host, but for the hosts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.engine_lab import Lab
from support.tool_lab import Tool

VMS = 30
OF_HOSTS = {"hosts", "between_hosts", "host_samples", "host_behind_s", "files", "psi"}


@pytest.fixture
def tool(lab: Lab) -> Iterator[Tool]:
    made = Tool(lab)
    yield made
    made.close()


def exported(tool: Tool, name: str, *words: object) -> dict[str, Any]:
    path = Path(tool.lab.folder / name)
    ended = tool.run(*tool.arguments(VMS, "boot=0.1", "--plain", "-o", path, *words))
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def keys(value: object, path: str = "") -> Iterator[str]:
    """Yield where something stands in an export, but for what tells of hosts."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name not in OF_HOSTS:
                yield f"{path}.{name}"
                yield from keys(part, f"{path}.{name}")


def test_an_export_of_several_hosts_is_one_of_a_single_host_but_for_the_hosts(tool):
    one = exported(tool, "one.json")
    many = exported(tool, "many.json", "--hosts", "local:3")

    assert set(keys(many)) == set(keys(one))
    for run in (one, many):
        (result,) = run["results"]
        assert len(result["times"]) == VMS
        assert set(result["exit_codes"]) == {0}
        assert [vm["vm"] for vm in run["vms"]] == list(range(VMS))
        assert run["summary"]["booted"] == VMS
    assert not one["hosts"]
    assert [host["name"] for host in many["hosts"]] == ["local1", "local2", "local3"]
    assert [host["booted"] for host in many["hosts"]] == [10, 10, 10]
