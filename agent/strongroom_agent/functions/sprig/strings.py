"""Sprig's functions on strings."""

import base64
import re
import textwrap
import uuid
import zlib
from typing import Any

from strongroom_agent.functions import regexes
from strongroom_agent.functions.codecs import decode64, digest
from strongroom_agent.functions.gojson import dump, load
from strongroom_agent.functions.sprig.convert import strings, text
from strongroom_agent.functions.text import split, title, trim_space
from strongroom_agent.template import Function
from strongroom_agent.template.quoting import quote
from strongroom_agent.template.values import StringList, StringMap, is_nil, raw, string


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return _plain() | _searches() | _encodings()


def _plain() -> dict[str, Function]:
    return {
        "abbrev": Function(_abbreviated, "int string"),
        "camelcase": Function(lambda s: "".join(word[:1].upper() + word[1:] for word in _words(s)), "string"),
        "cat": Function(lambda *v: " ".join(text(item) for item in v if not is_nil(item)), "...any"),
        "indent": Function(_indent, "int string"),
        "initials": Function(lambda s: "".join(word[0] for word in s.split()), "string"),
        "join": Function(lambda separator, v: separator.join(strings(v)), "string any"),
        "kebabcase": Function(lambda s: "-".join(word.lower() for word in _words(s)), "string"),
        "lower": Function(lambda s: s.lower(), "string"),
        "nindent": Function(lambda width, s: "\n" + _indent(width, s), "int string"),
        "nospace": Function(lambda s: "".join(s.split()), "string"),
        "plural": Function(lambda one, many, count: one if count == 1 else many, "string string int"),
        "quote": Function(lambda *v: " ".join(quote(text(item)) for item in v if not is_nil(item)), "...any"),
        "repeat": Function(lambda count, s: s * count, "int string"),
        "replace": Function(lambda old, new, s: s.replace(old, new), "string string string"),
        "snakecase": Function(lambda s: "_".join(word.lower() for word in _words(s)), "string"),
        "sortAlpha": Function(lambda v: StringList(sorted(strings(v))), "any"),
        "split": Function(_split, "string string"),
        "splitList": Function(split, "string string"),
        "splitn": Function(lambda separator, n, s: _numbered(s.split(separator, n - 1)), "string int string"),
        "squote": Function(lambda *v: " ".join(f"'{text(item)}'" for item in v if not is_nil(item)), "...any"),
        "substr": Function(_substr, "int int string"),
        "swapcase": Function(lambda s: "".join(c.swapcase() if len(c.swapcase()) == 1 else c for c in s), "string"),
        "title": Function(title, "string"),
        "toString": Function(text, "any"),
        "toStrings": Function(lambda v: StringList(strings(v)), "any"),
        "trim": Function(trim_space, "string"),
        "trimAll": Function(lambda cut, s: s.strip(cut) if cut else s, "string string"),
        "trimPrefix": Function(lambda prefix, s: s.removeprefix(prefix), "string string"),
        "trimSuffix": Function(lambda suffix, s: s.removesuffix(suffix), "string string"),
        "trunc": Function(lambda width, s: s[:width] if width >= 0 else s[width:], "int string"),
        "untitle": Function(lambda s: re.sub(r"\b\w", lambda m: m.group().lower(), s), "string"),
        "upper": Function(lambda s: s.upper(), "string"),
        "uuidv4": Function(lambda: str(uuid.uuid4())),
        "wrap": Function(lambda width, s: "\n".join(textwrap.wrap(s, width, break_long_words=False)), "int string"),
    }


def _searches() -> dict[str, Function]:
    return {
        "contains": Function(lambda part, s: part in s, "string string"),
        "hasPrefix": Function(lambda prefix, s: s.startswith(prefix), "string string"),
        "hasSuffix": Function(lambda suffix, s: s.endswith(suffix), "string string"),
        "regexFind": Function(lambda p, s: m.group() if (m := regexes.search(p, s)) else "", "string string"),
        "regexFindAll": Function(_find_all, "string string int"),
        "regexMatch": Function(lambda p, s: regexes.search(p, s) is not None, "string string"),
        "regexQuoteMeta": Function(lambda s: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", s), "string"),
        "regexReplaceAll": Function(lambda p, s, new: regexes.replace_all(p, new, s), "string string string"),
        "regexReplaceAllLiteral": Function(
            lambda p, s, new: regexes.compiled(p).sub(lambda _: new, s), "string string string"
        ),
        "regexSplit": Function(_regex_split, "string string int"),
    }


def _encodings() -> dict[str, Function]:
    return {
        "adler32sum": Function(lambda s: str(zlib.adler32(raw(s))), "string"),
        "b32dec": Function(_decode32, "string"),
        "b32enc": Function(lambda s: string(base64.b32encode(raw(s))), "string"),
        "b64dec": Function(_decode64, "string"),
        "b64enc": Function(lambda s: string(base64.b64encode(raw(s))), "string"),
        "fromJson": Function(load, "string"),
        "sha1sum": Function(lambda s: digest("sha1", s), "string"),
        "sha256sum": Function(lambda s: digest("sha256", s), "string"),
        "sha512sum": Function(lambda s: digest("sha512", s), "string"),
        "toJson": Function(dump, "any"),
        "toPrettyJson": Function(lambda v: dump(v, indent="  "), "any"),
        "toRawJson": Function(lambda v: dump(v, html=False), "any"),
    }


def _decode64(s: str) -> str:
    """Decode, or return the error's text, as sprig does."""
    try:
        return decode64(s)
    except ValueError as error:
        return str(error)


def _decode32(s: str) -> str:
    try:
        return string(base64.b32decode(raw(s)))
    except ValueError:
        return "illegal base32 data"


def _abbreviated(width: int, s: str) -> str:
    return s if width < 4 or len(s) <= width else s[: width - 3] + "..."


def _indent(spaces: int, s: str) -> str:
    pad = " " * spaces
    return pad + s.replace("\n", "\n" + pad)


def _words(s: str) -> list[str]:
    return re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+|\d+", s)


def _split(separator: str, s: str) -> StringMap:
    return _numbered(split(separator, s))


def _numbered(parts: list[str]) -> StringMap:
    return StringMap({f"_{position}": part for position, part in enumerate(parts)})


def _substr(start: int, end: int, s: str) -> str:
    if start < 0:
        return s[:end]
    return s[start:] if end < 0 or end > len(s) else s[start:end]


def _find_all(pattern: str, s: str, limit: int) -> StringList:
    found = [match.group() for match in regexes.compiled(pattern).finditer(s)]
    return StringList(found if limit < 0 else found[:limit])


def _regex_split(pattern: str, s: str, limit: int) -> StringList:
    if limit == 0:
        return StringList()
    cuts: list[Any] = list(regexes.compiled(pattern).finditer(s))
    cuts = cuts if limit < 0 else cuts[: limit - 1]
    starts, ends = [0, *(cut.end() for cut in cuts)], [*(cut.start() for cut in cuts), len(s)]
    return StringList(s[start:end] for start, end in zip(starts, ends, strict=True))
