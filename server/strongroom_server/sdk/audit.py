"""Audit devices: where the record of every request and response goes.

A device is a module of ``strongroom_server.audit`` whose name is its type, with
``async def open_device(options: Mapping[str, str]) -> Device``. The entries come to it redacted and encoded, one
JSON line each. If every device fails, the request fails (the core sees to it).
"""

from typing import Protocol


class Device(Protocol):
    """Takes entries. ``write`` returns when the entry is handed over to the system; raises AuditError."""

    async def write(self, line: bytes) -> None:
        """Record one line, without its newline."""
        ...

    async def reopen(self) -> None:
        """Open the target anew (SIGHUP: a file was rotated)."""
        ...

    async def close(self) -> None:
        """Release the target."""
        ...
