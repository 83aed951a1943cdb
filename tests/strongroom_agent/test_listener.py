"""The local proxy and its cache."""

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from strongroom_agent.config import Config, Listener, Server
from strongroom_agent.listener import Proxy, start
from strongroom_client import Settings
from strongroom_common.clock import FakeClock
from tests.strongroom_agent.running import until


class Local:
    """A proxy on a free port. ``quits`` counts requests to quit."""

    def __init__(self, vault: Any, *, token: str = "auto", cache: bool = True, **listener: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.clock, self.quits = FakeClock(), 0
        config = Config(Server(), proxy_token=token, cache=cache)
        proxy = Proxy(config, Settings(vault.address), lambda: "root", self._quit, self.clock.now)
        self.servers = start((Listener("tcp", f"127.0.0.1:{self.port}", **listener),), proxy, 0.02)
        self.client = proxy.client

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()
        self.client.close()

    def _quit(self) -> None:
        self.quits += 1

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        response = connection.getresponse()
        raw = response.read()
        connection.close()
        return response.status, json.loads(raw) if raw else None, dict(response.getheaders())


@pytest.fixture
def proxies() -> Iterator[Callable[..., Local]]:
    made: list[Local] = []

    def make(vault: Any, **settings: Any) -> Local:
        made.append(Local(vault, **settings))
        return made[-1]

    yield make
    for local in made:
        local.close()


@pytest.fixture
def local(vault, proxies) -> Local:
    vault.secrets |= {"kv/data/app": {"a": 1}, "db/creds/app": {"u": "v"}}
    vault.leases["db/creds/app"] = 100
    return proxies(vault)


def test_a_request_without_token_gets_the_agents(vault, local):
    status, answer, _ = local.ask("GET", "/v1/kv/data/app")
    assert (status, answer["data"]["data"]) == (200, {"a": 1})
    assert vault.requests[-1] == ("GET", "kv/data/app", "root")


@pytest.mark.parametrize(
    ("mode", "sent", "status"),
    [
        pytest.param("auto", "bad", 403, id="its_own_token_is_passed_on"),
        pytest.param("force", "bad", 200, id="unless_the_agents_is_forced"),
        pytest.param("", "", 403, id="or_not_wanted"),
    ],
)
def test_whose_token(vault, proxies, mode, sent, status):
    vault.secrets["kv/data/app"] = {"a": 1}
    assert proxies(vault, token=mode).ask("GET", "/v1/kv/data/app", X_Vault_Token=sent)[0] == status


def test_leases_are_shared_while_they_last(local):
    asked = [local.ask("GET", "/v1/db/creds/app") for _ in range(2)]
    assert asked[0][1] == asked[1][1]
    assert [headers["X-Cache"] for _, _, headers in asked] == ["MISS", "HIT"]
    local.clock.time += 95
    assert local.ask("GET", "/v1/db/creds/app")[1]["lease_id"] != asked[0][1]["lease_id"]


def test_what_another_token_got_is_not_shared(vault, local):
    vault.tokens.add("other")
    first = local.ask("GET", "/v1/db/creds/app", X_Vault_Token="root")[1]
    assert local.ask("GET", "/v1/db/creds/app", X_Vault_Token="other")[1]["lease_id"] != first["lease_id"]


def test_static_secrets_are_not_kept(vault, local):
    local.ask("GET", "/v1/kv/data/app")
    vault.secrets["kv/data/app"] = {"a": 2}
    assert local.ask("GET", "/v1/kv/data/app")[1]["data"]["data"] == {"a": 2}


def test_the_cache_can_be_emptied(local):
    first = local.ask("GET", "/v1/db/creds/app")[1]
    assert local.ask("POST", "/agent/v1/cache-clear", {"type": "lease", "value": "other"})[0] == 200
    assert local.ask("GET", "/v1/db/creds/app")[1] == first
    assert local.ask("POST", "/agent/v1/cache-clear", {"type": "all"})[0] == 200
    assert local.ask("GET", "/v1/db/creds/app")[1] != first
    assert local.ask("POST", "/agent/v1/cache-clear", {"type": "what"})[0] == 400


def test_the_request_header_is_asked_for(vault, proxies):
    vault.secrets["kv/data/app"] = {"a": 1}
    local = proxies(vault, need_header=True)
    assert local.ask("GET", "/v1/kv/data/app")[0] == 412
    assert local.ask("GET", "/v1/kv/data/app", X_Vault_Request="false")[0] == 412
    assert local.ask("GET", "/v1/kv/data/app", X_Vault_Request="true")[0] == 200


def test_quitting_must_be_allowed(vault, proxies):
    shy, willing = proxies(vault), proxies(vault, may_quit=True)
    assert (shy.ask("POST", "/agent/v1/quit")[0], willing.ask("POST", "/agent/v1/quit")[0]) == (404, 200)
    until(lambda: willing.quits)
    assert shy.quits == 0


def test_a_server_that_is_down_answers_as_it_does_or_502(vault, local, proxies):
    vault.down = True
    assert local.ask("GET", "/v1/kv/data/app")[0] == 503
    lost = proxies(type("Nowhere", (), {"address": "http://127.0.0.1:1"}))
    assert lost.ask("GET", "/v1/kv/data/app")[0] == 502


def test_lists_go_through_by_either_verb(local):
    assert local.ask("GET", "/v1/kv/data/?list=true")[1]["data"]["keys"] == ["app"]
