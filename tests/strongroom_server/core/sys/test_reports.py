"""What users of Vault and OpenBao reported of sys/ and the token endpoints: the right answers, asked of OpenBao 2.7.2.

Each test names the report (V for hashicorp/vault, O for openbao/openbao).
"""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.core.server import Server
from strongroom_server.sdk.request import Connection, Operation, Request
from tests.strongroom_server.live import Live, start_live


async def _login(live: Live, name: str = "a.b") -> str:
    """Return the folder of leases of a user's logins, after one more."""
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post(f"auth/userpass/users/{name}", {"password": "pw"})
    assert (await live.post(f"auth/userpass/login/{name}", {"password": "pw"}, token="")).status == 200
    return f"auth/userpass/login/{name}/"


async def _leases(live: Live, folder: str) -> list[str]:
    answer = await live.list(f"sys/leases/lookup/{folder}")
    return [folder + key for key in answer.data["keys"]] if answer.status == 200 else []


async def _wrapped(live: Live) -> str:
    token: str = (await live.post("sys/wrapping/wrap", {"a": 1}, wrap_ttl=60)).body["wrap_info"]["token"]
    return token


async def test_v5460_leases_with_periods_in_their_names_can_be_revoked(live: Live) -> None:
    folder = await _login(live)
    lease = (await _leases(live, folder))[0]
    assert (await live.post(f"sys/leases/revoke/{lease}")).status == 204
    assert await _leases(live, folder) == []


@pytest.mark.parametrize("how", [pytest.param("revoke-prefix", id="prefix"), pytest.param("revoke-force", id="force")])
async def test_v4450_a_prefix_may_be_one_lease(live: Live, how: str) -> None:
    await _login(live)
    folder = await _login(live)
    first, second = await _leases(live, folder)
    assert (await live.post(f"sys/leases/{how}/{first}")).status == 204
    assert await _leases(live, folder) == [second]


@pytest.mark.parametrize("verb", [pytest.param(verb, id=verb) for verb in ("lookup", "renew", "revoke")])
@pytest.mark.parametrize(
    "lease",
    [
        pytest.param("a.b", id="a_period"), pytest.param("a/b/c.xyz", id="a_period_at_the_end"),
        pytest.param("\0x", id="a_null"), pytest.param("😀.q", id="a_face"), pytest.param("x" * 5000, id="a_long_one"),
        pytest.param("../x", id="a_climb"), pytest.param("a//b", id="two_slashes"),
    ],
)  # fmt: skip
async def test_v11308_v11314_odd_leases_are_no_fault_of_the_server(live: Live, verb: str, lease: str) -> None:
    assert (await live.post(f"sys/leases/{verb}", {"lease_id": lease})).status in {204, 400}


async def test_v2201_a_role_may_leave_out_the_default_policy(live: Live) -> None:
    await live.post("auth/token/roles/r", {"disallowed_policies": "default"})
    assert (await live.post("auth/token/create/r", {"policies": ["x"]})).auth["policies"] == ["x"]
    answer = await live.post("auth/token/create/r", {"policies": ["default"]})
    assert answer.errors == ['token policy "default" is disallowed by this role']


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"policies": ["p"], "num_uses": "1"}, 200, id="as_written"),
        pytest.param({"policies": ["p"], "num_uses": 1}, 403, id="a_number_is_no_text"),
        pytest.param({"policies": ["p"], "num_uses": "2"}, 403, id="another_value"),
        pytest.param({"policies": ["p", "x"]}, 403, id="another_list"),
    ],
)
async def test_v8331_v19849_allowed_parameters_with_numbers_and_lists(
    live: Live, body: dict[str, Any], status: int
) -> None:
    rules = (
        'capabilities = ["create", "update", "sudo"] allowed_parameters = { "policies" = [["p"]] "num_uses" = ["1"] }'
    )
    await live.post("sys/policies/acl/p", {"policy": f'path "auth/token/create" {{ {rules} }}'})
    token = await live.make_token(policies=["p"])
    assert (await live.post("auth/token/create", body, token=token)).status == status


async def test_v1983_a_wrapping_token_in_header_and_body_is_a_bad_request(live: Live) -> None:
    token = await _wrapped(live)
    answer = await live.post("sys/wrapping/unwrap", {"token": token}, token=token)
    assert answer.errors == ["wrapping token is not valid or does not exist"]


async def test_v6491_failed_unwrapping_is_on_record(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "audit"
    await live.post("sys/audit/f", {"type": "file", "options": {"file_path": str(file)}})
    await live.post("sys/wrapping/unwrap", {"token": "none"}, token="")
    paths = [json.loads(line)["request"]["path"] for line in file.read_text().splitlines()]
    assert "sys/wrapping/unwrap" in paths


async def test_v28247_headers_with_tokens_are_never_shown_in_the_record(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "audit"
    for name in ("X-Vault-Token", "Authorization", "X-Plain"):
        await live.post(f"sys/config/auditing/request-headers/{name}", {"hmac": False})
    await live.post("sys/audit/f", {"type": "file", "options": {"file_path": str(file)}})
    headers = {"X-Vault-Token": "hvs.seen", "Authorization": "Bearer hvs.seen", "X-Plain": "shown"}
    await live.server.handle(Request(Operation.READ, "sys/mounts", token="root", headers=headers, id="r"))
    text = file.read_text()
    assert ("hvs.seen" in text, "shown" in text, '"x-vault-token":["hmac-sha256:' in text.replace(" ", "")) == (
        False, True, True,
    )  # fmt: skip


async def test_v10191_a_changed_or_deleted_quota_is_in_force_at_once(live: Live) -> None:
    async def statuses(path: str) -> list[int]:
        return [(await live.get(path)).status for _ in range(2)]

    quota = "sys/quotas/rate-limit/q"
    await live.post(quota, {"path": "secret/", "rate": 1, "interval": "1h"})
    assert await statuses("secret/data/a") == [404, 429]
    await live.post(quota, {"path": "secret/data/b", "rate": 1, "interval": "1h"})
    assert await statuses("secret/data/a") == [404, 404]
    assert await statuses("secret/data/b") == [404, 429]
    await live.delete(quota)
    assert await statuses("secret/data/b") == [404, 404]


async def test_v1402_both_ttls_may_grow_in_one_call(live: Live) -> None:
    for most, usual in (("10h", "9h"), ("8h", "7h"), ("10h", "9h")):
        body = {"max_lease_ttl": most, "default_lease_ttl": usual}
        assert (await live.post("sys/mounts/secret/tune", body)).status == 204


async def test_v2189_a_token_of_few_uses_has_no_children_and_ends_after_the_last(live: Live) -> None:
    await live.post("sys/policies/acl/p", {"policy": 'path "auth/token/*" { capabilities = ["read", "update"] }'})
    token = await live.make_token(policies=["p"], num_uses=3)
    answer = await live.post("auth/token/create", {"policies": ["p"]}, token=token)
    assert answer.errors == ["restricted use token cannot generate child tokens"]
    assert [(await live.get("auth/token/lookup-self", token=token)).status for _ in range(3)] == [200, 200, 403]


@pytest.mark.parametrize(("role", "asked"), [pytest.param(True, False, id="yes"), pytest.param(False, True, id="no")])
async def test_v1562_the_role_says_whether_its_tokens_are_orphans(live: Live, role: bool, asked: bool) -> None:
    await live.post("auth/token/roles/r", {"orphan": role})
    assert (await live.post("auth/token/create/r", {"no_parent": asked})).auth["orphan"] is role


async def test_v11178_a_batch_token_ends_with_its_parent(live: Live) -> None:
    await live.post("sys/policies/acl/p", {"policy": 'path "auth/token/create" { capabilities = ["update"] }'})
    parent = await live.make_token(policies=["p"])
    child = await live.make_token(policies=["p"], type="batch", by=parent)
    assert (await live.get("auth/token/lookup-self", token=child)).data["orphan"] is False
    await live.post("auth/token/revoke", {"token": parent})
    assert (await live.get("auth/token/lookup-self", token=child)).status == 403


@pytest.mark.parametrize(
    ("operation", "path", "error"),
    [
        pytest.param("post", "cubbyhole/x", "only supported by service tokens", id="keep_secrets"),
        pytest.param("get", "cubbyhole/x", "only supported by service tokens", id="read_secrets"),
        pytest.param("post", "auth/token/renew-self", "batch tokens cannot be renewed", id="be_renewed"),
        pytest.param("post", "auth/token/revoke-self", "batch tokens cannot be revoked", id="be_revoked"),
    ],
)
async def test_batch_tokens_cannot(live: Live, operation: str, path: str, error: str) -> None:
    token = await live.make_token(policies=["default"], type="batch", ttl="1h")
    answer = await getattr(live, operation)(path, body={"a": "b"}, token=token)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


@pytest.mark.parametrize(
    ("body", "increment", "granted"),
    [
        pytest.param({"ttl": "1h"}, None, 3600, id="v1733_as_created"),
        pytest.param({"ttl": "1h"}, "30m", 1800, id="v1079_less"),
        pytest.param({"ttl": "1h", "explicit_max_ttl": "2h"}, "3h", 7200, id="v2459_no_more_than_the_end"),
        pytest.param({"period": "1h"}, "3h", 3600, id="v12556_a_period_is_a_period"),
    ],
)
async def test_renewals(live: Live, body: dict[str, Any], increment: str | None, granted: int) -> None:
    token = await live.make_token(policies=["default"], **body)
    asked = {} if increment is None else {"increment": increment}
    assert (await live.post("auth/token/renew-self", asked, token=token)).auth["lease_duration"] == granted


async def test_v8802_a_token_keeps_the_networks_it_was_made_with(live: Live) -> None:
    await live.post("auth/token/roles/r", {"token_bound_cidrs": "127.0.0.0/8", "allowed_policies": "default"})
    token = (await live.post("auth/token/create/r", {"policies": ["default"]})).auth["client_token"]
    await live.post("auth/token/roles/r", {"token_bound_cidrs": "10.0.0.0/8"})
    request = Request(Operation.READ, "auth/token/lookup-self", token=token, connection=Connection("127.0.0.1"), id="r")
    data = (await live.server.handle(request)).data
    assert data is not None
    assert list(data["bound_cidrs"]) == ["127.0.0.0/8"]


@pytest.mark.parametrize(
    ("token", "path"),
    [pytest.param("root", "none", id="v11434_of_no_mount"), pytest.param("", "cubbyhole", id="v8377_without_token")],
)
async def test_the_mount_of_a_path_is_not_told(live: Live, token: str, path: str) -> None:
    assert (await live.get(f"sys/internal/ui/mounts/{path}", token=token)).status == 403


async def test_v844_v1054_a_rekey_names_its_nonce_and_wants_it(live: Live) -> None:
    begun = (await live.post("sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1})).body
    await live.delete("sys/rekey/init")
    again = (await live.post("sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1})).body
    assert begun["nonce"] != again["nonce"]
    answer = await live.post("sys/rekey/update", {"key": live.unseal_key, "nonce": begun["nonce"]})
    assert (answer.status, again["nonce"] in answer.errors[0]) == (400, True)


async def test_o3502_flags_of_a_policy_outlive_a_restart(live: Live) -> None:
    body = {"policy": 'path "a" { capabilities = ["read"] }', "allow_slashes_in_identity_templates": True}
    await live.post("sys/policies/acl/p", body)
    again = await start_live(dev_mode=False, backend=live.backend)
    await again.post("sys/unseal", {"key": live.unseal_key})
    assert (await again.get("sys/policies/acl/p")).data["allow_slashes_in_identity_templates"] is True
    await again.server.sealing.seal()


async def test_v20885_a_lockout_is_in_the_log(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    await _login(live, "ann")
    with caplog.at_level(logging.WARNING):
        for name in ("ann", "Ann", "ANN", "aNn", "anN"):  # CVE-2025-6004: one user, whatever the case
            await live.post(f"auth/userpass/login/{name}", {"password": "no"}, token="")
    assert (await live.post("auth/userpass/login/ann", {"password": "pw"}, token="")).status == 403
    fields = [record.__dict__["fields"]["user"] for record in caplog.records if record.name == "core.lockout"]
    assert fields == ["ann"]


async def test_v13450_a_sealed_server_says_so_in_its_figures(live: Live) -> None:
    server: Server = live.server
    await server.sealing.seal()
    await server.gauges.refresh()
    values = [value for (name, _), value in server.metrics.gauges.items() if name == "vault.core.unsealed"]
    assert values == [0]
