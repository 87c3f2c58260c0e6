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
from dataclasses import dataclass, field
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.asking import QemuImg
from vmtiming_tui.images.intake import Image, Rules, settled, take
from vmtiming_tui.images.ledger import Entry, Key, Ledger
from vmtiming_tui.images.opening import open_file
from vmtiming_tui.wire import from_json, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked: disk images, and other files that only have to be regular ones.

    ``ledger`` is the ledger's file.
    """

    images: tuple[str, ...]
    files: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    ledger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found for one path: the image, or why it may not be taken, and what helps."""

    path: str
    image: Image | None = None
    why: str = ""
    hint: str = ""


def answers(request: Request) -> Iterator[Answer]:
    """Answer a request, its files first; then one more answer, of an empty path, on the ledger.

    The ledger is written once, before the last answer, where guests may write.
    """
    ledger = Ledger(Path(request.ledger) if request.ledger else None)
    ask = QemuImg()
    new: dict[Key, Entry] = {}
    for path in request.files:
        yield _answer_for_file(path)
    for path in request.images:
        answer = _answer_for_image(path, request.rules, ledger, ask)
        if answer.image is not None and request.rules.writable:
            new |= settled(answer.image)
        yield answer
    why = ""
    try:
        ledger.write(new)
    except OSError as error:
        why = error.strerror or str(error)
    yield Answer(path="", why=why)


def _answer_for_file(path: str) -> Answer:
    try:
        _, fd = open_file(path)
    except ImageError as error:
        return Answer(path=path, why=error.message, hint=error.hint)
    except OSError as error:
        return Answer(path=path, why=_cannot(path, error))
    os.close(fd)
    return Answer(path=path)


def _answer_for_image(path: str, rules: Rules, ledger: Ledger, ask: QemuImg) -> Answer:
    try:
        with take(path, rules, ledger, ask) as taken:
            return Answer(path=path, image=taken.image)
    except ImageError as error:
        return Answer(path=path, why=error.message, hint=error.hint)
    except OSError as error:
        return Answer(path=path, why=_cannot(path, error), hint="check its permissions")


def _cannot(path: str, error: OSError) -> str:
    return f"{path!r} cannot be read: {error.strerror}"


def main() -> None:
    """Answer what is asked on standard input."""
    request = from_json(Request, json.load(sys.stdin))
    for answer in answers(request):
        print(json.dumps(to_json(answer), separators=(",", ":")), flush=True)
