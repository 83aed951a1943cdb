"""Answers of sys/ that clients look at closely, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from tests.strongroom_server.live import Live


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
