"""Go's ``Sprintf``: verbs, flags, width, precision, argument indexes and the notes on misuse (pkg.go.dev/fmt)."""

import math
import re
from typing import Any, NamedTuple

from strongroom_agent.template import printing
from strongroom_agent.template.quoting import is_printable, quote, quote_rune
from strongroom_agent.template.values import NO_VALUE, Struct, is_integer, ordered, raw, type_name
from strongroom_common.jsonx import Number

_DIRECTIVE = re.compile(
    r"%(?P<flags>[+\-# 0]*)(?P<at1>\[[^\]]*\])?(?P<width>\*|\d+)?"
    r"(?:(?P<dot>\.)(?P<at2>\[[^\]]*\])?(?P<precision>\*|\d+)?)?(?P<at3>\[[^\]]*\])?(?P<verb>.)?",
    re.DOTALL,
)
_WIDEST = 1_000_000  # Go's own limit; anything more is a bad width
_BASES = {"d": 10, "v": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}


class Spec(NamedTuple):
    """One directive's flags, width and precision (None where not given)."""

    flags: str = ""
    width: int | None = None
    precision: int | None = None

    def has(self, flag: str) -> bool:
        """Whether ``flag`` was given."""
        return flag in self.flags

    def pad(self, text: str, *, zero: bool = True) -> str:
        """Fill ``text`` up to the width, on the left unless ``-`` was given."""
        missing = (self.width or 0) - len(text)
        if missing <= 0:
            return text
        if self.has("-"):
            return text + " " * missing
        return ("0" if zero and self.has("0") else " ") * missing + text


def sprintf(form: str, values: tuple[Any, ...]) -> str:
    """Print ``values`` as ``form`` says; mistakes become notes such as ``%!d(string=x)``, never errors."""
    return _Printer(values).run(form)


class _Printer:
    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values, self.next = values, 0
        self.reordered, self.good = False, True

    def run(self, form: str) -> str:
        out: list[str] = []
        position = 0
        for match in _DIRECTIVE.finditer(form):
            out += (form[position : match.start()], self.directive(match))
            position = match.end()
        out.append(form[position:])
        if not self.reordered and self.next < len(self.values):
            extra = ", ".join(bad(value, "", Spec())[3:-1] for value in self.values[self.next :])
            out.append(f"%!(EXTRA {extra})")
        return "".join(out)

    def directive(self, match: "re.Match[str]") -> str:
        self.good = True
        notes = ""
        self.index(match["at1"])
        if match["at1"] and match["width"] != "*" and (match["width"] or match["dot"]):
            self.good = False  # an index stands before a * or the verb, nowhere else
        width, note = self.measure(match["width"], "BADWIDTH")
        notes += note
        flags = match["flags"]
        if width is not None and width < 0:
            flags, width = flags + "-", -width
        precision = None
        if match["dot"]:
            self.index(match["at2"])
            precision, note = self.measure(match["precision"] or "0", "BADPREC")
            notes += note
            if precision is not None and precision < 0:
                precision, notes = None, notes + "%!(BADPREC)"
        self.index(match["at3"])
        return notes + self.verb(match["verb"], Spec(flags, width, precision))

    def verb(self, verb: str | None, spec: Spec) -> str:
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if not self.good:
            return f"%!{verb}(BADINDEX)"
        if self.next >= len(self.values):
            return f"%!{verb}(MISSING)"
        value = self.values[self.next]
        self.next += 1
        if verb == "v":  # here + and # ask for more of a structure and say nothing about numbers
            spec = spec._replace(flags=spec.flags.replace("+", "N").replace("#", "G"))
        return bad(value, verb, spec) if verb == "w" else printed(value, verb, spec)

    def index(self, text: str | None) -> None:
        """Take ``[3]`` as the next argument's number, from 1."""
        if text is None:
            return
        self.reordered = True
        number = int(text[1:-1]) if re.fullmatch(r"\d+", text[1:-1], re.ASCII) else 0
        if 1 <= number <= len(self.values):
            self.next = number - 1
        else:
            self.good = False

    def measure(self, text: str | None, complaint: str) -> tuple[int | None, str]:
        if text is None:
            return None, ""
        if text != "*":
            return (int(text), "") if int(text) <= _WIDEST else (None, f"%!({complaint})")
        if self.next >= len(self.values):
            return None, f"%!({complaint})"
        value = self.values[self.next]
        self.next += 1
        if is_integer(value) and abs(value) <= _WIDEST:
            return int(value), ""
        return None, f"%!({complaint})"


def printed(value: Any, verb: str, spec: Spec) -> str:
    """Return one value under one verb."""
    if verb == "T":
        return _string(type_name(value), "s", spec, value)
    if value is None or value is NO_VALUE:
        return spec.pad("<nil>") if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, bool):
        return spec.pad(printing.plain(value)) if verb in "tv" else bad(value, verb, spec)
    if isinstance(value, int):
        return _integer(value, verb, spec)
    if isinstance(value, float):
        return _float(value, verb, spec)
    if isinstance(value, str):
        return _string(value, verb, spec, value)
    return _composite(value, verb, spec)


def bad(value: Any, verb: str, spec: Spec) -> str:
    """Return Go's note on a verb that does not fit the value; width and flags still count."""
    if value is None or value is NO_VALUE:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={printed(value, 'v', spec)})"


def _composite(value: Any, verb: str, spec: Spec) -> str:
    if isinstance(value, Struct):
        own = value.go_string()
        if own is not None:
            return _string(own, verb, spec, value)
        mark = "&" if value.go_pointer else ""
        return mark + printing.struct(value, names=spec.has("N"))
    if isinstance(value, bytes) and verb in "sxXq":
        return _string(value.decode("utf-8", "surrogateescape"), verb, spec, value)
    if isinstance(value, dict):
        pairs = (f"{printed(key, verb, spec)}:{printed(value[key], verb, spec)}" for key in ordered(value))
        return _go_syntax(value, spec) if spec.has("G") else f"map[{' '.join(pairs)}]"
    if isinstance(value, list | bytes):
        items = (_element(item, verb, spec) for item in value)
        return _go_syntax(value, spec) if spec.has("G") else f"[{' '.join(items)}]"
    return printing.plain(value)


def _element(value: Any, verb: str, spec: Spec) -> str:
    return "<nil>" if value is None else printed(value, verb, spec)


def _go_syntax(value: Any, spec: Spec) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{_sharp(key, spec)}:{_sharp(value[key], spec)}" for key in ordered(value))
    else:
        inside = ", ".join(_sharp(item, spec) for item in value)
    return f"{type_name(value)}{{{inside}}}"


def _sharp(value: Any, spec: Spec) -> str:
    return "interface {}(nil)" if value is None else printed(value, "v", spec)


def _string(text: str, verb: str, spec: Spec, value: Any) -> str:
    cut = text if spec.precision is None else text[: spec.precision]
    if spec.has("G") and not isinstance(value, Number | Struct):
        return spec.pad(quote(text))
    if verb in "sv":
        return spec.pad(cut)
    if verb == "q":
        ticks = spec.has("#") and "`" not in cut and all(is_printable(c) or c == "\t" for c in cut)
        return spec.pad(f"`{cut}`" if ticks else quote(cut, ascii_only=spec.has("+")))
    if verb in "xX":
        return spec.pad(_hexadecimal(raw(text)[: spec.precision], verb, spec))
    return bad(value, verb, spec)


def _hexadecimal(data: bytes, verb: str, spec: Spec) -> str:
    prefix = "0x" if spec.has("#") and data else ""
    text = " ".join(f"{prefix}{byte:02x}" for byte in data) if spec.has(" ") else prefix + data.hex()
    return text.upper() if verb == "X" else text


def _integer(value: int, verb: str, spec: Spec) -> str:
    if verb in _BASES:
        return _digits(value, verb, spec)
    if verb in "cq" or verb == "U":
        rune = chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"
        if verb == "q":
            return spec.pad(quote_rune(rune, ascii_only=spec.has("+")))
        if verb == "c":
            return spec.pad(rune)
        shown = f" '{rune}'" if spec.has("#") and is_printable(rune) else ""
        value %= 2**64
        return spec.pad(f"U+{value:0{max(spec.precision or 4, 4)}X}{shown}", zero=False)
    return bad(value, verb, spec)


def _digits(value: int, verb: str, spec: Spec) -> str:
    if spec.precision == 0 and value == 0:
        return " " * (spec.width or 0)
    form = {2: "b", 8: "o", 10: "d", 16: "x"}[_BASES[verb]]
    text = format(abs(value), form)
    sign = "-" if value < 0 else "+" if spec.has("+") else " " if spec.has(" ") else ""
    least = spec.precision
    if least is None and spec.has("0") and not spec.has("-") and spec.width:
        least = spec.width - len(sign)
    text = text.zfill(least or 0)
    prefix = ""
    if spec.has("#"):
        prefix = {2: "0b", 8: "" if text.startswith("0") else "0", 16: "0x"}.get(_BASES[verb], "")
    text = ("0o" if verb == "O" else "") + prefix + text
    return spec.pad(sign + (text.upper() if verb == "X" else text), zero=False)


def _float(value: float, verb: str, spec: Spec) -> str:
    if verb in "eEfF":
        text = format(value, f".{6 if spec.precision is None else spec.precision}{verb}")
    elif verb in "gGv":
        text = printing.number(value) if spec.precision is None else format(value, f".{spec.precision or 1}g")
        text = text.upper() if verb == "G" else text
    elif verb in "xXb":
        text = _binary_float(value) if verb == "b" else _hexadecimal_float(value, verb)
    else:
        return bad(value, verb, spec)
    text = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN", "INF": "+Inf", "-INF": "-Inf", "NAN": "NaN"}.get(text, text)
    if text[0] not in "+-" and (spec.has("+") or spec.has(" ")):
        text = ("+" if spec.has("+") else " ") + text
    elif text.startswith("+") and not spec.has("+"):
        text = text if "Inf" in text else text[1:]
    missing = (spec.width or 0) - len(text)
    if missing > 0 and spec.has("0") and not spec.has("-") and "I" not in text and "N" not in text:
        sign = text[0] if text[0] in "+- " else ""
        return sign + "0" * missing + text[len(sign) :]
    return spec.pad(text, zero=False)


def _hexadecimal_float(value: float, verb: str) -> str:
    mantissa, _, exponent = value.hex().partition("p")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    text = f"{mantissa}p{exponent[:1]}{int(exponent[1:] or 0):02d}"
    return text.upper() if verb == "X" else text


def _binary_float(value: float) -> str:
    mantissa, exponent = math.frexp(value)
    return f"{int(mantissa * 2**53)}p{exponent - 53:+d}" if value else "0p-1074"
