"""Policies laid out in one way, as ``policy fmt`` does: the text is read with its comments and printed anew.

Settings on adjacent lines have their equals signs aligned; blocks and lists over several lines stand between blank
lines. What the text means is left to ``strongroom_common.hcl``, which must accept it first.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from strongroom_common import hcl

_TOKEN = re.compile(
    r"(?P<comment>(?:#|//)[^\n]*|/\*.*?\*/)|(?P<heredoc><<-?(?P<anchor>\w+)\n.*?\n[ \t]*(?P=anchor)(?=\n|\Z))"
    r'|(?P<string>"(?:\\.|\$\{[^}\n]*\}|[^"\\\n])*")|(?P<sign>[\[\]{},=])|(?P<word>[^\s\[\]{},="#]+)',
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int  # where it begins
    end: int  # where it ends


class _Entry(NamedTuple):
    """One setting, block, list element, or comment that stands alone (``head`` and ``value`` empty)."""

    comments: list[str]
    head: str
    value: "str | _List | _Object | None"
    assigned: bool
    trailing: str
    line: int
    end: int


class _List(NamedTuple):
    entries: list[_Entry]
    spread: bool


class _Object(NamedTuple):
    entries: list[_Entry]


def format_policy(text: str) -> str:
    """Return ``text`` formatted; raises ValueError, with line and column, where it is no HCL."""
    text = text.replace("\r\n", "\n")
    if text.lstrip().startswith("{"):
        raise ValueError("the policy is JSON; only HCL is formatted")
    hcl.parse(text)
    return "\n".join(_body(_Reader(text).entries(""))) + "\n"


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[_Token] = []
        line, at = 1, 0
        for match in _TOKEN.finditer(text):
            line += text.count("\n", at, match.start())
            at = match.start()
            end = line + match[0].count("\n")
            kind = next(name for name in ("comment", "heredoc", "string", "sign", "word") if match[name] is not None)
            self._tokens.append(_Token(kind, match[0], line, end))
        self._at = 0

    def entries(self, closing: str) -> list[_Entry]:
        """Read entries up to ``closing``: "}", "]", or "" for the end of the text."""
        found: list[_Entry] = []
        while (token := self._peek()) and token.text != closing:
            if token.text == ",":
                self._at += 1
                self._take_trailing(found)
                continue
            comments, last = self._comments()
            ahead = self._peek()
            if comments and (ahead is None or ahead.text == closing or ahead.line > last + 1):
                found.append(_Entry(comments, "", None, assigned=False, trailing="", line=token.line, end=last))
                continue
            found.append(self._entry(comments, in_list=closing == "]"))
            self._take_trailing(found)
        self._at += 1
        return found

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _comments(self) -> tuple[list[str], int]:
        """Read comments on adjacent lines; returns them and the last one's line."""
        comments: list[str] = []
        last = 0
        while (token := self._peek()) and token.kind == "comment" and (not comments or token.line == last + 1):
            comments.append(token.text.rstrip())
            last = token.end
            self._at += 1
        return comments, last

    def _entry(self, comments: list[str], *, in_list: bool) -> _Entry:
        first = self._tokens[self._at]
        words, assigned = [], False
        while not in_list and (token := self._peek()) and token.text not in ("=", "{"):
            words.append(token.text)
            self._at += 1
        if not in_list and self._tokens[self._at].text == "=":
            assigned = True
            self._at += 1
        value = self._value()
        end = self._tokens[self._at - 1].end
        return _Entry(comments, " ".join(words), value, assigned, "", first.line, end)

    def _value(self) -> "str | _List | _Object":
        opening = self._tokens[self._at]
        self._at += 1
        if opening.text == "{":
            return _Object(self.entries("}"))
        if opening.text == "[":
            entries = self.entries("]")
            return _List(entries, spread=bool(entries) and self._tokens[self._at - 1].line > opening.line)
        return opening.text

    def _take_trailing(self, found: list[_Entry]) -> None:
        token = self._peek()
        if token and token.kind == "comment" and found and found[-1].end == token.line and found[-1].value is not None:
            found[-1] = found[-1]._replace(trailing=token.text.rstrip())
            self._at += 1


def _body(entries: Sequence[_Entry]) -> list[str]:
    """Return the lines of a body, each run of adjacent settings aligned, blank lines between runs."""
    lines: list[str] = []
    for run in _runs(entries):
        lines += [*([""] if lines else []), *_aligned(run)]
    return lines


def _runs(entries: Sequence[_Entry]) -> list[list[_Entry]]:
    runs: list[list[_Entry]] = []
    for entry in entries:
        before = runs[-1][-1] if runs else None
        adjacent = before is not None and entry.line == before.end + 1 and not entry.comments
        if before is not None and adjacent and _is_short(entry) and _is_short(before):
            runs[-1].append(entry)
        else:
            runs.append([entry])
    return runs


def _is_short(entry: _Entry) -> bool:
    return entry.assigned and len(_text(entry.value)) == 1


def _aligned(run: Sequence[_Entry]) -> list[str]:
    texts = [_text(entry.value) for entry in run]
    width = max(len(entry.head) for entry in run)
    room = max((len(text[0]) for text in texts if text), default=0)
    lines: list[str] = []
    for entry, text in zip(run, texts, strict=True):
        lines += entry.comments
        if text:
            sign = f"{entry.head.ljust(width)} = " if entry.assigned else f"{entry.head} "
            body = [sign + text[0], *text[1:]]
            if entry.trailing:
                body[-1] = (sign + text[0].ljust(room) if len(text) == 1 else body[-1]) + f" {entry.trailing}"
            lines += body
    return lines


def _text(value: "str | _List | _Object | None") -> list[str]:
    """Return the lines of a value; the first follows its name."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.split("\n")
    if isinstance(value, _Object):
        return ["{", *_indented(_body(value.entries)), "}"] if value.entries else ["{}"]
    if not value.spread:
        return ["[" + ", ".join(" ".join(_text(entry.value)) for entry in value.entries) + "]"]
    return ["[", *_indented([line for entry in value.entries for line in _element(entry)]), "]"]


def _element(entry: _Entry) -> list[str]:
    if entry.value is None:
        return entry.comments
    *lines, last = _text(entry.value)
    return [*entry.comments, *lines, last + "," + (f" {entry.trailing}" if entry.trailing else "")]


def _indented(lines: Sequence[str]) -> list[str]:
    """Indent ``lines``, except inside heredocs, whose text is data."""
    found, anchor = [], ""
    for line in lines:
        if anchor:
            found.append(line)
            anchor = "" if line.strip() == anchor else anchor
            continue
        found.append(f"  {line}" if line else "")
        if opened := re.search(r"(?<![\"#])<<-?(\w+)\Z", line):
            anchor = opened[1]
    return found
