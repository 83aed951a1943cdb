"""The server on a real socket, byte by byte: the verb LIST, split and pipelined messages, limits, odd input."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from strongroom_server.config import Listener
from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from tests.strongroom_server.http.answers import read_answer
from tests.strongroom_server.live import Live


@dataclass
class Wire:
    """One connection. ``send`` writes raw bytes, ``answer`` reads one HTTP answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(0.01)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        return await read_answer(self.reader)


@pytest.fixture
async def port(live: Live) -> AsyncIterator[int]:
    bound = await bind_tcp(App(live.server, Listener(max_request_size=100_000)), "127.0.0.1", 0)
    yield bound.port
    await bound.close()


@pytest.fixture
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Wire(reader, writer)
    writer.close()


def message(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} /v1/{path} HTTP/1.1", "Host: x", "X-Vault-Token: root", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


LIST = message("LIST", "secret/metadata/")


async def test_list_is_a_verb(wire: Wire, live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    await wire.send(LIST)
    assert (await wire.answer())[2]["data"] == {"keys": ["a"]}


@pytest.mark.parametrize("cut", range(1, 24, 2))
async def test_list_may_come_in_pieces(wire: Wire, live: Live, cut: int) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    for piece in (LIST[:cut], LIST[cut : cut + 3], LIST[cut + 3 :]):
        await wire.send(piece)
    assert (await wire.answer())[0] == 200


async def test_verbs_alternate_on_one_connection(wire: Wire, live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    for _ in range(3):
        await wire.send(message("GET", "secret/data/a"))
        assert (await wire.answer())[0] == 200
        await wire.send(LIST)
        assert (await wire.answer())[0] == 200
        await wire.send(message("POST", "secret/data/a", b'{"data": {"x": 2}}'))
        assert (await wire.answer())[0] == 200


async def test_pipelined_messages_are_answered_in_order(wire: Wire, live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    await wire.send(message("GET", "sys/health") + LIST + message("GET", "secret/data/none") + LIST)
    assert [(await wire.answer())[0] for _ in range(4)] == [200, 200, 404, 200]


async def test_a_body_that_looks_like_a_list_is_a_body(wire: Wire) -> None:
    body = json.dumps({"data": {"x": "LIST /v1/secret HTTP/1.1"}}).encode()
    head = message("POST", "secret/data/a", body)[: -len(body)]
    await wire.send(head)
    await wire.send(body[:20])
    await wire.send(body[20:])
    assert (await wire.answer())[0] == 200
    await wire.send(message("GET", "secret/data/a"))
    assert (await wire.answer())[2]["data"]["data"] == {"x": "LIST /v1/secret HTTP/1.1"}


async def test_list_by_query_is_the_same(wire: Wire, live: Live) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    await wire.send(message("GET", "secret/metadata?list=true"))
    assert (await wire.answer())[2]["data"] == {"keys": ["a"]}


@pytest.mark.parametrize("verb", ["BREW", "LISTEN", "L"])
async def test_other_unknown_verbs_are_refused(wire: Wire, verb: str) -> None:
    await wire.send(message(verb, "secret/metadata/"))
    assert (await wire.answer())[0] in {400, 405}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="half_an_object"),
        pytest.param(b"[1]", 400, id="no_object"),
        pytest.param(b'"text"', 400, id="a_text"),
        pytest.param(b'{"data": {"a": NaN}}', 400, id="not_a_number"),
        pytest.param(b'{"data": {"a": "\xff"}}', 400, id="no_utf_8"),
        pytest.param(b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400, id="nested_too_deep"),
        pytest.param(b'{"data": {"a": [' + b"1," * 11_000 + b"1]}}", 400, id="too_many_elements"),
        pytest.param(b'{"data": {"a": "' + b"x" * 100_000 + b'"}}', 413, id="too_large"),
        pytest.param(b"   ", 400, id="blank_is_nothing_at_all"),
        pytest.param(b'{"data": {"a": 1e999, "b": -0.0, "c": 1E3}}', 200, id="odd_numbers_are_numbers"),
    ],
)
async def test_bodies(wire: Wire, body: bytes, status: int) -> None:
    await wire.send(message("POST", "secret/data/a", body))
    code, _, answer = await wire.answer()
    assert code == status, answer
    assert status == 200 or answer["errors"]


@pytest.mark.parametrize(
    ("body", "status", "stored"),
    [
        pytest.param(b"a=b&c", 204, {"a": "b", "c": ""}, id="a_form"),
        pytest.param(b"a=b&c=d&a=e", 204, {"a": "b,e", "c": "d"}, id="a_name_that_comes_again"),
        pytest.param(b"a=%zz", 400, None, id="a_form_that_is_none"),
        pytest.param(b'{"a":1}', 204, {"a": 1}, id="an_object"),
        pytest.param(b'\n {"a":1}', 204, {"a": 1}, id="an_object_after_blanks"),
        pytest.param(b"[1]", 400, None, id="a_list"),
    ],
)
async def test_what_curl_sends_as_a_form_may_be_json(wire: Wire, body: bytes, status: int, stored: Any) -> None:
    await wire.send(message("POST", "cubbyhole/f", body, "Content-Type: application/x-www-form-urlencoded"))
    assert (await wire.answer())[0] == status
    await wire.send(message("GET", "cubbyhole/f"))
    assert ((await wire.answer())[2] or {}).get("data") == stored


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("sys/health", 200, id="what_probes_ask"),
        pytest.param("sys/seal-status", 405, id="not_the_seal"),
        pytest.param("sys/mounts", 405, id="no_settings"),
        pytest.param("secret/data/a", 405, id="no_secret"),
    ],
)
async def test_what_may_be_asked_by_head(wire: Wire, path: str, status: int) -> None:
    await wire.send(message("HEAD", path))
    head = await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 10)
    assert int(head.split()[1]) == status


@pytest.mark.parametrize("query", ["list=false", "list=", "scan=0", "help="])
async def test_a_list_that_is_not_asked_for_is_no_unknown_parameter(wire: Wire, query: str) -> None:
    await wire.send(message("GET", f"secret/config?{query}"))
    found, _, body = await wire.answer()
    assert (found, body["warnings"]) == (200, None)


async def test_less_than_a_second_still_asks_for_wrapping(wire: Wire, live: Live) -> None:
    await live.post("cubbyhole/a", {"x": 1})
    await wire.send(message("GET", "cubbyhole/a", b"", "X-Vault-Wrap-TTL: 500ms"))
    _, _, body = await wire.answer()
    assert (body["data"], body["wrap_info"]["ttl"]) == (None, 1)


async def test_numbers_keep_their_text(wire: Wire) -> None:
    numbers = b'{"data":{"a":1.50,"b":1E3,"c":9007199254740993,"d":12345678901234567890123,"e":-0.0}}'
    await wire.send(message("POST", "secret/data/n", numbers))
    await wire.answer()
    wire.writer.write(message("GET", "secret/data/n"))
    head = await wire.reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length
    body = await wire.reader.readexactly(int(length[1]))
    assert numbers[8:-1] in body


async def test_chunked_bodies_are_bodies_within_the_limit(wire: Wire) -> None:
    body = b'{"data": {"x": 1}}'
    head = message("POST", "secret/data/a", b"", "Transfer-Encoding: chunked")
    await wire.send(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert (await wire.answer())[0] == 200
    big = b"x" * 60_000
    await wire.send(head + (b"%x\r\n%s\r\n" % (len(big), big)) * 2 + b"0\r\n\r\n")
    assert (await wire.answer())[0] == 413


async def test_a_client_that_waits_to_send_its_body_is_told_to(wire: Wire) -> None:
    body = b'{"data": {"x": 1}}'
    await wire.send(message("POST", "secret/data/a", body, "Expect: 100-continue")[: -len(body)])
    assert await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 10) == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(body)
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
async def test_another_protocol_is_declined_by_answering_in_this_one(wire: Wire, protocol: str) -> None:
    await wire.send(message("GET", "sys/health", b"", "Connection: Upgrade", f"Upgrade: {protocol}"))
    assert (await wire.answer())[0] == 200
    for _ in range(2):
        await wire.send(LIST)
        assert (await wire.answer())[0] == 404


@pytest.mark.parametrize(
    ("version", "connection", "lives"),
    [
        pytest.param("1.1", "", True, id="http_1_1_goes_on"),
        pytest.param("1.1", "close", False, id="http_1_1_ends_where_asked"),
        pytest.param("1.0", "", False, id="http_1_0_ends"),
        pytest.param("1.0", "keep-alive", True, id="http_1_0_goes_on_where_asked"),
    ],
)
async def test_connections_live_as_long_as_they_say(wire: Wire, version: str, connection: str, lives: bool) -> None:
    headers = f"Connection: {connection}\r\n" if connection else ""
    await wire.send(f"GET /v1/sys/health HTTP/{version}\r\nHost: x\r\n{headers}\r\n".encode())
    assert (await wire.answer())[0] == 200
    if lives:
        await wire.send(LIST)
        assert (await wire.answer())[0] == 404
    else:
        assert await asyncio.wait_for(wire.reader.read(), 10) == b""


async def test_head_says_how_long_the_body_would_be(wire: Wire) -> None:
    await wire.send(message("HEAD", "sys/health") + message("GET", "sys/health"))
    head = (await asyncio.wait_for(wire.reader.readuntil(b"\r\n\r\n"), 10)).decode().lower()
    assert re.search(r"content-length: [1-9]", head)
    assert (await wire.answer())[0] == 200


async def test_an_answer_too_large_is_refused_before_the_rest_has_come(wire: Wire) -> None:
    await wire.send(message("POST", "secret/data/a", b"", "Content-Length: 1000000") + b"x" * 1000)
    assert (await wire.answer())[0] == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v1/secret//data/a", 307, id="double_slashes_are_redirected"),
        pytest.param("/v1/secret/data/a%2F%2Fb", 404, id="encoded_slashes_are_meant"),
        pytest.param("/v1/pki/ocsp/MEow//a", 404, id="base64_of_ocsp_may_hold_two_slashes"),
        pytest.param("/v1/secret/data/../x", 307, id="the_way_up_is_redirected"),
        pytest.param("/v1/secret/./data/x", 307, id="the_way_nowhere_is_redirected"),
        pytest.param("/v1/secret/data/.x/..y/z..", 404, id="dots_in_names_are_names"),
        pytest.param("http://x/v1/sys/health", 200, id="a_target_with_its_host"),
        pytest.param("/v1/secret/data/%zz", 400, id="no_escape"),
        pytest.param("/v1/secret/data/a%", 400, id="half_an_escape"),
        pytest.param("/v1/secret/data/%2e%2e/x", 400, id="no_way_up_in_disguise"),
        pytest.param("/v1/none/x", 404, id="no_mount"),
        pytest.param("/elsewhere", 404, id="no_api"),
        pytest.param("/v1/", 404, id="nothing_after_the_version"),
        pytest.param("/v1/secret/data/%00", 400, id="a_zero_byte_is_no_name"),
        pytest.param("/v1/secret/data/a%0Ab", 400, id="nor_is_a_line_break"),
        pytest.param("/v1/secret/data/a%E2%80%8Bb", 400, id="nor_what_nobody_sees"),
        pytest.param("/v1/secret/data/a%20%E6%97%A5%F0%9F%98%80", 404, id="any_letter_and_a_space_are"),
        pytest.param("/v1/secret/metadata?list=T", 404, id="a_list_by_parameter"),
        pytest.param("/v1/secret/metadata?list=yes", 400, id="no_truth_value"),
    ],
)
async def test_paths(wire: Wire, path: str, status: int) -> None:
    await wire.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Vault-Token: root\r\n\r\n".encode())
    assert (await wire.answer())[0] == status


async def test_a_redirect_keeps_escapes_and_the_query(wire: Wire) -> None:
    await wire.send(message("GET", "secret//data/a%20b/../c%3Fd?version=1&x=%2F"))
    code, headers, _ = await wire.answer()
    assert (code, headers["location"]) == (307, "/v1/secret/data/c%3Fd?version=1&x=%2F")


async def test_parameters_of_a_write_are_no_data(wire: Wire) -> None:
    await wire.send(message("POST", "cubbyhole/a?z=9", b'{"a":1}') + message("GET", "cubbyhole/a"))
    assert (await wire.answer())[0] == 204
    assert (await wire.answer())[2]["data"] == {"a": 1}


async def test_every_answer_says_not_to_keep_it(wire: Wire) -> None:
    for path in ("secret/data/none", "sys/health", "none/x"):
        await wire.send(message("GET", path))
        assert (await wire.answer())[1]["cache-control"] == "no-store"


async def test_a_fault_is_answered_without_its_cause(wire: Wire, live: Live) -> None:
    mount = live.server.mounts.at("secret/")
    assert mount is not None
    assert mount.engine is not None

    async def fail(*arguments: object) -> None:
        raise RuntimeError("a secret cause")

    mount.engine.call = fail  # type: ignore[assignment, method-assign]
    await wire.send(message("GET", "secret/data/a"))
    code, _, body = await wire.answer()
    assert code == 500
    assert "a secret cause" not in json.dumps(body)


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        pytest.param("POST", "secret/data/a/", 400, "cannot write to a path ending in '/'", id="no_write_to_a_folder"),
        pytest.param("PUT", "sys/mounts/x/", 400, "cannot write to a path ending in '/'", id="nor_to_one_of_sys"),
        pytest.param("LIST", "auth/token/create", 404, "unsupported path", id="what_is_no_folder_is_not_found_as_one"),
        pytest.param("LIST", "secret/data/a", 405, "unsupported operation", id="what_may_be_one_cannot_be_listed"),
        pytest.param("LIST", "secret/data", 405, "unsupported operation", id="the_top_of_what_is_listed_elsewhere"),
    ],
)
async def test_folders(wire: Wire, method: str, path: str, status: int, error: str) -> None:
    await wire.send(message(method, path, b"{}" if method != "LIST" else b""))
    code, _, body = await wire.answer()
    assert code == status
    assert error in body["errors"][0]


async def test_errors_of_the_core_are_counted_as_vaults_are(wire: Wire, live: Live) -> None:
    token = await live.make_token(policies=["default"])
    for who, error in ((token, "1 error occurred:\n\t* permission denied\n\n"), ("unknown", "permission denied")):
        asked = message("GET", "secret/data/a").replace(b"X-Vault-Token: root", f"X-Vault-Token: {who}".encode())
        await wire.send(asked)
        assert (await wire.answer())[2]["errors"] == [error]
    await wire.send(message("GET", "sys/nothing"))
    assert (await wire.answer())[2]["errors"] == ["1 error occurred:\n\t* unsupported path\n\n"]
    await live.post("sys/mounts/pki", {"type": "pki"})
    await wire.send(message("GET", "pki/issuer/default"))
    code, _, answer = await wire.answer()
    assert (code, answer["errors"]) == (500, ["1 error occurred:\n\t* no default issuer currently configured\n\n"])


@pytest.mark.parametrize(
    ("header", "status", "says"),
    [
        pytest.param("Content-Type: application/merge-patch+json", 200, "", id="merge_patch"),
        pytest.param("Content-Type: Application/Merge-Patch+JSON; charset=utf-8", 200, "", id="in_other_letters"),
        pytest.param("Content-Type: application/json", 415, "provided application/json", id="another"),
        pytest.param("X-Other: x", 400, "mime: no media type", id="none"),
        pytest.param("Content-Type: ", 400, "mime: no media type", id="an_empty_one"),
        pytest.param("Content-Type: ;x", 400, "mime: no media type", id="parameters_alone"),
        pytest.param("Content-Type: a/b c", 400, "mime: expected a media type", id="what_is_no_media_type"),
    ],
)
async def test_patch_wants_a_merge_patch(wire: Wire, live: Live, header: str, status: int, says: str) -> None:
    await live.post("secret/data/a", {"data": {"x": 1}})
    await wire.send(message("PATCH", "secret/data/a", b'{"data": {"y": 2}}', header))
    found, _, body = await wire.answer()
    assert (found, says in str(body)) == (status, True)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        pytest.param("here", 200, id="one_that_is_there"),
        pytest.param("/here/", 200, id="as_it_was_written"),
        pytest.param("nope", 404, id="one_that_is_not"),
        pytest.param("caf\u00e9", 404, id="one_with_other_letters"),
    ],
)
async def test_answers_repeat_the_namespace(wire: Wire, live: Live, name: str, status: int) -> None:
    await live.post("sys/namespaces/here")
    await wire.send(message("GET", "sys/mounts", b"", f"X-Vault-Namespace: {name}"))
    found, headers, _ = await wire.answer()
    assert (found, headers["x-vault-namespace"]) == (status, name)
    await wire.send(message("GET", "sys/mounts"))
    assert "x-vault-namespace" not in (await wire.answer())[1]
