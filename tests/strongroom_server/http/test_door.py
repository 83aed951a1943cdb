"""What comes before HTTP on real sockets: headers of the PROXY protocol, TLS behind them, HTTP for HTTPS."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from typing import Any

import pytest
import uvloop

from strongroom_common.fields import Cidrs, Seconds
from strongroom_server import dev_certificates
from strongroom_server.config import Listener, ProxyProtocol
from strongroom_server.http.app import App
from strongroom_server.http.listeners import Bound, bind_tcp
from strongroom_server.http.tls import make_context
from tests.strongroom_server.live import Live, start_live

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 203.0.113.1 5555 443\r\n"
V2 = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([203, 0, 113, 7, 203, 0, 113, 1]) + b"\x15\xb3\x01\xbb"
IN_FLIGHT = b"GET /v1/sys/in-flight-req HTTP/1.1\r\nHost: x\r\nX-Vault-Token: root\r\n\r\n"
HERE, CLIENT = "127.0.0.1", "203.0.113.7"

Open = Callable[..., Awaitable[Bound]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dev_certificates.Files:
    return dev_certificates.make(str(tmp_path_factory.mktemp("tls")), [HERE], time.time())


@pytest.fixture
async def listen(live: Live, files: dev_certificates.Files) -> AsyncIterator[Open]:
    bound: list[Bound] = []

    async def start(behavior: ProxyProtocol = "", proxies: str = "", *, tls: bool = False, seconds: int = 10) -> Bound:
        listener = Listener(
            proxy_protocol_behavior=behavior, proxy_protocol_authorized_addrs=Cidrs((proxies,) if proxies else ()),
            tls_cert_file=str(files.certificate), tls_key_file=str(files.key),
            http_read_header_timeout=Seconds(seconds),
        )  # fmt: skip
        context = make_context(listener) if tls else None
        bound.append(await bind_tcp(App(live.server, listener), HERE, 0, context))
        return bound[-1]

    yield start
    for one in bound:
        await one.close()


def trusting(files: dev_certificates.Files) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(files.authority))


async def client_of(port: int, *pieces: bytes, context: ssl.SSLContext | None = None) -> str:
    """Send ``pieces`` one by one, then ask; return whose request the server takes it for, "" where it hangs up."""
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        if context is not None:
            await writer.start_tls(context, server_hostname=HERE)
        writer.write(IN_FLIGHT)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        body: Any = json.loads(await reader.readexactly(length))
        (flight,) = body["data"].values() if "data" in body else body.values()
        return str(flight["client_remote_address"])
    except (asyncio.IncompleteReadError, ConnectionError):
        return ""
    finally:
        writer.transport.abort()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the end, which may be a rough one where bytes were left unread."""
    try:
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionResetError:
        return b""


def binary(first: int, second: int, addresses: bytes = b"") -> bytes:
    return SIGNATURE + bytes([first, second]) + len(addresses).to_bytes(2, "big") + addresses


@pytest.mark.parametrize(
    ("header", "client"),
    [
        pytest.param(b"", HERE, id="no_header"),
        pytest.param(V1, CLIENT, id="version_1"),
        pytest.param(b"PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n", "2001:db8::7", id="version_1_of_ipv6"),
        pytest.param(b"PROXY UNKNOWN\r\n", HERE, id="version_1_of_nobody_known"),
        pytest.param(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", HERE, id="version_1_of_nobody_known_with_words"),
        pytest.param(V2, CLIENT, id="version_2"),
        pytest.param(
            binary(0x21, 0x21, ip_address("2001:db8::7").packed * 2 + b"\x15\xb3\x01\xbb"), "2001:db8::7",
            id="version_2_of_ipv6",
        ),
        pytest.param(binary(0x21, 0x11, V2[16:] + b"\x04\x00\x01x"), CLIENT, id="version_2_with_more_behind"),
        pytest.param(binary(0x20, 0x00), HERE, id="version_2_of_the_balancer_itself"),
        pytest.param(binary(0x21, 0x31, b"\x00" * 216), HERE, id="version_2_of_a_unix_socket"),
        pytest.param(b"PROXY TCP4 nonsense\r\n", "", id="version_1_without_addresses"),
        pytest.param(V1.replace(b"TCP4", b"TCP6"), "", id="version_1_of_another_family"),
        pytest.param(V1.replace(b"5555", b"65536"), "", id="version_1_with_a_port_that_is_none"),
        pytest.param(V1.replace(b"\r\n", b"\n"), "", id="version_1_without_carriage_return"),
        pytest.param(b"PROXY " + b"x" * 200, "", id="version_1_without_end"),
        pytest.param(b"PROXY \xff\xfe\r\n", "", id="version_1_that_is_no_ascii"),
        pytest.param(binary(0x31, 0x11, V2[16:]), "", id="version_3"),
        pytest.param(binary(0x21, 0x11, b"\x01"), "", id="version_2_cut_off"),
    ],
)  # fmt: skip
async def test_headers_say_whose_connection_it_is(listen: Open, header: bytes, client: str) -> None:
    bound = await listen("use_always")
    assert await client_of(bound.port, header) == client
    assert await client_of(bound.port, V1) == CLIENT  # whatever one has sent, others are served


@pytest.mark.parametrize(
    ("behavior", "proxies", "with_header", "without"),
    [
        pytest.param("allow_authorized", "127.0.0.0/8", CLIENT, HERE, id="allowed_and_listed"),
        pytest.param("allow_authorized", "10.0.0.0/8", HERE, HERE, id="allowed_and_not_listed"),
        pytest.param("allow_authorized", "", HERE, HERE, id="allowed_and_nobody_listed"),
        pytest.param("deny_unauthorized", "127.0.0.1", CLIENT, HERE, id="denied_unless_listed"),
        pytest.param("deny_unauthorized", "10.0.0.0/8", "", "", id="denied"),
    ],
)
async def test_headers_count_by_who_sends_them(
    listen: Open, behavior: ProxyProtocol, proxies: str, with_header: str, without: str
) -> None:
    bound = await listen(behavior, proxies)
    for header in (V1, V2):
        assert await client_of(bound.port, header) == with_header
    assert await client_of(bound.port) == without


async def test_without_the_setting_the_header_is_no_http(listen: Open) -> None:
    reader, writer = await asyncio.open_connection(HERE, (await listen()).port)
    writer.write(V1 + IN_FLIGHT)
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.parametrize("header", [pytest.param(V1, id="version_1"), pytest.param(V2, id="version_2")])
async def test_tls_begins_behind_the_header(listen: Open, files: dev_certificates.Files, header: bytes) -> None:
    bound, context = await listen("use_always", tls=True), trusting(files)
    assert await client_of(bound.port, header, context=context) == CLIENT
    assert await client_of(bound.port, header[:5], header[5:20], header[20:], context=context) == CLIENT
    assert await client_of(bound.port, context=context) == HERE


async def test_names_of_a_host_are_all_listened_on(listen: Open, live: Live) -> None:
    bound = await bind_tcp(App(live.server, Listener(proxy_protocol_behavior="use_always")), "localhost", 0)
    assert await client_of(bound.port, V1) == CLIENT
    with pytest.raises(OSError, match="in use"):
        await bind_tcp(App(live.server, Listener(proxy_protocol_behavior="use_always")), HERE, bound.port)
    await bound.close()


@pytest.mark.parametrize("behavior", ["", "use_always"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "LIST"])
async def test_http_where_tls_is_spoken_is_told_so(listen: Open, behavior: ProxyProtocol, method: str) -> None:
    bound = await listen(behavior, tls=True)
    reader, writer = await asyncio.open_connection(HERE, bound.port)
    writer.write((V1 if behavior else b"") + f"{method} /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n".encode() + b"x" * 5)
    head, _, body = (await asyncio.wait_for(reader.read(), 20)).partition(b"\r\n\r\n")
    assert (head, body) == (b"HTTP/1.0 400 Bad Request", b"Client sent an HTTP request to an HTTPS server.\n")
    writer.close()


async def test_what_is_neither_http_nor_tls_ends(listen: Open, files: dev_certificates.Files) -> None:
    bound = await listen(tls=True, seconds=1)
    for noise in (b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05hello", b"GE"):
        reader, writer = await asyncio.open_connection(HERE, bound.port)
        writer.write(noise)
        writer.write_eof()
        assert b"HTTP" not in await rest(reader)
        writer.close()
    assert await client_of(bound.port, context=trusting(files)) == HERE


async def test_who_says_nothing_is_shown_out(listen: Open) -> None:
    bound = await listen("use_always", tls=True, seconds=1)

    async def begin(beginning: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HERE, bound.port)
        writer.write(beginning)
        said = await rest(reader)
        writer.close()
        return said

    assert await asyncio.gather(*map(begin, (b"", b"PROX", SIGNATURE, V1))) == [b"", b"", b"", b""]


async def test_closing_waits_for_nobody_at_the_door(listen: Open) -> None:
    bound = await listen("use_always", tls=True, seconds=300)
    reader, writer = await asyncio.open_connection(HERE, bound.port)
    writer.write(V1)
    await asyncio.wait_for(bound.close(), 20)
    assert await rest(reader) == b""
    writer.close()


def test_the_loop_that_the_server_runs_on_does_the_same(files: dev_certificates.Files) -> None:
    async def ask() -> list[str]:
        live = await start_live()
        listener = Listener(
            proxy_protocol_behavior="use_always", tls_cert_file=str(files.certificate), tls_key_file=str(files.key)
        )
        bound = await bind_tcp(App(live.server, listener), HERE, 0, make_context(listener))
        found = [
            await client_of(bound.port, *header, context=trusting(files))
            for header in ([V1], [V2], [V2[:9], V2[9:]], [])
        ]
        reader, writer = await asyncio.open_connection(HERE, bound.port)
        writer.write(IN_FLIGHT)
        found.append((await reader.readline()).decode().strip())
        writer.close()
        await bound.close()
        await live.server.sealing.seal()
        return found

    assert uvloop.run(ask()) == [CLIENT, CLIENT, CLIENT, HERE, "HTTP/1.0 400 Bad Request"]
