"""Which of the runs that are kept is meant: by id, name, label or pattern."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase

from vmtiming_tui.errors import HistoryError
from vmtiming_tui.escape import printable
from vmtiming_tui.history.rows import StoredRun
from vmtiming_tui.request.labels import SEARCH, label_words, searched_label

_SHOWN_MATCHES = 5


def called(runs: Sequence[StoredRun], text: str) -> StoredRun:
    """Return the run that is meant: ``last``, an id, a name, a label, or how an id begins.

    ``runs`` are the newest first; of several of one name or label it is the newest. Raises
    ``HistoryError`` where there is none, or where several ids begin so.
    """
    if text.startswith(SEARCH):
        return _labelled(runs, [text])[0]
    if text == "last" and runs:
        return runs[0]
    for exact in (
        next((run for run in runs if run.run == text), None),
        next((run for run in runs if run.name and run.name == text), None),
    ):
        if exact is not None:
            return exact
    found = [run for run in runs if text and run.run.startswith(text)]
    if len(found) == 1:
        return found[0]
    shown = printable(repr(text))
    if not found:
        raise HistoryError(
            f"no run in the history is called {shown}",
            hint="`vm-timing-report history` lists ids, names and labels; `last` is the newest",
        )
    ids = ", ".join(run.run for run in found[:_SHOWN_MATCHES])
    raise HistoryError(f"{len(found)} runs begin with {shown}: {ids}", hint="give more of it")


def chosen(runs: Sequence[StoredRun], name: str | None, searches: Sequence[str]) -> list[StoredRun]:
    """Return the runs that have such a name and all of these labels, in their order.

    ``name`` is a pattern as of a shell, ``searches`` are of the form ``label:key=value``. Raises
    ``HistoryError`` where there is none of them.
    """
    found = _labelled(runs, searches) if searches else list(runs)
    if name is None:
        return found
    found = [run for run in found if fnmatchcase(run.name, name)]
    if not found:
        raise HistoryError(
            f"no run in the history has a name like {printable(repr(name))}",
            hint="`vm-timing-report history` lists names; put a pattern such as 'nightly*' in "
            "quotes",
        )
    return found


def matching(runs: Sequence[StoredRun], text: str) -> list[StoredRun]:
    """Return the runs that every word of a text is about, in their order; for who types it still.

    ``label:key=value`` is a label, and ``label:key`` any whose key begins so; a word with ``*``,
    ``?`` or ``[`` is a pattern of the name; any other is looked for in name, id, notes, state,
    accelerator, host, labels, and in how boots ended. ``!`` before a word inverts it.
    """
    tests = [_test(word) for word in text.split()]
    return [run for run in runs if all(test(run) for test in tests)]


def _test(word: str) -> Callable[[StoredRun], bool]:
    plain = word.lstrip("!")
    is_inverse = (len(word) - len(plain)) % 2 == 1
    key, equals, value = plain.removeprefix(SEARCH).partition("=")

    def is_meant(run: StoredRun) -> bool:
        if plain.startswith(SEARCH):
            return run.labels.get(key) == value if equals else _begin_so(run.labels, key)
        if set(plain) & set("*?["):
            return fnmatchcase(run.name.lower(), plain.lower())
        return plain.lower() in _words(run)

    return lambda run: is_meant(run) != is_inverse


def _begin_so(labels: Iterable[str], begun: str) -> bool:
    return any(key.startswith(begun) for key in labels)


def _words(run: StoredRun) -> str:
    ended = [state for state, count in run.counts.items() if count]
    labels = label_words(run.labels.items())
    words = (run.name, run.run, run.notes, run.state, run.accel, run.host, labels, *ended)
    return "\n".join(words).lower()


def _labelled(runs: Sequence[StoredRun], searches: Sequence[str]) -> list[StoredRun]:
    try:
        wanted = {label for search in searches if (label := searched_label(search))}
    except ValueError as error:
        raise HistoryError(
            f"{SEARCH} {printable(str(error))}",
            hint=f"write {SEARCH}branch=main for the runs with `--label branch=main`",
        ) from None
    found = [run for run in runs if wanted <= run.labels.items()]
    if not found:
        raise HistoryError(
            f"no run in the history is labelled {printable(label_words(sorted(wanted)))}",
            hint="`vm-timing-report history` lists the labels that there are",
        )
    return found
