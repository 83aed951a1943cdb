"""sys/plugins, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from tests.strongroom_server.live import Live


async def test_the_catalog(live: Live) -> None:
    catalog = (await live.get("sys/plugins/catalog")).data
    assert {"mysql-database-plugin", "mysql-rds-database-plugin", "redis-database-plugin"} <= set(catalog["database"])
    for kind in ("auth", "database", "secret"):
        assert (await live.list(f"sys/plugins/catalog/{kind}")).data["keys"] == catalog[kind]
    assert (await live.get("sys/plugins/catalog/auth/userpass")).data["builtin"] is True


@pytest.mark.parametrize(
    ("operation", "path", "status"),
    [
        pytest.param("list", "other", 405, id="no_kind"),
        pytest.param("get", "userpass", 200, id="older_read"),
        pytest.param("delete", "userpass", 200, id="older_delete"),
        pytest.param("post", "userpass", 400, id="older_write"),
        pytest.param("get", "auth/other", 404, id="no_type"),
        pytest.param("post", "auth/other", 400, id="what_is_not_built_in"),
        pytest.param("delete", "auth/other", 204, id="nothing_to_delete"),
    ],
)
async def test_statuses_of_the_catalog(live: Live, operation: str, path: str, status: int) -> None:
    answer = await getattr(live, operation)(f"sys/plugins/catalog/{path}")
    assert answer.status == status
    assert status != 200 or answer.body["warnings"][0].startswith("Deprecated API endpoint")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "plugin or mounts must be provided", id="nothing"),
        pytest.param({"plugin": "kv", "mounts": ["secret/"]}, "cannot be set at the same time", id="both"),
        pytest.param({"plugin": "other"}, 'plugin not found in the catalog: "other"', id="no_type"),
        pytest.param({"plugin": "system"}, "singleton plugin", id="the_servers_own_type"),
        pytest.param({"mounts": ["auth/token"]}, "singleton plugin", id="the_servers_own_mount"),
        pytest.param({"mounts": ["other"]}, 'cannot fetch mount entry on "other/"', id="no_mount"),
        pytest.param({"plugin": "kv", "scope": "x"}, "scope", id="no_scope"),
    ],
)
async def test_reload_refuses(live: Live, body: dict[str, Any], message: str) -> None:
    answer = await live.post("sys/plugins/reload/backend", body)
    assert (answer.status, message in answer.errors[0]) == (400, True), answer


@pytest.mark.parametrize("body", [pytest.param({"plugin": "kv"}, id="a_type"),
                                  pytest.param({"mounts": ["secret/"]}, id="a_mount")])  # fmt: skip
async def test_a_reloaded_mount_serves_what_it_stored(live: Live, body: dict[str, Any]) -> None:
    await live.post("secret/data/a", {"data": {"k": "v"}})
    before = live.server.mounts.at("secret/").engine
    assert (await live.post("sys/plugins/reload/backend", body)).data["reload_id"]
    assert live.server.mounts.at("secret/").engine is not before
    assert (await live.get("secret/data/a")).data["data"] == {"k": "v"}
