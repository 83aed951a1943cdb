"""HCL or JSON files read into dataclasses: what a file says wrong is told by file, line and key.

An unknown key is a warning, so that a file written for Vault still starts; a wrong value is an error.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from strongroom_common.fields import OBJECT, Field, FieldError, fields
from strongroom_common.hcl import Block, Body, HclError, Item, blocks, parse, plain

T = TypeVar("T")


class SettingsError(ValueError):
    """A file says something wrong; prints as ``FILE:LINE: message``, and the message names key and expectation."""


@dataclass(frozen=True)
class NoEffect:
    """Mark: the setting is accepted because files for Vault have it, and does nothing here."""


def parse_file(file: str, text: str) -> Body:
    """Return the tree of a file's text; raises SettingsError where it is neither HCL nor JSON."""
    try:
        return parse(text)
    except HclError as error:
        raise SettingsError(f"error parsing {file}: At {error.line}:{error.column}: {error.message}") from None


class Reader:
    """Reads one file's blocks; ``warnings`` collects what it takes without using it."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.warnings: list[str] = []

    def read(self, schema: Callable[..., T], body: Body, where: str = "") -> T:
        """Return the dataclass that ``body`` says; ``where`` names the block in messages (``listener "tcp"``)."""
        given = self.given(schema, body, where)
        for field in fields(schema).values():
            if field.default is MISSING and given.get(field.name) is None:
                line = f":{body.items[0].line}" if body.items else ""
                raise SettingsError(f"{self.file}{line}: {_named(where, field.name)}: expected {field.kind.expected}")
        return schema(**given)

    def given(self, schema: Any, body: Body, where: str = "", skip: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Return what ``body`` says of the fields of ``schema``; keys in ``skip`` are read elsewhere."""
        known = {name: field for field in fields(schema).values() for name in (*field.aliases, field.name)}
        found: dict[str, Any] = {}
        for key in dict.fromkeys(item.key for item in body.items if item.key not in skip):
            field, item = known.get(key), body.get(key)
            if field is None:
                self.warn(item, f"unknown or unsupported field {_named(where, key)}")
            elif item is not None:
                if any(isinstance(mark, NoEffect) for mark in field.marks):
                    self.warn(item, f"field {_named(where, key)} has no effect")
                found[field.name] = self._value(field, body, item, where)
        return found

    def _value(self, field: Field, body: Body, item: Item, where: str) -> Any:
        try:
            if field.kind is OBJECT and field.nested:
                return self.read(field.nested, self._merged(body, item.key), _named(where, item.key))
            return field.parse(_merge_list(field, plain(item.value)))
        except FieldError as error:
            reason = str(error).removeprefix(f'error converting input for field "{field.name}": ')
            raise self.error(item, f"{_named(where, item.key)}: {reason}") from None

    def _merged(self, body: Body, key: str) -> Body:
        found = self.blocks(body, key)
        return Body(tuple(item for block in found for item in block.body.items), json=body.json)

    def blocks(self, body: Body, key: str, labels: int = 0) -> list[Block]:
        """Return the blocks of a key (see ``hcl.blocks``)."""
        try:
            return list(blocks(body, key, labels))
        except HclError as error:
            raise SettingsError(f"{self.file}:{error.line}: {error.message}") from None

    def error(self, item: Item, message: str) -> SettingsError:
        """Return an error that points at ``item``."""
        return SettingsError(f"{self.file}:{item.line}: {message}")

    def warn(self, item: Item | None, message: str) -> None:
        """Remember something that was not used."""
        self.warnings.append(f"{self.file}:{item.line if item else 0}: {message}")


def _named(where: str, key: str) -> str:
    return f"{where}: {key}" if where else key


def _merge_list(field: Field, value: Any) -> Any:
    """Take a list of maps, as JSON files have it, for one map where a map is wanted."""
    wants_map = field.kind.openapi.get("type") == "object"
    if not (wants_map and isinstance(value, list) and value and all(isinstance(part, Mapping) for part in value)):
        return value
    return {key: inner for part in value for key, inner in part.items()}
