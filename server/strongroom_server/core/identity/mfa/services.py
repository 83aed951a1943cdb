"""What the modules of the vendors share: whom to ask for, how to ask over HTTPS, and how to say no.

Each of ``duo``, ``okta`` and ``pingid`` has ``prove(settings, person, web, clock)``, which returns once the service
says that the person has shown their second factor, and raises ``Failed`` in all other cases.
"""

import json
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strongroom_server.lib.bodies import read_body

if TYPE_CHECKING:
    from aiohttp import ClientSession

log = logging.getLogger("core.mfa")

PATIENCE = 60  # seconds that somebody has to answer on their phone
POLLED_EVERY = 1  # second
_LONGEST = 1 << 20  # bytes of an answer


class Failed(Exception):
    """A factor was not shown; the text is for whoever logs in, and holds no secret."""


@dataclass(frozen=True)
class Person:
    """Who logs in: the name that the service knows, what was typed, and the address they come from."""

    name: str
    typed: str = ""
    address: str = ""


class Web:
    """Connections to one service for one login."""

    def __init__(self, service: str, session: "ClientSession") -> None:
        self._service = service
        self._session = session

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> "Told":
        """Return the answer, whatever its status; ``url`` is sent as it is. Raises Failed where none comes.

        Security 1: only over TLS, and never on to another host: the request carries what we authenticate with.
        """
        from aiohttp import ClientError
        from yarl import URL

        if not url.startswith("https://"):
            raise Failed(f"{self._service} is not asked over anything but https")
        try:
            async with self._session.request(
                method, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
            ) as answer:
                return Told(self._service, answer.status, await read_body(answer, _LONGEST))
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            log.warning("%s cannot be asked: %s", self._service, type(error).__name__)
            raise Failed(f"{self._service} cannot be asked") from error


@dataclass(frozen=True)
class Told:
    """An answer of a service."""

    service: str
    status: int
    raw: bytes

    def json(self) -> Any:
        """Return the parsed body; raises Failed where it is no JSON."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            raise self.unusable() from None

    def unusable(self) -> Failed:
        """Return the error of an answer that says nothing."""
        log.warning("%s gives an answer of no use, with status %d", self.service, self.status)
        return Failed(f"{self.service} gave an answer of no use, with status {self.status}")


@asynccontextmanager
async def connected(service: str) -> AsyncIterator[Web]:
    """Open connections that trust whom the machine trusts."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    connector = TCPConnector(ssl=ssl.create_default_context())
    timeout = ClientTimeout(total=PATIENCE, connect=10)
    async with ClientSession(connector=connector, timeout=timeout) as session:
        yield Web(service, session)


def text_at(value: Any, *names: str) -> str:
    """Return the text at a path of names in parsed JSON, or ''."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
