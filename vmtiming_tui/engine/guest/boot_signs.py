"""Signs of a boot's stages on its console: what is written there anyway, whoever reads it.

The texts are those of SeaBIOS, edk2 (``BdsDxe``), GRUB and the kernel's EFI stub, of the kernel
(``init/main.c``), of initrds by initramfs-tools, dracut, mkinitcpio and Alpine, and of systemd
(``src/core/main.c``), sysvinit and OpenRC. A guest can write whatever it likes: what is found here
is for people to look at, and no figure rests on it.
"""

import re
from enum import Enum, auto

from vmtiming_tui.engine.guest.byte_allowance import Allowance
from vmtiming_tui.engine.guest.console import STEERING
from vmtiming_tui.model.stage import Stage

LOOKED_AT_BYTES = 1 << 20
LOOKED_AT_BYTES_PER_S = 16 << 10
_PIECE_BYTES = 4 << 10  # a hostile one costs less than a millisecond
_LINE_BYTES = 512
_SHORTEST = 3

_FIRMWARE = re.compile(
    rb"SeaBIOS \(version|iPXE \(http|Booting from |BdsDxe: |UEFI firmware \(version|U-Boot \d"
)
_LOADER = re.compile(
    rb"BdsDxe: starting |GRUB loading|Welcome to GRUB|GNU GRUB  version|Booting [`'a]"
    rb"|Loading Linux |Loading initial ramdisk|EFI stub: |(?:SYS|ISO|PXE|EXT)LINUX \d"
)
_KERNEL = re.compile(rb"Linux version \d|\[ {0,4}\d{1,9}\.\d{6}\]|Kernel command line: ")
_INITRD = re.compile(
    rb"Run /init as init process|Loading, please wait|^Begin: |:: running (?:early )?hook"
    rb"|(?:^|[\] ])dracut(?:-[a-z-]{1,30})?(?:\[\d{1,9}\])?: |Alpine Init \d"
)
_MANAGER = re.compile(rb"systemd\[1\]: Running in init(?:rd|ial RAM disk)")
_GREETING = re.compile(rb"Welcome to (?!GRUB)|Booting initrd of ")
_OF_INITRD = re.compile(rb"\(Initramfs\)|\(Initrd\)|Booting initrd of ", re.IGNORECASE)
_NEW_MANAGER = re.compile(rb"systemd\[1\]: .{0,80} running in system mode")
_UNIT = re.compile(
    rb"\[(?:  OK  |FAILED|DEPEND)\]"
    rb"|systemd\[1\]: (?:Queued start job|Reached target|Start(?:ing|ed) |Listening on|Created sl)"
)
_USERSPACE = re.compile(
    rb"Switching root|Run /(?!init )\S{1,200} as init process"
    rb"|INIT: version \d|OpenRC \S{1,40} is starting up"
)

# One of these stands in every line with a sign of what comes after the kernel.
_WORDS = (
    b"as init process", b"Switching root", b"please wait", b"Begin: ", b"hook", b"dracut",
    b"Alpine Init", b"systemd[1]: ", b"Welcome to ", b"initrd of ", b"  OK  ", b"FAILED",
    b"DEPEND", b"INIT: ", b"OpenRC ",
)  # fmt: skip
_ORDER = tuple(Stage)


class _Initrd(Enum):
    """What was seen of an initrd from inside: a systemd there greets later than it begins."""

    NOTHING = auto()
    SCRIPT = auto()
    MANAGER = auto()
    GREETED = auto()

    @property
    def is_managed(self) -> bool:
        return self in (_Initrd.MANAGER, _Initrd.GREETED)


class BootSigns:
    """Says which stages the pieces of a console show, each once, and in their order.

    Where a guest boots by firmware that is where it begins; else the first that it writes comes
    from its kernel at the earliest, whatever it is. A console is looked at in lines, of which the
    beginning counts, no further back than the end of a piece; up to ``LOOKED_AT_BYTES`` at once
    and ``LOOKED_AT_BYTES_PER_S`` on, and no more once userspace is seen: nothing that comes after
    shows there.
    """

    def __init__(self, *, by_firmware: bool) -> None:
        self._by_firmware = by_firmware
        self._allowance = Allowance(LOOKED_AT_BYTES, LOOKED_AT_BYTES_PER_S)
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was seen: the guest was reset."""
        self._stage = Stage.FIRMWARE if self._by_firmware else None
        self._initrd = _Initrd.NOTHING
        self._unfinished = b""

    def look(self, piece: bytes) -> list[Stage]:
        """Take in what was written, and return the stages that show for the first time."""
        if self._stage is Stage.USERSPACE or not self._allowance.spend(len(piece)):
            return []
        text = (self._unfinished + piece[-_PIECE_BYTES:]).replace(b"\r", b"\n")
        whole, _, unfinished = text.rpartition(b"\n")
        self._unfinished = unfinished[:_LINE_BYTES]
        if self._is_past_kernel and not any(word in whole for word in _WORDS):
            return []
        seen = []
        for line in STEERING.sub(b"", whole).split(b"\n"):
            stage = self._sign(line) if len(line) > _SHORTEST else None
            if stage is not None and self._is_later(stage):
                self._stage = stage
                seen.append(stage)
        return seen

    @property
    def _is_past_kernel(self) -> bool:
        return self._stage in (Stage.KERNEL, Stage.INITRD)

    def _is_later(self, stage: Stage) -> bool:
        return self._stage is None or _ORDER.index(stage) > _ORDER.index(self._stage)

    def _sign(self, line: bytes) -> Stage | None:
        """Return the latest stage that a line may be of."""
        if (stage := self._after_kernel(line)) is not None or self._is_past_kernel:
            return stage
        for stage, pattern in (
            (Stage.KERNEL, _KERNEL),
            (Stage.LOADER, _LOADER),
            (Stage.FIRMWARE, _FIRMWARE),
        ):
            if pattern.search(line):
                return stage
        return Stage.KERNEL if self._stage is None and not line.isspace() else None

    def _after_kernel(self, line: bytes) -> Stage | None:
        if _USERSPACE.search(line):
            return Stage.USERSPACE
        if _MANAGER.search(line):
            self._initrd = _Initrd.MANAGER
            return Stage.INITRD
        if _GREETING.search(line):
            # An older systemd may greet in an initrd in the same words as later.
            if _OF_INITRD.search(line) or self._initrd is _Initrd.MANAGER:
                self._initrd = _Initrd.GREETED
                return Stage.INITRD
            return Stage.USERSPACE
        if _INITRD.search(line):
            if self._initrd is _Initrd.NOTHING and b"as init process" not in line:
                self._initrd = _Initrd.SCRIPT
            return Stage.INITRD
        if _NEW_MANAGER.search(line):
            # The first may be an initrd's: it says so soon.
            return None if self._initrd is _Initrd.NOTHING else Stage.USERSPACE
        if _UNIT.search(line) and not self._initrd.is_managed:
            return Stage.USERSPACE
        return None
