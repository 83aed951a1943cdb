"""The door of a listener: what is said on a connection before TLS begins, or before HTTP where there is none.

A load balancer may say there whom it speaks for (PROXY protocol); a client may have mistaken HTTPS for HTTP and is told
so. Bytes are looked at where they are, in the socket, and only those of the header are taken.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from strongroom_server.http.connections import ConnectionServer
from strongroom_server.http.proxy_protocol import (
    FIXED,
    LONGEST_LINE,
    SIGNATURES,
    Address,
    Trust,
    from_binary,
    from_line,
    length_of,
)

log = logging.getLogger("http")

_HTTP = (b"GET /", b"HEAD ", b"POST ", b"PUT /", b"PATCH", b"DELET", b"LIST ", b"OPTIO")
_NOT_HTTPS = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
_AGAIN = 0.01  # seconds until a beginning that says too little is looked at again
_EXHAUSTED = 0.5  # seconds to wait where there are no more open files
_LINGER = 1.0  # seconds in which a client may take what it is told
_LONGEST = 30.0  # seconds to get through where the listener says nothing
_LEAST = 16  # connections that may be at it even where all are taken, so that they can be told so


class Door:
    """Takes connections from sockets, hears what comes first on each, and hands it on."""

    def __init__(self, server: ConnectionServer, context: ssl.SSLContext | None, trust: Trust) -> None:
        self._server, self._context, self._trust = server, context, trust
        self._seconds = server.app.listener.http_read_header_timeout or _LONGEST
        self._sockets: list[socket.socket] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._entering: set[asyncio.Task[None]] = set()

    async def open(self, host: str | None, port: int, backlog: int) -> int:
        """Listen on all addresses of ``host`` and return the port; raises OSError where that cannot be."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                self._sockets.append(_listening(family, address, backlog))
        except OSError:
            await self.close()
            raise
        self._accepting = [loop.create_task(self._accept(one)) for one in self._sockets]
        bound: int = self._sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Listen no more, and leave those who are not through yet."""
        tasks = [*self._accepting, *self._entering]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._sockets:
            one.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except ConnectionError:  # the client went before it was taken
                continue
            except OSError as error:
                log.warning("a connection could not be accepted: %s", error.strerror)
                await asyncio.sleep(_EXHAUSTED)
                continue
            if len(self._entering) >= max(self._server.room, _LEAST):
                connection.close()
            else:
                self._spawn(self._enter(connection, peer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket, peer: Any) -> None:
        handed_on = False
        try:
            async with asyncio.timeout(self._seconds):
                client = await self._client(connection, peer[0]) if self._trust.behavior else None
                if self._context is not None and await _beginning(connection, _HTTP):
                    await _turn_away(connection)
                    return
                handed_on = True  # and closed by its transport from here on
                await self._hand_on(connection, client)
        except ssl.SSLError as error:
            log.info("a TLS handshake failed: %s", error.reason, extra={"fields": {"address": peer[0]}})
        except ValueError as error:
            log.warning("a connection was closed: its PROXY protocol header: %s", error,
                        extra={"fields": {"address": peer[0]}})  # fmt: skip
        except OSError:  # it took too long, or went
            log.debug("a connection ended before its first request", exc_info=True)
        finally:
            if not handed_on:
                connection.close()

    async def _hand_on(self, connection: socket.socket, client: Address | None) -> None:
        loop, make = asyncio.get_running_loop(), partial(self._server, client)
        if self._context is None:
            await loop.connect_accepted_socket(make, connection)
        else:
            await loop.connect_accepted_socket(make, connection, ssl=self._context)

    async def _client(self, connection: socket.socket, peer: str) -> Address | None:
        """Take the header off, if there is one, and return whom it names where that counts; raises ValueError."""
        if self._trust.refuses(peer):
            raise ValueError("this address is not in proxy_protocol_authorized_addrs")
        signature = await _beginning(connection, SIGNATURES)
        if not signature:
            return None
        if signature == SIGNATURES[0]:
            client = from_line(await _take_line(connection))
        else:
            fixed = await _take(connection, FIXED)
            client = from_binary(fixed, await _take(connection, length_of(fixed)))
        return client if self._trust.believes(peer) else None


def _listening(family: int, address: Any, backlog: int) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # 0.0.0.0 has a socket of its own
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(backlog)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


async def _beginning(connection: socket.socket, beginnings: tuple[bytes, ...]) -> bytes:
    """Return which of ``beginnings`` is what comes, b"" for none; nothing is taken."""
    longest = max(map(len, beginnings))
    while True:
        try:
            seen = connection.recv(longest, socket.MSG_PEEK)
        except BlockingIOError:
            await _readable(connection)
            continue
        if found := next(filter(seen.startswith, beginnings), b""):
            return found
        if not seen or not any(one.startswith(seen) for one in beginnings):
            return b""
        await asyncio.sleep(_AGAIN)


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


async def _take(connection: socket.socket, count: int) -> bytes:
    """Return the next ``count`` bytes; raises ValueError where the connection ends before."""
    loop, taken = asyncio.get_running_loop(), b""
    while len(taken) < count:
        more = await loop.sock_recv(connection, count - len(taken))
        if not more:
            raise ValueError("it is cut off")
        taken += more
    return taken


async def _take_line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        if len(line) == LONGEST_LINE:
            raise ValueError("the line is too long")
        line += await _take(connection, 1)
    return line


async def _turn_away(connection: socket.socket) -> None:
    """Tell a client that speaks HTTP where TLS is spoken, in the words of Go's servers, and hang up."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, _NOT_HTTPS)
    connection.shutdown(socket.SHUT_WR)
    with suppress(TimeoutError):  # closing with bytes unread would reset the connection, and the answer with it
        async with asyncio.timeout(_LINGER):
            while await loop.sock_recv(connection, 65536):
                pass
