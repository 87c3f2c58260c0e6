"""How long a history of 1,000 runs takes to open, list and search; prints, asserts nothing.

python tests/bench/history_open.py [runs] [vms]
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.facts import SECOND
from support.making import as_told, random_run, run_events
from vmtiming_tui.analysis.comparison.samples import side_of
from vmtiming_tui.analysis.comparison.tolerance import known_tolerance
from vmtiming_tui.history.runs import History


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what:<44} {1000 * (time.perf_counter() - start):10.1f} ms")


def main(runs: int = 1000, vms: int = 20) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        with (
            timed(f"making and keeping {runs:,} runs of {vms:,} VMs"),
            History.open(path) as history,
            history.recorder() as recorder,
        ):
            for number in range(runs):
                events = run_events(
                    [[5 + vm / 10 for vm in range(vms)]],
                    run=f"run-{number:05}",
                    started={"wall_ns": number * SECOND},
                )
                recorder.write(as_told(events))
        print(f"{'its file':<44} {path.stat().st_size / 1e6:10.1f} MB")
        with timed("opening it"):
            history = History.open(path)
        with history:
            with timed("listing its runs"):
                assert len(history.runs()) == runs
            with timed("finding one by how its id begins"):
                run = history.find(f"run-{runs // 2:05}")
            with timed("loading that one"):
                history.load(run)
            sample = side_of(history.load(run)).samples[0]
            with timed("asking what storms like its own took"):
                known = history.known([sample.setting.circumstances])
            assert len(known) == runs
            with timed("reckoning how far they differ"):
                known_tolerance(known, [sample.setting], [run.run])
            events = random_run(5000, 2, run="large")
            told = as_told(events)
            with history.recorder() as recorder:
                with timed(f"handing over {len(told):,} lines (the caller waits)"):
                    for each in told:
                        recorder.write([each])
                start = time.perf_counter()
            taken = time.perf_counter() - start
            print(f"{'writing them (the thread, till closed)':<44} {1000 * taken:10.1f} ms")
            with timed("loading 5,000 VMs x 2 storms"):
                history.load(history.find("large"))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
