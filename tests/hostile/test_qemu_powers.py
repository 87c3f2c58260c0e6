"""What a QEMU has of its caller: no rights, no secrets, no way to get more, and it is bounded."""

import asyncio
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.engine_lab import Lab, Story, engine, laboratory, tell
from support.facts import plan_of
from vmtiming_tui.engine.children.drop_rights import clean_environment
from vmtiming_tui.engine.qemu.confinement import SANDBOX, Powers, Reach, User
from vmtiming_tui.model import commands, events as ev

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="root alone has rights to give up")
QEMU = "qemu-system-x86_64"
LIMIT_S = 60
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def open_lab() -> Iterator[Lab]:
    """A lab that other users may enter, so that a user of QEMU's own could run what is in it."""
    with laboratory() as lab, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
        patch.setenv("MY_TOKEN", "planted")
        patch.setenv("LD_LIBRARY_PATH", str(lab.folder))
        yield lab


def real(lab: Lab, **settings: object):
    """A real QEMU on a disk without a system, which stays."""
    asked = {"kernel": "", "boot": "firmware", "memory_mib": 16, "qemu": QEMU, "timeout_s": 60.0}
    return lab.config(1, **asked | settings)


class Seen:
    """What /proc tells of a QEMU."""

    def __init__(self, pid: int) -> None:
        self.status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        self.environ = Path(f"/proc/{pid}/environ").read_bytes()
        self.command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        self.limits = Path(f"/proc/{pid}/limits").read_text()
        self.groups = Path(f"/proc/{pid}/cgroup").read_text()


async def _look(lab: Lab, config) -> tuple[Seen, Story]:
    async with engine(lab) as story:
        story.client.send(commands.Start(plan=plan_of(config)))
        await story.till(lambda story: story.of(ev.VmStarted) or story.of(ev.RunEnded))
        seen = Seen(story.of(ev.VmLaunched)[0].pid)
        story.client.send(commands.Stop(now=True))
        await story.to_end()
    return seen, story


@pytest.fixture(scope="module")
def looked(open_lab) -> tuple[Seen, Story]:
    """A real QEMU as the default has it."""
    return asyncio.run(_look(open_lab, real(open_lab)))


@pytest.mark.real
@AS_ROOT
def test_it_is_nobody_elses_user_and_has_no_capability(looked):
    seen, _ = looked
    uids = {int(word) for key in ("Uid", "Gid") for word in seen.status[key].split()}

    assert len(uids) == 1
    assert uids.isdisjoint({0, NOBODY.pw_uid})
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(seen.status[kind], 16) == 0, kind
    assert "0" not in seen.status["Groups"].split()


@pytest.mark.real
def test_it_gets_no_new_privileges_and_its_system_calls_are_filtered(looked):
    seen, _ = looked

    assert seen.status["NoNewPrivs"] == "1"
    assert seen.status["Seccomp"] == "2"
    assert SANDBOX.encode() in seen.command


@pytest.mark.real
def test_no_secret_of_the_callers_is_in_its_environment(looked):
    seen, _ = looked

    assert b"planted" not in seen.environ
    assert b"PATH=" in seen.environ
    assert b"LD_LIBRARY_PATH=" in seen.environ


@pytest.mark.real
def test_it_leaves_no_core_and_may_not_open_files_without_end(looked):
    seen, _ = looked

    assert "Max core file size        0                    0" in seen.limits
    assert "Max open files            4096" in seen.limits


@pytest.mark.real
def test_its_control_groups_go_with_it(looked):
    seen, _ = looked
    ours = [line for line in seen.groups.splitlines() if "/vmtiming-" in line]
    if not ours:
        pytest.skip("this host lets us make no control group")
    names = {line.rpartition("/")[2] for line in ours}

    assert len(names) == 1
    assert list(Path("/sys/fs/cgroup").rglob(names.pop())) == []


@pytest.mark.real
@AS_ROOT
def test_root_may_let_it_keep_roots_rights(open_lab):
    seen, _ = asyncio.run(_look(open_lab, real(open_lab, run_as="root")))

    assert seen.status["Uid"].split() == ["0"] * 4
    assert int(seen.status["CapEff"], 16) != 0
    assert seen.status["NoNewPrivs"] == "1"


@pytest.mark.real
@AS_ROOT
def test_it_may_be_another_user_who_gets_what_only_root_can_read(open_lab):
    image = open_lab.folder / "vm-0.img"
    open_lab.config(1)
    image.chmod(0o600)
    seen, story = asyncio.run(_look(open_lab, real(open_lab, run_as="nobody")))

    assert seen.status["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert story.states == ["killed"]


@AS_ROOT
async def test_a_program_that_no_other_user_can_run_stays_root_without_rights(lab):
    story = await tell(lab, lab.config(1))

    assert story.states == ["booted"]
    said = [notice.text for notice in story.of(ev.Notice)]
    assert len([text for text in said if "without root's capabilities" in text]) == 1


async def test_another_user_is_for_root_to_choose(lab):
    story = await tell(lab, lab.config(1, run_as="daemon"))
    failures = [event.why for event in story.of(ev.EngineFailed)]

    if os.geteuid() == 0:
        assert "cannot be started: Permission denied" in failures[0]
    else:
        assert "only root can run QEMU as another user" in failures[0]


async def test_a_filter_of_the_users_own_takes_the_place_of_ours(lab):
    story = await tell(lab, lab.config(1, qemu_args=("-sandbox", "off")))
    argv = story.of(ev.VmLaunched)[0].argv

    assert argv.count("-sandbox") == 1
    assert SANDBOX not in argv


async def test_a_qemu_built_without_seccomp_is_not_asked_for_it(lab):
    qemu = lab.launcher(
        "plain-qemu",
        '#!/bin/sh\nfor word; do [ "$word" = -sandbox ] && '
        '{ echo "-sandbox support is not enabled in this QEMU binary" >&2; exit 1; }; done\n'
        f'exec {lab.qemu} "$@"\n',
    )
    story = await tell(lab, lab.config(1, qemu=str(qemu)))

    assert story.states == ["booted"]
    assert "-sandbox" not in story.of(ev.VmLaunched)[0].argv


@AS_ROOT
def test_as_another_user_it_has_no_rights_either(open_lab):
    """The whole tool as nobody: nothing to give up, and all the rest holds."""
    home = open_lab.folder / "nobodys"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    program = (
        "import os\n"
        "from vmtiming_tui.engine.children import drop_rights\n"
        "import ctypes, subprocess\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "drop_rights.shed({'user': None, 'keep': False, 'limits': []}, libc)\n"
        "print(open('/proc/self/status').read())\n"
    )
    root = str(Path(__file__).parents[2])
    said = subprocess.run(
        ["setpriv", "--reuid", str(NOBODY.pw_uid), "--regid", str(NOBODY.pw_gid), "--clear-groups",
         "--", "/usr/bin/python3", "-c", f"import sys; sys.path.append({root!r})\n{program}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "ModuleNotFoundError" in said.stderr or "No such file" in said.stderr:
        pytest.skip("another user cannot read this checkout")

    assert "NoNewPrivs:\t1" in said.stdout, said.stderr
    assert "CapEff:\t0000000000000000" in said.stdout


@pytest.mark.parametrize(
    ("mode", "folder_mode", "reach"),
    [
        (0o644, 0o755, Reach.PATH),
        (0o644, 0o700, Reach.DESCRIPTOR),
        (0o600, 0o755, Reach.NONE),
        (0o640, 0o755, Reach.NONE),
    ],
)
def test_a_file_is_reached_by_the_nearest_way_that_its_modes_allow(
    open_lab, mode, folder_mode, reach
):
    folder = open_lab.folder / f"boot-{mode:o}-{folder_mode:o}"
    folder.mkdir()
    kernel = folder / "vmlinuz"
    kernel.touch()
    kernel.chmod(mode)
    folder.chmod(folder_mode)

    assert Powers(user=User(61999, 61999)).reach(str(kernel)) is reach


def test_the_environment_keeps_what_a_qemu_looks_at(monkeypatch):
    for name in (
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "SSH_AUTH_SOCK",
        "LD_PRELOAD",
        "PYTHONPATH",
    ):
        monkeypatch.setenv(name, "planted")
    monkeypatch.setenv("QEMU_MODULE_DIR", "/opt/qemu")
    monkeypatch.setenv("LC_ALL", "C")
    kept = clean_environment()

    assert "planted" not in kept.values()
    assert kept["QEMU_MODULE_DIR"] == "/opt/qemu"
    assert kept["LC_ALL"] == "C"
    assert kept["PATH"]
