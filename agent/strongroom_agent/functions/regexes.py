"""Go's regular expressions (RE2) by Python's: patterns and replacements are translated where the two differ."""

import re

_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7f", "blank": "\\t ", "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_PART = re.compile(r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|\\(?P<escaped>.)|\[:(?P<named>\^?\w+):\]|(?P<plain>.)", re.DOTALL)
_FLAGS = re.compile(r"\(\?(?P<flags>[imsU]+)\)")
_REFERENCE = re.compile(r"\$(?:\$|(?P<plain>\w+)|\{(?P<braced>\w+)\})")


def compiled(pattern: str) -> "re.Pattern[str]":
    """Return a Go pattern as Python's; raises ValueError for one that cannot be read."""
    flags = re.ASCII
    leading = _FLAGS.match(pattern)
    if leading:
        pattern = pattern[leading.end() :]
        flags |= sum(
            {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}.get(flag, re.NOFLAG)
            for flag in set(leading["flags"])
        )
    try:
        return re.compile(_translate(pattern, multiline=bool(flags & re.MULTILINE)), flags)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}: `{pattern}`") from None


def _translate(pattern: str, *, multiline: bool) -> str:
    out: list[str] = []
    inside = False
    for match in _PART.finditer(pattern):
        quoted, escaped, named, plain = match.group("quoted", "escaped", "named", "plain")
        if quoted is not None:
            out.append(re.escape(quoted))
        elif escaped is not None:
            out.append("\\Z" if escaped == "z" else "\\" + escaped)
        elif named is not None:
            out.append(_named(named))
        elif plain == "$" and not inside and not multiline:
            out.append("\\Z")  # Python's own also matches before a last newline
        else:
            inside = plain == "[" or (inside and plain != "]")
            out.append(plain)
    return "".join(out)


def _named(name: str) -> str:
    if name.lstrip("^") not in _CLASSES or name.startswith("^"):
        raise ValueError(f"error parsing regexp: invalid character class range: `[:{name}:]`")
    return _CLASSES[name]


def search(pattern: str, text: str) -> "re.Match[str] | None":
    """Return the first match."""
    return compiled(pattern).search(text)


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Replace each match; ``$1`` and ``${name}`` stand for groups, unknown ones for nothing."""
    out: list[str] = []
    position, last = 0, -1
    for match in compiled(pattern).finditer(text):
        if match.end() == match.start() == last:
            continue  # Go takes no empty match right after another, Python does
        out += (text[position : match.start()], _expand(match, replacement))
        position = last = match.end()
    return "".join([*out, text[position:]])


def _expand(match: "re.Match[str]", replacement: str) -> str:
    def group(reference: "re.Match[str]") -> str:
        name = reference["plain"] or reference["braced"]
        if name is None:
            return "$"
        key: int | str = int(name) if name.isdigit() else name
        try:
            return str(match[key] or "")
        except IndexError:
            return ""

    return _REFERENCE.sub(group, replacement)
