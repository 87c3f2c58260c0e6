"""Names as they come: QEMU's own commas, blanks, line breaks, links; there is never a shell."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faults.fault import Fault, as_one
from faults.running import real_line, states_in
from faults.scene import How, Scene
from support.traces import nothing_left

TITLE = "Odd names, and links in the way"

WORKS = "it works"
KEPT = "every letter: no shell is ever in between"

# Names, tried as prefix, as the images' folder and as an export's name, with a real QEMU.

NAMES = [
    Fault("blanks in names", "with two  blanks ", WORKS, kept=KEPT),
    Fault(
        "commas and equals signs, which mean something to QEMU",
        "a,b,,c=d,snapshot=off",
        WORKS,
        kept=KEPT,
    ),
    Fault("quotes and backslashes", 'it\'s "a" \\ `b`', WORKS, kept=KEPT),
    Fault("line breaks", "two\nlines", WORKS, kept=KEPT),
    Fault("what a shell would run", "$(touch owned); touch owned & | *", WORKS, kept=KEPT),
    Fault("letters of any language", "größe-каша-日本語-🐧", WORKS, kept=KEPT),
    Fault("bytes that are no UTF-8", b"caf\xe9".decode(errors="surrogateescape"), WORKS, kept=KEPT),
    Fault("names that look like a protocol of QEMU's", "nbd:unix", WORKS, kept=KEPT),
    Fault("a folder whose name is longer than a socket's may be", "d" * 200, WORKS, kept=KEPT),
]


@pytest.mark.parametrize("fault", NAMES, ids=str)
def test_any_name_is_taken_as_it_is(fault: Fault[str], scene: Scene):
    folder = scene.folder / fault.how
    runtime = folder / "run"
    runtime.mkdir(parents=True, mode=0o700)
    export = folder / f"{fault.how[:50]}.json"
    line = real_line(folder, "--timeout", "1", "-o", str(export), prefix=fault.how, number=1)
    scene.tool.extra = {"XDG_RUNTIME_DIR": str(runtime)}
    before = {path.name for path in folder.iterdir()}
    with nothing_left(runtime, folder / f"{fault.how}-0.img"):
        ended = scene.tool.run(*line)

    assert ended.code == 1, ended.err
    assert states_in(export) == ("timed out",)  # the disk is empty: QEMU ran, and nothing reported
    assert {path.name for path in folder.iterdir()} - before == {export.name}
    assert list(scene.folder.rglob("owned")) == []
    assert "Traceback" not in ended.err


# Links in the way.


@contextmanager
def linked_export(scene: Scene) -> Iterator[None]:
    foreign = scene.folder / "foreign.json"
    foreign.write_text("precious")
    (scene.folder / "result.json").symlink_to(foreign)
    scene.words += ["-o", "result.json", "-o", "kept.json"]
    yield
    assert foreign.read_text() == "precious"
    assert (scene.folder / "result.json").is_symlink()
    assert (scene.folder / "kept.json").stat().st_size


@contextmanager
def linked_history(scene: Scene) -> Iterator[None]:
    foreign = scene.folder / "foreign.txt"
    foreign.write_text("precious, and no database" * 100)
    path = scene.folder / "state" / "vmtiming-tui" / "history.db"
    path.parent.mkdir(parents=True)
    path.symlink_to(foreign)
    yield
    assert foreign.read_text() == "precious, and no database" * 100
    assert not path.is_symlink()
    assert scene.history == [("finished", 2)]


@contextmanager
def linked_run_folders(scene: Scene) -> Iterator[None]:
    """Names of run folders that lead elsewhere, and one of ours with a link in it."""
    foreign = scene.folder / "foreign"
    foreign.mkdir()
    (foreign / "lock").write_text("a run of vm-timing-report\n")
    (foreign / "file").write_text("precious")
    (scene.lab.runtime / "vmtiming-linklink").symlink_to(foreign)
    left = scene.lab.runtime / "vmtiming-leftover"
    left.mkdir(mode=0o700)
    (left / "lock").write_text("a run of vm-timing-report\n")
    (left / "console-0-1").symlink_to(foreign / "file")
    yield
    assert (foreign / "file").read_text() == "precious"
    assert (foreign / "lock").exists()
    assert not left.exists()
    (scene.lab.runtime / "vmtiming-linklink").unlink()


LINKS: list[Fault[How]] = [
    Fault(
        "the file an export goes to is a symbolic link",
        linked_export,
        ends="exit code 1",
        words="Error: result.json is a symbolic link, which is not written through",
        kept="the link, the file it leads to, the other exports, the history",
    ),
    Fault(
        "the history is a symbolic link to some other file",
        linked_history,
        ends="exit code 0",
        words="the history was damaged; it is kept as ",
        kept="the other file; a new history is begun",
    ),
    Fault(
        "links lie where run folders are, or in one that a dead run left",
        linked_run_folders,
        ends="exit code 0",
        kept="whatever they lead to",
        seen="nothing; the run goes on",
    ),
]


@pytest.mark.parametrize("fault", LINKS, ids=str)
def test_no_link_is_followed(fault: Fault[How], scene: Scene):
    scene.suffers(fault)


FAULTS = [
    *as_one("blanks, commas, quotes, line breaks, any letters or 200 of them in names", NAMES),
    *LINKS,
]
