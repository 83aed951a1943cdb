"""Requests under way: shown by sys/in-flight-req, and ended when they take longer than they may."""

import asyncio
from typing import Any

import msgspec

from strongroom_common.clock import rfc3339
from strongroom_server.sdk.request import Request


class Flight(msgspec.Struct, eq=False):
    """One request. ``due`` is when it is ended, on the event loop's clock; ``started`` is epoch seconds."""

    task: "asyncio.Task[Any]"
    started: float
    due: float
    method: str
    path: str
    remote: str
    request: Request | None = None
    overdue: bool = False

    def end(self) -> None:
        """End it: whoever serves it sees CancelledError, asks ``forgive`` and answers."""
        self.overdue = True
        self.task.cancel()

    def forgive(self) -> bool:
        """Say whether the cancellation was ``end``; then the task may go on to answer."""
        if self.overdue:
            self.task.uncancel()
        return self.overdue

    def facts(self) -> dict[str, Any]:
        """Return what sys/in-flight-req shows."""
        caller = self.request.caller if self.request is not None else None
        return {
            "start_time": rfc3339(self.started),
            "client_remote_address": self.remote,
            "request_path": self.path,
            "request_method": self.method,
            "client_id": (caller.entity_id or caller.token_hash) if caller else "",
        }


Flights = dict[str, Flight]
"""By request id."""


def end_overdue(flights: Flights, now: float) -> None:
    """End those that are late at ``now``."""
    for flight in flights.values():
        if flight.due <= now and not flight.overdue:
            flight.end()
