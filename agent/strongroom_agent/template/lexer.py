"""From a template's source to tokens: texts, and the words inside of actions.

Trim markers are handled here: what reaches the parser as text is what will be written.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from strongroom_agent.template.errors import ParseError

KEYWORDS = frozenset({
    "block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with",
})  # fmt: skip
_SPACE = " \t\r\n"
_TOKENS = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<raw>`[^`]*`)
  | (?P<char>'(?:\\.|[^'\\\n])*')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]+)?
       |0[oObB][0-9_]+|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]+)?))
  | (?P<field>\.\w+)
  | (?P<variable>\$\w*)
  | (?P<word>\w+)
  | (?P<declare>:=)
  | (?P<symbol>[=|(),.])
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """``kind`` is the name of a group above, "text", "close", "eof", or for keywords and symbols the word itself."""

    kind: str
    value: str
    start: int
    end: int


def tokens(source: str, left: str, right: str) -> Iterator[Token]:
    """Yield the tokens of ``source``; raises ParseError, its message without the place, for what is no token."""
    position, trim = 0, False
    while True:
        opening = source.find(left, position)
        text = source[position:] if opening < 0 else source[position:opening]
        start = position
        if trim:
            text, start = text.lstrip(_SPACE), position + len(text) - len(text.lstrip(_SPACE))
        if opening < 0:
            break
        inside = opening + len(left)
        if source[inside : inside + 1] == "-" and source[inside + 1 : inside + 2] in tuple(_SPACE):
            text, inside = text.rstrip(_SPACE), inside + 2
        if text:
            yield Token("text", text, start, opening)
        if source.startswith("/*", inside):
            position, trim = _comment(source, inside, right)
            continue
        lexer = _Action(source, right)
        yield from lexer.tokens(inside)
        position, trim = lexer.position, lexer.trim
    if text:
        yield Token("text", text, start, len(source))
    yield Token("eof", "", len(source), len(source))


def line_of(source: str, position: int) -> int:
    """Return the number of the line that ``position`` stands in, from 1."""
    return source.count("\n", 0, position) + 1


class LexError(ParseError):
    """Carries the offset of the fault; the parser adds the template's name and the line."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def _comment(source: str, start: int, right: str) -> tuple[int, bool]:
    end = source.find("*/", start)
    if end < 0:
        raise LexError("unclosed comment", start)
    closing = _closing(source, end + 2, right)
    if closing is None:
        raise LexError("comment ends before closing delimiter", start)
    return closing


def _closing(source: str, position: int, right: str) -> tuple[int, bool] | None:
    """Where text goes on if an action ends at ``position``, and whether its end trims."""
    if source.startswith(right, position):
        return position + len(right), False
    marker = source[position : position + 2]
    if len(marker) == 2 and marker[0] in _SPACE and marker[1] == "-" and source.startswith(right, position + 2):
        return position + 2 + len(right), True
    return None


class _Action:
    """The words of one action; afterwards ``position`` and ``trim`` say where and how text goes on."""

    def __init__(self, source: str, right: str) -> None:
        self.source, self.right = source, right
        self.position, self.trim, self.depth = 0, False, 0

    def tokens(self, position: int) -> Iterator[Token]:
        while (closing := _closing(self.source, position, self.right)) is None:
            token = self._token(position)
            position = token.end
            yield token
        if self.depth:
            raise LexError("unclosed left paren", position)
        self.position, self.trim = closing
        yield Token("close", "", position, self.position)

    def _token(self, position: int) -> Token:
        match = _TOKENS.match(self.source, position)
        if not match:
            raise LexError(self._fault(position), position)
        kind, value, end = str(match.lastgroup), match.group(), match.end()
        if kind == "space":
            return self._space(position, value)
        if kind in ("number", "char") and self.source[end : end + 1].isalnum():
            raise LexError(f"bad number syntax: {self.source[position : end + 1]!r}", position)
        if kind in ("field", "variable", "word") and not self._ends(end):
            raise LexError(f"bad character {self.source[end]!r}", end)
        if kind == "symbol" or (kind == "word" and value in KEYWORDS):
            kind = value
        self._count(value, position)
        return Token(kind, value, position, end)

    def _space(self, position: int, value: str) -> Token:
        end = position + len(value)
        if _closing(self.source, end - 1, self.right):
            end -= 1  # the last blank belongs to a trim marker
        return Token("space", value, position, end)

    def _count(self, value: str, position: int) -> None:
        self.depth += (value == "(") - (value == ")")
        if self.depth < 0:
            raise LexError("unexpected right paren", position)

    def _ends(self, position: int) -> bool:
        """Whether a name may end here."""
        following = self.source[position : position + 1]
        return following in ("", *" \t\r\n.,|:)(") or self.source.startswith(self.right, position)

    def _fault(self, position: int) -> str:
        following = self.source[position : position + 1]
        if following in ("", "\n"):
            return "unclosed action"
        faults = {'"': "unterminated quoted string", "`": "unterminated raw quoted string",
                  "'": "unterminated character constant", ":": "expected :="}  # fmt: skip
        return faults.get(following, f"unexpected {following!r} in action")
