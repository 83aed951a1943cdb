"""YAML as ``parseYAML`` reads it: the part of version 1.1 that people write in secrets.

Block and flow lists and maps, quoted and plain scalars, ``|`` and ``>`` texts, comments, one document. Anchors, tags
and merge keys are refused rather than misread: the standard library has no YAML, and a sidecar no room for one.
"""

import re
from typing import Any

from strongroom_agent.functions.yaml_scalars import Quoted, folded, quoted, resolved
from strongroom_agent.template.values import AnyMap

_KEY = re.compile(
    r"""(?P<key>"(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[^\s\-?:,\[\]{}#&*!|>'"%@`][^#]*?|[-?:](?=[^\s])[^#]*?)\s*:(?=\s|\Z)"""
)
_TEXT = re.compile(r"([|>])([-+]?)([1-9]?)([-+]?)\s*(?:#.*)?\Z")
_COMMENT = re.compile(r"(?:^|\s)#.*\Z")


def load(text: str) -> Any:
    """Return what ``text`` says; raises ValueError for what is no YAML or beyond this reader."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    if any(line == "---" or line.startswith("--- ") for line in lines[1:]):
        raise ValueError("yaml: more than one document")
    if lines[0] == "---":
        lines[0] = ""
    reader = _Reader(lines)
    value = reader.node(0)
    if reader.skip() is not None:
        raise reader.fault("did not find expected key or item")
    return value


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self.lines, self.row = lines, 0

    def fault(self, message: str) -> ValueError:
        return ValueError(f"yaml: line {self.row + 1}: {message}")

    def skip(self) -> int | None:
        """Go to the next line that says something and return its indentation; None at the end."""
        while self.row < len(self.lines):
            line = self.lines[self.row]
            content = line.lstrip(" ")
            if content and not content.startswith("#"):
                if content.startswith("\t"):
                    raise self.fault("found character that cannot start any token")
                return len(line) - len(content)
            self.row += 1
        return None

    def node(self, least: int) -> Any:
        """Read the value that starts at the next line, indented by ``least`` at least; None if there is none."""
        indent = self.skip()
        if indent is None or indent < least:
            return None
        content = self.lines[self.row][indent:]
        if content == "-" or content.startswith("- "):
            return self.sequence(indent)
        if _KEY.match(content) or content.startswith("? "):
            return self.mapping(indent)
        return self.inline(content, indent, least)

    def sequence(self, indent: int) -> list[Any]:
        items: list[Any] = []
        while self.skip() == indent and re.match(r"-(?= |\Z)", self.lines[self.row][indent:]):
            content = self.lines[self.row][indent + 1 :]
            inner = content.lstrip(" ")
            if not inner or inner.startswith("#"):
                self.row += 1
                items.append(self.node(indent + 1))
                continue
            column = indent + 1 + len(content) - len(inner)
            self.lines[self.row] = " " * column + inner  # what follows the dash is a line of its own
            items.append(self.item(inner, column, indent + 1))
        return items

    def item(self, content: str, column: int, least: int) -> Any:
        if _TEXT.match(content):
            self.row += 1
            return self.text(content, least - 1)
        return self.node(column)

    def mapping(self, indent: int) -> AnyMap:
        found = AnyMap()
        while self.skip() == indent:
            match = _KEY.match(self.lines[self.row][indent:])
            if not match:
                raise self.fault("could not find expected ':'")
            key = self.scalar(match["key"])
            rest = _without_comment(self.lines[self.row][indent + match.end() :].strip())
            found[key] = self.value(rest, indent)
        return found

    def value(self, rest: str, indent: int) -> Any:
        if not rest:
            self.row += 1
            following = self.skip()
            dash = following == indent and re.match(r"-(?= |\Z)", self.lines[self.row][indent:])
            return self.sequence(indent) if dash else self.node(indent + 1)
        if _TEXT.match(rest):
            self.row += 1
            return self.text(rest, indent)
        return self.inline(rest, indent, indent + 1)

    def inline(self, content: str, indent: int, least: int) -> Any:
        """Read a flow collection or a scalar, which may go on in the next lines."""
        if content[0] in "&*!@`%":
            raise self.fault(f"{content[0]!r} is not supported")
        self.row += 1
        content = _without_comment(content)
        while not _is_whole(content):
            if self.row >= len(self.lines):
                raise self.fault("unexpected end of stream")
            content += "\n" + _without_comment(self.lines[self.row].strip())
            self.row += 1
        if content[0] in "[{":
            return _Flow(content, self).whole()
        if content[0] not in "\"'":
            if content == "-" or content.startswith("- ") or re.search(r":(\s|\Z)", content):
                raise self.fault("lists and maps are not allowed in this context")
            content = self.plain(content, max(least, 0))
        return self.scalar(content)

    def plain(self, content: str, least: int) -> str:
        parts = [content]
        while (indent := self.peek()) is not None and indent >= least:
            line = _without_comment(self.lines[self.row].strip())
            if _KEY.match(line):
                raise self.fault("mapping values are not allowed in this context")
            parts.append(line)
            self.row += 1
        return folded(parts)

    def peek(self) -> int | None:
        """Return the indentation of the line at hand if a plain text can go on there; empty lines count."""
        if self.row >= len(self.lines):
            return None
        line = self.lines[self.row]
        if not line:
            return 10**6 if any(self.lines[self.row :]) else None
        content = line.lstrip(" ")
        return None if content.startswith("#") else len(line) - len(content)

    def scalar(self, text: str) -> Any:
        try:
            return quoted(text) if text[0] in "\"'" else resolved(text)
        except ValueError as error:
            raise self.fault(str(error)) from None

    def text(self, header: str, parent: int) -> str:
        """Read the lines of a ``|`` or ``>`` text."""
        match = _TEXT.match(header)
        style, chomp = (match[1], match[2] or match[4]) if match else ("|", "")
        indent = parent + int(match[3]) if match and match[3] else 0
        lines: list[str] = []
        while self.row < len(self.lines):
            line = self.lines[self.row]
            here = len(line) - len(line.lstrip(" "))
            if line and not indent:
                indent = max(here, parent + 1)
            if line and here < indent:
                break
            lines.append(line[indent:])
            self.row += 1
        while lines and not lines[-1] and chomp != "+":
            lines.pop()
        body = "\n".join(lines) if style == "|" else _folded_text(lines)
        return body + ("" if chomp == "-" or not lines else "" if chomp == "+" and not lines[-1] else "\n")


class _Flow:
    """``[a, b]`` and ``{a: b}``."""

    _WORD = re.compile(
        r"""\s*("(?:\\.|[^"\\])*"|'(?:''|[^'])*'|[^\s,\[\]{}:"'][^,\[\]{}\n]*?(?=\s*(?:[,\]}\n]|:\s|:\Z|\Z)))"""
    )

    def __init__(self, text: str, reader: _Reader) -> None:
        self.text, self.reader, self.place = text, reader, 0

    def whole(self) -> Any:
        value = self.value()
        if self.text[self.place :].strip():
            raise self.reader.fault("did not find expected end of flow collection")
        return value

    def value(self) -> Any:
        sign = self.sign()
        if sign == "[":
            return self.collection("]", self.value, [])
        if sign == "{":
            found = AnyMap()
            self.collection("}", lambda: self.pair(found), [])
            return found
        match = self._WORD.match(self.text, self.place)
        if not match:
            return None
        self.place = match.end()
        return self.reader.scalar(match[1])

    def pair(self, found: AnyMap) -> None:
        key = self.value()
        if self.sign() == ":":
            self.place += 1
            found[key] = self.value()
        else:
            found[key] = None

    def collection(self, end: str, read: Any, items: list[Any]) -> list[Any]:
        self.place += 1
        while self.sign() != end:
            items.append(read())
            if self.sign() == ",":
                self.place += 1
            elif self.sign() != end:
                raise self.reader.fault(f"did not find expected ',' or {end!r}")
        self.place += 1
        return items

    def sign(self) -> str:
        while self.text[self.place : self.place + 1].isspace():
            self.place += 1
        return self.text[self.place : self.place + 1]


def _without_comment(text: str) -> str:
    if "#" not in text or Quoted.match(text):
        return _after_quote(text)
    return _COMMENT.sub("", text).rstrip()


def _after_quote(text: str) -> str:
    match = Quoted.match(text)
    rest = text[match.end() :].strip() if match else ""
    return match[0] if match and (not rest or rest.startswith("#")) else text


def _is_whole(text: str) -> bool:
    """Whether quotes and brackets that were opened are closed."""
    if text[0] in "\"'":
        return Quoted.match(text) is not None
    if text[0] not in "[{":
        return True
    bare = re.sub(r"""(?<=[\s,\[{:])("(?:\\.|[^"\\])*"|'(?:''|[^'])*')""", "", text)
    return bare.count("[") + bare.count("{") <= bare.count("]") + bare.count("}")


def _folded_text(lines: list[str]) -> str:
    """Join the lines of a ``>`` text: single line ends are blanks, except around indented lines."""
    out = ""
    for position, line in enumerate(lines):
        if position:
            before = lines[position - 1]
            literal = line[:1] in (" ", "\t") or before[:1] in (" ", "\t")
            out += "\n" if literal or not line else "" if not before else " "
        out += line
    return out
