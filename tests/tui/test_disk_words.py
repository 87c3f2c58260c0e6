"""What a VM's disk is made of, as one VM's screen says it of the QEMU command."""

import pytest

from vmtiming_tui.engine.qemu.disks import GivenFiles, root_words
from vmtiming_tui.images.gate.permission import Image, Layer
from vmtiming_tui.images.gate.qcow2 import write_empty
from vmtiming_tui.images.guard.opening import open_file
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.tui.drawing.pane_text import qemu_lines
from vmtiming_tui.tui.drawing.theme import Palette


@pytest.mark.parametrize("persist", [True, False])
def test_what_a_disk_is_and_stands_on_is_said_below_the_command(tmp_path, persist):
    base = tmp_path / "a base, old.img"
    base.write_bytes(bytes(512))
    image = tmp_path / "vm-0.img"
    with image.open("w+b") as file:
        write_empty(file.fileno(), 512, backing=str(base), backing_format="raw")
    layers = tuple(
        Layer(file=open_file(str(path))[0], format=form)
        for path, form in ((image, "qcow2"), (base, "raw"))
    )
    with GivenFiles() as given:
        words = root_words(Image(layers=layers, virtual_bytes=512), given, persist=persist)
        argv = ("qemu", *given.words, *words)
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, argv=argv)
    texts = [text for text, _ in qemu_lines(attempt, Palette.plain())]

    assert texts[-1] == f"Its disk is {image} (qcow2), which stands on {base} (raw)."


@pytest.mark.parametrize(
    "argv",
    [
        ("qemu", "-blockdev"), ("qemu", "-blockdev", "{"), ("qemu", "-blockdev", "[]"),
        ("qemu", "-blockdev", '{"node-name":"root","backing":"root"}'),
    ],
)  # fmt: skip
def test_a_command_without_a_disk_of_ours_says_nothing_of_one(argv):
    attempt = Attempt(vm=0, number=1, storm=1, queued_ns=0, argv=argv)

    assert not any("Its disk" in text for text, _ in qemu_lines(attempt, Palette.plain()))
