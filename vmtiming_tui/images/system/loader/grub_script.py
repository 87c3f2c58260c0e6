"""GRUB's scripts taken apart: words, commands, conditions and blocks; nothing is run.

Syntax: GRUB's manual, "Writing full configuration files directly".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

MAX_TOKENS = 60_000
_MAX_DEPTH = 40
_TOKEN = re.compile(
    r"(?P<blank>[ \t]+|\\\n)|(?P<comment>#[^\n]*)|(?P<end>[\n;]+)|(?P<brace>[{}|&<>])|"
    r"""(?P<word>(?:[^{}|&$;<> \t\n'"\\]|\\[^\n]|\\\Z|'[^']*'|"(?:[^"\\]|\\.)*"|"""
    r"\$(?:\{\w*\})?)+)",
    re.DOTALL,
)
_PIECE = re.compile(
    r"""'(?P<plain>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|\\(?P<escaped>.)|"""
    r"\$(?:\{(?P<braced>[A-Za-z0-9_?*@#]+)\}|(?P<name>[A-Za-z_]\w*|[0-9?*@#]))|(?P<rest>.)",
    re.DOTALL | re.ASCII,
)
_IN_QUOTES = re.compile(
    r'\\(?P<escaped>["$`\\])|\\\n|'
    r"\$(?:\{(?P<braced>[A-Za-z0-9_?*@#]+)\}|(?P<name>[A-Za-z_]\w*|[0-9?*@#]))|(?P<rest>.)",
    re.DOTALL | re.ASCII,
)


class UnreadableScriptError(ValueError):
    """A script that is none of GRUB's, or larger than any."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a word: text as it is, or a variable's name; what is quoted stays one word."""

    text: str
    is_variable: bool = False
    quoted: bool = False


Argument = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command with its words, and the block in braces that may follow them."""

    words: tuple[Argument, ...]
    block: "Block | None" = None


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with what is done where they hold, in order; an ``else`` has no condition."""

    branches: tuple[tuple["Block", "Block"], ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """What is done again and again; ``name`` is the variable that changes, if any does."""

    name: str
    body: "Block"


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name and what it does."""

    name: str
    body: "Block"


Block = tuple[Command | If | Loop | Function, ...]


def parse(text: str) -> Block:
    """Return a script's statements; raise ``UnreadableScriptError``."""
    parser = _Parser(list(_tokens(text)))
    found = parser.block(frozenset())
    if parser.at < len(parser.tokens):
        _unreadable(f"'{parser.tokens[parser.at].text}' without its beginning")
    return found


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _unreadable(why: str) -> NoReturn:
    raise UnreadableScriptError(why)


def _tokens(text: str) -> Iterator[_Token]:
    at = count = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        count += 1
        if found is None:
            _unreadable("a quote that is never closed")
        if count > MAX_TOKENS:
            _unreadable("more words than any has")
        at = found.end()
        if (kind := str(found.lastgroup)) not in ("blank", "comment"):
            yield _Token(kind, found[0])


def pieces(word: str) -> Argument:
    """Return a word's pieces."""
    found: list[Piece] = []
    for piece in _PIECE.finditer(word):
        if piece.lastgroup == "quoted":
            found.append(Piece("", quoted=True))
            found += [_piece(each, quoted=True) for each in _IN_QUOTES.finditer(piece[0][1:-1])]
        elif piece.lastgroup == "plain":
            found.append(Piece(piece["plain"], quoted=True))
        else:
            found.append(_piece(piece, quoted=False))
    return tuple(found)


def _piece(found: re.Match[str], *, quoted: bool) -> Piece:
    if name := found["braced"] or found["name"]:
        return Piece(name, is_variable=True, quoted=quoted)
    return Piece(found["escaped"] or found["rest"] or "", quoted=quoted or bool(found["escaped"]))


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self._depth = 0

    def block(self, ends: frozenset[str]) -> Block:
        """Return the statements up to one of these words, which is left."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            _unreadable("deeper than any")
        found: list[Command | If | Loop | Function] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.kind == "end":
                self.at += 1
            elif token.text in ends or token.text == "}":
                break
            else:
                found.append(self._statement(token.text))
        self._depth -= 1
        return tuple(found)

    def _statement(self, word: str) -> Command | If | Loop | Function:
        match word:
            case "if":
                return self._if()
            case "for" | "while" | "until":
                return self._loop()
            case "function":
                self.at += 1
                name = self._take()
                self._expect_block()
                return Function(name, self._braced())
            case _:
                return self._command()

    def _take(self, wanted: str = "") -> str:
        if self.at >= len(self.tokens):
            _unreadable("it ends too early")
        token = self.tokens[self.at]
        if wanted and token.text != wanted:
            _unreadable(f"'{wanted}' is missing")
        self.at += 1
        return token.text

    def _if(self) -> If:
        branches: list[tuple[Block, Block]] = []
        word = self._take()
        while word in ("if", "elif"):
            condition = self.block(frozenset({"then"}))
            self._take("then")
            branches.append((condition, self.block(frozenset({"elif", "else", "fi"}))))
            word = self._take()
        if word == "else":
            branches.append(((), self.block(frozenset({"fi"}))))
            word = self._take("fi")
        if word != "fi":
            _unreadable("'fi' is missing")
        return If(tuple(branches))

    def _loop(self) -> Loop:
        name = ""
        if self._take() == "for":
            name = self._take()
        self.block(frozenset({"do"}))
        self._take("do")
        body = self.block(frozenset({"done"}))
        self._take("done")
        return Loop(name, body)

    def _expect_block(self) -> None:
        while self.at < len(self.tokens) and self.tokens[self.at].kind == "end":
            self.at += 1

    def _braced(self) -> Block:
        self._take("{")
        found = self.block(frozenset())
        self._take("}")
        return found

    def _command(self) -> Command:
        words: list[Argument] = []
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if token.text == "{":
                return Command(tuple(words), self._braced())
            if token.kind == "end" or token.text == "}":
                break
            words.append(pieces(token.text))
            self.at += 1
        return Command(tuple(words))
