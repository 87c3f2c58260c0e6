"""The inside's end of ``--mount``: asks the outside to have this host's kernel read a volume."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.volumes import Volume
from vmtiming_tui.images.guard.channel import Channel
from vmtiming_tui.images.reader.kernel_reader import Excerpt, Mount, Writing


class HostReader:
    """Asks over the channel; ``unpacked`` says that volumes are parts of the unpacked image."""

    writes = False

    def __init__(self, channel: Channel, work: Path, *, unpacked: bool) -> None:
        self._channel, self._work, self._unpacked = channel, work, unpacked

    def _ask(self, **request: object) -> Mapping[str, Any]:
        self._channel.send(**request)
        answer = self._channel.receive()
        if "failed" in answer:
            raise ImageError(str(answer["failed"]))
        return answer

    def assembled(self, volumes: Sequence[Volume]) -> Mapping[Volume, Volume]:
        """Raise ``ImageError``: what is put together on the host has names that may be taken."""
        raise ImageError("--mount does not", hint="without --mount a VM does")

    def _part(self, volume: Volume) -> list[object]:
        if volume.stretch is None or len(volume.stretch.pieces) != 1:
            raise ImageError(f"{volume.name} is in pieces, which --mount cannot put together",
                             hint="without --mount a VM reads it")  # fmt: skip
        piece = volume.stretch.pieces[0]
        return [self._unpacked, piece.offset, piece.size, volume.type]

    def excerpts(self, volumes: Sequence[Volume]) -> Sequence[Excerpt]:
        """Return an excerpt of each volume; raise ``ImageError`` where one cannot be mounted."""
        answer = self._ask(mount="excerpts", parts=[self._part(volume) for volume in volumes])
        return [
            Excerpt(volume, subvolume, self._work / f"excerpt-{number}.img", used, inodes)
            for number, (volume, (subvolume, used, inodes)) in enumerate(
                zip(volumes, answer["excerpts"], strict=True)
            )
        ]

    def copy(
        self, mounts: Sequence[Mount], target: Path, *, size: Callable[[int, int], int], uuid: str,
        label: str,
    ) -> None:  # fmt: skip
        """Make ``target`` an ext4 of all the files of these mounts, as ``KernelReader`` says."""
        words = [[self._part(mount.volume), mount.path, mount.subvolume] for mount in mounts]
        used, inodes = self._ask(mount="measure", mounts=words)["measured"]
        self._ask(mount="make", size=size(used, inodes), uuid=uuid, label=label)
        (self._work / "mounted.img").rename(target)

    def write(self, mount: Mount, image: Path, writings: Sequence[Writing]) -> None:
        """Raise ``ImageError``: root of the host writes into no image of others."""
        raise ImageError(f"--mount does not write into a {mount.volume.type}")
