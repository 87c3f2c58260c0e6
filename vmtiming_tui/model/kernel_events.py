"""What a guest's kernel logged of its own start, as one event: told with ``--kernel-detail`` only.

``events`` has the whole vocabulary, and says what the fields mean that all events share.
"""

from dataclasses import dataclass, field

Column = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Named parts of a kernel's start as columns, a part at the same place in each; slowest first.

    ``began_us`` is on the clock of the kernel's log, ``returned`` what each came to (0, or an
    errno), empty where they return nothing. ``count`` and ``total_us`` are of all there were, also
    of those that are left out as the quickest; ``total_us`` is for how long any was under way, as
    modules are loaded beside each other. Columns of different lengths are a ``ValueError``.
    """

    names: tuple[str, ...] = ()
    began_us: Column = ()
    took_us: Column = ()
    returned: Column = ()
    count: int = 0
    total_us: int = 0

    def __post_init__(self) -> None:
        lengths = {len(self.names), len(self.began_us), len(self.took_us)}
        if len(lengths) > 1 or len(self.returned) not in (0, len(self.names)):
            raise ValueError("columns of different lengths")

    @property
    def left_out(self) -> int:
        """How many are counted only."""
        return max(self.count - len(self.names), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLog:
    """What a kernel's log comes to; its clock is that of ``printk``, next to CLOCK_MONOTONIC.

    ``initcalls`` go by their function, and their module where they have one. ``levels`` are those
    of the built-in ones, as far as the kernel tells (recent ones do). ``probes`` go by their
    device. ``silences`` are the longest times without a line that neither accounts for; each goes
    by the line that ended it. ``deferred`` devices had to wait for others, and ``pending`` ones
    still did when the kernel had waited for them long enough. ``is_cut`` says that its begin was
    overwritten.
    """

    lines: int = 0
    initcalls: Spans = field(default_factory=Spans)
    levels: Spans = field(default_factory=Spans)
    probes: Spans = field(default_factory=Spans)
    silences: Spans = field(default_factory=Spans)
    deferred: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VmKernel:
    """A guest told its kernel's log, and this is what it comes to."""

    at_ns: int
    vm: int
    attempt: int
    log: KernelLog
