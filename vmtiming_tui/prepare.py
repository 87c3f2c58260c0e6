"""From a disk image to a folder ready to boot, in one go: spin, then an overlay for each VM."""

import asyncio
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.config import RunConfig
from vmtiming_tui.engine import rundir
from vmtiming_tui.engine.children import start_warden
from vmtiming_tui.engine.images import make_overlays
from vmtiming_tui.errors import VmTimingError
from vmtiming_tui.resources import resource


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was made: how many overlays are new, and the command that boots them."""

    overlays: int
    command: str


def _spin(image: str, out: Path, options: Sequence[str]) -> None:
    script = str(resource("spin", "spin-from-raw.sh"))
    command = ["bash", script, image, "--out", str(out), *options]
    if code := subprocess.run(command, stdout=2, check=False).returncode:  # noqa: S603  no shell
        raise VmTimingError(
            f"the image could not be prepared (spin-from-raw.sh ended with {code}); "
            "its own words are above",
            hint="vm-timing-report doctor names tools that are missing",
        )


async def _overlays(config: RunConfig) -> int:
    with rundir.run_dir() as folder:
        async with start_warden(folder) as children:
            return await make_overlays(config, range(config.number), children)


def prepare(image: str, out: Path, config: RunConfig, options: Sequence[str] = ()) -> Prepared:
    """Spin ``image`` into ``out`` and make ``config.number`` overlays in ``out/vms``.

    ``config`` brings the number, the names and the memory; ``options`` go to spin-from-raw.sh,
    whose words go to standard error. Raises ``VmTimingError`` when a step fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    _spin(image, out, options)
    made = asyncio.run(_overlays(config))
    words = ["vm-timing-report", "-n", str(config.number), "-m", str(config.memory_mib)]
    words += ["-p", config.prefix, *(["-s", config.suffix] if config.suffix else [])]
    words += ["-k", config.kernel, "-i", config.initrd, "-v", config.vmdir]
    return Prepared(made, shlex.join(words))
