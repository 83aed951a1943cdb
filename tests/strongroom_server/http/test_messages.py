"""Answers as bytes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from strongroom_server.config import Listener
from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from strongroom_server.http.messages import Answer, Message, head_of
from tests.strongroom_server.live import Live

_NOW = 784111777.9  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


@pytest.mark.parametrize(
    ("answer", "wire"),
    [
        pytest.param(Answer(200, {"A": "b"}, b"{}"),
                     "HTTP/1.1 200 OK|A: b|Content-Length: 2|Date: Sun, 06 Nov 1994 08:49:37 GMT||{}",
                     id="a_body_has_its_length"),
        pytest.param(Answer(404, {}), "HTTP/1.1 404 Not Found|Content-Length: 0|Date: Sun, 06 Nov 1994 08:49:37 GMT||",
                     id="no_body_is_of_length_zero"),
        pytest.param(Answer(204, {}), "HTTP/1.1 204 No Content|Date: Sun, 06 Nov 1994 08:49:37 GMT||",
                     id="where_there_can_be_no_body_there_is_no_length"),
        pytest.param(Answer(473, {}, keep_alive=False),
                     "HTTP/1.1 473 |Content-Length: 0|Date: Sun, 06 Nov 1994 08:49:37 GMT|Connection: close||",
                     id="a_status_of_vaults_own_has_no_phrase"),
    ],
)  # fmt: skip
def test_answers_on_the_wire(answer: Answer, wire: str) -> None:
    assert b"".join(answer.pieces(None, _NOW)) == wire.replace("|", "\r\n").encode()


def test_no_value_begins_another_header() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        head_of(200, {"Location": "/x\r\nSet-Cookie: a=b"})


class _Streaming(App):
    """Answers in pieces."""

    async def handle(self, message: Message) -> Answer:
        async def pieces() -> AsyncIterator[bytes]:
            for piece in (b"one", b"two"):
                await asyncio.sleep(0)
                yield piece

        return self._headers.answer(200, pieces())


@pytest.mark.parametrize(
    ("version", "body"),
    [
        pytest.param("1.1", b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", id="http_1_1_has_chunks"),
        pytest.param("1.0", b"onetwo", id="http_1_0_ends_with_the_connection"),
    ],
)
async def test_bodies_that_come_in_pieces(live: Live, version: str, body: bytes) -> None:
    bound = await bind_tcp(_Streaming(live.server, Listener()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", bound.port)
    writer.write(f"GET / HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, rest = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    assert rest == body
    assert (b"chunked" in head) == (version == "1.1")
    writer.close()
    await bound.close()


async def test_head_asks_for_no_piece_of_a_body(live: Live) -> None:
    bound = await bind_tcp(_Streaming(live.server, Listener()), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", bound.port)
    writer.write(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"\r\n\r\n")
    writer.close()
    await bound.close()
