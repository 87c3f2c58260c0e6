"""Tools that fail, hang or are not there, and what they see of us."""

import itertools
import os

import pytest

from hostile.words.spun import (
    ext4,
    spun,
)
from support import disk_images as images
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.guard import tools


@pytest.mark.parametrize(
    ("tool", "does"),
    itertools.product(
        ["e2fsck", "resize2fs", "debugfs"],
        [
            "exit 12",
            "kill -SEGV $$",
            "printf '\\033[2J\\nready: x\\n' >&2; exit 9",
            "yes >&2; exit 9",
        ],
    ),
)
def test_a_tool_that_fails_is_never_without_a_word(tool, does, system, host, tmp_path, monkeypatch):
    if "yes" in does:
        does = "head -c 30000000 /dev/zero | tr '\\0' y >&2; exit 9"
    images.write(tmp_path / f"bin/{tool}", f"#!/bin/sh\n{does}\n", 0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")

    made = spun(ext4(tmp_path, system), monkeypatch)

    assert made.refused is not None
    assert len(made.refused.message) < 1000


def test_a_tool_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ImageError, match="tools are missing: no-such-tool"):
        tools.run(["no-such-tool"], tmp_path)


def test_a_tool_that_never_ends_is_ended(tmp_path):
    with pytest.raises(ImageError, match="sleep took longer than 1 s"):
        tools.run(["sleep", "100"], tmp_path, limit_s=1)


def test_a_tool_sees_little_of_our_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    monkeypatch.setenv("LD_PRELOAD", "")

    said = tools.run(["env"], tmp_path).said

    assert {line.split(b"=")[0] for line in said.splitlines()} <= {
        b"PATH", b"LC_ALL", b"DEBUGFS_PAGER", b"PWD", b"_", b"SHLVL",
    }  # fmt: skip
