"""Functions on strings: cutting, joining, replacing."""

from collections.abc import Callable
from typing import Any

from strongroom_agent.functions import regexes
from strongroom_agent.template import Function
from strongroom_agent.template.values import StringList, StringMap


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "indent": Function(indent, "int string"),
        "join": Function(lambda separator, items: separator.join(items), "string []string"),
        "regexMatch": Function(lambda pattern, text: regexes.search(pattern, text) is not None, "string string"),
        "regexReplaceAll": Function(regexes.replace_all, "string string string"),
        "replaceAll": Function(lambda old, new, text: replace(text, old, new), "string string string"),
        "split": Function(_split, "string string"),
        "splitToMap": Function(_split_to_map, "string string string"),
        "toLower": Function(lambda text: mapped(text, str.lower), "string"),
        "toTitle": Function(title, "string"),
        "toUpper": Function(lambda text: mapped(text, str.upper), "string"),
        "trim": Function(lambda cut, text: text.strip(cut) if cut else text, "string string"),
        "trimPrefix": Function(lambda prefix, text: text.removeprefix(prefix), "string string"),
        "trimSpace": Function(trim_space, "string"),
        "trimSuffix": Function(lambda suffix, text: text.removesuffix(suffix), "string string"),
    }


def indent(spaces: int, text: str) -> str:
    """Put ``spaces`` before each line that is not empty; raises ValueError for a negative number."""
    if spaces < 0:
        raise ValueError("indent value must be a positive integer")
    lines = text.split("\n")
    return "\n".join(" " * spaces + line if line else line for line in lines)


def trim_space(text: str) -> str:
    """Cut white space as Go sees it: Unicode's, without the control characters that Python adds."""
    return text.strip("\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
                      "\u2028\u2029\u202f\u205f\u3000")  # fmt: skip


def replace(text: str, old: str, new: str) -> str:
    """Replace every ``old``; an empty one stands before each character and at the end."""
    return text.replace(old, new)


def split(separator: str, text: str) -> StringList:
    """Split as Go does: an empty separator gives the characters."""
    return StringList(text.split(separator) if separator else list(text))


def title(text: str) -> str:
    """Make the first letter of each word a capital and leave the rest."""
    out, inside = [], False
    for character in text:
        out.append(character if inside else mapped(character, str.title))
        inside = character.isalpha() or (inside and (character.isalnum() or character in "_'"))
    return "".join(out)


def mapped(text: str, change: Callable[[str], str]) -> str:
    """Change each character by itself, as Go does; one that would become two stays."""
    return "".join(new if len(new := change(character)) == 1 else character for character in text)


def _split(separator: str, text: str) -> StringList:
    text = trim_space(text)
    return split(separator, text) if text else StringList()


def _split_to_map(items: str, pair: str, text: str) -> Any:
    found = StringMap()
    for item in _split(items, text):
        key, present, value = item.partition(pair)
        if present:
            found[key] = value
    return found
