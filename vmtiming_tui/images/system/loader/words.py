"""The words of a kernel's command line, split as the kernel does it (lib/cmdline.c, next_arg)."""

import re
from dataclasses import dataclass

_MAX_TEXT = 16 << 10
_MAX_WORDS = 256
_WORD = re.compile(r'(?:"[^"]*(?:"|$)|[^ \t\n\v\f\r"])+')
_PLAIN = re.compile(r'(?!-)(?:[!#-~]|"[ !#-~]*")+')


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it stands there: ``name`` or ``name=value``, quotes included."""

    text: str

    @property
    def name(self) -> str:
        """Its name as the kernel compares it: a dash is an underscore."""
        return self.text.lstrip('"').partition("=")[0].replace("-", "_")

    @property
    def value(self) -> str:
        """What follows its equals sign, without quotes; empty where it has none."""
        return self.text.partition("=")[2].strip('"')

    @property
    def is_plain(self) -> bool:
        """Whether it is printable ASCII, its quotes are closed, and no program's option."""
        return _PLAIN.fullmatch(self.text) is not None


def split(text: str) -> tuple[Word, ...]:
    """Return a command line's words, as many as any has."""
    found = _WORD.findall(text[:_MAX_TEXT].replace("\0", " "))
    return tuple(map(Word, found[:_MAX_WORDS]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The words a kernel is told, and where they stand, in words for a person.

    ``unknown`` are those that only a running loader could complete; ``remarks`` say of menus that
    they cannot be read.
    """

    source: str = ""
    words: tuple[Word, ...] = ()
    unknown: tuple[Word, ...] = ()
    remarks: tuple[str, ...] = ()
