"""Keeps values out of messages: an error of a template must not show the secret that it failed on."""

import re
from typing import Any

from strongroom_agent.template.printing import text


def redacted(message: str, values: list[Any]) -> str:
    """Return ``message`` without any of the strings and numbers within ``values``."""
    texts: set[str] = set()
    for value in values:
        _leaves(value, texts)
    words = "|".join(re.escape(leaf) for leaf in sorted(texts, key=len, reverse=True))
    return re.sub(words, "[redacted]", message) if words else message  # at once: no value hides in the mark itself


def _leaves(value: Any, texts: set[str]) -> None:
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _leaves(item, texts)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        texts.update({text(value), repr(text(value))[1:-1]} - {""})
