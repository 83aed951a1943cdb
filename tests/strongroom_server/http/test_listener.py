"""What a listener's stanza asks for, on a real socket: headers, origins, limits on bodies, time and connections."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from strongroom_common.fields import Names, Object, Seconds
from strongroom_common.settings import SettingsError
from strongroom_server.config import Listener, ListenerTelemetry
from strongroom_server.config_reader import Source, load
from strongroom_server.http.app import App
from strongroom_server.http.listeners import Bound, bind_tcp
from tests.strongroom_server.http.answers import read_answer
from tests.strongroom_server.live import Live

Open = Callable[[Listener], Awaitable["Wire"]]


class Wire:
    """One connection to one listener."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self) -> "Wire":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], Any]:
        lines = [f"{method} /v1/{path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return await self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def send(self, raw: bytes) -> tuple[int, dict[str, str], Any]:
        self.writer.write(raw)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        return await read_answer(self.reader)


@pytest.fixture
async def listen(live: Live) -> AsyncIterator[Open]:
    bound: list[Bound] = []
    wires: list[Wire] = []

    async def start(listener: Listener) -> Wire:
        bound.append(await bind_tcp(App(live.server, listener, {"X-Vault-Hostname": "here"}), "127.0.0.1", 0))
        wires.append(await Wire(bound[-1].port).connect())
        return wires[-1]

    yield start
    for wire in wires:
        wire.writer.close()
    for one in bound:
        await one.close()


def refused(live: Live) -> dict[str, float]:
    return {dict(labels)["limit"]: value for (name, labels), value in live.server.metrics.counters.items()
            if name == "vault.http.refused"}  # fmt: skip


async def test_headers_are_added_by_status(listen: Open) -> None:
    wire = await listen(Listener(custom_response_headers=Object({
        "default": {"X-D": ["a", "b"], "X-E": ["e"], "Strict-Transport-Security": ["max-age=1"]},
        "2xx": {"X-D": ["two"]}, "4xx": {"X-F": ["f"]}, "404": {"X-F": ["g"], "X-G": "h"},
    })))  # fmt: skip
    _, headers, _ = await wire.ask("GET", "sys/health")
    assert (headers["x-d"], headers["x-e"], headers["strict-transport-security"]) == ("two", "e", "max-age=1")
    assert headers["x-vault-hostname"] == "here"
    status, headers, _ = await wire.ask("GET", "none/x", X_Vault_Token="root")
    assert (status, headers["x-d"], headers["x-f"], headers["x-g"]) == (404, "a; b", "g", "h")


@pytest.mark.parametrize(
    "block",
    [
        pytest.param('"6xx" = { "X" = ["a"] }', id="no_such_class"),
        pytest.param('"default" = { "X-Vault-A" = ["a"] }', id="a_name_of_the_servers_own"),
        pytest.param('"default" = { "X Y" = ["a"] }', id="no_name"),
        pytest.param('"default" = { "X" = ["a\\r\\nB: c"] }', id="two_lines"),
        pytest.param('"default" = { "X" = [1] }', id="no_text"),
    ],
)
def test_wrong_headers_are_refused_with_their_place(block: str) -> None:
    text = f'listener "tcp" {{\n tls_disable = true\n custom_response_headers {{ {block} }}\n}}'
    with pytest.raises(SettingsError, match=r"f\.hcl:3.*custom_response_headers"):
        load([Source("f.hcl", text)], {})


async def test_other_origins_may_ask_where_they_may(listen: Open, live: Live) -> None:
    wire = await listen(Listener())
    assert "access-control-allow-origin" not in (await wire.ask("GET", "sys/health", Origin="http://a.test"))[1]
    cors = {"allowed_origins": "http://a.test", "allowed_headers": "X-Y"}
    assert (await live.post("sys/config/cors", cors)).status == 204
    assert (await live.get("sys/config/cors")).data["allowed_headers"][-1] == "X-Y"
    status, headers, _ = await wire.ask("GET", "sys/health", Origin="http://a.test")
    assert (status, headers["access-control-allow-origin"], headers["vary"]) == (200, "http://a.test", "Origin")
    assert (await wire.ask("GET", "sys/health", Origin="http://b.test"))[2] == {"errors": ["origin not allowed"]}
    assert (await wire.ask("GET", "sys/health"))[0] == 200
    status, headers, body = await wire.ask("OPTIONS", "secret/data/x", Origin="http://a.test",
                                           Access_Control_Request_Method="LIST")  # fmt: skip
    assert (status, body, headers["access-control-max-age"]) == (200, None, "300")
    assert "X-Vault-Token" in headers["access-control-allow-headers"]
    status, headers, _ = await wire.ask("OPTIONS", "x", Origin="http://a.test", Access_Control_Request_Method="BREW")
    assert (status, "access-control-max-age" in headers) == (405, False)
    status, headers, _ = await wire.ask("GET", "secret/data/x", Origin="http://a.test")
    assert (status, headers["access-control-allow-origin"]) == (403, "http://a.test")
    assert (await live.delete("sys/config/cors")).status == 204
    assert (await live.get("sys/config/cors")).data == {"enabled": False}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no_origin"),
        pytest.param({"allowed_origins": "http://a.test,*"}, id="all_and_one"),
    ],
)
async def test_wrong_origins_are_refused(live: Live, body: dict[str, Any]) -> None:
    assert (await live.post("sys/config/cors", body)).status == 400
    assert not live.server.cors.enabled


async def test_a_listener_may_have_origins_of_its_own(listen: Open) -> None:
    wire = await listen(Listener(cors_enabled=True, cors_allowed_origins=Names(("*",))))
    assert (await wire.ask("GET", "sys/health", Origin="http://b.test"))[1]["access-control-allow-origin"]


SMALL = Listener(max_json_depth=5, max_json_string_value_length=1000, max_json_object_entry_count=20,  # type: ignore[arg-type]
                 max_json_array_element_count=30, max_request_json_strings=50, max_request_json_memory=20_000)  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param([[["x"]]], 200, id="deep_enough"),
        pytest.param([[[["x"]]]], 400, id="too_deep"),
        pytest.param("x" * 1000, 200, id="long_enough"),
        pytest.param("x" * 1001, 400, id="too_long"),
        pytest.param(dict.fromkeys(map(str, range(20)), 1), 200, id="entries_enough"),
        pytest.param(dict.fromkeys(map(str, range(21)), 1), 400, id="too_many_entries"),
        pytest.param([1] * 30, 200, id="elements_enough"),
        pytest.param([1] * 31, 400, id="too_many_elements"),
        pytest.param([["a"] * 24] * 2, 200, id="strings_enough"),
        pytest.param([["a"] * 25] * 2, 400, id="too_many_strings"),
        pytest.param({"x" * 1001: 1}, 400, id="a_key_too_long"),
        pytest.param([[1] * 20] * 20, 400, id="too_much_memory"),
        pytest.param(',:[{"' * 180, 200, id="separators_in_a_text_are_text"),
        pytest.param([{}, "]", {}, "}{", {}, "[", {}, {}], 200, id="brackets_in_a_text_are_text"),
        pytest.param(["]", ["]", [["[", {}, {}], "["]]], 400, id="brackets_in_a_text_hide_no_depth"),
    ],
)
async def test_bodies_have_their_limits(listen: Open, live: Live, data: Any, status: int) -> None:
    wire = await listen(SMALL)
    answer = await wire.ask("POST", "secret/data/a", json.dumps({"data": {"k": data}}).encode(), X_Vault_Token="root")
    assert answer[0] == status, answer
    assert refused(live) == ({} if status == 200 else {"json": 1})


async def test_large_batches_pass_the_default_limits(listen: Open) -> None:
    wire = await listen(Listener())
    batch = [{"plaintext": "eA==", "context": "YQ==", "reference": str(n)} for n in range(10_000)]
    answer = await wire.ask("POST", "secret/data/a", json.dumps({"data": {"b": batch}}).encode(), X_Vault_Token="root")
    assert answer[0] == 200


async def test_long_headers_are_refused_and_not_logged(
    listen: Open, live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    wire = await listen(Listener())
    status, _, body = await wire.ask("GET", "sys/health", X_Vault_Token="hvs.secret" * 10_000)
    assert (status, body) == (431, {"errors": ["header too large"]})
    assert refused(live) == {"header_size": 1}
    assert "secret" not in caplog.text


async def test_too_many_headers_are_refused(listen: Open, live: Live) -> None:
    wire = await listen(Listener())
    status, _, _ = await wire.ask("GET", "sys/health", **{f"X-{n}": "a" for n in range(300)})
    assert (status, refused(live)) == (431, {"header_size": 1})


async def test_headers_of_some_kilobytes_pass(listen: Open) -> None:
    wire = await listen(Listener())
    assert (await wire.ask("GET", "sys/health", X_Long="x" * 30_000))[0] == 200


@pytest.mark.parametrize("start", [b"", b"GET /v1/sys/hea", b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\nX-A: "])
async def test_slow_headers_are_refused(listen: Open, live: Live, start: bytes) -> None:
    wire = await listen(Listener(http_read_header_timeout=0.2))  # type: ignore[arg-type]
    status, _, _ = await wire.send(start)
    assert (status, refused(live)) == (408, {"header_timeout": 1})
    assert await wire.reader.read() == b""


async def test_slow_headers_of_a_later_request_are_refused(listen: Open) -> None:
    wire = await listen(Listener(http_read_header_timeout=0.2))  # type: ignore[arg-type]
    assert (await wire.ask("GET", "sys/health"))[0] == 200
    await asyncio.sleep(0.4)  # idle is not slow
    assert (await wire.ask("GET", "sys/health"))[0] == 200
    assert (await wire.send(b"GET /v1"))[0] == 408


async def test_slow_bodies_are_refused(listen: Open, live: Live) -> None:
    wire = await listen(Listener(http_read_timeout=0.2))  # type: ignore[arg-type]
    status, _, _ = await wire.send(b"POST /v1/secret/data/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
    assert (status, refused(live)) == (408, {"read_timeout": 1})
    assert not live.server.in_flight


async def test_clients_that_take_no_answer_are_hung_up_on(live: Live, listen: Open) -> None:
    await live.post("secret/data/big", {"data": {"k": "x" * 1_000_000}})
    wire = await listen(Listener(http_write_timeout=0.2))  # type: ignore[arg-type]
    wire.writer.write(b"GET /v1/secret/data/big HTTP/1.1\r\nHost: x\r\nX-Vault-Token: root\r\n\r\n" * 50)
    async with asyncio.timeout(60):
        while not refused(live):  # noqa: ASYNC110 - the count is all there is to wait for
            await asyncio.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            taken = await wire.reader.read(-1)
            assert len(taken) < 50_000_000
    assert refused(live) == {"write_timeout": 1}


async def test_requests_that_take_too_long_are_ended(listen: Open, live: Live) -> None:
    mount = live.server.mounts.at("secret/")
    assert mount is not None
    assert mount.engine is not None

    async def forever(*arguments: object) -> None:
        await asyncio.sleep(60)

    mount.engine.call = forever  # type: ignore[assignment, method-assign]
    wire = await listen(Listener(max_request_duration=0.2))  # type: ignore[arg-type]
    status, _, body = await wire.ask("GET", "secret/data/a", X_Vault_Token="root")
    assert (status, refused(live)) == (503, {"duration": 1})
    assert "max_request_duration" in body["errors"][0]
    assert (await wire.ask("GET", "sys/health"))[0] == 200


async def test_there_are_only_so_many_connections(listen: Open, live: Live) -> None:
    wire = await listen(Listener(max_connections=1))
    second = await Wire(wire.port).connect()
    status, _, _ = await second.answer()
    assert (status, refused(live)) == (429, {"connections": 1})
    second.writer.close()
    assert (await wire.ask("GET", "sys/health"))[0] == 200


async def test_strangers_are_not_told_what_is_redacted(listen: Open) -> None:
    wire = await listen(Listener(redact_version=True, redact_cluster_name=True, redact_addresses=True))
    health = (await wire.ask("GET", "sys/health"))[2]
    assert (health["version"], health["cluster_name"], health["initialized"]) == ("", "", True)
    assert (await wire.ask("GET", "sys/seal-status"))[2]["version"] == ""
    assert (await wire.ask("GET", "sys/leader"))[2]["leader_address"] == ""
    assert (await wire.ask("GET", "sys/health", X_Vault_Token="root"))[2]["version"]


async def test_some_paths_are_closed_or_guarded(listen: Open) -> None:
    telemetry = ListenerTelemetry(disallow_metrics=True)
    wire = await listen(Listener(telemetry=telemetry, disable_unauthed_rekey_endpoints=True,
                                 disable_unauthed_generate_root_endpoints=True))  # fmt: skip
    for path in ("generate-root", "generate-root/attempt"):
        assert (await wire.ask("GET", f"sys/{path}"))[0] == 403
        assert (await wire.ask("GET", f"sys/{path}", X_Vault_Token="root"))[0] == 200
    assert (await wire.ask("GET", "sys/metrics", X_Vault_Token="root"))[0] == 403
    assert (await wire.ask("GET", "sys/rekey/init"))[0] == 403
    assert (await wire.ask("GET", "sys/rekey/init", X_Vault_Token="root"))[0] == 200
    open_ = await listen(Listener())
    assert (await open_.ask("GET", "sys/rekey/init"))[0] == 200


async def test_a_sealed_server_tells_so_where_metrics_need_no_token(listen: Open, live: Live) -> None:
    wire = await listen(Listener(telemetry=ListenerTelemetry(unauthenticated_metrics_access=True)))
    other = await listen(Listener())
    await live.server.sealing.seal()
    gauges = {row["Name"]: row["Value"] for row in (await wire.ask("GET", "sys/metrics"))[2]["Gauges"]}
    assert gauges["vault.core.unsealed"] == 0
    assert (await other.ask("GET", "sys/metrics", X_Vault_Token="root"))[0] == 503


async def test_requests_under_way_are_listed(listen: Open) -> None:
    wire = await listen(Listener())
    (flight,) = (await wire.ask("GET", "sys/in-flight-req", X_Vault_Token="root"))[2].values()
    assert (flight["request_path"], flight["request_method"]) == ("/v1/sys/in-flight-req", "GET")
    assert flight["client_id"]


async def test_a_default_over_the_servers_maximum_is_refused(live: Live) -> None:
    answer = await live.post("sys/mounts/x", {"type": "kv", "config": {"default_lease_ttl": "9000h"}})
    assert answer.status == 400
    assert (await live.post("sys/mounts/y", {"type": "kv", "config": {"default_lease_ttl": "9000h",
                            "max_lease_ttl": "9000h"}})).status == 204  # fmt: skip


def test_seconds_of_a_stanza_are_durations() -> None:
    text = 'listener "tcp" {\n tls_disable = true\n max_request_duration = "2m"\n http_read_timeout = 3\n}'
    (listener,) = load([Source("f.hcl", text)], {}).config.listeners
    assert (listener.max_request_duration, listener.http_read_timeout) == (Seconds(120), Seconds(3))
