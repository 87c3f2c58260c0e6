"""The box that reads an image: started, listened to, and ended with all that runs in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vmtiming_tui.images.gate.permission import Taken
from vmtiming_tui.images.guard.box import Box, BoxLimits, Wall, python_files
from vmtiming_tui.images.guard.boxed_program import BoxedProgram, run_in_box
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.isolated import PACKAGE
from vmtiming_tui.images.guard.opening import File
from vmtiming_tui.images.guard.out_folder import WorkFolder
from vmtiming_tui.images.reader.host_kernel import HostKernel
from vmtiming_tui.images.reader.mount_server import MountServer

_LIMITS = BoxLimits(
    memory_bytes=6 << 30, file_bytes=20 << 40, processes=128, files=512, cpu_s=12 * 3600
)
_LEAST_TIME_S = 3600
_SLOWEST_BYTES_S = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxedReading:
    """What the box is built of, and what it is told.

    ``own`` are the user's own kernel and initrd: descriptor and size in bytes by name.
    """

    wall: Wall
    uid: int | None
    work: WorkFolder
    taken: Taken
    order: Mapping[str, object]
    kernels: tuple[HostKernel, ...]
    mounts: MountServer | None = None
    own: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def box(self) -> Box:
        """Return the box itself."""
        given = (*self.taken.fds.values(), *(kernel.fd for kernel in self.kernels),
                 *(fd for fd, _ in self.own.values()))  # fmt: skip
        return Box(
            wall=self.wall, uid=self.uid, limits=_LIMITS, work_fd=self.work.fd, given=given,
            readable=python_files(PACKAGE),
        )  # fmt: skip

    def message(self, box: Box) -> dict[str, object]:
        """Return the order as the inside reads it: every file by its word."""

        def word(file: File | None) -> list[object] | None:
            return None if file is None else [box.word(self.taken.fds[file]), file.size]

        layers = [
            {"format": layer.format, "file": word(layer.file), "data": word(layer.data),
             "content_ids": layer.content_ids,
             "parts": [[word(part.file), part.offset, part.size, part.is_sparse]
                       for part in layer.parts]}
            for layer in self.taken.image.layers
        ]  # fmt: skip
        kernels = [[kernel.version, box.word(kernel.fd)] for kernel in self.kernels]
        return {
            **self.order, "layers": layers, "virtual_bytes": self.taken.image.virtual_bytes,
            "kernels": kernels, "mount": self.mounts is not None,
            "own": {name: [box.word(fd), size] for name, (fd, size) in self.own.items()},
        }  # fmt: skip

    @property
    def limit_s(self) -> float:
        """How long it may take: an hour, and a second for each MiB."""
        return _LEAST_TIME_S + self.taken.image.virtual_bytes / _SLOWEST_BYTES_S


def read_in_box(
    what: BoxedReading, signals: Signals, say: Callable[[str], None]
) -> Mapping[str, Any]:
    """Have the image read inside, and return what was made of it; raises as ``run_in_box``."""
    box = what.box()
    mounts = what.mounts
    program = BoxedProgram(
        box=box, module="spin.inside", order=what.message(box), limit_s=what.limit_s,
        servants={} if mounts is None else {"mount": mounts.serve},
    )  # fmt: skip
    return run_in_box(program, signals, say)
