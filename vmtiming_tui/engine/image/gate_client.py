"""Disk images let in: asked of the gate, which is a process of its own, for a storm at a time."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import vmtiming_tui
from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.qemu.firmware import brings_firmware
from vmtiming_tui.errors import EngineError, EventError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.gate.format_ledger import LedgerEntry, ledger_path
from vmtiming_tui.images.gate.gate_process import Answer, MadeOverlay, Request
from vmtiming_tui.images.gate.permission import Image, Rules, settled
from vmtiming_tui.model.boot_file import BootFile
from vmtiming_tui.model.codec import from_json, to_json
from vmtiming_tui.model.config import BootMode, RunConfig
from vmtiming_tui.model.events import Level

_ROOT = str(Path(vmtiming_tui.__file__).resolve().parent.parent)
_LIMIT_S = 600.0
_MAX_ANSWER_BYTES = 256 << 20
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from vmtiming_tui.images.gate.gate_process import main; main()"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image may not be booted from, and what to do about it."""

    why: str
    hint: str = ""


def rules_of(config: RunConfig) -> Rules:
    """Return what a config allows images to be."""
    return Rules(
        format=config.format,
        allow_backing=config.allow_backing,
        allow_device=config.allow_device,
        writable=config.persist,
    )


class Admissions:
    """Which images the VMs of a run may boot from; asked anew for every storm.

    What was settled in one storm holds in the next, whatever a guest wrote meanwhile, also where
    the ledger cannot be written. ``say`` is told what the user should know. ``files`` is what those
    asked for last are booted from.
    """

    def __init__(self, children: Children, say: Callable[[Level, str], None]) -> None:
        self._children = children
        self._say = say
        self._found: dict[Path, Image | Refusal] = {}
        self._known: dict[tuple[int, int, str], LedgerEntry] = {}
        self.files: tuple[BootFile, ...] = ()

    def of(self, config: RunConfig, vm: int) -> Image | Refusal:
        """Return what was found of a VM's image."""
        return self._found[config.image(vm)]

    async def admit(self, config: RunConfig, vms: Sequence[int]) -> bool:
        """Have the gate look at the images of some VMs, and at the kernel and the initrd.

        An image that may not be taken fails its VM alone. Returns whether the first that may has
        an EFI system partition, where that matters. Raises ``EngineError``.
        """
        paths = [config.image(vm) for vm in vms]
        files = [path for path in (config.kernel, config.initrd) if path]
        asks = config.boot is BootMode.FIRMWARE and not brings_firmware(config)
        request = Request(
            images=tuple(map(absolute, paths)),
            files=tuple(absolute(Path(path)) for path in files),
            rules=rules_of(config),
            known=tuple(self._known.values()),
            boots=asks,
            ledger=str(ledger_path()),
        )
        *answers, last = await ask_gate(request, self._children)
        for answer in answers[: len(files)]:
            if answer.image is None:
                raise EngineError(answer.why, hint=answer.hint)
        self.files = tuple(_files(config, answers))
        has_esp = False
        looked_at = answers[len(files) :]
        for text in dict.fromkeys(
            text for answer in looked_at if answer.image for text in answer.image.notices
        ):
            self._say(Level.WARNING, text)
        for path, answer in zip(paths, looked_at, strict=True):
            self._found[path] = answer.image or Refusal(answer.why, answer.hint)
            has_esp |= answer.has_esp is True
            if answer.image and config.persist:
                for known in settled(answer.image):
                    self._known[known.key] = known
        if last.why:
            self._say(
                Level.WARNING,
                "it cannot be written down of which formats the images are, before guests write to "
                f"them ({last.why}): name it in later runs (--format)",
            )
        return has_esp


def _files(config: RunConfig, answers: Sequence[Answer]) -> Iterator[BootFile]:
    """Yield the kernel, the initrd, and what the first image that may be taken stands on."""
    roles = [role for role, path in (("kernel", config.kernel), ("initrd", config.initrd)) if path]
    images = [answer for answer in answers[len(roles) :] if answer.image is not None]
    for role, answer in zip([*roles, "image"], [*answers[: len(roles)], *images[:1]], strict=False):
        if answer.image is not None:
            file = answer.image.layers[-1].file
            yield BootFile(
                role=role, path=file.path, size_bytes=file.size, modified_ns=file.modified_ns
            )


async def ask_gate(request: Request, children: Children) -> list[Answer]:
    """Return the gate's answers, in its order; raise ``EngineError`` where it does not answer."""
    with os.fdopen(os.memfd_create("question", os.MFD_CLOEXEC), "w+b") as question:
        question.write(json.dumps(to_json(request)).encode())
        question.seek(0)
        code, said, words = await children.answer(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, _ROOT],
            question.fileno(),
            limit_s=_LIMIT_S,
            limit_bytes=_MAX_ANSWER_BYTES,
        )
    try:
        found = [from_json(Answer, json.loads(line)) for line in said.splitlines()]
    except (ValueError, EventError):
        found = []
    if code != 0 or len(found) != len(request.files) + len(request.images) + 1:
        last = printable(words.strip().rpartition(b"\n")[2])[:300]
        why = "it took too long" if code is None else last or f"exit code {code}"
        raise EngineError(f"the images could not be looked at: {why}")
    return found


def absolute(path: Path) -> str:
    """Return a path as the gate takes it, whose current folder is another."""
    return str(path) if path.is_absolute() else f"{os.getcwd()}/{path}"  # noqa: PTH109


async def note_overlays(made: Sequence[MadeOverlay], children: Children) -> str:
    """Write down overlays that were made here; return what was in the way, if anything."""
    request = Request(images=(), made=tuple(made), ledger=str(ledger_path()))
    return (await ask_gate(request, children))[-1].why
