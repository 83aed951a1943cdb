"""User lockout: some wrong passwords, and the right one is refused too, for a while."""

from typing import Any

import pytest

from strongroom_server.core.server import Options
from tests.strongroom_server.live import Live, start_live


@pytest.fixture
async def accessor(live: Live) -> str:
    await live.post("sys/auth/up", {"type": "userpass"})
    for user in ("u", "v"):
        await live.post(f"auth/up/users/{user}", {"password": "good"})
    found: str = (await live.get("sys/auth/up")).data["accessor"]
    return found


async def login(live: Live, user: str, password: str) -> int:
    return (await live.post(f"auth/up/login/{user}", {"password": password}, token="")).status


async def test_five_wrong_passwords_lock_a_user_out(live: Live, accessor: str) -> None:
    assert [await login(live, user, "bad") for user in "uUuuu"] == [400] * 5
    assert await login(live, "u", "good") == 403
    assert await login(live, "U", "bad") == 403
    assert await login(live, "v", "good") == 200
    locked = (await live.get("sys/locked-users")).data
    assert locked["total"] == 1
    assert locked["by_namespace"][0]["mount_accessors"] == [
        {"mount_accessor": accessor, "counts": 1, "alias_identifiers": ["u"]}
    ]
    assert (await live.get("sys/locked-users", body={"mount_accessor": "none"})).data["total"] == 0
    assert (await live.post(f"sys/locked-users/{accessor}/unlock/u")).status == 204
    assert await login(live, "u", "good") == 200
    assert (await live.post(f"sys/locked-users/{accessor}/unlock/nobody")).status == 204


async def test_a_lock_ends_by_itself(live: Live, accessor: str) -> None:
    for _ in range(5):
        await login(live, "u", "bad")
    await live.clock.advance(899)
    assert await login(live, "u", "good") == 403
    await live.clock.advance(2)
    assert await login(live, "u", "good") == 200
    assert (await live.get("sys/locked-users")).data["total"] == 0


async def test_failures_are_forgotten(live: Live, accessor: str) -> None:
    for _ in range(4):
        await login(live, "u", "bad")
    await live.clock.advance(901)
    assert [await login(live, "u", "bad") for _ in range(4)] == [400] * 4
    assert await login(live, "u", "good") == 200
    assert [await login(live, "u", "bad") for _ in range(4)] == [400] * 4
    assert await login(live, "u", "good") == 200


async def test_names_that_are_nobodys_are_not_counted(live: Live, accessor: str) -> None:
    assert [await login(live, "nobody", "bad") for _ in range(7)] == [400] * 7
    assert (await live.get("sys/locked-users")).data["total"] == 0


async def test_a_lock_outlives_a_restart(live: Live, accessor: str) -> None:
    for _ in range(5):
        await login(live, "u", "bad")
    again = await start_live(dev_mode=False, backend=live.backend)
    await again.post("sys/unseal", {"key": live.unseal_key})
    assert await login(again, "u", "good") == 403
    assert (await again.post(f"sys/locked-users/{accessor}/unlock/u")).status == 204
    assert await login(again, "u", "good") == 200
    await again.server.sealing.seal()


async def test_role_ids_are_locked_out_too(live: Live) -> None:
    await live.post("sys/auth/approle", {"type": "approle"})
    await live.post("auth/approle/role/r", {})
    role_id = (await live.get("auth/approle/role/r/role-id")).data["role_id"]
    secret_id = (await live.post("auth/approle/role/r/secret-id")).data["secret_id"]
    body = {"role_id": role_id, "secret_id": "bad"}
    assert [(await live.post("auth/approle/login", body, token="")).status for _ in range(5)] == [400] * 5
    assert (await live.post("auth/approle/login", {**body, "secret_id": secret_id}, token="")).status == 403


async def test_a_mount_may_have_rules_of_its_own(live: Live, accessor: str) -> None:
    tune = "sys/auth/up/tune"
    config: dict[str, Any] = {"lockout_threshold": "2", "lockout_duration": "3s"}
    assert (await live.post(tune, {"user_lockout_config": config})).status == 204
    assert [await login(live, "u", password) for password in ("bad", "bad", "good")] == [400, 400, 403]
    await live.clock.advance(3)
    assert await login(live, "u", "good") == 200
    assert (await live.post(tune, {"user_lockout_config": {"lockout_disable": True}})).status == 204
    shown = (await live.get(tune)).data
    assert (shown["user_lockout_threshold"], shown["user_lockout_disable"]) == (2, True)
    assert (await live.get("sys/auth/up")).data["config"]["user_lockout_config"]["user_lockout_duration"] == 3
    assert [await login(live, "u", "bad") for _ in range(6)] == [400] * 6


@pytest.mark.parametrize(
    ("path", "config"),
    [
        pytest.param("sys/auth/up/tune", {"lockout_threshold": "x"}, id="no_number"),
        pytest.param("sys/mounts/secret/tune", {"lockout_disable": True}, id="no_auth_method"),
        pytest.param("sys/auth/token/tune", {"lockout_disable": True}, id="a_method_without_users"),
    ],
)
async def test_wrong_rules_are_refused(live: Live, accessor: str, path: str, config: dict[str, Any]) -> None:
    assert (await live.post(path, {"user_lockout_config": config})).status == 400


def test_the_server_files_rules_are_by_method() -> None:
    assert Options().config.user_lockout == {}
