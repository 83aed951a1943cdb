"""The two ways in which reconciling stops: try again later, or wait for somebody to change something."""

from strongroom_operator.checks import Verdict


class Stopped(Exception):
    """The base of both. ``verdict`` becomes a condition, so its message holds nothing secret."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.verdict = Verdict(reason, message)


class Retry(Stopped):
    """What is missing may come by itself: a pod that starts, an answer, a leader."""


class GiveUp(Stopped):
    """Nothing changes until somebody acts; what is there stays as it is."""
