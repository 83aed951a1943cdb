"""Arithmetic. The piped argument comes last: ``5 | subtract 2`` is 3."""

import math
from collections.abc import Callable
from typing import Any

from strongroom_agent.template import Function
from strongroom_agent.template.quoting import quote
from strongroom_agent.template.values import Byte, Int64, Uint64, is_integer, type_name


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "add": _numeric("add", lambda b, a: a + b),
        "subtract": _numeric("subtract", lambda b, a: a - b),
        "multiply": _numeric("multiply", lambda b, a: a * b),
        "divide": _numeric("divide", _divide),
        "modulo": _numeric("modulo", _modulo, floats=False),
        "minimum": _numeric("minimum", min),
        "maximum": _numeric("maximum", max),
    }


def _numeric(name: str, operation: Callable[[Any, Any], Any], *, floats: bool = True) -> Function:
    def run(b: Any, a: Any) -> Any:
        for value in (a, b):
            if not is_integer(value) and not (floats and isinstance(value, float)):
                shown = quote(value) if isinstance(value, str) else value
                raise ValueError(f"{name}: unknown type for {shown} ({type_name(value)})")
        result = operation(b, a)
        if isinstance(result, float):
            return float(result)
        both_unsigned = all(isinstance(value, Uint64 | Byte) for value in (a, b))
        return Uint64(result % 2**64) if both_unsigned else Int64((result + 2**63) % 2**64 - 2**63)

    return Function(run, "any any")


def _divide(b: Any, a: Any) -> Any:
    if isinstance(a, float) or isinstance(b, float):
        return a / b if b else math.copysign(math.inf, a) if a else math.nan
    if b == 0:
        raise ValueError("runtime error: integer divide by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _modulo(b: int, a: int) -> int:
    if b == 0:
        raise ValueError("runtime error: integer divide by zero")
    return int(a - b * _divide(b, a))
