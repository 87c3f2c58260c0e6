"""GRUB's scripts as far as they can be followed without GRUB: variables, conditions, menus.

What only the running GRUB could tell (its platform, its disks, a key that is pressed) is not known:
then both ways are gone, and what differs is marked by ``UNKNOWN``.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from vmtiming_tui.images.system.loader.grub_script import (
    Argument,
    Block,
    Command,
    Function,
    If,
    Loop,
    UnreadableScriptError,
    parse,
)
from vmtiming_tui.images.system.loader.menu import UNKNOWN, Place

_MAX_STEPS = 20_000
_MAX_CHARS = 2 << 20
_MAX_VALUE = 8192
_MAX_VARIABLES = 300
_MAX_DEPTH = 40
_MAX_ITEMS = 2000
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w{0,63})=(.*)", re.ASCII | re.DOTALL)
_SETS = re.compile(r"--set(?:=(.+))?|-s")
_BLANKS = re.compile(r"[ \t\n]+")
_DEVICE = re.compile(r"\(+[^)]*\)+")
_ID = re.compile(r"--id(?:=(.*))?", re.DOTALL)
# What every GRUB 2 has said of itself since 2.00 (normal/main.c).
_FEATURES = (
    "feature_chainloader_bpb", "feature_ntldr", "feature_platform_search_hint",
    "feature_default_font_path", "feature_all_video_module", "feature_menuentry_id",
    "feature_menuentry_options", "feature_200_final", "feature_nativedisk_cmd",
    "feature_timeout_style",
)  # fmt: skip
_UNDECIDED = ("grub_platform", "grub_cpu", "net_default_ip", "net_default_mac", "cmdpath")
_LINUX = ("linux", "linux16", "linuxefi")
_INITRD = ("initrd", "initrd16", "initrdefi")

Variables = dict[str, str]


@dataclass(frozen=True, slots=True)
class Boots:
    """A ``linux`` command: the kernel's path, without its device, and the line behind it.

    ``initrds`` are the paths of the ``initrd`` command that follows.
    ``is_sure`` says that no condition stands before it that only GRUB could decide.
    """

    kernel: str
    line: str
    initrds: tuple[str, ...] = ()
    is_sure: bool = True


@dataclass(slots=True)
class Item:
    """An item of a menu: what it boots, or what its own menu has."""

    title: str
    id: str
    boots: list[Boots] = field(default_factory=list)
    items: list["Item"] = field(default_factory=list)


@dataclass(slots=True)
class Menu:
    """What a script leaves: its menu, what it boots without one, and its variables."""

    items: list[Item]
    boots: list[Boots]
    variables: Variables


def run(text: str, prefix: str, kept: Mapping[str, str], place: Place) -> Menu:
    """Return what a script leaves that lies in the folder ``prefix``, from the top of its volume.

    ``kept`` are the variables of the environment block; files are looked for in the place's tree.
    Raises ``UnreadableScriptError``.
    """
    known = {"prefix": prefix, "config_directory": prefix, "root": "", "?": "0"}
    known |= dict.fromkeys(_FEATURES, "y")
    known |= {name: f"{UNKNOWN}${name}" for name in _UNDECIDED}
    script = _Run(kept, place)
    script.block(parse(text), known)
    menu = Menu([], script.boots, known)
    menu.items = [script.opened(*entry, known) for entry in script.entries]
    return menu


_Entry = tuple[Command, tuple[str, ...], int]


class _Run:
    def __init__(self, kept: Mapping[str, str], place: Place) -> None:
        self.entries: list[_Entry] = []
        self.boots: list[Boots] = []
        self._kept = kept
        self._files = Place(place.tree, "")
        self._functions: dict[str, Block] = {}
        self._steps = self._depth = self._chars = self._doubts = 0

    def opened(
        self, command: Command, words: tuple[str, ...], doubts: int, variables: Variables
    ) -> Item:
        """Return an item of the menu: what is in its block, with a menu's variables."""
        ids = [
            found[1] or behind
            for word, behind in zip_longest(words, words[1:], fillvalue="")
            if (found := _ID.fullmatch(word))
        ]
        item = Item(title=words[1] if len(words) > 1 else "", id=ids[0] if ids else "")
        outer = self.entries, self.boots, self._doubts
        self.entries, self.boots, self._doubts = [], item.boots, doubts
        own = dict(variables)
        self._depth += 1
        self.block(command.block or (), own)
        item.items = [self.opened(*entry, own) for entry in self.entries]
        self._depth -= 1
        self.entries, self.boots, self._doubts = outer
        return item

    def block(self, statements: Block, variables: Variables) -> bool | None:
        """Run statements; return whether the last one succeeded, None where that is not known."""
        done: bool | None = True
        self._depth += 1
        for statement in statements:
            self._charge(len(variables))
            match statement:
                case Command():
                    done = self._command(statement, variables)
                case If(branches):
                    done = self._if(branches, variables)
                case Function(name, body):
                    self._functions[name] = body
                case Loop(name, body):
                    self._maybe(body, (), variables, loop=name)
                    done = None
        self._depth -= 1
        return done

    def _charge(self, variables: int) -> None:
        self._steps += 1
        if (
            self._steps > _MAX_STEPS
            or self._depth > _MAX_DEPTH
            or self._chars > _MAX_CHARS
            or variables > _MAX_VARIABLES
        ):
            raise UnreadableScriptError("it does more than any")

    def _if(self, branches: Sequence[tuple[Block, Block]], variables: Variables) -> bool | None:
        for number, (condition, body) in enumerate(branches):
            holds = self.block(condition, variables)
            if holds:
                return self.block(body, variables)
            if holds is None:
                self._maybe(body, branches[number + 1 :], variables)
                return None
        return True

    def _maybe(
        self,
        body: Block,
        others: Sequence[tuple[Block, Block]],
        variables: Variables,
        loop: str = "",
    ) -> None:
        """Go both ways; what they leave different is not known."""
        other = dict(variables)
        if loop:
            variables[loop] = f"{UNKNOWN}${loop}"
        self._depth += 1
        self._doubts += 1
        self.block(body, variables)
        self._if(others, other)
        self._doubts -= 1
        self._depth -= 1
        for name in {*variables, *other}:
            if variables.get(name) != other.get(name):
                variables[name] = f"{UNKNOWN}${name}"

    # Commands

    def _expanded(self, argument: Argument, variables: Mapping[str, str]) -> Iterator[str]:
        """Yield the words an argument comes to: a variable outside of quotes may be several."""
        text, any_quoted = "", False
        for piece in argument:
            value = variables.get(piece.text, "") if piece.is_variable else piece.text
            self._chars += len(value)
            any_quoted = any_quoted or piece.quoted
            if piece.is_variable and not piece.quoted:
                first, *more = _BLANKS.split(value)
                text += first
                for word in more:
                    if text or any_quoted:
                        yield text
                    text, any_quoted = word, False
            else:
                text += value
            if self._chars > _MAX_CHARS:
                raise UnreadableScriptError("it says more than any")
        if text or any_quoted:
            yield text

    def _command(self, command: Command, variables: Variables) -> bool | None:
        words = tuple(
            text for argument in command.words for text in self._expanded(argument, variables)
        )
        match words:
            case () | ("",):
                return True
            case ("!", name, *rest):
                return _not(self._called(Command((), command.block), (name, *rest), variables))
            case _:
                return self._called(command, words, variables)

    def _called(
        self, command: Command, words: tuple[str, ...], variables: Variables
    ) -> bool | None:
        match words:
            case ("menuentry" | "submenu", *_):
                if len(self.entries) >= _MAX_ITEMS:
                    raise UnreadableScriptError("its menu is longer than any")
                self.entries.append((command, words, self._doubts))
            case ("set" | "export", *rest):
                for word in rest:
                    _assign(word, variables)
            case ("unset", *names):
                for name in names:
                    variables.pop(name, None)
            case ("load_env", *_):
                variables |= self._kept
            case ("[", *rest, "]") | ("test", *rest):
                return _Condition(rest, self._exists).value()
            case ("source" | "." | "configfile" | "normal", path, *_):
                return self._sourced(path, variables)
            case (name, kernel, *rest) if name in _LINUX:
                if len(self.boots) < _MAX_ITEMS:
                    line = " ".join(map(_quoted, rest))
                    self.boots.append(Boots(_path(kernel), line, is_sure=not self._doubts))
            case (name, *rest) if name in _INITRD and self.boots:
                paths = tuple(_path(word) for word in rest if not word.startswith("-"))
                self.boots[-1] = replace(self.boots[-1], initrds=paths)
            case (name, *rest) if name in self._functions:
                return self._function(name, rest, variables)
            case ("true",):
                return True
            case ("false",):
                return False
            case (word,) if _assign(word, variables):
                return True
            case _:
                self._other(words, variables)
                return None
        return True

    def _function(self, name: str, rest: Sequence[str], variables: Variables) -> bool | None:
        before = {key: value for key, value in variables.items() if key.isdigit()}
        arguments = {str(number): text for number, text in enumerate(rest, 1)}
        for key in before:
            del variables[key]
        variables |= arguments
        done = self.block(self._functions[name], variables)
        for key in arguments:
            variables.pop(key, None)
        variables |= before
        return done

    def _sourced(self, path: str, variables: Variables) -> bool | None:
        if UNKNOWN in path:
            return None
        return self.block(parse(self._files.text(_path(path))), variables)

    def _exists(self, path: str) -> bool | None:
        return None if UNKNOWN in path else self._files.has(_path(path))

    def _other(self, words: Sequence[str], variables: Variables) -> None:
        """What a command leaves in a variable, only GRUB knows."""
        for word, behind in zip_longest(words[1:], words[2:], fillvalue=""):
            if found := _SETS.fullmatch(word):
                name = (found[1] or behind).rpartition(":")[2]
                # The device of files is left out of their paths anyway.
                variables[name] = "" if name == "root" else f"{UNKNOWN}${name}"
        if words[0] in ("increment", "decrement", "read", "getkey"):
            for name in words[1:]:
                variables[name] = f"{UNKNOWN}${name}"


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _assign(word: str, variables: Variables) -> bool:
    if found := _ASSIGNMENT.fullmatch(word):
        variables[found[1]] = found[2][:_MAX_VALUE]
    return found is not None


def _path(word: str) -> str:
    """Return a path without its device."""
    return _DEVICE.sub("", word, count=1) if word.startswith(("(", UNKNOWN)) else word


def _quoted(word: str) -> str:
    """Return a word as GRUB hands it to the kernel."""
    return f'"{word}"' if " " in word and '"' not in word else word


@dataclass(slots=True)
class _Condition:
    """What ``test`` is asked; None where only GRUB could answer."""

    words: Sequence[str]
    exists: Callable[[str], bool | None]

    def value(self) -> bool | None:
        return self._any(list(self.words))

    def _any(self, words: list[str]) -> bool | None:
        found = [self._all(part) for part in _split(words, "-o")]
        if True in found:
            return True
        return None if None in found else False

    def _all(self, words: list[str]) -> bool | None:
        found = [self._one(part) for part in _split(words, "-a")]
        if False in found:
            return False
        return None if None in found else True

    def _one(self, words: list[str]) -> bool | None:
        match words:
            case []:
                return False
            case ["!", *rest]:
                return _not(self._one(rest))
            case ["-n" | "-z", text] if UNKNOWN in text:
                return None
            case ["-n", text] | [text] if text != "-z":
                return None if UNKNOWN in text else text != ""
            case ["-z", text]:
                return text == ""
            case ["-f" | "-e" | "-s" | "-d", path]:
                return self.exists(path)
            case [left, _, right] if UNKNOWN in left + right:
                return None
            case [left, "=" | "==", right]:
                return left == right
            case [left, "!=", right]:
                return left != right
            case _:
                return None


def _split(words: Sequence[str], by: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == by:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts
