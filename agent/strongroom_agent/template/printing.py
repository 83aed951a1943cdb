"""How Go prints values: ``%v`` and the functions ``print`` and ``println`` (pkg.go.dev/fmt)."""

import math
from typing import Any

from strongroom_agent.template.values import NO_VALUE, NilPointer, Struct, ordered


def text(value: Any) -> str:
    """Return ``value`` as an action writes it."""
    if value is NO_VALUE or isinstance(value, NilPointer):
        return "<no value>" if value is NO_VALUE else "<nil>"
    if isinstance(value, Struct) and value.go_string() is None:
        return struct(value)
    return plain(value)


def plain(value: Any) -> str:
    """Return ``value`` as ``%v`` prints it."""
    if isinstance(value, str):
        return str(value)
    if value is None or value is NO_VALUE or isinstance(value, NilPointer):
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return "map[" + " ".join(f"{plain(key)}:{plain(value[key])}" for key in ordered(value)) + "]"
    if isinstance(value, list | bytes):
        return "[" + " ".join(plain(item) for item in value) + "]"
    if isinstance(value, Struct):
        own = value.go_string()
        return own if own is not None else "&" * value.go_pointer + struct(value)
    return f"%!v({type(value).__name__})"


def struct(value: Struct, *, names: bool = False) -> str:
    """Return a struct's fields in braces."""
    shown = ((name, plain(getattr(value, attribute))) for name, attribute in value.go_fields.items())
    return "{" + " ".join(f"{name}:{item}" if names else item for name, item in shown) + "}"


def number(value: float) -> str:
    """Return a float as ``%v`` prints it: the shortest digits that mean it."""
    return shortest(value, 6)


def shortest(value: float, limit: int) -> str:
    """Return the shortest digits; an exponent is written from 10**``limit`` and below 10**-4."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    sign, digits, exponent = decimal(value)
    if exponent < -4 or exponent >= limit:
        return sign + scientific(digits, exponent)
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole, fraction = digits[: exponent + 1].ljust(exponent + 1, "0"), digits[exponent + 1 :]
    return sign + whole + (f".{fraction}" if fraction else "")


def decimal(value: float) -> tuple[str, str, int]:
    """Return sign, shortest digits and the exponent of the first one."""
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return sign, "0", 0
    first = len(whole) - 1 if whole.strip("0") else len(fraction.lstrip("0")) - len(fraction) - 1
    if whole.strip("0"):
        first -= len(whole) - len(whole.lstrip("0"))
    return sign, digits.rstrip("0"), first + int(exponent or 0)


def scientific(digits: str, exponent: int) -> str:
    """Return digits with a point after the first and an exponent of at least two places."""
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def sprint(values: tuple[Any, ...]) -> str:
    """Join values as ``print`` does: with a space between two of which neither is a string."""
    out: list[str] = []
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            out.append(" ")
        out.append(plain(value))
    return "".join(out)


def sprintln(values: tuple[Any, ...]) -> str:
    """Join values as ``println`` does."""
    return " ".join(plain(value) for value in values) + "\n"
