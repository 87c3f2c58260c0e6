"""What a loader tells a kernel, carried over to a boot without that loader.

Everything is, but for what a run says itself, and what means a disk that is not there any more.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.loader.words import Told, Word

# Linux takes 2048 bytes on most architectures (COMMAND_LINE_SIZE), what a run says included.
MAX_BYTES = 1800
_MAX_SAID = 40
_SAID_BY_A_RUN = frozenset({
    "root", "real_root", "console", "quiet", "splash", "rhgb", "resume", "resume_offset",
    "BOOT_IMAGE", "initrd",
})  # fmt: skip
# A screen's, of no use where there is none.
_UNKNOWN_OF_A_SCREEN = frozenset({"$vt_handoff", "${vt_handoff}"})
_RUNS_OWN = re.compile(r"panic|vmreport\.protocol|VMREPORTID(:.*)?")
_SWITCH = re.compile(r"[01]|no|yes|on|off|")
# dracut.cmdline(7), systemd-cryptsetup-generator(8), systemd-veritysetup-generator(8),
# mkinitcpio(8), genkernel(8), the kernel's own dm-mod.create and md.
_DISK = re.compile(
    r"rd\.(luks|lvm|md|dm|iscsi|nvmf|zfcp|dasd)(\..*)?|luks(\..*)?|crypt(device|opts|key)|"
    r"crypt_(root|swap)|(netroot|nfsroot|boot)|(root|usr|verity)hash(sig)?|"
    r"(rd\.)?systemd\.(verity.*|mount_extra|swap_extra)|verity\.usr.*|dm_mod\.(create|waitfor)|md"
)
# dracut.cmdline(7): an initrd waits for a network by these.
_NETWORK = re.compile(r"ip|rd\.neednet")
_NO_NETWORK = ("", "0", "no", "off", "none")
_STOPS = re.compile(
    r"single|emergency|rescue|(rd\.)?break(=.*)?|systemd\.unit=(rescue|emergency)\.target"
)
_USR = re.compile(r"mount\.usr(flags|fstype)?")
_FLAGS = "rootflags="
_OF_A_SUBVOLUME = ("subvol=", "subvolid=")
_NOT_THERE = "what it means is on no disk of the VM"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootDisk:
    """The disk that a VM has its root on: the image's, or one with nothing else on it.

    ``type`` is its file system's; ``is_new`` says that the image's other volumes are not on it,
    ``is_converted`` that the type is another than in the image. ``merged`` are the paths of what is
    part of the root now, and was on a volume of its own.
    """

    type: str
    is_new: bool = False
    is_converted: bool = False
    merged: frozenset[str] = frozenset()

    def why_not(self, word: Word) -> str:
        """Return why a word means nothing there; empty where it may."""
        if self.is_new and _DISK.fullmatch(word.name) and not _SWITCH.fullmatch(word.value):
            return _NOT_THERE
        if _USR.fullmatch(word.name) and "/usr" in self.merged:
            return "/usr is part of the root"
        if self.is_converted and (
            word.name == "rootflags"
            or (word.name == "rootfstype" and self.type not in word.value.split(","))
        ):
            return f"the root is an {self.type} now"
        return ""

    def caution(self, words: Sequence[Word]) -> Iterator[str]:
        """Yield what may come of words that are carried over all the same."""
        for word in words:
            if word.name == "rootflags" and "subvol" in word.value and self.type != "btrfs":
                yield f"{word.text} is for a btrfs: an {self.type} may not be mounted by it"
            elif self.is_new and word.name == "mount.usr":
                yield f"a boot may wait for what {word.text} means: the VM has no disk but its root"
            elif self.is_new and word.text == "fips=1":
                yield f"by {word.text} the initrd checks the kernel in /boot, and may end the boot"
            elif _STOPS.fullmatch(word.text):
                yield f"by {word.text} a boot stops before it has booted"
        if waiting := " ".join(word.text for word in words if _wants_network(word)):
            yield (
                f"by {waiting} the initrd waits for a network: give each VM a card by -- -nic user"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What is carried over: plain words, and what to say of them and of those left out."""

    words: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield what to tell a person."""
        yield from self.said
        for why, words in self.left_out.items():
            some = " ".join(map(shown, words[:_MAX_SAID]))
            more = f" and {len(words) - _MAX_SAID} more" if len(words) > _MAX_SAID else ""
            yield f"left out of what the loader says: {some}{more} ({why})"


def carried(told: Told, disk: RootDisk) -> Carried:
    """Return what of a loader's words is carried over to a VM with its root on this disk."""
    kept: list[Word] = []
    left_out: dict[str, list[str]] = {}
    for word, why in _judged(told, disk):
        if why:
            left_out.setdefault(why, []).append(word.text)
        else:
            kept.append(word)
    words = tuple(word.text for word in kept)
    said = [f"carried over from {told.source}: {' '.join(words)}"] if kept else []
    said = [*told.remarks, *said, *disk.caution(kept)]
    return Carried(words=words, said=tuple(said), left_out=left_out)


def _wants_network(word: Word) -> bool:
    return _NETWORK.fullmatch(word.name) is not None and word.value not in _NO_NETWORK


def _judged(told: Told, disk: RootDisk) -> Iterator[tuple[Word, str]]:
    """Yield the words that no run says itself, with why each is left out; empty where it is not."""
    size, ended = 0, False
    for word in told.words:
        if word.name in _SAID_BY_A_RUN:
            continue
        ended = ended or word.text == "--"
        why = _why_no_word(word, ended=ended) or disk.why_not(word)
        if not why and size + len(word.text) > MAX_BYTES:
            why = f"a kernel takes no more than {MAX_BYTES} bytes"
        size += 0 if why else len(word.text) + 1
        yield word, why
    for word in told.unknown:
        if word.name not in _SAID_BY_A_RUN and word.text not in _UNKNOWN_OF_A_SCREEN:
            yield word, "only the loader knows its value, when it runs"


def _why_no_word(word: Word, *, ended: bool) -> str:
    if ended:
        return "what follows -- is for init, and a run's own words come behind"
    if not word.is_plain:
        return "no plain word"
    if _RUNS_OWN.fullmatch(word.name):
        return "each run says its own"
    if word.name == "vga":  # arch/x86/boot/video.c
        return "without a screen a kernel waits 30 s for somebody to choose another mode"
    return ""


def beside(own: str, words: Sequence[str]) -> str:
    """Return words of ours and those carried over as one line, each once.

    Where both say how the root is mounted, ours say the subvolume, and are joined by the others.
    """
    mine = own.split()
    flags = next((word for word in mine if word.startswith(_FLAGS)), "")
    rest: list[str] = []
    for word in map(Word, words):
        if flags and word.name == "rootflags":
            options = [option for option in word.value.split(",")
                       if option and not option.startswith(_OF_A_SUBVOLUME)]  # fmt: skip
            joined = ",".join([flags, *options])
            mine[mine.index(flags)] = flags = joined
        elif word.text not in mine:
            rest.append(word.text)
    return " ".join([*mine, *rest])
