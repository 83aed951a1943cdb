"""sys/leases as its callers see it, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from tests.strongroom_server.live import Live


async def _login(live: Live) -> tuple[str, str]:
    """Return a login's token and its lease."""
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post("auth/userpass/users/ann", {"password": "pw", "token_ttl": "1h"})
    token: str = (await live.post("auth/userpass/login/ann", {"password": "pw"})).auth["client_token"]
    folder = "auth/userpass/login/ann/"
    return token, folder + (await live.list(f"sys/leases/lookup/{folder}")).data["keys"][0]


async def test_a_tokens_lease_cannot_be_renewed_here(live: Live) -> None:
    _, lease = await _login(live)
    before = (await live.list("auth/token/accessors")).data["keys"]
    answer = await live.post("sys/leases/renew", {"lease_id": lease, "increment": 60})
    assert (answer.status, answer.errors) == (400, ["tokens cannot be renewed through this endpoint"])
    assert (await live.list("auth/token/accessors")).data["keys"] == before


async def test_a_tokens_lease_shows_its_path_and_ends_the_token(live: Live) -> None:
    token, lease = await _login(live)
    assert (await live.post("sys/leases/lookup", {"lease_id": lease})).data["path"] == "auth/userpass/login/ann"
    assert (await live.post("sys/leases/revoke", {"lease_id": lease})).status == 204
    assert (await live.get("auth/token/lookup-self", token=token)).status == 403
    assert (await live.post("sys/leases/lookup", {"lease_id": lease})).errors == ["invalid lease"]


async def test_leases_are_listed_from_the_root(live: Live) -> None:
    await _login(live)
    assert (await live.list("sys/leases/lookup")).data["keys"] == ["auth/"]
    assert (await live.list("sys/leases/lookup/auth")).data["keys"] == ["userpass/"]


@pytest.mark.parametrize(
    ("path", "body", "status", "data"),
    [
        pytest.param("leases/count", {}, 200, {"counts": {"auth/userpass/": 1}, "lease_count": 1}, id="all"),
        pytest.param("leases/count", {"type": "irrevocable"}, 200, {"counts": {}, "lease_count": 0}, id="given_up"),
        pytest.param("leases/count", {"type": "other"}, 404, None, id="no_type_to_count"),
        pytest.param("leases", {"type": "irrevocable", "limit": "none"}, 200, {"leases": [], "lease_count": 0},
                     id="list_without_limit"),
        pytest.param("leases", {"type": "other"}, 404, None, id="no_type_to_list"),
        pytest.param("leases", {"limit": "x"}, 400, None, id="no_limit"),
    ],
)  # fmt: skip
async def test_irrevocable_leases(live: Live, path: str, body: dict[str, Any], status: int, data: Any) -> None:
    await _login(live)
    answer = await live.get(f"sys/{path}", body=body)
    assert (answer.status, answer.body.get("data")) == (status, data)


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        pytest.param("get", "leases", id="list_of_irrevocable_leases"),
        pytest.param("list", "leases/lookup/auth", id="list_of_leases"),
        pytest.param("post", "leases/revoke-prefix/x", id="revoke_prefix"),
        pytest.param("post", "leases/revoke-force/x", id="revoke_force"),
        pytest.param("list", "plugins/catalog/auth", id="catalog"),
        pytest.param("get", "auth/token/tune", id="tuning_of_auth"),
        pytest.param("post", "rotate/root", id="new_root_key"),
        pytest.param("post", "rotate/keyring", id="new_encryption_key"),
    ],
)
async def test_paths_that_want_sudo(live: Live, operation: str, path: str) -> None:
    policy = 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    await live.post("sys/policies/acl/plain", {"policy": policy})
    token = await live.make_token(policies=["plain"])
    assert (await getattr(live, operation)(f"sys/{path}", token=token)).status == 403


@pytest.mark.parametrize(
    ("operation", "path", "status"),
    [
        pytest.param("get", "host-info", 200, id="host_info"),
        pytest.param("post", "leases/tidy", 202, id="tidy"),
        pytest.param("get", "mounts/auth/token/tune", 200, id="tuning_of_auth_by_the_mounts"),
        pytest.param("get", "rotate/root/init", 200, id="state_of_a_rotation"),
        pytest.param("get", "rotate/root/backup", 400, id="kept_shares"),
        pytest.param("get", "rekey/backup", 400, id="kept_shares_by_the_older_path"),
    ],
)
async def test_paths_that_a_policy_opens_without_sudo(live: Live, operation: str, path: str, status: int) -> None:
    await live.post("sys/policies/acl/plain", {"policy": 'path "sys/*" { capabilities = ["read", "update"] }'})
    token = await live.make_token(policies=["plain"])
    assert (await getattr(live, operation)(f"sys/{path}", token=token)).status == status
