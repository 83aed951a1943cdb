"""Go's values in Python: which class stands for which type, and what is true, nil, an integer.

| Go | here |
|---|---|
| invalid value (a template without data, a nil interface at the end of a pipeline) | ``NO_VALUE`` |
| nil in a map or list | ``None`` |
| bool, int, float64, string | ``bool``, ``int``, ``float``, ``str`` (bytes that are no UTF-8 are surrogates) |
| json.Number (each number in an answer) | ``Number`` |
| int64, uint64, uint8 | ``Int64``, ``Uint64``, ``Byte`` |
| []interface {}, []string, []byte | ``list``, ``StringList``, ``bytes`` |
| map[string]interface {}, map[string]string | ``dict``, ``StringMap`` |
| map[interface {}]interface {} | ``AnyMap`` |
| a struct, or a pointer to one | a child of ``Struct`` |
| a nil pointer | ``NilPointer`` |
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from strongroom_common.jsonx import Number


class _NoValue:
    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE = _NoValue()


class Int64(int):
    """Go's int64."""


class Uint64(int):
    """Go's uint64."""


class Byte(int):
    """Go's uint8."""


class StringList(list[str]):
    """Go's []string."""


class StringMap(dict[str, str]):
    """Go's map[string]string."""


class AnyMap(dict[Any, Any]):
    """Go's map[interface {}]interface {}: what YAML gives, where a key may be a number or a boolean."""


def ordered(mapping: Mapping[Any, Any]) -> list[Any]:
    """Return a map's keys as Go's fmt sorts them; keys of several kinds stand kind by kind."""
    if not isinstance(mapping, AnyMap):
        return sorted(mapping)
    ranks = {int: 1, float: 2, str: 0, bool: 3}
    return sorted(mapping, key=lambda key: (ranks.get(type(key), 4), "" if key is None else key))


class NilPointer:
    """A nil pointer to a struct, falsy; ``go_type`` is its type's name."""

    def __init__(self, go_type: str) -> None:
        self.go_type = go_type

    def __bool__(self) -> bool:
        return False


class Struct:
    """A Go struct: ``go_fields`` maps its fields to attributes, ``go_methods`` names those that are methods.

    A method returns a ``template.Function``. ``go_pointer`` says whether templates hold a pointer to it.
    """

    go_type: ClassVar[str] = "struct {}"
    go_fields: ClassVar[Mapping[str, str]] = {}
    go_methods: ClassVar[frozenset[str]] = frozenset()
    go_pointer: ClassVar[bool] = True

    def go_string(self) -> str | None:
        """Return what the type's ``String`` method would, None if it has none."""
        return None


_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"), (Int64, "int64"), (Uint64, "uint64"), (Byte, "uint8"), (int, "int"), (float, "float64"),
    (Number, "json.Number"), (str, "string"), (StringList, "[]string"), (list, "[]interface {}"),
    (StringMap, "map[string]string"), (AnyMap, "map[interface {}]interface {}"), (dict, "map[string]interface {}"),
    (bytes, "[]uint8"),
)  # fmt: skip


def type_name(value: Any) -> str:
    """Return the name that ``%T`` prints."""
    if value is None or value is NO_VALUE:
        return "<nil>"
    if isinstance(value, Struct | NilPointer):
        return value.go_type
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "func")


def is_nil(value: Any) -> bool:
    """Whether ``value`` is nil of any type."""
    return value is None or value is NO_VALUE or isinstance(value, NilPointer)


def is_integer(value: Any) -> bool:
    """Whether ``value`` is one of Go's integers."""
    return isinstance(value, int) and not isinstance(value, bool)


def raw(text: str) -> bytes:
    """Return a Go string's bytes."""
    return text.encode("utf-8", "surrogateescape")


def string(data: bytes) -> str:
    """Return bytes as a Go string."""
    return data.decode("utf-8", "surrogateescape")


def from_json(value: Any) -> Any:
    """Return what ``jsonx.loads`` gave with each number as a json.Number, as Vault's client decodes answers."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Number(value)
    return value
