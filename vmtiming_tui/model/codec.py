"""Frozen dataclasses as JSON lines and back, checked on the way in.

One codec serves events, commands and configurations, so that a stream, a stored run and an
exported file all read alike. A record is one JSON object: the dataclass's fields, and a tag that
names its class in snake case. Unknown fields are ignored, so that an older reader can read a
newer stream; missing ones take their default, and anything of another type is an ``EventError``.

The standard library alone: ``images`` speaks this too, where Debian's own python3 runs it without
any package installed.
"""

import dataclasses
import functools
import json
import math
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeAlias, TypeVar, cast

from vmtiming_tui.errors import EventError

Json: TypeAlias = bool | int | float | str | list[Any] | dict[str, Any] | None

T = TypeVar("T")

_EXCERPT = 120
_OTHERWISE = "otherwise"
_ABSENT = "absent"
_MOST_WHOLE = (1 << 63) - 1
_PLAIN = frozenset({str, int, float, bool, types.NoneType})


def tag_of(cls: type) -> str:
    """Return the name a class goes by on the wire: ``VmBooted`` is ``vm_booted``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


@functools.cache
def _fields(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def to_json(value: Any) -> Json:
    """Return a dataclass, or anything made of them, as plain JSON values."""
    if type(value) in _PLAIN:
        return cast(Json, value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_json(getattr(value, name)) for name in _fields(type(value))}
    if isinstance(value, (list, tuple)):
        return [item if type(item) in _PLAIN else to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    return cast(Json, value)


def _mismatch(what: str, value: object) -> EventError:
    return EventError(f"expected {what}, found {repr(value)[:_EXCERPT]}")


def _exactly(kind: type, what: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise _mismatch(what, value)
        return value

    return check


def _whole(value: Any) -> int:
    if type(value) is not int or not -_MOST_WHOLE <= value <= _MOST_WHOLE:
        raise _mismatch("a whole number of 64 bits", value)
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise _mismatch("a number", value)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _mismatch("a finite number", value)
    return number


def _optional(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else inner(value)


def _tuple(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise _mismatch("a list", value)
        return tuple(inner(item) for item in value)

    return read


def _is_all(kind: type, value: Any) -> bool:
    return isinstance(value, (list, tuple)) and set(map(type, value)) == {kind}


def _texts(value: Any) -> Any:
    """Read a tuple of texts at once; those that a whole fleet tells alike are kept once."""
    if _is_all(str, value):
        return tuple(map(sys.intern, value))
    return _tuple(_SCALARS[str])(value)


def _wholes(value: Any) -> Any:
    """Read a tuple of whole numbers at once."""
    if _is_all(int, value) and min(value) >= -_MOST_WHOLE and max(value) <= _MOST_WHOLE:
        return tuple(value)
    return _tuple(_whole)(value)


def _mapping(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _mismatch("an object", value)
        return {key: inner(item) for key, item in value.items()}

    return read


def _enum(kind: type[StrEnum]) -> Callable[[Any], Any]:
    def read(value: Any) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(kind)
            raise _mismatch(f"one of {names}", value) from None

    return read


_SCALARS: Mapping[object, Callable[[Any], Any]] = {
    int: _whole,
    str: _exactly(str, "text"),
    bool: _exactly(bool, "true or false"),
    float: _float,
    Any: lambda value: value,
}
_COLUMNS: Mapping[object, Callable[[Any], Any]] = {int: _wholes, str: _texts}


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union) and args[1] is types.NoneType:
        return _optional(_reader(args[0]))
    if origin is tuple:
        return _COLUMNS.get(args[0]) or _tuple(_reader(args[0]))
    if origin in (dict, Mapping) or origin is typing.get_origin(Mapping[str, Any]):
        return _mapping(_reader(args[1]))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _enum(hint)
    if dataclasses.is_dataclass(hint):
        return functools.partial(from_json, cast(type, hint))
    raise TypeError(f"no JSON form for {hint!r}")


def otherwise(value: object) -> Mapping[str, object]:
    """Return the metadata of a field without which the rest of its record still tells something.

    ``value`` stands for an object that does not fit, of a foreign stream or of another version.
    """
    return {_OTHERWISE: value}


def _forgiving(inner: Callable[[Any], Any], value: object) -> Callable[[Any], Any]:
    def read(found: Any) -> Any:
        if not isinstance(found, dict):
            return inner(found)
        try:
            return inner(found)
        except EventError:
            return value

    return read


def _field_reader(field: dataclasses.Field[Any], hint: Any) -> Callable[[Any], Any]:
    read = _reader(hint)
    return _forgiving(read, field.metadata[_OTHERWISE]) if _OTHERWISE in field.metadata else read


def absent(value: object) -> Mapping[str, object]:
    """Return the metadata of a field whose absence says something else than its default does.

    ``value`` is what a record meant that was written before there was such a field.
    """
    return {_ABSENT: value}


@functools.cache
def _absent(cls: type) -> Mapping[str, object]:
    fields = dataclasses.fields(cls)
    return {field.name: field.metadata[_ABSENT] for field in fields if _ABSENT in field.metadata}


@functools.cache
def _readers(cls: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    return tuple((field.name, _field_reader(field, hints[field.name])) for field in fields)


def from_json(cls: type[T], value: Any) -> T:
    """Return a dataclass from its JSON form; raise ``EventError`` where it does not fit."""
    if not isinstance(value, dict):
        raise _mismatch(f"an object for {cls.__name__}", value)
    record = cast(type, cls)
    try:
        told = {name: read(value[name]) for name, read in _readers(record) if name in value}
        return cls(**{**_absent(record), **told})
    except (TypeError, ValueError) as error:
        raise EventError(f"{cls.__name__}: {error}") from None


class Vocabulary:
    """The records one stream may carry, told apart by a tag in each object."""

    def __init__(self, key: str, *classes: type) -> None:
        self._key = key
        self._by_tag = {tag_of(cls): cls for cls in classes}
        self._tags = {cls: tag for tag, cls in self._by_tag.items()}

    def encode(self, record: object) -> str:
        """Return the record as one line of JSON, without its newline."""
        body = cast(dict[str, Json], to_json(record))
        return json.dumps({self._key: self._tags[type(record)], **body}, separators=(",", ":"))

    def decode(self, line: str | bytes) -> Any:
        """Return the record of one line; raise ``EventError`` for anything else."""
        try:
            body = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EventError(f"not JSON ({error}): {line[:_EXCERPT]!r}") from None
        return self.read(body)

    def read(self, body: Json) -> Any:
        """Return the record of one line's JSON; raise ``EventError`` for anything else."""
        if not isinstance(body, dict):
            raise _mismatch("an object", body)
        cls = self._by_tag.get(tag) if isinstance(tag := body.get(self._key), str) else None
        if cls is None:
            raise EventError(f"unknown {self._key} {repr(body.get(self._key))[:_EXCERPT]}")
        return from_json(cls, body)
