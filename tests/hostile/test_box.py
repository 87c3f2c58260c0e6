"""What a boxed command can reach: its work folder, what it was given, and nothing else."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from hostile.whole import SPIN
from support import disk_images as images
from vmtiming_tui.images.guard.box import Box, BoxLimits, Wall, best_wall, end_all_of, own_uid

ROOT = Path(__file__).resolve().parents[2]
WORDS = "only root may read this"


@pytest.fixture
def room():
    """A folder that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(prefix="box-tests-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(params=list(Wall))
def wall(request):
    """Each wall, as this host lets them all be built."""
    if request.param is Wall.BUBBLEWRAP and best_wall() is not Wall.BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    return request.param


@contextlib.contextmanager
def box_in(folder, wall, **more):
    """A box whose work folder this is, its uid one of its own."""
    with own_uid() as uid:
        folder.mkdir(exist_ok=True)
        if uid is not None:
            os.chown(folder, uid, uid)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield Box(wall=wall, uid=uid, work_fd=fd, **more)
        finally:
            os.close(fd)


def inside(box, *command, **more):
    return subprocess.run(
        box.argv(command), env=box.environment, pass_fds=box.pass_fds, cwd=box.cwd,
        capture_output=True, text=True, check=False, timeout=60, **more,
    )  # fmt: skip


def python(box, code, *words, **more):
    return inside(box, "/usr/bin/python3", "-I", "-c", textwrap.dedent(code), *words, **more)


def test_it_writes_to_its_work_folder(room, wall):
    with box_in(room / "work", wall) as box:
        done = inside(box, "cp", "/usr/bin/true", "result")

    assert done.stderr == ""
    assert (room / "work/result").read_bytes() == Path("/usr/bin/true").read_bytes()
    assert (room / "work/result").stat().st_uid == (box.uid or os.geteuid())


def test_it_writes_nowhere_else(room, wall):
    decoy = room / "decoy"
    decoy.mkdir(mode=0o700)
    with box_in(room / "work", wall) as box:
        for place in (decoy, Path("/usr"), Path("/"), Path("/etc")):
            done = inside(box, "cp", "/usr/bin/true", str(place / "got-out"))
            assert done.returncode != 0
            assert not (place / "got-out").exists()


def test_roots_secrets_stay_roots(room, wall):
    secret = room / "secret"
    secret.write_text(WORDS)
    secret.chmod(0o600)
    with box_in(room / "work", wall) as box:
        for name in (str(secret), "../secret", "/etc/shadow", "/work/../secret"):
            done = inside(box, "cat", name)
            assert (done.returncode, WORDS in done.stdout) == (1, False)


def test_a_view_of_its_own_shows_nothing_of_the_host_whatever_its_mode(room):
    if best_wall() is not Wall.BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    public = room / "public"
    public.write_text(WORDS)
    public.chmod(0o644)
    # A folder left open would lead out by its `..`.
    code = """
        import os
        for fd in os.listdir("/proc/self/fd"):
            for name in ("../public", "../../../../etc/passwd", "../../../../../etc/passwd"):
                try:
                    print(open(os.open(name, os.O_RDONLY, dir_fd=int(fd))).read())
                except OSError:
                    pass
        print(sorted(os.listdir("/")))
    """
    with box_in(room / "work", Wall.BUBBLEWRAP) as box:
        done = python(box, code)

    assert done.stderr == ""
    assert WORDS not in done.stdout
    assert "root:" not in done.stdout
    assert "home" not in done.stdout
    assert "var" not in done.stdout


# What everybody may write to is kept from it by a view of its own alone.
@pytest.mark.parametrize(
    ("wall", "mode"),
    [(Wall.BUBBLEWRAP, 0o666), *((wall, mode) for wall in Wall for mode in (0o600, 0o644))],
)
def test_a_given_file_is_read_whatever_its_mode_and_never_written(mode, room, wall):
    given = room / "image"
    given.write_text("as it was")
    given.chmod(mode)
    code = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        word = sys.argv[2]
        fd = int(word) if word.isdecimal() else os.open(word, os.O_RDONLY)
        print(os.pread(fd, 100, 0).decode())
        for name in (f"/proc/self/fd/{fd}", f"/dev/fd/{fd}", word):
            try:
                os.write(os.open(name, os.O_RDWR), b"changed")
            except OSError as error:
                print(error.errno)
    """
    with given.open("rb") as file, box_in(room / "work", wall, given=(file.fileno(),)) as box:
        done = python(box, code, str(ROOT), box.word(file.fileno()))

    assert done.stdout.startswith("as it was\n"), done.stderr
    assert given.read_text() == "as it was"


@pytest.mark.parametrize("listening", [Wall.BUBBLEWRAP, Wall.NAMESPACES])
def test_no_network_is_there(listening, room):
    if listening is Wall.BUBBLEWRAP and best_wall() is not Wall.BUBBLEWRAP:
        pytest.skip("bubblewrap does not work here")
    code = """
        import socket, sys
        for family, address in (
            (socket.AF_INET, ("127.0.0.1", int(sys.argv[1]))),
            (socket.AF_UNIX, "\\0box-tests-" + sys.argv[1]),
        ):
            try:
                socket.socket(family).connect(address)
                print("connected")
            except OSError as error:
                print("refused")
    """
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as near:
        port = server.getsockname()[1]
        near.bind(f"\0box-tests-{port}")
        near.listen()
        server.setblocking(False)
        near.setblocking(False)
        with box_in(room / "work", listening) as box:
            done = python(box, code, str(port))
        assert done.stdout == "refused\nrefused\n", done.stderr
        for silent in (server, near):
            with pytest.raises(BlockingIOError):
                silent.accept()


def test_its_environment_is_clean_and_its_rights_are_none(room, wall, monkeypatch):
    monkeypatch.setenv("PASSPHRASE", WORDS)
    with box_in(room / "work", wall) as box:
        done = inside(box, "cat", "/proc/self/environ", "/proc/self/status")

    assert WORDS not in done.stdout
    assert "NoNewPrivs:\t1" in done.stdout
    assert "CapEff:\t0000000000000000" in done.stdout
    if os.geteuid() == 0:
        assert "CapBnd:\t0000000000000000" in done.stdout
        assert f"Uid:\t{box.uid}\t{box.uid}" in done.stdout
        assert f"Groups:\t{box.uid}" in done.stdout or "Groups:\t \n" in done.stdout


LIMITED = [
    ("memory_bytes", 200 << 20, "x = bytearray(400 << 20)", "MemoryError"),
    ("file_bytes", 1 << 20, "open('x', 'wb').truncate(2 << 20)", "File too large"),
    ("files", 16, "kept = [open('/dev/null') for _ in range(20)]", "Too many open files"),
    ("cpu_s", 1, "while True: pass", ""),
]


@pytest.mark.parametrize(("name", "value", "code", "word"), LIMITED, ids=str)
def test_it_is_stopped_at_its_limits(name, value, code, word, room, wall):
    code = "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + code
    with box_in(room / "work", wall, limits=BoxLimits(**{name: value})) as box:
        done = inside(box, "/usr/bin/python3", "-I", "-c", code)

    assert done.returncode != 0
    assert word in done.stderr


def test_a_bomb_of_forks_is_small(room, wall):
    code = """
        import os, time
        made = 0
        try:
            for _ in range(200):
                if os.fork() == 0:
                    time.sleep(20)
                    os._exit(0)
                made += 1
        except BlockingIOError:
            pass
        print(made, flush=True)
        os.killpg(0, 9)
    """
    if wall is Wall.LIMITS and os.geteuid() != 0:
        pytest.skip("its user is ours, who may have any number running")
    with box_in(room / "work", wall, limits=BoxLimits(processes=20)) as box:
        done = python(box, code, start_new_session=True)

    assert 0 < int(done.stdout) < 20


def test_it_dies_with_whoever_started_it(room, wall):
    """A box that says nothing more holds its pipe open until it is gone."""
    code = f"""
        import subprocess, sys, time
        sys.path.insert(0, {str(ROOT)!r})
        from vmtiming_tui.images.guard.box import Box, Wall
        box = Box(wall=Wall({str(wall)!r}))
        command = ["/usr/bin/python3", "-c", "print('up', flush=True); import time; time.sleep(60)"]
        subprocess.Popen(box.argv(command), env=box.environment)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.kill()
        watch = threading.Timer(30, lambda: pytest.fail("it lives on"))
        watch.start()
        assert process.stdout.read() == ""
        watch.cancel()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another")
def test_nobody_has_a_box_too(room):
    shutil.chown(room, "nobody")
    code = f"""
        import os, subprocess, sys
        sys.path.insert(0, {str(ROOT)!r})
        from vmtiming_tui.images.guard.box import Box, best_wall
        os.mkdir("work")
        fd = os.open("work", os.O_RDONLY)
        box = Box(wall=best_wall(), work_fd=fd)
        print(box.wall)
        done = subprocess.run(
            box.argv(["touch", "made", "../got-out"]), env=box.environment,
            pass_fds=box.pass_fds, cwd=box.cwd, capture_output=True, text=True,
        )
        print(os.listdir("work"))
    """
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", textwrap.dedent(code)], user="nobody", group="nogroup",
        extra_groups=[], cwd=room, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.stdout == f"{best_wall()}\n['made']\n", done.stderr
    if best_wall() is Wall.BUBBLEWRAP:
        assert not (room / "got-out").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a box a user of its own")
def test_what_hides_from_its_end_is_found_by_its_user(room):
    code = """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                print(os.getpid(), flush=True)
                os.close(1), os.close(2)
                time.sleep(600)
    """
    with box_in(room / "work", Wall.LIMITS) as box:
        left = int(python(box, code).stdout)
        assert Path(f"/proc/{left}").exists()

        end_all_of(box.uid)

    assert not Path(f"/proc/{left}").exists() or "Z (" in Path(f"/proc/{left}/status").read_text()


def descendants(pid):
    """All processes below one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            if parent == pid:
                found += [int(path.parent.name), *descendants(int(path.parent.name))]
    return found


def is_alive(pid):
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=str)
def test_nothing_of_a_box_outlives_a_spin_that_is_killed(kind, number, system, place):
    images.write(system / "srv/large", os.urandom(60 << 20))
    image = images.ext4(place / "disk.img", system, 160)
    if kind == "xfs":
        image.unlink()
        image = images.mounted_fs(image, "xfs", system, 400)
    with subprocess.Popen(
        [SPIN, image, "--out", place / "out"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as spinning:
        assert spinning.stdout is not None
        while (below := descendants(spinning.pid)) == [] or len(below) < 3:
            time.sleep(0.01)
        os.kill(spinning.pid, number)
        spinning.wait()
    deadline = time.monotonic() + 10
    while any(map(is_alive, below)) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert [pid for pid in below if is_alive(pid)] == []
    if number != signal.SIGKILL:
        assert spinning.returncode == 128 + number
        assert not (place / "out").exists()
