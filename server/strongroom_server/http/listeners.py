"""Sockets: where the server listens, with TLS or without."""

import shutil
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from strongroom_server.http.app import App
from strongroom_server.http.connections import ConnectionServer
from strongroom_server.http.door import Door
from strongroom_server.http.proxy_protocol import Trust

_BACKLOG = 1024


@dataclass(slots=True)
class Bound:
    """A listening socket. ``context`` is kept, so that a reload reaches new connections."""

    runner: web.ServerRunner
    port: int
    context: ssl.SSLContext | None = None
    files: tuple[str, str] = ("", "")
    door: Door | None = None

    def reload(self) -> None:
        """Read certificate and key anew (SIGHUP)."""
        if self.context is not None:
            self.context.load_cert_chain(*self.files)

    async def close(self) -> None:
        """Stop accepting, let requests under way end."""
        if self.door is not None:
            await self.door.close()
        await self.runner.cleanup()


async def bind_tcp(app: App, host: str, port: int, context: ssl.SSLContext | None = None,
                   files: tuple[str, str] = ("", "")) -> Bound:  # fmt: skip
    """Listen on ``host``:``port`` (0 takes a free one); raises OSError where it is taken."""
    runner, server = await _runner(app)
    trust = Trust.of(app.listener)
    try:
        if context is not None or trust.behavior:
            door = Door(server, context, trust)
            return Bound(runner, await door.open(host or None, port, _BACKLOG), context, files, door)
        await web.TCPSite(runner, host or None, port, backlog=_BACKLOG).start()
    except OSError:
        await runner.cleanup()
        raise
    return Bound(runner, runner.addresses[0][1])


async def bind_unix(app: App, path: str, mode: int | None = None, owner: tuple[str, str] = ("", "")) -> Bound:
    """Listen on a unix socket; ``owner`` is user and group, by name or number, LookupError where there is none such."""
    runner, _ = await _runner(app)
    Path(path).unlink(missing_ok=True)  # noqa: ASYNC240 - once, before anything is served
    await web.UnixSite(runner, path).start()
    user, group = owner
    if user:
        shutil.chown(path, user=_name_or_number(user))
    if group:
        shutil.chown(path, group=_name_or_number(group))
    if mode is not None:
        Path(path).chmod(mode)  # noqa: ASYNC240 - the same
    return Bound(runner, 0)


def _name_or_number(text: str) -> str | int:
    return int(text) if text.isdecimal() else text


async def _runner(app: App) -> tuple[web.ServerRunner, ConnectionServer]:
    server = ConnectionServer(app)
    runner = web.ServerRunner(server, shutdown_timeout=10)
    await runner.setup()
    server.start()
    return runner, server


async def close_all(bound: Sequence[Bound]) -> None:
    """Close every listener."""
    for one in bound:
        await one.close()
