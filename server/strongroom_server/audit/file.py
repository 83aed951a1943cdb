"""The audit device that appends to a file, or to standard output for a container's log.

A write to a regular file goes to the system's cache in microseconds, so it is made at once on the event loop's
thread. Pipes and terminals may block for as long as nobody reads; they are written by a thread of their own, in order.
"""

import asyncio
import contextlib
import os
import stat
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from strongroom_common.fields import Alias, parse
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError

_STREAMS = {"stdout": 1, "stderr": 2}
_KEEP_MODE = 0
_DEFAULT_MODE = 0o600


@dataclass(frozen=True)
class Options:
    """Options of ``audit enable file``."""

    file_path: Annotated[str, 'Where to append; or "stdout", "stderr", "discard".', Alias("path")] = ""
    mode: Annotated[str, 'Mode of the file in octal; "0000" leaves it as it is.'] = "0600"


class FileDevice:
    """Appends lines to ``path``, or to a standard stream."""

    def __init__(self, path: str, mode: int) -> None:
        self._path = path
        self._mode = mode
        self._handle = _open(path, mode)
        self._closed = False
        self._torn = False  # the last line is incomplete
        regular = stat.S_ISREG(os.fstat(self._handle).st_mode)
        self._thread = None if regular else ThreadPoolExecutor(1, thread_name_prefix="audit")

    async def write(self, line: bytes) -> None:
        """Append one line; raises AuditError where the system does not take all of it."""
        if self._closed:
            raise AuditError(f"{self._path} is closed")
        if self._thread is None:
            self._append(line + b"\n")
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._append, line + b"\n")

    async def reopen(self) -> None:
        """Open the path anew; if that fails, the old file stays in use and AuditError is raised."""
        handle = _open(self._path, self._mode)
        old, self._handle = self._handle, handle
        if self._thread is None:
            os.close(old)
        else:
            await asyncio.get_running_loop().run_in_executor(self._thread, os.close, old)

    async def close(self) -> None:
        """Close the file once what waits is written."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            await asyncio.to_thread(self._thread.shutdown)
        os.close(self._handle)

    def _append(self, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            self._torn = self._torn or len(left) < len(data)
            raise AuditError(f"{self._path}: {error.strerror}") from error
        self._torn = False


def _open(path: str, mode: int) -> int:
    """Open for appending, making folders as needed; raises AuditError."""
    try:
        if path in _STREAMS:
            return os.dup(_STREAMS[path])
        with contextlib.suppress(FileExistsError):  # where the parent is a file, open says it better
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, mode or _DEFAULT_MODE)
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}") from error
    if mode != _KEEP_MODE and stat.S_ISREG(os.fstat(handle).st_mode):
        with contextlib.suppress(PermissionError):  # somebody else's file that we may append to
            os.fchmod(handle, mode)
    return handle


class Discard:
    """Takes everything and keeps nothing: for measuring."""

    async def write(self, line: bytes) -> None:
        """Do nothing."""

    async def reopen(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        raise AuditError(f"mode {text!r}: expected octal digits such as 0600") from None
    if not 0 <= mode <= 0o777 or mode & 0o111:
        raise AuditError(f"mode {text!r}: expected permissions to read and write only, such as 0600")
    return mode


async def open_device(options: Mapping[str, str]) -> Device:
    """Open the file; raises AuditError that names the wrong option or says why the file does not open."""
    given = parse(Options, options).value
    if not given.file_path:
        raise AuditError("file_path is required")
    mode = _mode(given.mode)
    if given.file_path == "discard":
        return Discard()
    return FileDevice(given.file_path, mode)
