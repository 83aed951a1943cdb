"""Globs of roles: ``*`` stands for any text, and nothing else is special.

Not a regular expression: one with several ``.*`` goes back and forth for as long as the author of the text wishes.
"""

from collections.abc import Iterable


def fits(globs: Iterable[str], text: str) -> bool:
    """Tell whether one of ``globs`` fits the whole of ``text``."""
    return any(_fits(glob, text) for glob in globs)


def _fits(glob: str, text: str) -> bool:
    first, *others = glob.split("*")
    if not others:
        return glob == text
    *middle, last = others
    place, end = len(first), len(text) - len(last)
    if place > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:  # each as early as it can be: that leaves the most for those to come
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
