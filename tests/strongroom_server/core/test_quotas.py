"""Quotas: requests of one client, and leases."""

from typing import Any

import pytest

from strongroom_common.fields import Seconds
from strongroom_server.core.quotas import Quotas, RateLimit, carried, most_specific
from strongroom_server.sdk.errors import TooManyRequests
from tests.strongroom_server.live import Live, start_live

RATE = "sys/quotas/rate-limit"


@pytest.mark.parametrize(
    ("path", "role", "name"),
    [
        pytest.param("secret/data/a", "", "path", id="the_very_path"),
        pytest.param("secret/data/team/x", "", "longer", id="the_longest_prefix"),
        pytest.param("secret/data/b", "", "prefix", id="a_prefix"),
        pytest.param("secret/config", "", "mount", id="the_mount"),
        pytest.param("auth/k/login", "web", "role", id="the_role"),
        pytest.param("auth/k/login", "db", "all", id="another_role"),
        pytest.param("sys/mounts", "", "all", id="all"),
    ],
)
def test_the_most_specific_decides(path: str, role: str, name: str) -> None:
    quotas = {
        "all": RateLimit(), "mount": RateLimit("secret/"), "prefix": RateLimit("secret/data/*"),
        "longer": RateLimit("secret/data/team*"), "path": RateLimit("secret/data/a"),
        "role": RateLimit("auth/k/", role="web"),
    }  # fmt: skip
    mount = "auth/k/" if path.startswith("auth") else path.partition("/")[0] + "/"
    assert most_specific(quotas, mount, path, role) == name


def spends(quotas: Quotas, client: str, now: float) -> bool:
    try:
        quotas.spend("q", client, "p", now)
    except TooManyRequests:
        return False
    return True


def test_each_client_has_its_own_count_that_begins_anew() -> None:
    quotas = Quotas(rates={"q": RateLimit(rate=2, interval=Seconds(10))})
    assert [spends(quotas, "a", now) for now in (0, 1, 2, 9, 10)] == [True, True, False, False, True]
    assert spends(quotas, "b", 2)


def test_who_wants_too_much_is_shut_out() -> None:
    quotas = Quotas(rates={"q": RateLimit(rate=1, interval=Seconds(1), block_interval=Seconds(5))})
    assert [spends(quotas, "a", now) for now in (0, 0.5, 2, 5, 5.6)] == [True, False, False, False, True]


def test_less_than_one_request_a_second() -> None:
    quotas = Quotas(rates={"q": RateLimit(rate=0.5)})
    assert [spends(quotas, "a", now) for now in (0, 1, 2, 3)] == [True, False, True, False]


async def test_a_limit_on_requests(live: Live) -> None:
    assert (await live.post("sys/quotas/config", {"enable_rate_limit_response_headers": True})).status == 204
    assert (await live.post(f"{RATE}/r", {"rate": 2, "path": "secret", "interval": "10s"})).status == 204
    assert (await live.get(f"{RATE}/r")).data == {
        "name": "r", "type": "rate-limit", "path": "secret/", "role": "", "inheritable": False, "rate": 2,
        "interval": 10, "block_interval": 0,
    }  # fmt: skip
    assert [(await live.get("secret/data/x")).status for _ in range(3)] == [404, 404, 429]
    refused = await live.get("secret/data/x", token="none")
    assert (refused.status, refused.errors) == (429, ['request path "secret/data/x": rate limit quota exceeded'])
    live.address = "10.0.0.1"
    assert (await live.get("secret/data/x")).status == 404
    assert (await live.get("sys/mounts")).status == 200
    assert (await live.delete(f"{RATE}/r")).status == 204
    live.address = "127.0.0.1"
    assert (await live.get("secret/data/x")).status == 404


async def test_some_paths_are_exempt(live: Live) -> None:
    assert (await live.post(f"{RATE}/all", {"rate": 1, "interval": "1h"})).status == 204
    assert (await live.get("sys/mounts")).status == 200
    assert (await live.get("sys/mounts")).status == 429
    assert [(await live.get("sys/health", token="")).status for _ in range(3)] == [200] * 3


async def test_a_role_has_its_own_limit(live: Live) -> None:
    await live.post("sys/auth/approle", {"type": "approle"})
    live.address = "10.0.0.9"
    ids = {}
    for role in ("a", "b"):
        await live.post(f"auth/approle/role/{role}", {"bind_secret_id": False, "secret_id_bound_cidrs": "10.0.0.0/8"})
        ids[role] = (await live.get(f"auth/approle/role/{role}/role-id")).data["role_id"]
    quota = {"rate": 1, "interval": "1h", "path": "auth/approle", "role": "a"}
    assert (await live.post(f"{RATE}/r", quota)).status == 204
    logins = [(await live.post("auth/approle/login", {"role_id": ids[role]}, token="")).status for role in "aabb"]
    assert logins == [200, 429, 200, 200]


async def test_limits_on_leases(live: Live) -> None:
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post("auth/userpass/users/u", {"password": "p"})
    assert (await live.post("sys/quotas/lease-count/l", {"max_leases": 2, "path": "auth/userpass"})).status == 204
    logins = [await live.post("auth/userpass/login/u", {"password": "p"}, token="") for _ in range(3)]
    assert [login.status for login in logins] == [200, 200, 429]
    assert (await live.get("sys/quotas/lease-count/l")).data["counter"] == 2
    assert (await live.list("sys/quotas/lease-count")).data == {"keys": ["l"]}
    await live.post("auth/token/revoke", {"token": logins[0].auth["client_token"]})
    assert (await live.post("auth/userpass/login/u", {"password": "p"}, token="")).status == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param(f"{RATE}/x", {}, "'rate' is invalid", id="no_rate"),
        pytest.param(f"{RATE}/x", {"rate": -1}, "'rate' is invalid", id="a_negative_rate"),
        pytest.param(f"{RATE}/x", {"rate": 1, "path": "none"}, 'invalid mount path "none/"', id="no_mount"),
        pytest.param(f"{RATE}/x", {"rate": 1, "path": "secret", "role": "r"}, "auth mounts", id="a_role_of_secrets"),
        pytest.param(f"{RATE}/x", {"rate": 1, "role": "r"}, "auth mounts", id="a_role_of_nothing"),
        pytest.param(f"{RATE}/x", {"rate": 1}, 'exists under the name "first"', id="twice_the_same"),
        pytest.param("sys/quotas/lease-count/x", {}, "'max_leases' is invalid", id="no_leases"),
    ],
)
async def test_refusals(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    assert (await live.post(f"{RATE}/first", {"rate": 1000})).status == 204
    answer = await live.post(path, body)
    assert answer.status == 400
    assert message in answer.errors[0]


@pytest.mark.parametrize(
    ("path", "to", "left"),
    [
        pytest.param("secret/", "", None, id="those_of_a_mount_end_with_it"),
        pytest.param("secret/data/a", "", None, id="those_of_a_path_end_with_its_mount"),
        pytest.param("secret/", "new/", "new/", id="those_of_a_mount_move_with_it"),
        pytest.param("secret/data/*", "new/", "new/data/*", id="those_of_a_prefix_move_with_its_mount"),
        pytest.param("secrets/", "", "secrets/", id="a_mount_with_a_longer_name_keeps_its_own"),
        pytest.param("", "", "", id="that_of_all_stays"),
    ],
)
def test_quotas_follow_their_mount(path: str, to: str, left: str | None) -> None:
    quotas = carried({"q": RateLimit(path, rate=1)}, "secret/", to)
    assert quotas == ({} if left is None else {"q": RateLimit(left, rate=1)})


async def test_quotas_move_and_end_with_their_mount(live: Live) -> None:
    for name, path in (("mount", "secret"), ("path", "secret/data/a/")):
        assert (await live.post(f"{RATE}/{name}", {"rate": 1000, "path": path})).status == 204
    await live.post("sys/remount", {"from": "secret", "to": "moved/here"})
    assert (await live.get(f"{RATE}/mount")).data["path"] == "moved/here/"
    assert (await live.get(f"{RATE}/path")).data["path"] == "moved/here/data/a"
    await live.delete("sys/mounts/moved/here")
    assert (await live.list(RATE)).status == 404


async def test_quotas_outlive_a_restart(live: Live) -> None:
    await live.post("sys/quotas/config", {"rate_limit_exempt_paths": ["sys/a*"]})
    await live.post(f"{RATE}/r", {"rate": 100.5})
    await live.post("sys/quotas/lease-count/l", {"max_leases": 5})
    again = await start_live(dev_mode=False, backend=live.backend)
    await again.post("sys/unseal", {"key": live.unseal_key})
    assert float((await again.get(f"{RATE}/r")).data["rate"]) == 100.5
    assert (await again.get("sys/quotas/lease-count/l")).data["max_leases"] == 5
    assert (await again.get("sys/quotas/config")).data["rate_limit_exempt_paths"] == ["sys/a*"]
    await again.server.sealing.seal()
