"""What doctor says of a host's noise, a line each."""

from collections.abc import Iterator

from vmtiming_tui.analysis.noise import Noise
from vmtiming_tui.escape import plural
from vmtiming_tui.setup.checks import Check, Fitness

_AGAIN = "try again; if it is called different again, something here tells turns apart"


def noise_checks(noise: Noise) -> Iterator[Check]:
    """Yield how much storms differ here, what A against A was called, and what can be shown."""
    yield Check("noise", Fitness.FINE, _spread(noise))
    boot = noise.against.boot
    called = f"{boot.words}, over {plural(boot.rounds or 0, 'pair')} of storms"
    if boot.is_decided:
        yield Check("A against A", Fitness.NOTE, f"{called}: a false alarm (1 in 20 is)", _AGAIN)
    else:
        yield Check("A against A", Fitness.FINE, called)
    told = [
        f"{percent:.2g} % with {count}"
        for count, percent in noise.smallest_percent.items()
        if percent is not None
    ]
    if told:
        shown = f"{', '.join(told)} storms of each setting, booted in turn"
        yield Check("shows changes of", Fitness.FINE, shown)
    else:
        mend = "vm-timing-report doctor --noise --runs 20"
        yield Check("shows changes of", Fitness.NOTE, "cannot be told by these storms", mend)


def _spread(noise: Noise) -> str:
    storms, vms = plural(2 * noise.storms, "storm"), plural(noise.vms, "boot")
    words = [f"{storms} of the same, {vms}"]
    if noise.between is not None:
        words.append(f"storms differ by {100 * noise.between:.2g} %")
    if noise.within is not None:
        words.append(f"VMs of one storm by {100 * noise.within:.2g} %")
    return "; ".join(words)
