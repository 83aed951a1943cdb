"""Messages with headers that were sent before: answered as if these were parsed each time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParserPy

from strongroom_server.config import Listener
from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from strongroom_server.http.repeats import Repeats
from tests.strongroom_server.live import Live

_HEADERS = b"\r\nHost: x\r\nX-Vault-Token: root\r\n"
_SIZED = _HEADERS + b"Content-Length: 21\r\n\r\n"
_BODY = b'{"data": {"x": "ab"}}'


@pytest.fixture
async def port(live: Live) -> AsyncIterator[int]:
    bound = await bind_tcp(App(live.server, Listener()), "127.0.0.1", 0)
    await live.post("secret/data/a", {"data": {"x": 1}})
    yield bound.port
    await bound.close()


async def _answers(port: int, *messages: bytes) -> list[tuple[bytes, Any]]:
    """Send each message after the answer to the one before; returns status lines and bodies without what is random."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        for message in messages:
            writer.write(message)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            length = next((line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b": 0")
            body = b"" if message.startswith(b"HEAD") else await reader.readexactly(int(length.partition(b":")[2]))
            found.append((head.partition(b"\r\n")[0], body.partition(b'"lease_id"')[2] or body[:60]))
    except asyncio.IncompleteReadError:  # it hung up
        found.append((b"", b""))
    finally:
        writer.close()
    return found


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"GET /v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_read"),
        pytest.param(b"LIST /v1/secret/metadata HTTP/1.1" + _HEADERS + b"\r\n", id="a_verb_that_http_does_not_know"),
        pytest.param(b"GET /v1/secret/metadata?list=true HTTP/1.1" + _HEADERS + b"\r\n", id="a_query"),
        pytest.param(b"GET /v1/secret/data/%61 HTTP/1.1" + _HEADERS + b"\r\n", id="escapes"),
        pytest.param(b"GET /v1/secret//data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_path_to_be_cleaned"),
        pytest.param(b"GET /v1/secret/data/a#b HTTP/1.1" + _HEADERS + b"\r\n", id="a_fragment"),
        pytest.param("GET /v1/secret/data/ä HTTP/1.1".encode() + _HEADERS + b"\r\n", id="a_path_beyond_ascii"),
        pytest.param(b"GET /v1/secret/data/a\x01 HTTP/1.1" + _HEADERS + b"\r\n", id="a_control_character_in_the_path"),
        pytest.param(b"GET  /v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="two_blanks_behind_the_verb"),
        pytest.param(b"GET /v1/secret/data/a  HTTP/1.1" + _HEADERS + b"\r\n", id="two_blanks_before_the_version"),
        pytest.param(b"GET /v1/secret/data/a b HTTP/1.1" + _HEADERS + b"\r\n", id="a_blank_in_the_path"),
        pytest.param(b"GET\t/v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_tab_for_a_blank"),
        pytest.param(b"GET v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_path_without_its_slash"),
        pytest.param(b"GET http://x/v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_target_with_its_host"),
        pytest.param(b"OPTIONS * HTTP/1.1" + _HEADERS + b"\r\n", id="a_target_that_is_an_asterisk"),
        pytest.param(b"get /v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="a_verb_in_lower_case"),
        pytest.param(b"BREW /v1/secret/data/a HTTP/1.1" + _HEADERS + b"\r\n", id="no_verb"),
        pytest.param(b"GET /v1/secret/data/a HTTP/1.0" + _HEADERS + b"\r\n", id="an_older_version"),
        pytest.param(b"GET /v1/secret/data/a HTTP/2.0" + _HEADERS + b"\r\n", id="a_newer_version"),
        pytest.param(b"GET /v1/secret/data/a" + _HEADERS + b"\r\n", id="no_version"),
        pytest.param(b"POST /v1/cubbyhole/b HTTP/1.1" + _HEADERS + b"\r\n", id="a_write_without_its_body"),
        pytest.param(b"POST /v1/cubbyhole/b HTTP/1.1" + _SIZED + _BODY, id="a_write"),
        pytest.param(b"PUT /v1/secret/data/b HTTP/1.1" + _SIZED + b"x" * 21, id="a_body_that_is_no_json"),
        pytest.param(b"GET /v1/secret/data/a HTTP/1.1" + _SIZED + _BODY, id="a_read_with_a_body"),
        pytest.param(b"HEAD /v1/sys/none HTTP/1.1" + _HEADERS + b"\r\n", id="a_head"),
    ],
)
async def test_a_repeated_message_is_answered_as_a_first_one(port: int, message: bytes) -> None:
    first = await _answers(port, message)
    known = [b"GET /v1/sys/seal-status HTTP/1.1" + _HEADERS + b"\r\n",
             b"POST /v1/sys/tools/random/4 HTTP/1.1" + _SIZED + b'{"format":"hex"     }']  # fmt: skip
    *_, again = await _answers(port, *known, message)
    assert [again] == first


async def test_a_repeated_message_may_come_in_pieces(port: int) -> None:
    message = b"POST /v1/secret/data/b HTTP/1.1" + _SIZED + _BODY
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for cut in (len(message), 10, len(message) - 30, len(message) - 5):
        for piece in filter(None, (message[:cut], message[cut:])):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
    writer.close()


async def test_pipelined_repeats_are_answered_in_order(port: int) -> None:
    read = b"GET /v1/secret/data/%s HTTP/1.1" + _HEADERS + b"\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for burst in ([b"a"], [b"a", b"none"], [b"none", b"a", b"none"], [b"a"]):
        writer.write(b"".join(read % name for name in burst))
        for _ in burst:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
            found.append(int(head.split()[1]))
    writer.close()
    assert found == [200, 200, 404, 404, 200, 404, 200]


@pytest.mark.parametrize(
    ("rest", "known"),
    [
        pytest.param(b"\r\n", True, id="a_plain_message"),
        pytest.param(b"Content-Length: 2\r\n\r\n{}", True, id="a_message_with_a_length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", False, id="a_body_in_chunks"),
        pytest.param(b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{}", False, id="a_client_that_waits"),
        pytest.param(b"Connection: close\r\n\r\n", False, id="a_last_message"),
        pytest.param(b"Content-Length: 5\r\n\r\n{}", False, id="a_body_that_is_not_all_there"),
        pytest.param(b"Content-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}", False, id="a_packed_body"),
        pytest.param(b"X-Much: " + b"x" * 5000 + b"\r\n\r\n", False, id="headers_that_are_long"),
    ],
)
async def test_only_plain_messages_are_learned(rest: bytes, known: bool) -> None:
    data = b"POST /v1/a HTTP/1.1" + _HEADERS + rest
    loop = asyncio.get_running_loop()
    parser = HttpRequestParserPy(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
    [(message, payload)], _, _ = parser.feed_data(data)
    repeats = Repeats()
    assert repeats.find(data) is None
    repeats.learn(data, message, payload)
    assert (repeats.find(data) is not None) is known


async def test_a_connection_keeps_few_headers(port: int) -> None:
    read = b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nX-Trace: %d\r\n\r\n"
    found = await _answers(port, *(read % number for number in range(30)), *(read % number for number in range(30)))
    assert {status for status, _ in found} == {b"HTTP/1.1 200 OK"}
