"""The gate in a process of its own: what the engine asks about images, answered line by line.

The engine's loop never waits for a disk, and never reads an image. Started as
``python -I -c ... ROOT`` it reads one ``Request`` as JSON from standard input and writes an
``Answer`` a line, in the order of the images asked for. It opens files for reading only and
changes nothing but the ledger.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.boot_sectors import has_esp
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger, LedgerEntry, entry_for
from vmtiming_tui.images.gate.permission import Image, Layer, Rules, settled, take
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.model.codec import from_json, to_json

_CHECK = "check -v, -p and -s, and the image's permissions"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOverlay:
    """An overlay that was made here just now, and what it stands on."""

    path: str
    backing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: disk images, and other files that only have to be regular ones.

    ``ledger`` is the ledger's file, into which what was ``made`` goes; ``known`` holds beside it.
    With ``boots`` it is told of the first image that may be taken whether a UEFI finds something
    to boot on it.
    """

    images: tuple[str, ...]
    files: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    made: tuple[MadeOverlay, ...] = ()
    known: tuple[LedgerEntry, ...] = ()
    boots: bool = False
    ledger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found for one path: the image, or why it may not be taken, and what helps.

    ``has_esp`` is told of the image asked about so.
    """

    path: str
    image: Image | None = None
    has_esp: bool | None = None
    why: str = ""
    hint: str = ""


def answers(request: Request) -> Iterator[Answer]:
    """Answer a request, its files first; then one more answer, of an empty path, on the ledger.

    Where guests may write, or the user says the format, the ledger is written before that last
    answer.
    """
    ledger = Ledger(Path(request.ledger) if request.ledger else None, request.known)
    ask, whole = QemuImg(), set[File]()
    new: list[LedgerEntry] = []
    boots = request.boots
    is_settled = request.rules.writable or bool(request.rules.format)
    for path in request.files:
        yield _answer_for_file(path)
    for made in request.made:
        with suppress(ImageError, OSError):
            file, fd = open_file(made.path)
            os.close(fd)
            new.append(entry_for(file, "qcow2", backing=made.backing))
    for path in request.images:
        answer = _answer_for_image(path, request.rules, ledger, ask, whole, boots=boots)
        boots = boots and answer.has_esp is None
        if answer.image is not None and is_settled:
            new += settled(answer.image)
        yield answer
    why = ""
    try:
        ledger.write(new)
    except OSError as error:
        why = error.strerror or str(error)
    yield Answer(path="", why=why)


def _answer_for_file(path: str) -> Answer:
    try:
        file, fd = open_file(path)
    except ImageError as error:
        return Answer(path=path, why=error.message, hint=error.hint)
    except OSError as error:
        return Answer(path=path, why=_cannot(path, error))
    os.close(fd)
    return Answer(path=path, image=Image(layers=(Layer(file=file, format="raw"),), virtual_bytes=0))


def _answer_for_image(
    path: str, rules: Rules, ledger: Ledger, ask: QemuImg, whole: set[File], *, boots: bool
) -> Answer:
    try:
        with take(path, rules, ledger, ask, whole) as taken:
            esp = has_esp(ask.head(taken)) if boots else None
            return Answer(path=path, image=taken.image, has_esp=esp)
    except ImageError as error:
        return Answer(path=path, why=error.message, hint=error.hint)
    except OSError as error:
        return Answer(path=path, why=_cannot(path, error), hint=_CHECK)


def _cannot(path: str, error: OSError) -> str:
    return f"{path!r} cannot be read: {error.strerror}"


def main() -> None:
    """Answer what is asked on standard input."""
    request = from_json(Request, json.load(sys.stdin))
    for answer in answers(request):
        print(json.dumps(to_json(answer), separators=(",", ":")), flush=True)
