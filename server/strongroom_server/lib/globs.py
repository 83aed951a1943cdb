"""Globs of roles: ``*`` stands for any text, and nothing else is special."""

import re
from collections.abc import Iterable
from functools import lru_cache


def fits(globs: Iterable[str], text: str) -> bool:
    """Tell whether one of ``globs`` fits the whole of ``text``."""
    return any(_compiled(glob).fullmatch(text) for glob in globs)


@lru_cache(maxsize=1024)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)
