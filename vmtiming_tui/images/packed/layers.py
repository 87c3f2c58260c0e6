"""A packed file unpacked layer by layer, until a disk is left in the work folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.packed.archives import MAX_LAYERS, Passage, peeled
from vmtiming_tui.images.packed.disks import refuse_no_disk
from vmtiming_tui.images.packed.flow import Flow, flow_of, write_sparse
from vmtiming_tui.images.packed.members import Chosen, Content, choose
from vmtiming_tui.images.packed.no_disks import HEAD_BYTES
from vmtiming_tui.images.packed.packing import MARK_BYTES, Packing, packing_of
from vmtiming_tui.images.quoting import shown

_UNPACK_INTO = {Packing.TAR: "tar -xpf {image} -C", Packing.ZIP: "unzip {image} -d"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapped:
    """A disk in the work folder: its name there, and the member's that it was; empty for none."""

    name: str
    member: str = ""
    is_wanted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwrapping:
    """What is to come of a packed file, and where: the member that is wanted, if one was named.

    ``told`` hears how much of the file has been read, in bytes.
    """

    work: Path
    wanted: str
    say: Callable[[str], None]
    told: Callable[[int], None] = lambda _: None

    def unpack(self, file: BinaryIO) -> Unwrapped:
        """Unpack an open file; raise ``ImageError`` where no disk comes out of it."""
        found = self._layers(file)
        if self.wanted and not found.is_wanted:
            raise ImageError("the image is no archive of several files", hint="leave --member out")
        return found

    def _layers(self, file: BinaryIO) -> Unwrapped:
        result = self._layer(file, "layer-0")
        for number in range(1, MAX_LAYERS):
            path = self.work / result.name
            with path.open("rb") as opened:
                packing = packing_of(opened.read(MARK_BYTES))
                if packing is None:
                    return result
                opened.seek(0)
                inner = self._layer(opened, f"layer-{number}")
            path.unlink()
            result = Unwrapped(
                name=inner.name, member=inner.member or result.member,
                is_wanted=result.is_wanted or inner.is_wanted,
            )  # fmt: skip
        raise ImageError("it is packed again and again")

    def _layer(self, file: BinaryIO, name: str) -> Unwrapped:
        """Unpack what lies between two files: packings one in another, and one archive."""
        outermost = packing_of(file.read(MARK_BYTES))
        file.seek(0)
        flow = peeled(flow_of(file, self.told), self.say)
        packing = packing_of(flow.peek(MARK_BYTES))
        is_bare = outermost is packing
        if packing is None or (packing is Packing.ZIP and not is_bare):
            if packing is None:
                _refuse_no_disk(flow.peek(HEAD_BYTES))
            if not write_sparse(flow, self.work / name):
                raise ImageError("nothing is packed in it", hint="get it again")
            return Unwrapped(name=name)
        flow.close()
        chosen = self._member(file, packing, self.work / name, is_bare=is_bare)
        return Unwrapped(name=name, member=chosen.member.name, is_wanted=chosen.is_wanted)

    def _member(self, file: BinaryIO, packing: Packing, target: Path, *, is_bare: bool) -> Chosen:
        """Write the member that is meant, in a second passage where the first guessed another."""
        guess = self.wanted
        for is_exact in (False, True):
            content = Content()
            source: BinaryIO | Flow = file
            file.seek(0)
            if not is_bare:
                source = peeled(flow_of(file, self.told), self.say)
            Passage(guess, is_exact, target, content, self.say, self.told).through(packing, source)
            chosen = _chosen(content, self.wanted, packing)
            if content.kept == chosen.member.name:
                if chosen.remark:
                    self.say(chosen.remark)
                return chosen
            target.unlink(missing_ok=True)
            guess = chosen.member.name
        raise ImageError(f"{shown(guess)} cannot be read from the archive", hint="get it again")


def _refuse_no_disk(head: bytes) -> None:
    """Raise ``ImageError`` for what turns out to be no disk; its hint is for the unpacked file."""
    try:
        refuse_no_disk(head)
    except ImageError as error:
        hint = error.hint.replace("{folder}", "")
        if "{image}" in hint:
            hint = f"unpack it, then: {hint.replace('{image}', 'UNPACKED')}"
        raise ImageError(error.message, hint=hint) from None


def _chosen(content: Content, wanted: str, packing: Packing) -> Chosen:
    try:
        return choose(content, wanted)
    except ImageError as error:
        raise ImageError(
            error.message, hint=error.hint.replace("{unpack}", _UNPACK_INTO[packing])
        ) from None
