"""``spew_dump`` and its like: values with their types, for those who look for a fault in a template."""

from typing import Any

from strongroom_agent.template import Function
from strongroom_agent.template.printf import sprintf
from strongroom_agent.template.quoting import quote
from strongroom_agent.template.values import NO_VALUE, NilPointer, Struct, type_name


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "spew_dump": Function(dump, "...any"),
        "spew_sdump": Function(dump, "...any"),
        "spew_printf": Function(lambda form, *values: sprintf(form, values), "string ...any"),
        "spew_sprintf": Function(lambda form, *values: sprintf(form, values), "string ...any"),
    }


def dump(*values: Any) -> str:
    """Return each value with its type, one part a line."""
    return "".join(_dump(value, "") + "\n" for value in values)


def _dump(value: Any, pad: str) -> str:
    if value is None or value is NO_VALUE or isinstance(value, NilPointer):
        return "(interface {}) <nil>"
    inner = pad + " "
    name = type_name(value)
    if isinstance(value, Struct):
        value = {field: getattr(value, attribute) for field, attribute in value.go_fields.items()}
        body = ",\n".join(f"{inner}{field}: {_dump(item, inner)}" for field, item in value.items())
        return f"({name.removeprefix('*')}) {{\n{body}\n{pad}}}"
    if isinstance(value, dict):
        body = "".join(f"{inner}{_dump(key, inner)}: {_dump(value[key], inner)},\n" for key in sorted(value))
        return f"({name}) (len={len(value)}) {{\n{body[:-2]}\n{pad}}}" if value else f"({name}) {{\n{pad}}}"
    if isinstance(value, list):
        body = ",\n".join(f"{inner}{_dump(item, inner)}" for item in value)
        return f"({name}) (len={len(value)} cap={_capacity(len(value))}) {{\n{body}\n{pad}}}"
    if isinstance(value, str):
        return f"({name}) (len={len(value.encode('utf-8', 'surrogateescape'))}) {quote(value)}"
    return f"({name}) {sprintf('%v', (value,))}"


def _capacity(length: int) -> int:
    capacity = 1
    while capacity < length:
        capacity *= 2
    return capacity
