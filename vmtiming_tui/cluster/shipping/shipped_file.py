"""The files that a plan's VMs boot from, looked at before they are brought to hosts."""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vmtiming_tui.cluster.shipping.store import PIECE_BYTES, Content
from vmtiming_tui.engine.children import rundir
from vmtiming_tui.engine.children.children import start_warden
from vmtiming_tui.engine.image.gate_client import absolute, ask_gate
from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.gate.format_ledger import ledger_path
from vmtiming_tui.images.gate.gate_process import Answer, Request
from vmtiming_tui.images.gate.permission import Image, Rules
from vmtiming_tui.images.guard.opening import File, open_file
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan

_ZEROS = bytes(PIECE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedFile:
    """A file to be brought to hosts; ``path`` is how configs name it.

    ``offsets`` are those of its pieces that hold more than zeros: all others need not be brought.
    ``image_format`` is empty where it is no image; ``modified_ns`` is since 1970.
    """

    path: str
    content: Content
    offsets: tuple[int, ...]
    modified_ns: int
    image_format: str = ""

    @property
    def data_bytes(self) -> int:
        """How much of it is brought."""
        return sum(map(self.content.piece_bytes, self.offsets))


class Looks:
    """Looks at the files of plans, and reads none of them again that is as it was."""

    def __init__(self) -> None:
        self._known: dict[File, ShippedFile] = {}
        self._one_at_a_time = asyncio.Lock()

    async def at(self, plan: RunPlan) -> tuple[ShippedFile, ...]:
        """Return every file that VMs of a plan boot from.

        What each base is, is the gate's word. Hosts make overlays of their own, so an image that
        is more than an overlay of its base is refused. Raises ``ImageError`` and ``EngineError``.
        """
        async with self._one_at_a_time:
            bases = await _bases(plan.configs)
            found = {path: await self._look(path, image) for path, image in bases.items()}
            for config in plan.configs:
                for path in (config.kernel, config.initrd):
                    if path and path not in found:
                        found[path] = await self._look(path)
        return tuple(found.values())

    async def _look(self, path: str, image: Image | None = None) -> ShippedFile:
        """Read all of a file, in threads; an image has to be the file that the gate looked at."""
        image_format = image.format if image is not None else ""
        with opened(path) as (file, fd):
            if image is not None and file != image.files[0]:
                raise ImageError(
                    f"{shown(path)!r} was replaced while the run began", hint="run it again"
                )
            if not file.size:
                raise ImageError(f"{shown(path)!r} is empty", hint="give another file")
            known = self._known.get(file)
            if known is None or known.modified_ns != file.modified_ns:
                known = self._known[file] = await _read(file, fd)
        return replace(known, path=path, image_format=image_format)


async def _bases(configs: Sequence[RunConfig]) -> Mapping[str, Image]:
    """Return what the gate says of every base, by its path."""
    bases: dict[str, Image] = {}
    questions = dict.fromkeys((config.base, _question(config)) for config in configs)
    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            for base, question in questions:
                answer, *others, _ = await ask_gate(question, children)
                if answer.image is None:
                    raise ImageError(f"--base: {answer.why}", hint=answer.hint)
                bases[base] = answer.image
                _check(base, answer.image, others)
    return bases


def _question(config: RunConfig) -> Request:
    """Ask for a config's base, and those images of its VMs that are there already."""
    images = map(config.image, range(config.number))
    return Request(
        images=tuple(map(absolute, (Path(config.base), *filter(os.path.lexists, images)))),
        rules=Rules(allow_backing=config.allow_backing),
        ledger=str(ledger_path()),
    )


def _check(path: str, base: Image, others: Sequence[Answer]) -> None:
    if len(base.files) > 1:
        below = ", ".join(repr(shown(file.path)) for file in base.files[1:])
        raise ImageError(
            f"--ship: the base {shown(path)!r} is no image without {below}",
            hint="write it into one file, and ship that: "
            f"qemu-img convert -O qcow2 {shown(path)} flat.qcow2",
        )
    for other in others:
        if other.image is None or other.image.files[1:] != base.files:
            raise ImageError(
                f"--ship: {shown(other.path)!r} is no overlay of the base, and is not brought to "
                "hosts",
                hint="name images that are not there yet (-v, -p), and hosts make overlays; or "
                "leave --ship out, and have the images at the same path on each host",
            )


async def _read(file: File, fd: int) -> ShippedFile:
    digest, offsets = hashlib.sha256(), []
    for offset in range(0, file.size, PIECE_BYTES):
        if await asyncio.to_thread(_digested, fd, offset, digest):
            offsets.append(offset)
    return ShippedFile(
        path=file.path,
        content=Content(digest=digest.hexdigest(), size_bytes=file.size),
        offsets=tuple(offsets),
        modified_ns=file.modified_ns,
    )


def _digested(fd: int, offset: int, digest: "hashlib._Hash") -> bool:
    """Take a piece into a digest; return whether it is more than zeros."""
    piece = os.pread(fd, PIECE_BYTES, offset)
    digest.update(piece)
    return piece != _ZEROS[: len(piece)]


@contextmanager
def opened(path: str) -> Iterator[tuple[File, int]]:
    """Hold a file open that is to be shipped; raise ``ImageError`` where it cannot be read."""
    try:
        file, fd = open_file(path)
    except OSError as error:
        raise ImageError(
            f"{shown(path)!r} cannot be read: {error.strerror}", hint="check its permissions"
        ) from None
    try:
        yield file, fd
    finally:
        os.close(fd)
