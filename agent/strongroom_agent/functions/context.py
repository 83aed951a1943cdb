"""What functions may reach: the values fetched so far, the environment, the time, the destination's path."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any

Recall = Callable[[Hashable], Any]
"""Gives a dependency's value, or None while it is not there; the caller notes what was asked for."""


class Context:
    """One template's surroundings. ``scratch`` is emptied before each run (``begin``).

    Files outside of the folder ``sandbox`` are not read, unless it is empty.
    """

    def __init__(
        self, recall: Recall, environment: Mapping[str, str], now: Callable[[], float], destination: str = "",
        sandbox: str = "",
    ) -> None:  # fmt: skip
        self.recall, self.environment, self.now = recall, environment, now
        self.destination, self.sandbox = destination, sandbox
        self.scratch: dict[str, Any] = {}

    def begin(self) -> None:
        """Forget what the last run kept."""
        self.scratch = {}
