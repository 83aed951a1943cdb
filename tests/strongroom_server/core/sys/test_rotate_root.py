"""sys/rotate/root and generate-root-token, asked of OpenBao 2.7.2."""

import base64
from typing import Any

import pytest

from tests.strongroom_server.live import Live

IDLE = {"n": 0, "required": 1, "started": False, "t": 0}


async def test_new_shares_replace_the_old_one(live: Live) -> None:
    assert (await live.get("sys/rotate/root/init")).data == IDLE
    begun = (await live.post("sys/rotate/root/init", {"secret_shares": 3, "secret_threshold": 2})).data
    assert {**IDLE, "n": 3, "t": 2, "started": True, "progress": 0}.items() <= begun.items()
    done = (await live.post("sys/rotate/root/update", {"key": live.unseal_key, "nonce": begun["nonce"]})).data
    assert (done["complete"], done["verification_nonce"], len(done["keys_base64"])) == (True, "", 3)
    assert (await live.get("sys/rotate/root/init")).data == {**IDLE, "required": 2}
    assert (await live.get("sys/seal-status")).body["n"] == 3


async def test_new_shares_are_tried_before_the_old_one_ends(live: Live) -> None:
    body = {"secret_shares": 2, "secret_threshold": 2, "require_verification": True}
    nonce = (await live.post("sys/rotate/root/init", body)).data["nonce"]
    done = (await live.post("sys/rotate/root/update", {"key": live.unseal_key, "nonce": nonce})).data
    shares, trial = done["keys_base64"], done["verification_nonce"]
    assert (await live.get("sys/rotate/root/init")).data["verification_nonce"] == trial
    begun = {"nonce": trial, "started": True, "n": 2, "t": 2, "progress": 0}
    assert (await live.get("sys/rotate/root/verify")).data == begun
    first = await live.post("sys/rotate/root/verify", {"key": shares[0], "nonce": trial})
    assert first.data == {**begun, "progress": 1}
    trial = (await live.delete("sys/rotate/root/verify")).data["nonce"]
    assert (await live.get("sys/seal-status")).body["n"] == 1
    for share in shares:
        last = await live.post("sys/rotate/root/verify", {"key": share, "nonce": trial})
    assert last.data == {"nonce": trial, "complete": True}
    assert (await live.get("sys/seal-status")).body["n"] == 2


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("recovery/init", {"secret_shares": 1, "secret_threshold": 1}, "recovery keys not supported",
                     id="recovery_keys_of_a_shamir_seal"),
        pytest.param("root/init", {"secret_shares": 2, "secret_threshold": 1}, "secret_threshold", id="one_of_two"),
        pytest.param("root/init", {"secret_shares": "x"}, "secret_shares", id="shares_that_are_no_number"),
        pytest.param("root/update", {"key": "aa", "nonce": "x"}, "no rekey in progress", id="share_without_operation"),
        pytest.param("root/verify", {"key": "aa", "nonce": "x"}, "no rekey verification", id="no_trial"),
        pytest.param("root", {}, "sys/rotate/root/init", id="no_seal_that_wraps_alone"),
    ],
)  # fmt: skip
async def test_rotation_refuses(live: Live, path: str, body: dict[str, Any], message: str) -> None:
    answer = await live.post(f"sys/rotate/{path}", body)
    assert (answer.status, message in answer.errors[0]) == (400, True), answer


async def test_there_is_no_other_kind_of_key(live: Live) -> None:
    assert (await live.get("sys/rotate/other/init")).status == 404
    assert (await live.get("sys/rotate/root/init", token="")).status == 403


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(("generate-root-token/attempt", "generate-root-token/update"), id="with_a_token"),
        pytest.param(("generate-root", "generate-root/update"), id="without"),
    ],
)
async def test_a_root_token_by_shares(live: Live, paths: tuple[str, str]) -> None:
    answer = await live.post(f"sys/{paths[0]}")
    begun = answer.body.get("data") or answer.body
    wrong = await live.post(f"sys/{paths[1]}", {"key": live.unseal_key, "nonce": "other"})
    assert f'"{begun["nonce"]}"' in wrong.errors[0]
    answer = await live.post(f"sys/{paths[1]}", {"key": live.unseal_key, "nonce": begun["nonce"]})
    done = answer.body.get("data") or answer.body
    masked = base64.b64decode(done["encoded_token"] + "==")
    token = bytes(a ^ b for a, b in zip(masked, begun["otp"].encode(), strict=True)).decode()
    assert (await live.get("auth/token/lookup-self", token=token)).data["policies"] == ["root"]
