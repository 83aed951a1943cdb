"""The headers of every answer, by its status: Vault's own and those that a listener adds.

``custom_response_headers`` (listener docs, "tcp") names headers for "default", for a class such as "4xx" and for one
status such as "404"; of two, the closer one holds.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from strongroom_server.http.messages import Answer, head_of

_ALWAYS = {"Cache-Control": "no-store", "Content-Type": "application/json",
           "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
           "Server": "Strongroom"}  # fmt: skip  # aiohttp would tell its version and Python's
_STATUS = re.compile(r"default|[1-5]xx|[1-5]\d\d", re.ASCII)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # RFC 9110, "token"


class AnswerHeaders:
    """What one listener's answers say beside their bodies."""

    def __init__(self, custom: Mapping[str, Any], server: Mapping[str, str]) -> None:
        """``server`` are those that the server file asks for; raises ValueError for wrong ``custom`` ones."""
        self._custom = checked(custom)
        self._server = server
        self._by_status: dict[int, dict[str, str]] = {}
        self._heads: dict[int, bytes] = {}

    def of(self, status: int) -> dict[str, str]:
        """Return the headers for a status; the same object each time, not to be changed."""
        found = self._by_status.get(status)
        if found is None:
            levels = ("default", f"{status // 100}xx", str(status))
            found = dict(_ALWAYS)
            for level in levels:
                found |= self._custom.get(level, {})
            found |= self._server
            self._by_status[status] = found
        return found

    def answer(self, status: int, body: bytes | AsyncIterator[bytes],
               more: Mapping[str, str] | None = None) -> Answer:  # fmt: skip
        """Return an answer with the headers for its status; ``more`` hold over them."""
        headers = self.of(status)
        if more:
            return Answer(status, {**headers, **more}, body)
        head = self._heads.get(status)
        if head is None:
            head = self._heads[status] = head_of(status, headers)
        return Answer(status, headers, body, head)


def checked(custom: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return ``custom_response_headers`` as header lines; raises ValueError that says what is wrong."""
    found: dict[str, dict[str, str]] = {}
    for status, headers in custom.items():
        if not _STATUS.fullmatch(status):
            raise ValueError(f'custom_response_headers: expected "default", a class such as "4xx" or a status such as '
                             f'"404", not {status!r}')  # fmt: skip
        if not isinstance(headers, dict):
            raise ValueError(f'custom_response_headers: expected "{status}" = {{ "Name" = ["value"] }}')
        found[status] = {name: _line(name, values) for name, values in headers.items()}
    return found


def _line(name: str, values: Any) -> str:
    if not _NAME.fullmatch(name) or name.lower().startswith("x-vault-"):
        raise ValueError(f"custom_response_headers: {name!r} cannot be set: expected a name of its own")
    values = [values] if isinstance(values, str) else values
    if not isinstance(values, list | tuple) or not all(_is_line(value) for value in values):
        raise ValueError(f"custom_response_headers: {name}: expected a list of single lines")
    return "; ".join(values)


def _is_line(value: Any) -> bool:
    # Security 1: a line break in a value would begin another header (RFC 9110, "field values").
    return isinstance(value, str) and value.isprintable()
