"""Why VMs did not boot, on the page: each reason once, with whom it befell and what to do."""

from collections.abc import Iterable

from vmtiming_tui.analysis.failures import Failure, failures_of
from vmtiming_tui.escape import plural
from vmtiming_tui.model.attempt import Attempt
from vmtiming_tui.report.export.html.markup import Content, Markup, tag
from vmtiming_tui.report.export.html.parts import STATE_STYLES, section
from vmtiming_tui.report.result import ranges, vms_words
from vmtiming_tui.report.wording import STATE_SIGNS

_MOST_RANGES = 16
_CONSOLE_LINES = 20
_STDERR_LINES = 10


def failure_section(attempts: Iterable[Attempt]) -> Markup:
    """Return the reasons, what befell the most VMs first; nothing where all booted."""
    found = failures_of(attempts)
    if not found:
        return Markup("")
    lost = plural(sum(len(each.attempts) for each in found), "boot")
    reasons = plural(len(found), "reason")
    return section(f"Why {lost} did not succeed: {reasons}", *map(_reason, found))


def _reason(found: Failure) -> Markup:
    count = len(found.attempts)
    state = tag(
        "strong",
        f"{STATE_SIGNS[found.state]} {count} {found.state}",
        class_=STATE_STYLES.get(found.state, "dim"),
    )
    such = f" such as VM {found.example.vm}:" if found.varies else ""
    return tag(
        "article",
        tag("h3", state, such, f" {found.why}" if found.why else ""),
        tag("p", tag("span", "what to do: ", class_="dim"), found.hint) if found.hint else "",
        tag("p", _where(found), class_="dim"),
        *_shown(found.example),
        class_="failure",
    )


def _where(found: Failure) -> str:
    vms = vms_words(found.vms, _MOST_RANGES)
    storms = sorted({attempt.storm for attempt in found.attempts})
    return f"{vms} in {'storms' if len(storms) > 1 else 'storm'} {ranges(storms, _MOST_RANGES)}"


def _shown(example: Attempt) -> list[Markup]:
    """Return what one of them left behind: the end of its console, and QEMU's words."""
    console = example.console.text if example.console else ""
    found = (
        (f"The end of VM {example.vm}'s console", console, _CONSOLE_LINES),
        (f"What QEMU said of VM {example.vm}", example.stderr, _STDERR_LINES),
    )
    return [_folded(title, text, most) for title, text, most in found if text.strip()]


def _folded(title: Content, text: str, most: int) -> Markup:
    lines = text.rstrip().splitlines()[-most:]
    return tag("details", tag("summary", title), tag("pre", "\n".join(lines)))
