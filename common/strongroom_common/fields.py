"""Dataclasses as schemas: a field is one line, ``name: Annotated[type, "help", *marks] = default``.

Parsing, the default, the help text, the OpenAPI property and the audit rule all come from that line, for request
bodies, configuration files, pod annotations and custom resources alike. Vault coerces leniently but by fixed rules
(its framework.FieldType); each kind below follows them and refuses the rest, where Python alone would be laxer.
"""

import dataclasses
import ipaddress
import re
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar, Union, get_args, get_origin
from typing import get_type_hints as type_hints

from strongroom_common.durations import parse_duration
from strongroom_common.jsonx import Number
from strongroom_common.secret import Secret

T = TypeVar("T")


class FieldError(ValueError):
    """A value does not fit its field. The message names the field and what was expected, never the value."""


Seconds = NewType("Seconds", int)
"""A duration in whole seconds: ``90``, ``"90"``, ``"1m30s"``, ``"2d"``."""

SignedSeconds = NewType("SignedSeconds", int)
"""The same, where less than nothing has a meaning of its own: ``-1``, ``"-1s"``."""

Names = NewType("Names", tuple[str, ...])
"""A list of names: ``["a", "b"]`` or ``"a,b"``; blanks around each are dropped, empty ones too."""

Strings = NewType("Strings", tuple[str, ...])
"""A list of texts taken as they are: ``["a", "b,c"]``; one string is a list of one."""

Ints = NewType("Ints", tuple[int, ...])
"""A list of integers: ``[1, 2]`` or ``"1,2"``."""

Pairs = NewType("Pairs", dict[str, str])
"""A map of strings: ``{"a": "b"}``, ``["a=b", "c=d"]`` or ``"a=b"``, where everything after the first sign is value."""

Object = NewType("Object", dict[str, Any])
"""Any JSON object."""

Size = NewType("Size", int)
"""A size in bytes: ``1024``, ``"32MiB"``, ``"1mb"``."""

Cidrs = NewType("Cidrs", tuple[str, ...])
"""Networks: ``["10.0.0.0/8"]`` or ``"10.0.0.0/8,::1"``; an address stands for itself alone."""


@dataclass(frozen=True)
class Alias:
    """Mark: other names that a client may use for the field; the field's own wins when both are sent."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)


@dataclass(frozen=True)
class Kept:
    """Mark: kept with a record for our own use; a client neither sends nor sees it."""


@dataclass(frozen=True)
class Kind:
    """How one type is read (``parse`` raises ValueError or TypeError) and described in OpenAPI.

    ``null_is_unsaid``: a null is as if the field had not been sent, where elsewhere it stands for the default.
    """

    parse: Callable[[Any], Any]
    expected: str
    openapi: Mapping[str, Any]
    null_is_unsaid: bool = False


_INTEGER = re.compile(r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|"
                      r"[1-9](?:_?\d)*)\Z", re.ASCII)  # fmt: skip
_OCTAL = re.compile(r"[+-]?0[0-7_]")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_BOOLEANS = {  # Go's strconv.ParseBool, and "" for not set
    "1": True, "t": True, "T": True, "true": True, "True": True, "TRUE": True,
    "0": False, "f": False, "F": False, "false": False, "False": False, "FALSE": False, "": False,
}  # fmt: skip
_SIZE = re.compile(r"(\d+)\s*(|b|kb|kib|mb|mib|gb|gib|tb|tib)\Z", re.ASCII | re.IGNORECASE)
_SCALE = {"": 1, "b": 1, "kb": 1000, "kib": 1024, "mb": 1000**2, "mib": 1024**2, "gb": 1000**3, "gib": 1024**3,
          "tb": 1000**4, "tib": 1024**4}  # fmt: skip


def _string(raw: Any) -> str:
    if isinstance(raw, str):
        return str(raw)
    if isinstance(raw, bool):
        return "1" if raw else "0"
    if isinstance(raw, int | float):
        return str(raw)
    raise ValueError


def _integer(raw: Any) -> int:
    """Read an integer of 64 bits; texts as Go's ParseInt with base 0 does: 0x10 is 16 and 010 is 8."""
    if isinstance(raw, str) and not isinstance(raw, Number):
        raw = _integer_text(raw) if raw else 0
    if isinstance(raw, int) and -(2**63) <= raw < 2**63:
        return int(raw)
    raise ValueError


def _integer_text(text: str) -> int:
    if len(text) > 70 or not _INTEGER.match(text):
        raise ValueError
    return int(text, 8 if _OCTAL.match(text) else 0)


def _float(raw: Any) -> float:
    if isinstance(raw, str) and not _FLOAT.match(raw):
        raise ValueError
    if isinstance(raw, int | float | str):
        return float(raw)
    raise ValueError


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str | int) and (value := _BOOLEANS.get(str(raw))) is not None:
        return value
    raise ValueError


def _signed_seconds(raw: Any) -> SignedSeconds:
    if isinstance(raw, Number):  # Vault refuses 1.5, and 90.0 too
        raise ValueError
    return SignedSeconds(int(parse_duration(raw)))


def _seconds(raw: Any) -> Seconds:
    if isinstance(raw, Number) or (seconds := parse_duration(raw)) < 0:
        raise ValueError
    return Seconds(int(seconds))


def _list(raw: Any) -> list[Any]:
    if isinstance(raw, list | tuple):
        return list(raw)
    raise ValueError


def _names(raw: Any) -> Names:
    if isinstance(raw, list | tuple):
        parts = [(item if isinstance(item, str) else _string(item)).strip() for item in raw]
    elif raw == {}:  # as Go's decoder has it
        parts = []
    else:
        parts = [part.strip() for part in _string(raw).split(",")]
    return Names(tuple(filter(None, parts)))


def _strings(raw: Any) -> Strings:
    if isinstance(raw, str):
        return Strings((_string(raw),) if raw else ())
    return Strings(tuple(_string(item) for item in _list(raw)))


def _ints(raw: Any) -> Ints:
    parts = [part for part in raw.split(",") if part] if isinstance(raw, str) else raw
    return Ints(tuple(_integer(item) for item in (parts if isinstance(parts, list | tuple) else [parts])))


def _pairs(raw: Any) -> Pairs:
    if isinstance(raw, dict):
        return Pairs({str(key): "" if value is None else _string(value) for key, value in raw.items()})
    pairs: dict[str, str] = {}
    for item in raw if isinstance(raw, list | tuple) else [raw]:
        if isinstance(item, dict):  # Vault's own examples have [{"permit-pty": ""}]
            pairs |= _pairs(item)
            continue
        key, equals, value = _string(item).partition("=")
        if not equals:
            raise ValueError
        pairs[key] = value
    return Pairs(pairs)


def _object(raw: Any) -> Object:
    if isinstance(raw, dict):
        return Object(raw)
    if isinstance(raw, list) and all(isinstance(part, dict) for part in raw):  # as Go's decoder has it
        return Object({name: value for part in raw for name, value in part.items()})
    raise ValueError


def _size(raw: Any) -> Size:
    match = _SIZE.match(_string(raw).strip())
    if not match:
        raise ValueError
    return Size(int(match[1]) * _SCALE[match[2].lower()])


def _cidrs(raw: Any) -> Cidrs:
    names = _names(raw)
    for name in names:
        ipaddress.ip_network(name, strict=False)
    return Cidrs(names)


_LIST = {"type": "array", "items": {"type": "string"}}
KINDS: Mapping[Any, Kind] = types.MappingProxyType({
    str: Kind(_string, "a string", {"type": "string"}),
    int: Kind(_integer, "an integer", {"type": "integer"}),
    float: Kind(_float, "a number", {"type": "number"}),
    bool: Kind(_boolean, "true or false", {"type": "boolean"}),
    Seconds: Kind(_seconds, 'a duration such as 90, "90s" or "1h30m"',
                  {"type": "integer", "format": "seconds"}, null_is_unsaid=True),
    SignedSeconds: Kind(_signed_seconds, 'a duration such as 90 or "90s", or -1',
                        {"type": "integer", "format": "seconds"}, null_is_unsaid=True),
    Names: Kind(_names, "a list of strings, or one with commas", _LIST),
    Strings: Kind(_strings, "a list of strings", _LIST),
    Ints: Kind(_ints, "a list of integers", {"type": "array", "items": {"type": "integer"}}),
    Pairs: Kind(_pairs, "a map of strings", {"type": "object", "additionalProperties": {"type": "string"}}),
    Object: Kind(_object, "an object", {"type": "object"}),
    Size: Kind(_size, 'a size such as 1024 or "32MiB"', {"type": "integer", "format": "bytes"}),
    Cidrs: Kind(_cidrs, "a list of networks such as 10.0.0.0/8", _LIST),
    Any: Kind(lambda raw: raw, "any value", {}),
})  # fmt: skip


OBJECT = Kind(_object, "an object", {"type": "object"})
LIST_OF_OBJECTS = Kind(_list, "a list of objects", {"type": "array", "items": {"type": "object"}})


@dataclass(frozen=True)
class Field:
    """One line of a schema, taken apart. ``default`` is ``dataclasses.MISSING`` where a value is required."""

    name: str
    kind: Kind
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    sensitive: bool = False
    optional: bool = False
    aliases: tuple[str, ...] = ()
    marks: tuple[Any, ...] = ()
    kept: bool = False
    nested: Any = None
    """The dataclass of a field that is an object of its own, or (kind ``LIST_OF_OBJECTS``) a tuple of such objects."""

    def parse(self, raw: Any) -> Any:
        """Return ``raw`` as the field's type; raises FieldError that names the field and what was expected."""
        if raw is None:
            return None if self.optional or self.default is MISSING else self.default
        try:
            value = self.kind.parse(raw)
            if self.nested:
                return self._parse_nested(value)
        except FieldError as error:
            raise FieldError(f"{self.name}: {error}") from None
        except (TypeError, ValueError, OverflowError):
            raise FieldError(f'error converting input for field "{self.name}": expected {self.kind.expected}') from None
        if self.choices and value not in self.choices:
            raise FieldError(f"field {self.name!r} must be one of {', '.join(map(repr, self.choices))}")
        return Secret(value) if self.sensitive else value

    def _parse_nested(self, value: Any) -> Any:
        if self.kind is OBJECT:
            return parse(self.nested, value).value
        return tuple(parse(self.nested, _object(item)).value for item in value)


def _field(field: "dataclasses.Field[Any]", hint: Any) -> Field:
    hint, *notes = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    optional = get_origin(hint) in (Union, types.UnionType) and type(None) in get_args(hint)
    if optional:
        hint = next(part for part in get_args(hint) if part is not type(None))
    sensitive = get_origin(hint) is Secret
    if sensitive:
        hint = get_args(hint)[0]
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    many = get_origin(hint) is tuple and dataclasses.is_dataclass(get_args(hint)[0])
    nested = get_args(hint)[0] if many else hint if dataclasses.is_dataclass(hint) else None
    leaf = type(choices[0]) if choices else hint
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return Field(
        name=field.name,
        kind=LIST_OF_OBJECTS if many else OBJECT if nested else KINDS[leaf],
        default=default,
        help=next((note for note in notes if isinstance(note, str)), ""),
        choices=choices,
        sensitive=sensitive,
        optional=optional,
        aliases=next((note.names for note in notes if isinstance(note, Alias)), ()),
        marks=tuple(note for note in notes if not isinstance(note, str | Alias | Kept)),
        kept=any(isinstance(note, Kept) for note in notes),
        nested=nested,
    )


@cache
def fields(schema: Any) -> Mapping[str, Field]:
    """Return the fields of a dataclass by name, in order; raises KeyError for a type that is no kind."""
    hints = type_hints(schema, include_extras=True)
    return {f.name: _field(f, hints[f.name]) for f in dataclasses.fields(schema)}


@cache
def _by_any_name(schema: Any) -> Mapping[str, Field]:
    known = {name: field for name, field in fields(schema).items() if not field.kept}
    return {alias: field for field in known.values() for alias in field.aliases} | known


def names_of(schema: Any) -> Iterable[str]:
    """Return the names that a client may use for the fields of a dataclass."""
    return _by_any_name(schema).keys()


@cache
def _required(schema: Any) -> tuple[Field, ...]:
    return tuple(field for field in fields(schema).values() if field.default is MISSING)


@dataclass(slots=True)
class Given(Generic[T]):
    """A parsed body that remembers what the client sent, so that a partial update and PATCH are the same call."""

    value: T
    sent: frozenset[str]
    ignored: tuple[str, ...] = ()

    def over(self, stored: T | None) -> T:
        """Update ``stored`` with what was sent; a first write takes the defaults too."""
        if stored is None:
            return self.value
        return dataclasses.replace(stored, **{name: getattr(self.value, name) for name in self.sent})  # type: ignore[type-var]  # a dataclass


def parse(schema: Callable[..., T], raw: Mapping[str, Any]) -> Given[T]:
    """Read ``raw`` into the dataclass ``schema``; raises FieldError for a wrong or missing value."""
    known, required = _by_any_name(schema), _required(schema)
    sent: dict[str, Any] = {}
    ignored = []
    for name, value in raw.items():
        field = known.get(name)
        if field is None:
            ignored.append(name)
        elif (name == field.name or field.name not in raw) and not (value is None and field.kind.null_is_unsaid):
            sent[field.name] = field.parse(value)
    for field in required:
        if sent.get(field.name) is None:
            raise FieldError(f"missing required field {field.name!r}: expected {field.kind.expected}")
    return Given(schema(**sent), frozenset(sent), tuple(sorted(ignored)) if ignored else ())


def public(value: object) -> dict[str, Any]:
    """Return what a read shows: every field that is neither sensitive nor ``Kept``."""
    schema: Any = type(value)
    return {name: getattr(value, name) for name, f in fields(schema).items() if not f.sensitive and not f.kept}
