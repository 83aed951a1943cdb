"""Answers of sys/ that clients look at closely, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from tests.strongroom_server.live import Live, start_live


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        pytest.param("capabilities", {"path": "x"}, "no token found", id="capabilities_of_nobody"),
        pytest.param("capabilities", {"path": "x", "token": "y"}, "invalid token", id="capabilities_of_no_token"),
        pytest.param("capabilities-accessor", {"path": "x", "accessor": "y"}, "invalid accessor", id="of_no_accessor"),
        pytest.param("capabilities-self", {}, "paths must be supplied", id="capabilities_nowhere"),
        pytest.param("capabilities-self", {"paths": [""]}, "paths must be supplied", id="capabilities_at_no_path"),
        pytest.param("audit-hash/x", {"input": ""}, 'the "input" parameter is empty', id="hash_of_nothing"),
        pytest.param("unseal", {"reset": True}, "vault is unsealed", id="reset_without_progress"),
    ],
)
async def test_refusals(live: Live, path: str, body: dict[str, Any], error: str) -> None:
    answer = await live.post(f"sys/{path}", body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


async def test_paths_come_as_a_list_or_with_commas(live: Live) -> None:
    for paths in ("x,y", ["x", "y"]):
        assert (await live.post("sys/capabilities-self", {"paths": paths})).data == {"x": ["root"], "y": ["root"]}


async def test_mounts_for_the_interface(live: Live) -> None:
    await live.post("sys/auth/up", {"type": "userpass", "config": {"listing_visibility": "unauth"}})
    seen = {"auth": {"up/": {"type": "userpass", "description": "", "options": {}}}, "secret": {}}
    assert (await live.get("sys/internal/ui/mounts", token="")).data == seen
    assert (await live.get("sys/internal/ui/mounts", token="none")).status == 403
    whole = (await live.get("sys/internal/ui/mounts")).data["auth"]["up/"]
    assert whole == (await live.get("sys/auth/up")).data
    assert (await live.get("sys/internal/ui/mounts/auth/up")).data == {**whole, "path": "up/"}
    for path, token in (("up", ""), ("secret", ""), ("secret", "none")):
        assert (await live.get(f"sys/internal/ui/mounts/{path}", token=token)).errors == ["permission denied"]


async def test_the_nodes_are_shown_at_both_levels(live: Live) -> None:
    answer = await live.get("sys/ha-status")
    assert answer.body["nodes"] == answer.data["nodes"]
    assert answer.data["nodes"][0]["active_node"] is True


async def test_a_trial_of_new_shares_names_its_operation(live: Live) -> None:
    body = {"secret_shares": 2, "secret_threshold": 2, "require_verification": True}
    nonce = (await live.post("sys/rekey/init", body)).body["nonce"]
    done = (await live.post("sys/rekey/update", {"key": live.unseal_key, "nonce": nonce})).body
    state = (await live.get("sys/rekey/init")).body
    assert (state["nonce"], state["verification_nonce"]) == (nonce, done["verification_nonce"])
    share = {"key": done["keys"][0], "nonce": done["verification_nonce"]}
    wrong = await live.post("sys/rekey/verify", {**share, "nonce": nonce})
    assert f'nonce for this verify operation is "{done["verification_nonce"]}"' in wrong.errors[0]
    given = (await live.post("sys/rekey/verify", share)).body
    assert given == {"nonce": share["nonce"], "started": True, "t": 2, "n": 2, "progress": 1}
    assert "already been provided" in (await live.post("sys/rekey/verify", share)).errors[0]


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        pytest.param("rekey-recovery-key/init", {"secret_shares": 1, "secret_threshold": 1}, "recovery keys",
                     id="recovery_keys_of_a_shamir_seal"),
        pytest.param("generate-root/update", {"nonce": "x"}, "'key' must be specified", id="no_share"),
        pytest.param("unseal", {"key": "00", "migrate": True}, "no migration seal found", id="no_seal_to_leave"),
    ],
)  # fmt: skip
async def test_refusals_to_holders_of_shares(live: Live, path: str, body: dict[str, Any], error: str) -> None:
    answer = await live.post(f"sys/{path}", body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


async def test_a_shamir_seal_has_no_recovery_shares() -> None:
    live = await start_live(dev_mode=False)
    answer = await live.post("sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    assert answer.errors == ["parameters recovery_shares,recovery_threshold not applicable to seal type shamir"]
