"""Templates in double braces."""

from collections.abc import Iterator
from typing import NamedTuple


class Braced(NamedTuple):
    """What stands between ``{{`` and the next ``}}``, blanks at its ends left out, and where: braces included."""

    content: str
    start: int
    end: int


def braced(text: str) -> Iterator[Braced]:
    """Yield the templates of a text, in one pass: a regular expression would try every ``{{`` to the text's end."""
    end = 0
    while (start := text.find("{{", end)) >= 0 and (close := text.find("}}", start + 2)) >= 0:
        end = close + 2
        yield Braced(text[start + 2 : close].strip(), start, end)
