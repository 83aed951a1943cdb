"""What programs of ``cel`` can call beyond the language itself: cel-go's extensions for strings, lists, sets, numbers,
regular expressions and base64 (https://github.com/google/cel-go/tree/master/ext), and OpenBao's ``check_valid_email``.

Functions of a name space (``math.greatest``) get the name space as their first argument, methods their object.
"""

import base64
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from typing import Any

SPACES = frozenset({"base64", "lists", "math", "regex", "sets", "strings"})
Function = Callable[..., Any]
_LARGEST = 1 << 20  # characters or elements of a result: a program must not fill the memory


def to_cel(value: Any) -> Any:
    """Return a plain value as the library's."""
    from celpy import celtypes

    match value:
        case None | celtypes.BoolType() | celtypes.TimestampType() | celtypes.MessageType():
            return value
        case bool():
            return celtypes.BoolType(value)
        case int():
            return celtypes.IntType(value) if -(1 << 63) <= value < 1 << 63 else celtypes.DoubleType(value)
        case float():
            return celtypes.DoubleType(value)
        case str():
            return celtypes.StringType(value)
        case bytes():
            return celtypes.BytesType(value)
        case datetime():
            return celtypes.TimestampType(value)
        case list() | tuple():
            return celtypes.ListType([to_cel(inner) for inner in value])
        case dict() | Mapping():
            return celtypes.MapType({to_cel(key): to_cel(inner) for key, inner in value.items()})
    return value


class _Space(str):
    """A name space as a value: what comes before the dot of its functions."""

    __slots__ = ()


def spaces() -> dict[str, Any]:
    """Return the values that stand for the name spaces."""
    return {name: _Space(name) for name in SPACES}


def functions() -> dict[str, Function]:
    """Return all functions by name, operators included."""
    found = {name: _counted(function) for name, function in _FUNCTIONS.items()}
    found |= {name: partial(_compared, compare) for name, compare in _COMPARISONS.items()}
    return found | {"string": _text_type()}


@cache
def _text_type() -> Function:
    """Return the type of texts, which is also the function that makes them: the library's says "True" of true."""
    from celpy import celtypes

    class Text(celtypes.StringType):
        def __new__(cls, value: Any) -> celtypes.StringType:  # type: ignore[misc]  # equal to what literals are
            return celtypes.StringType(_shown(value) if isinstance(value, celtypes.BoolType) else value)

    return Text


def _counted(function: Function) -> Function:
    def called(*given: Any) -> Any:
        from celpy.evaluation import CELEvalError

        for argument in given:
            if isinstance(argument, CELEvalError):
                return argument
        result = function(*given)
        if isinstance(result, str | bytes | list) and len(result) > _LARGEST:
            raise ValueError("the result is too long")
        return to_cel(result)

    return called


# -- comparisons: numbers of all kinds with each other, as in cel-go; values of two kinds are never equal ----------


def _compared(compare: Function, one: Any, other: Any) -> Any:
    from celpy import celtypes
    from celpy.evaluation import CELEvalError

    for value in (one, other):
        if isinstance(value, CELEvalError):
            return value
    one, other = (celtypes.StringType if value is _text_type() else value for value in (one, other))
    numbers = [_is_number(value) for value in (one, other)]
    if all(numbers):
        plain = [float(v) if isinstance(v, celtypes.DoubleType) else int(v) for v in (one, other)]
        return celtypes.BoolType(compare(*plain))
    if _kind(one) is not _kind(other):
        if compare in {operator.eq, operator.ne}:
            return celtypes.BoolType(compare is operator.ne)
        raise TypeError("no such overload")
    return celtypes.BoolType(bool(compare(one, other)))


def _kind(value: Any) -> type:
    """Return the kind of a value; what an operator of Python's returns is no longer of the library's type."""
    return next((kind for kind in (str, bytes, list, dict) if isinstance(value, kind)), type(value))


def _is_number(value: Any) -> bool:
    from celpy import celtypes

    return isinstance(value, celtypes.IntType | celtypes.UintType | celtypes.DoubleType)


_COMPARISONS: Mapping[str, Function] = {
    "_==_": operator.eq, "_!=_": operator.ne, "_<_": operator.lt, "_<=_": operator.le, "_>_": operator.gt,
    "_>=_": operator.ge,
}  # fmt: skip


# -- strings and lists --------------------------------------------------------------------------------------------


def _at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise ValueError("index out of range")
    return text[index : index + 1]


def _part(whole: Any, start: int, end: int | None = None) -> Any:
    stop = len(whole) if end is None else end
    if not 0 <= start <= stop <= len(whole):
        raise ValueError("index out of range")
    return whole[int(start) : int(stop)]


def _split(text: str, separator: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    return list(text) if not separator else text.split(separator, limit - 1 if limit > 0 else -1)


def _replace(*given: Any) -> str:
    if isinstance(given[0], _Space):  # regex.replace(text, pattern, by)
        _, text, pattern, by = given[:4]
        return str(_pattern(pattern).sub(str(by), str(text)))
    text, old, new, *limit = given
    return str(str.replace(text, old, new, *(int(number) for number in limit)))


def _extract(_: Any, text: str, pattern: str) -> str:
    found = _pattern(pattern).search(str(text))
    if found is None:
        raise ValueError("nothing found")
    return str(found.group(1 if found.re.groups else 0))


def _pattern(text: str) -> Any:
    """Security 1: patterns in linear time, whatever they say and are given."""
    import re2

    return re2.compile(str(text))


def _reversed(whole: Any) -> Any:
    return whole[::-1]


def _format(text: str, values: Sequence[Any]) -> str:
    """Return ``text`` with its verbs (%s %d %f %e %x %X %o %b and %%) filled in."""
    left = list(values)

    def filled(verb: re.Match[str]) -> str:
        if verb.group(0) == "%%":
            return "%"
        value, kind = left.pop(0), verb.group(2)
        if kind == "s":
            return _shown(value)
        if kind == "b":
            return format(int(value), "b")
        return ("%" + verb.group(1) + kind) % (float(value) if kind in "fe" else int(value))

    return re.sub(r"%(?:%|((?:\.[0-9]{1,3})?)([sdfexXob]))", filled, text)


def _shown(value: Any) -> str:
    from celpy import celtypes

    if isinstance(value, celtypes.BoolType):
        return "true" if value else "false"
    return str(value)


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if not any(_compared(operator.eq, value, known) for known in found):
            found.append(value)
    return found


def _flat(values: Sequence[Any]) -> list[Any]:
    return [inner for value in values for inner in (value if isinstance(value, list) else [value])]


def _range(_: Any, end: int) -> list[int]:
    if not 0 <= end <= _LARGEST:
        raise ValueError("index out of range")
    return list(range(end))


def _contains(_: Any, whole: Sequence[Any], part: Sequence[Any]) -> bool:
    return all(any(_compared(operator.eq, one, other) for other in whole) for one in part)


def _intersects(_: Any, one: Sequence[Any], other: Sequence[Any]) -> bool:
    return any(_contains(_, one, [value]) for value in other)


def _equivalent(_: Any, one: Sequence[Any], other: Sequence[Any]) -> bool:
    return _contains(_, one, other) and _contains(_, other, one)


# "contains" is a method of strings, too: the library's own
def _has(*given: Any) -> bool:
    if isinstance(given[0], _Space):
        return _contains(*given)
    whole, part = given
    return bool(part in whole)


# -- numbers, encodings, addresses --------------------------------------------------------------------------------


def _extreme(choose: Function, _: Any, *given: Any) -> Any:
    values = list(given[0]) if len(given) == 1 and isinstance(given[0], list) else list(given)
    return choose(values)


def _encode(_: Any, value: bytes | str) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


def _decode(_: Any, text: str) -> bytes:
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), validate=True)


def _quote(_: Any, text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def _is_email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    labels = domain.split(".")
    return bool(at and re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", local)) and all(
        re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", label) for label in labels
    )


_FUNCTIONS: Mapping[str, Function] = {
    "charAt": _at,
    "indexOf": lambda text, part, start=0: str.find(text, part, int(start)),
    "lastIndexOf": str.rfind,
    "join": lambda parts, separator="": str(separator).join(map(str, parts)),
    "lowerAscii": lambda text: "".join(c.lower() if c.isascii() else c for c in text),
    "upperAscii": lambda text: "".join(c.upper() if c.isascii() else c for c in text),
    "replace": _replace,
    "split": _split,
    "substring": _part,
    "trim": lambda text: str(text).strip(),
    "format": _format,
    "quote": _quote,
    "reverse": _reversed,
    "slice": _part,
    "sort": sorted,
    "distinct": _distinct,
    "flatten": _flat,
    "range": _range,
    "contains": _has,
    "intersects": _intersects,
    "equivalent": _equivalent,
    "greatest": partial(_extreme, max),
    "least": partial(_extreme, min),
    "ceil": lambda _, number: float(math.ceil(number)),
    "floor": lambda _, number: float(math.floor(number)),
    "abs": lambda _, number: abs(number),
    "encode": _encode,
    "decode": _decode,
    "extract": _extract,
    "check_valid_email": _is_email,
}
NAMES = frozenset(_FUNCTIONS)
