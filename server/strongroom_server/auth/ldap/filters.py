"""Texts of LDAP: filters from templates, names and their parts. Pure.

Security 1: what a user types goes into a filter or a name only through ``escape_filter`` or ``escape_value``.
"""

import re
from collections.abc import Iterator, Mapping

_FILTER = re.compile(r"[\\*()\x00]")
_VARIABLE = re.compile(r"{{\s*\.(\w+)\s*}}")
_SPECIAL = ',+"\\<>;='
_HEX = re.compile(r"[0-9A-Fa-f]{2}")


def escape_filter(text: str) -> str:
    """Return ``text`` as a value in a filter (RFC 4515, section 3)."""
    return _FILTER.sub(lambda match: f"\\{ord(match[0]):02x}", text)


def escape_value(text: str) -> str:
    """Return ``text`` as a value in a distinguished name (RFC 4514, 2.4)."""
    escaped = "".join(f"\\{sign}" if sign in _SPECIAL else sign for sign in text).replace("\0", "\\00")
    if escaped[:1] in {" ", "#"}:
        escaped = "\\" + escaped
    if escaped.endswith(" ") and not escaped.endswith("\\ "):
        escaped = escaped[:-1] + "\\ "
    return escaped


def rendered(template: str, values: Mapping[str, str]) -> str:
    """Return a filter whose variables ("{{.Username}}") are replaced by escaped values; raises ValueError."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ValueError(f"unknown variable {match[0]}; there are {', '.join(values)}")
        return escape_filter(values[match[1]])

    found = _VARIABLE.sub(value, template)
    if "{{" in _VARIABLE.sub("", template):
        raise ValueError("only variables such as {{.Username}} are understood between braces")
    return found


def group_name(dn: str, *, exact_case: bool = False) -> str:
    """Return the first common name in a distinguished name; what has none is a name itself."""
    for kind, value in _parts(dn):
        if kind == "CN" or (kind.upper() == "CN" and not exact_case):
            return value
    return dn


def _parts(dn: str) -> Iterator[tuple[str, str]]:
    """Yield the (type, value) pairs of a distinguished name; nothing for what is none (RFC 4514, section 3)."""
    pairs = []
    for part in _split(dn):
        kind, equals, value = part.partition("=")
        if not equals:
            return
        pairs.append((kind.strip(), _unescaped(value)))
    yield from pairs


def _split(dn: str) -> list[str]:
    """Cut at signs that part a name's parts, where they are not escaped."""
    parts, start, at = [], 0, 0
    while at < len(dn):
        if dn[at] == "\\":
            at += 1
        elif dn[at] in ",;+":
            parts.append(dn[start:at])
            start = at + 1
        at += 1
    return [*parts, dn[start:]]


def _unescaped(value: str) -> str:
    raw, at = bytearray(), 0
    text = value.strip(" ") + (" " if value.rstrip(" ").endswith("\\") and value.endswith(" ") else "")
    while at < len(text):
        if text[at] != "\\":
            raw += text[at].encode()
            at += 1
        elif _HEX.match(text, at + 1):
            raw.append(int(text[at + 1 : at + 3], 16))
            at += 3
        else:
            raw += text[at + 1 : at + 2].encode()
            at += 2
    return raw.decode(errors="replace")
