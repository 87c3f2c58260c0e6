"""Make the README's pictures of the dashboard from recorded runs; run it as a script."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.phased import Aftermath, phased  # noqa: E402
from support.recording import repeated_run, smooth_run, stuck_run, troubled_run  # noqa: E402
from support.stage import dashboard, show  # noqa: E402
from vmtiming_tui.tui.screenshot import save  # noqa: E402

FOLDER = ROOT / "assets" / "screenshots"
TROUBLED = phased(troubled_run(100), Aftermath(at_once=8))
PICTURES = {
    "storm": (TROUBLED, 7.5, 100, (), {}),
    "collecting": (TROUBLED, 26.6, 100, (), {}),
    "few": (phased(smooth_run(6)), 4.4, 6, (), {}),
    "repeats": (phased(repeated_run(4, warmup=1, runs=3)), 33.0, 4, (), {}),
    "thousand": (stuck_run(1000), 5.0, 1000, (), {}),
    "list": (TROUBLED, 90.0, 100, ("v",), {}),
    "one-vm": (TROUBLED, 90.0, 100, ("right", "right", "enter"), {}),
    "light": (TROUBLED, 7.5, 100, (), {"theme": "light"}),
}


async def picture(name: str) -> None:
    """Take one."""
    events, at, number, keys, how = PICTURES[name]
    (FOLDER / f"{name}.svg").unlink(missing_ok=True)
    async with dashboard(events, at, (120, 36), number, **how) as stage:
        await stage.press(*keys)
        show(stage.app)
        await stage.pilot.pause(0.2)
        print(save(stage.app, folder=str(FOLDER), name=f"{name}.svg"))


async def main() -> None:
    """Take all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        await picture(name)


if __name__ == "__main__":
    asyncio.run(main())
