"""The inside of the box: what an order over the channel asks for, done with the image's bytes."""

import contextlib
import json
import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import ImageError, VmTimingError
from vmtiming_tui.images.byte_range import Piece, Stretch
from vmtiming_tui.images.gate.nbd import served
from vmtiming_tui.images.gate.nodes import block_node, nameless
from vmtiming_tui.images.gate.permission import Layer
from vmtiming_tui.images.guard.box import open_given
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.guard.tools import free_bytes, succeed
from vmtiming_tui.images.quoting import human
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.reader.host_reader import HostReader
from vmtiming_tui.images.reader.kernel_reader import KernelReader
from vmtiming_tui.images.reader.reader_vm import ReaderVm
from vmtiming_tui.images.spin.install_service import Report
from vmtiming_tui.images.spin.steps import spin
from vmtiming_tui.images.spin.wanted import Wanted

_UNPACKED = "source.raw"
_PROGRESS_S = 0.2


class Voice:
    """What the inside says to the outside."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel

    def say(self, text: str) -> None:
        """Say what is being done."""
        self.channel.send(say=text)

    @contextlib.contextmanager
    def progress(self, file: Path, whole_bytes: int) -> Iterator[None]:
        """Tell how much of so many bytes a file has, for as long as the block lasts."""
        done = threading.Event()

        def tell() -> None:
            told = -1
            while not done.wait(_PROGRESS_S):
                with contextlib.suppress(FileNotFoundError):
                    has = min(file.stat().st_blocks * 51200 // max(whole_bytes, 1), 99)
                    if has != told:
                        self.channel.send(progress=has)
                    told = has

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()
            self.channel.send(progress=100)


def _layers(order: Mapping[str, Any]) -> tuple[list[Layer], dict[File, Stretch]]:
    """Return the layers of the image as the gate admitted them, and each file's bytes."""
    stretches: dict[File, Stretch] = {}

    def taken(given: Sequence[Any] | None) -> File | None:
        if given is None:
            return None
        fd = open_given(given[0])
        state = os.fstat(fd)
        file = File(path=str(len(stretches)), device=state.st_dev, inode=state.st_ino,
                    size=given[1])  # fmt: skip
        stretches[file] = Stretch([Piece(fd, 0, given[1])])
        return file

    layers = []
    for layer in order["layers"]:
        file = taken(layer["file"])
        assert file is not None  # noqa: S101  every layer has one
        layers.append(Layer(file=file, format=layer["format"], data=taken(layer["data"])))
    return layers, stretches


def _put_together(parts: Sequence[Sequence[Any]]) -> Stretch:
    """Return a disk made of parts of files, and of zeros where a part has no file."""
    pieces = []
    for given, offset, size in parts:
        if given is None:
            fd = os.memfd_create("zeros", os.MFD_CLOEXEC)
            os.truncate(fd, size)
        else:
            fd = open_given(given[0])
        pieces.append(Piece(fd, 0 if given is None else offset, size))
    return Stretch(pieces)


def open_image(order: Mapping[str, Any], work: Path, voice: Voice) -> Stretch:
    """Return the bytes of the disk: the image's own, those of its parts, or unpacked by qemu-img.

    Raises ``ImageError``, and ``OSError``.
    """
    if parts := order["layers"][0]["parts"]:
        return _put_together(parts)
    layers, stretches = _layers(order)
    if len(layers) == 1 and layers[0].format == "raw":
        return stretches[layers[0].file]
    allocated = sum(stretch.size for stretch in stretches.values())
    whole = min(allocated, order["virtual_bytes"])
    if whole > (free := free_bytes(work)):
        raise ImageError(
            f"there is room for {human(free)}, but this takes {human(whole)}; use --out elsewhere"
        )
    voice.say(f"unpacking the {layers[0].format} image")
    target = work / _UNPACKED
    with contextlib.ExitStack() as held:
        shown = stretches | {
            layer.file: held.enter_context(nameless(layer, stretches[layer.file]))
            for layer in layers
        }

        def protocol(file: File, _writable: bool) -> dict[str, object]:
            name = f"{file.path}.socket"
            held.enter_context(served(name, shown[file]))
            return {"driver": "nbd", "server": {"type": "unix", "path": name}, "export": ""}

        node = block_node(layers, protocol, name="image", writable=False)
        held.enter_context(voice.progress(target, allocated))
        command = ["qemu-img", "convert", "-O", "raw", f"json:{json.dumps(node)}", _UNPACKED]
        succeed(command, work, f"unpacking the {layers[0].format} image")
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    return Stretch([Piece(fd, 0, os.fstat(fd).st_size)])


def _reader(order: Mapping[str, Any], work: Path, voice: Voice) -> KernelReader:
    if order["mount"]:
        unpacked = (work / _UNPACKED).exists()
        return HostReader(voice.channel, work, unpacked=unpacked)
    kernels = [GuestKernel(version, open_given(word)) for version, word in order["kernels"]]
    return ReaderVm(kernels=kernels, work=work, say=voice.say, progress=voice.progress)


def obey(order: Mapping[str, Any], voice: Voice) -> dict[str, object]:
    """Do what an order says, in the current folder; return what was made, by name."""
    work = Path()
    wanted = Wanted(**{name: order[name] for name in (
        "size_bytes", "kernel_version", "root", "boot_files", "convert", "dry_run")})  # fmt: skip
    report = Report(script=order["script"].encode(), unit=order["unit"].encode())
    image = open_image(order, work, voice)
    reader = _reader(order, work, voice)
    made = spin(image, wanted, report=report, work=work, reader=reader, say=voice.say)
    return asdict(made)


def main(words: Sequence[str]) -> int:
    """Obey the one order that comes over the channel whose descriptor is the first word."""
    with socket.socket(fileno=int(words[0])) as end:
        channel = Channel(end)
        voice = Voice(channel)
        try:
            made = obey(channel.receive(), voice)
        except VmTimingError as error:
            channel.send(failed=error.message, hint=error.hint)
        except (MemoryError, RecursionError):
            channel.send(failed="reading the image takes more memory than it may", hint="")
        except OSError as error:
            channel.send(failed=f"reading the image failed: {error.strerror}", hint="")
        else:
            channel.send(made=made)
    return 0
