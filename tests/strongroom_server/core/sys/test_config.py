"""sys/config, loggers, rotate/config, plugins and the like: what can be set and seen while the server runs."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from strongroom_common.fields import Seconds
from strongroom_server.config import Config, Listener, Stanza
from strongroom_server.core.key_rotation import Rotation
from tests.strongroom_server.live import Live, start_live


async def test_request_headers_in_audit_entries(live: Live) -> None:
    path = "sys/config/auditing/request-headers"
    assert (await live.get(path)).data == {"headers": {}}
    assert (await live.post(f"{path}/X-A", {"hmac": True})).status == 204
    assert (await live.post(f"{path}/X-B")).status == 204
    assert (await live.get(path)).data == {"headers": {"x-a": {"hmac": True}, "x-b": {"hmac": False}}}
    assert (await live.get(f"{path}/x-A")).data == {"x-A": {"hmac": True}}
    assert (await live.delete(f"{path}/X-A")).status == 204
    assert (await live.get(f"{path}/X-A")).errors == ["Could not find header in config"]
    again = await start_live(dev_mode=False, backend=live.backend)
    await again.post("sys/unseal", {"key": live.unseal_key})
    assert again.server.audit.headers == {"x-b": False}
    await again.server.sealing.seal()


async def test_headers_of_the_web_interface(live: Live) -> None:
    path = "sys/config/ui/headers"
    assert (await live.list(path)).status == 404
    assert (await live.post(f"{path}/X-A", {"values": ["a", "b"]})).status == 204
    assert (await live.get(f"{path}/X-A")).data == {"value": "a"}
    assert (await live.get(f"{path}/X-A", body={"multivalue": "true"})).data == {"values": ["a", "b"]}
    assert (await live.list(path)).data == {"keys": ["X-A"]}
    assert (await live.post(f"{path}/X-Vault-A", {"values": ["a"]})).errors == ["X-Vault headers cannot be set"]
    assert (await live.post(f"{path}/X-B", {})).status == 400
    assert (await live.delete(f"{path}/X-A")).status == 204
    assert (await live.get(f"{path}/X-A")).status == 404


async def test_the_server_file_is_shown_without_secrets(live: Live) -> None:
    config = Config(
        storage=Stanza("postgresql", {"connection_url": "postgres://u:secret@h"}), listeners=(Listener(),),
        seals=(Stanza("static", {"current_key": "secret"}),), cluster_name="mine",
    )  # fmt: skip
    live.server.options = replace(live.server.options, config=config)
    answer = await live.get("sys/config/state/sanitized")
    assert answer.data["cluster_name"] == "mine"
    assert answer.data["storage"]["type"] == "postgresql"
    assert answer.data["listeners"] == [{"type": "tcp", "config": {"address": "127.0.0.1:8200"}}]
    assert answer.data["seals"] == [{"type": "static", "disabled": False}]
    assert answer.data["telemetry"]["lease_metrics_epsilon"] == 3600 * 10**9
    assert "secret" not in str(answer.body)


async def test_a_reload_is_what_sighup_is(live: Live) -> None:
    calls = []

    async def reload() -> None:
        calls.append(1)

    live.server.reload = reload
    assert (await live.post("sys/config/reload/listener")).status == 204
    assert (await live.post("sys/config/reload/license")).status == 204
    assert (await live.post("sys/config/reload/none")).status == 404
    assert calls == [1]


async def test_metrics_can_be_turned_off_and_on(live: Live) -> None:
    assert (await live.post("sys/config/metrics", {"enable": True})).status == 204
    assert (await live.get("sys/metrics")).status == 200
    assert (await live.post("sys/config/metrics", {"enable": False})).status == 204
    assert (await live.get("sys/config/metrics")).data["enable"] is False
    assert (await live.get("sys/metrics")).status == 404


async def test_policies_of_groups_apply_in_the_one_namespace(live: Live) -> None:
    path, name = "sys/config/group-policy-application", "group_policy_application_mode"
    assert (await live.get(path)).data == {name: "within_namespace_hierarchy"}
    assert (await live.post(path, {name: "any"})).status == 204
    assert (await live.get(path)).data == {name: "any"}
    assert (await live.post(path, {name: "x"})).status == 400


async def test_levels_of_the_log(live: Live) -> None:
    logger = logging.getLogger("core.leases")
    assert (await live.post("sys/loggers/core.leases", {"level": "debug"})).status == 204
    assert logger.level == logging.DEBUG
    assert (await live.get("sys/loggers/core.leases")).data == {"core.leases": "debug"}
    assert (await live.post("sys/loggers", {"level": "error"})).status == 204
    assert set((await live.get("sys/loggers")).data.values()) == {"error"}
    assert (await live.delete("sys/loggers/core.leases")).status == 204
    assert logger.level == logging.NOTSET
    assert (await live.delete("sys/loggers")).status == 204
    assert logging.getLogger("core").level == logging.NOTSET


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("sys/loggers/none", {"level": "info"}, "not found", id="no_such_part"),
        pytest.param("sys/loggers/core", {"level": "x"}, "unknown log level", id="no_such_level"),
        pytest.param("sys/loggers/core", {}, "level is required", id="no_level"),
        pytest.param("sys/rotate/config", {"max_operations": 1000}, "max_operations", id="too_few_operations"),
        pytest.param("sys/rotate/config", {"max_operations": 2**33}, "max_operations", id="too_many_operations"),
        pytest.param("sys/rotate/config", {"interval": "1h"}, "24h0m0s", id="too_often"),
        pytest.param("sys/plugins/catalog/auth/x", {"sha256": "aa"}, "not supported", id="a_plug_in"),
    ],
)
async def test_refusals(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    answer = await live.post(path, body)
    assert answer.status == 400
    assert message in answer.errors[0]


async def test_the_key_is_replaced_when_it_is_due(live: Live) -> None:
    path = "sys/rotate/config"
    assert (await live.get(path)).data == {"enabled": True, "interval": 0, "max_operations": 3865470566}
    assert (await live.post(path, {"interval": "24h"})).status == 204
    assert (await live.get(path)).data["interval"] == "24h0m0s"
    key = live.server.barrier.key_info()
    assert not live.server.rotation.due(key, key.installed + 3600)
    assert live.server.rotation.due(key, key.installed + 24 * 3600)
    assert not Rotation(interval=Seconds(86400), enabled=False).due(key, key.installed + 24 * 3600)


async def test_types_of_engines(live: Live) -> None:
    catalog = (await live.get("sys/plugins/catalog")).data
    assert {"approle", "kubernetes", "userpass"} <= set(catalog["auth"])
    assert "kv" in catalog["secret"]
    assert (await live.list("sys/plugins/catalog/secret")).data["keys"] == catalog["secret"]
    assert (await live.get("sys/plugins/catalog/secret/kv")).data["builtin"] is True
    assert (await live.get("sys/plugins/catalog/secret/none")).status == 404


@pytest.mark.parametrize(
    ("path", "token", "key"),
    [
        pytest.param("sys/replication/status", "", "mode", id="replication"),
        pytest.param("sys/replication/dr/status", "", "mode", id="disaster_recovery"),
        pytest.param("sys/replication/performance/status", "", "mode", id="performance"),
        pytest.param("sys/license/status", "root", "autoloading_used", id="licence"),
        pytest.param("sys/experiments", "root", "enabled", id="experiments"),
        pytest.param("sys/seal-backend-status", "", "healthy", id="seal_backends"),
        pytest.param("sys/internal/counters/config", "root", "enabled", id="counters_of_clients"),
    ],
)
async def test_what_an_unlicensed_server_answers(live: Live, path: str, token: str, key: str) -> None:
    assert key in (await live.get(path, token=token)).data


async def test_what_is_not_counted(live: Live) -> None:
    assert (await live.get("sys/internal/counters/activity")).status == 204
    assert (await live.get("sys/internal/counters/requests")).errors == [
        "The functionality has been removed on this path"
    ]


async def test_the_insides_are_shown_where_the_file_says_so(live: Live) -> None:
    for path in ("sys/internal/inspect/router/root", "sys/raw/core/mounts"):
        assert (await live.get(path)).status == 404
    live.server.options = replace(live.server.options, raw_storage_endpoint=True, introspection_endpoint=True)
    rows = (await live.get("sys/internal/inspect/router/root")).data["root"]
    assert {row["mount_path"] for row in rows} >= {"secret/", "sys/", "token/"}
    assert (await live.get("sys/internal/inspect/router/none")).status == 404
    assert "core/" in (await live.list("sys/raw/")).data["keys"]
    assert (await live.post("sys/raw/extra/a", {"value": "eA==", "encoding": "base64"})).status == 204
    assert (await live.get("sys/raw/extra/a")).data == {"value": "x"}
    assert (await live.get("sys/raw/extra/a", body={"encoding": "base64"})).data == {"value": "eA=="}
    assert (await live.delete("sys/raw/extra/a")).status == 204
    assert (await live.get("sys/raw/extra/a")).status == 404
    assert (await live.get("sys/raw/core/keyring")).status == 400
    weak = await live.make_token(policies=["default"])
    assert (await live.get("sys/raw/core/mounts", token=weak)).status == 403
