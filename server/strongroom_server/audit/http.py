"""The audit device that posts each entry to a web server, as OpenBao's ``http`` device does: no retry, no queue.

Options: https://openbao.org/docs/audit/http
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import aiohttp
import msgspec

from strongroom_common.fields import parse
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError

_TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True)
class Options:
    """Options of ``audit enable http``."""

    uri: Annotated[str, "Where to post; or env://NAME, file://PATH that holds it."] = ""
    headers: Annotated[str, 'Headers as JSON, {"Name": ["value"]}; a value may be env:// or file://.'] = ""


class HttpDevice:
    """Posts lines to ``uri`` over kept connections."""

    def __init__(self, uri: str, headers: list[tuple[str, str]]) -> None:
        self._uri = uri
        self._headers = headers
        self._session = self._new_session()

    async def write(self, line: bytes) -> None:
        """Post one entry; raises AuditError unless the answer is a success (2xx)."""
        try:
            async with self._session.post(self._uri, data=line, allow_redirects=False) as answer:
                if not 200 <= answer.status < 300:
                    raise AuditError(f"audit server answered {answer.status}")
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise AuditError(f"audit server cannot be reached: {type(error).__name__}") from error

    async def reopen(self) -> None:
        """Connect anew with the next entry."""
        old, self._session = self._session, self._new_session()
        await old.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT)


def _place(name: str, text: str) -> str:
    """Return ``text``, or what the environment variable or file that it names holds; raises AuditError."""
    scheme, _, rest = text.partition("://")
    try:
        if scheme == "env":
            return os.environ[rest]
        if scheme == "file":
            return Path(rest).read_text().strip()
    except (KeyError, OSError) as error:
        raise AuditError(f"{name}: {text} cannot be read") from error
    return text


def _headers(text: str) -> list[tuple[str, str]]:
    try:
        given = msgspec.json.decode(text or "{}", type=dict[str, list[str]])
    except msgspec.MsgspecError:
        raise AuditError('headers: expected JSON such as {"Authorization": ["env://TOKEN"]}') from None
    headers = [(name, _place(f"headers[{name}]", value)) for name, values in given.items() for value in values]
    if "content-type" not in map(str.lower, given):
        headers.append(("Content-Type", "application/json"))
    return headers


async def open_device(options: Mapping[str, str]) -> Device:
    """Open the device; raises AuditError that names the wrong option."""
    given = parse(Options, options).value
    uri = _place("uri", given.uri)
    if not uri.startswith(("http://", "https://")):
        raise AuditError("uri is required: expected http:// or https://")
    return HttpDevice(uri, _headers(given.headers))
