"""Sprig's arithmetic, which takes anything that looks like a number and answers in int64 or float64."""

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

from strongroom_agent.functions.maths import functions as checked
from strongroom_agent.functions.sprig.convert import real, whole
from strongroom_agent.template import Function
from strongroom_agent.template.values import Int64


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    divide, modulo = checked()["divide"].run, checked()["modulo"].run
    return {
        "add": _folded(lambda a, b: a + b, 0),
        "add1": Function(lambda a: Int64(whole(a) + 1), "any"),
        "addf": _folded_real(lambda a, b: a + b),
        "atoi": Function(lambda s: int(whole(s)), "string"),
        "biggest": _folded(max, None),
        "ceil": Function(lambda a: math.copysign(math.ceil(real(a)), real(a)), "any"),
        "div": Function(lambda a, b: divide(whole(b), whole(a)), "any any"),
        "divf": _folded_real(lambda a, b: a / b if b else math.inf),
        "float64": Function(real, "any"),
        "floor": Function(lambda a: math.copysign(math.floor(real(a)), real(a)), "any"),
        "int": Function(lambda a: int(whole(a)), "any"),
        "int64": Function(whole, "any"),
        "max": _folded(max, None),
        "maxf": _folded_real(max),
        "min": _folded(min, None),
        "minf": _folded_real(min),
        "mod": Function(lambda a, b: modulo(whole(b), whole(a)), "any any"),
        "mul": _folded(lambda a, b: a * b, None),
        "mulf": _folded_real(lambda a, b: a * b),
        "round": Function(_round, "any int ...float"),
        "seq": Function(_sequence, "...int"),
        "sub": Function(lambda a, b: Int64(whole(a) - whole(b)), "any any"),
        "subf": _folded_real(lambda a, b: a - b),
        "toDecimal": Function(lambda a: Int64(int(str(a), 8)), "any"),
    }


def _folded(operation: Callable[[Any, Any], Any], start: int | None) -> Function:
    def run(*values: Any) -> Int64:
        numbers = ([] if start is None else [Int64(start)]) + [whole(value) for value in values]
        return Int64(reduce(operation, numbers))

    return Function(run, "...any" if start is not None else "any ...any")


def _folded_real(operation: Callable[[Any, Any], Any]) -> Function:
    return Function(lambda *values: float(reduce(operation, [real(value) for value in values])), "any ...any")


def _round(value: Any, places: int, *half: float) -> float:
    scaled = real(value) * 10**places
    whole_part = math.floor(scaled)
    return float((whole_part + (scaled - whole_part >= (half[0] if half else 0.5))) / 10**places)


def _sequence(*limits: int) -> str:
    if not 1 <= len(limits) <= 3:
        return ""
    start, stop = (1, limits[0]) if len(limits) == 1 else (limits[0], limits[-1])
    step = limits[1] if len(limits) == 3 else 1 if stop >= start else -1
    return " ".join(map(str, range(start, stop + (1 if step > 0 else -1), step))) if step else ""
