"""Tokens: what they may do, how long they live, and what ends with them."""

import asyncio
from typing import Any

import pytest

from strongroom_server.core.registration import create_token
from strongroom_server.core.sealing import decode_share
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.request import Auth
from tests.strongroom_server.live import Live

HOUR = 3600


async def restart(live: Live) -> None:
    await live.server.sealing.seal()
    await live.server.sealing.unseal(decode_share(live.unseal_key))


async def alive(live: Live, token: str) -> bool:
    return (await live.get("auth/token/lookup-self", token=token)).status == 200


@pytest.mark.parametrize(
    ("asked", "ttl"),
    [
        pytest.param({}, 768 * HOUR, id="none_asked_takes_the_servers_default"),
        pytest.param({"ttl": "1h"}, HOUR, id="what_is_asked_is_granted"),
        pytest.param({"ttl": 90}, 90, id="a_number_is_seconds"),
        pytest.param({"ttl": "9000h"}, 768 * HOUR, id="the_servers_maximum_cuts"),
        pytest.param({"ttl": "1h", "explicit_max_ttl": "10m"}, 600, id="an_explicit_maximum_cuts"),
        pytest.param({"period": "2h", "ttl": "5m"}, 2 * HOUR, id="a_period_wins_over_the_ttl"),
        pytest.param({"period": "2h", "explicit_max_ttl": "1h"}, HOUR, id="an_explicit_maximum_wins_over_a_period"),
    ],
)
async def test_the_granted_lifetime(live: Live, asked: dict[str, Any], ttl: int) -> None:
    answer = await live.post("auth/token/create", {"policies": ["default"], **asked})
    assert answer.auth["lease_duration"] == ttl


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"ttl": "-1"}, id="a_negative_ttl"),
        pytest.param({"ttl": "abc"}, id="a_ttl_that_is_no_duration"),
        pytest.param({"num_uses": -1}, id="a_negative_number_of_uses"),
        pytest.param({"type": "holy"}, id="an_unknown_type"),
        pytest.param({"id": "with.dot"}, id="an_own_text_with_a_dot"),
        pytest.param({"type": "batch", "num_uses": 2}, id="a_batch_token_with_uses"),
    ],
)
async def test_bad_wishes_are_refused(live: Live, asked: dict[str, Any]) -> None:
    before = await live.list("auth/token/accessors")
    answer = await live.post("auth/token/create", asked)
    assert answer.status == 400
    assert (await live.list("auth/token/accessors")).data == before.data


@pytest.mark.parametrize(
    ("asked", "policies"),
    [
        pytest.param({}, ["root"], id="unsaid_they_are_the_parents"),
        pytest.param({"policies": []}, ["root"], id="an_empty_list_says_nothing"),
        pytest.param({"policies": ""}, ["root"], id="nor_does_an_empty_text"),
        pytest.param({"policies": ["", " "]}, ["default"], id="blanks_are_no_policies"),
        pytest.param({"policies": [""], "no_default_policy": True}, [], id="and_not_even_the_default"),
    ],
)
async def test_the_policies_of_a_token_made_by_root(live: Live, asked: dict[str, Any], policies: list[str]) -> None:
    assert (await live.post("auth/token/create", asked)).auth["policies"] == policies


@pytest.mark.parametrize("call", ["lookup", "renew", "revoke", "revoke-orphan"])
@pytest.mark.parametrize("token", [None, 5])
async def test_what_is_no_text_names_no_token(live: Live, call: str, token: Any) -> None:
    answer = await live.post(f"auth/token/{call}", {"token": token})
    assert (answer.status, answer.errors) == (403, ["invalid token"])
    assert (await live.get("auth/token/lookup-self")).status == 200


async def test_a_token_ends_by_itself(live: Live) -> None:
    token = await live.make_token(policies=["default"], ttl="1m")
    await live.clock.advance(59)
    assert await alive(live, token)
    await live.clock.advance(2)
    assert not await alive(live, token)


async def test_renewing_moves_the_end_but_not_past_the_maximum(live: Live) -> None:
    token = await live.make_token(policies=["default"], ttl="1m", explicit_max_ttl="90s")
    await live.clock.advance(50)
    renewed = await live.post("auth/token/renew-self", {"increment": "1h"}, token=token)
    assert renewed.auth["lease_duration"] == 40
    assert renewed.body["warnings"]
    await live.clock.advance(39)
    assert await alive(live, token)
    await live.clock.advance(2)
    assert not await alive(live, token)


async def test_a_periodic_token_lives_as_long_as_it_is_renewed(live: Live) -> None:
    token = await live.make_token(policies=["default"], period="1h")
    for _ in range(20):
        await live.clock.advance(50 * 60)
        assert (await live.post("auth/token/renew-self", token=token)).status == 200
    await live.clock.advance(61 * 60)
    assert not await alive(live, token)


async def test_a_revoked_parent_takes_its_whole_tree_along(live: Live) -> None:
    parent = await live.make_token(policies=["default", "maker"])
    await live.post("sys/policies/acl/maker", {"policy": 'path "auth/token/create" { capabilities = ["update"] }'})
    tree = [parent]
    for _ in range(50):
        tree.append(await live.make_token(by=tree[-1], policies=["maker"]))
    await live.post("cubbyhole/mine", {"a": 1}, token=tree[-1])
    assert (await live.post("auth/token/revoke", {"token": parent})).status == 204
    assert [await alive(live, token) for token in tree] == [False] * 51


async def test_orphans_stay(live: Live) -> None:
    parent = await live.make_token(policies=["root"], ttl="1h")
    child = await live.make_token(by=parent, policies=["default"])
    orphan = await live.make_token(by=parent, policies=["default"], no_parent=True)
    await live.post("auth/token/revoke", {"token": parent})
    assert not await alive(live, child)
    assert await alive(live, orphan)


@pytest.mark.parametrize(
    ("capabilities", "status"),
    [
        pytest.param('["update"]', 400, id="without_sudo"),
        pytest.param('["update", "sudo"]', 204, id="with_sudo"),
        pytest.param('["read"]', 403, id="without_the_path"),
    ],
)
async def test_revoke_orphan_takes_sudo(live: Live, capabilities: str, status: int) -> None:
    rule = f'path "auth/token/revoke-orphan" {{ capabilities = {capabilities} }}'
    await live.post("sys/policies/acl/p", {"policy": rule})
    caller, other = [(await live.post("auth/token/create", {"policies": names})).auth["client_token"]
                     for names in (["p"], ["default"])]  # fmt: skip
    assert (await live.post("auth/token/revoke-orphan", {"token": other}, token=caller)).status == status


async def test_revoke_orphan_spares_the_children(live: Live) -> None:
    parent = await live.make_token(policies=["root"], ttl="1h")
    child = await live.make_token(by=parent, policies=["default"])
    await live.post("auth/token/revoke-orphan", {"token": parent})
    assert not await alive(live, parent)
    assert (await live.get("auth/token/lookup-self", token=child)).data["orphan"] is True


async def test_a_root_token_without_an_end_can_be_revoked(live: Live) -> None:
    token = await live.make_token(policies=["root"])
    assert (await live.post("auth/token/revoke-self", token=token)).status == 204
    assert not await alive(live, token)


async def test_uses_are_counted_under_race(live: Live) -> None:
    token = await live.make_token(policies=["default"], num_uses=5)
    answers = await asyncio.gather(*(live.get("auth/token/lookup-self", token=token) for _ in range(20)))
    assert sorted(answer.status for answer in answers) == [200] * 5 + [403] * 15
    assert not await alive(live, token)


@pytest.mark.parametrize(
    ("parents", "asked", "status"),
    [
        pytest.param(["a", "b"], ["a"], 200, id="a_subset"),
        pytest.param(["a"], ["a", "b"], 400, id="more_than_the_parent_has"),
        pytest.param(["a"], ["root"], 400, id="root_from_below"),
        pytest.param(["a"], ["Root "], 400, id="root_in_disguise"),
        pytest.param(["root"], ["anything"], 200, id="root_gives_what_it_likes"),
    ],
)
async def test_a_child_has_no_more_than_its_parent(
    live: Live, parents: list[str], asked: list[str], status: int
) -> None:
    await live.post("sys/policies/acl/a", {"policy": 'path "auth/token/create" { capabilities = ["update"] }'})
    parent = await live.make_token(policies=parents, ttl="1h")
    assert (await live.post("auth/token/create", {"policies": asked, "ttl": "1m"}, token=parent)).status == status


async def test_accessors_do_what_tokens_do_but_never_show_them(live: Live) -> None:
    answer = await live.post("auth/token/create", {"policies": ["default"], "meta": {"who": "me"}})
    accessor, token = answer.auth["accessor"], answer.auth["client_token"]
    looked = await live.post("auth/token/lookup-accessor", {"accessor": accessor})
    assert looked.data["id"] == ""
    assert looked.data["meta"] == {"who": "me"}
    assert accessor in (await live.list("auth/token/accessors")).data["keys"]
    assert (await live.post("auth/token/renew-accessor", {"accessor": accessor})).status == 200
    assert (await live.post("auth/token/revoke-accessor", {"accessor": accessor})).status == 204
    assert not await alive(live, token)


async def test_batch_tokens_work_unstored_and_end_with_their_parent(live: Live) -> None:
    parent = await live.make_token(policies=["default"], ttl="1h")
    await live.post("sys/policies/acl/default", {"policy": 'path "auth/token/*" { capabilities = ["update", "read"] }'})
    before = len((await live.list("auth/token/accessors")).data["keys"])
    batch = await live.make_token(by=parent, type="batch", ttl="10m")
    assert batch.startswith("hvb.")
    assert len((await live.list("auth/token/accessors")).data["keys"]) == before
    assert (await live.get("auth/token/lookup-self", token=batch)).data["type"] == "batch"
    assert (await live.post("auth/token/renew-self", token=batch)).status == 400
    forged = batch[:-3] + ("AAA" if batch[-3:] != "AAA" else "BBB")
    assert not await alive(live, forged)
    await live.post("auth/token/revoke", {"token": parent})
    assert not await alive(live, batch)


async def test_a_bound_token_is_none_elsewhere(live: Live) -> None:
    await live.post("auth/token/roles/near", {"token_bound_cidrs": ["10.0.0.0/8"], "allowed_policies": ["default"]})
    answer = await live.post("auth/token/create/near", {"policies": ["default"]})
    token = answer.auth["client_token"]
    assert not await alive(live, token)
    live.address = "10.1.2.3"
    assert await alive(live, token)


async def test_tokens_survive_a_restart_of_the_server(live: Live) -> None:
    token = await live.make_token(policies=["default"], ttl="1h")
    ending = await live.make_token(policies=["default"], ttl="10s")
    live.clock.time += 20
    await restart(live)
    await live.clock.advance(0)
    assert await alive(live, token)
    assert not await alive(live, ending)


async def test_after_a_restart_a_revoked_parent_takes_its_tree_along_all_the_same(live: Live) -> None:
    parent = await live.make_token(policies=["root"], ttl="1h")
    child = await live.make_token(by=parent, policies=["root"], ttl="1h")
    grandchild = await live.make_token(by=child, policies=["default"])
    await restart(live)
    await live.post("auth/token/revoke", {"token": parent})
    assert [await alive(live, token) for token in (parent, child, grandchild)] == [False] * 3
    assert len((await live.list("auth/token/accessors")).data["keys"]) == 1


async def test_a_restart_finishes_what_was_half_ended(live: Live) -> None:
    parent = await live.make_token(policies=["root"])
    endless = await live.make_token(by=parent, policies=["root"])
    store = live.server.tokens
    live.server.tokens.remove = _crash  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await live.post("auth/token/revoke", {"token": parent})
    live.server.leases._ends.clear()
    live.server.tokens.remove = type(store).remove.__get__(store)  # type: ignore[method-assign]
    await restart(live)
    await live.clock.advance(1)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len((await live.list("auth/token/accessors")).data["keys"]) == 1
    assert [await alive(live, token) for token in (parent, endless)] == [False] * 2


async def _crash(*arguments: object) -> None:
    raise ConnectionError("the store is away")


async def test_a_tokens_own_lease_is_one_among_the_leases(live: Live) -> None:
    token = await live.make_token(policies=["default"], ttl="1h")
    await restart(live)
    accessor = (await live.get("auth/token/lookup-self", token=token)).data["accessor"]
    (name,) = (await live.list("sys/leases/lookup/auth/token/create")).data["keys"]
    lease_id = f"auth/token/create/{name}"
    assert (await live.post("sys/leases/lookup", {"lease_id": lease_id})).data["ttl"] == HOUR
    assert (await live.list("sys/leases/lookup")).data["keys"] == ["auth/"]
    await live.post("sys/leases/revoke", {"lease_id": lease_id, "sync": True})
    assert not await alive(live, token)
    assert accessor not in (await live.list("auth/token/accessors")).data["keys"]
    assert (await live.post("sys/leases/lookup", {"lease_id": lease_id})).status == 400
    assert (await live.post("sys/leases/lookup", {"lease_id": "auth/token/create/h0"})).status == 400


async def test_a_token_of_a_login_survives_a_restart_with_what_its_method_remembers(live: Live) -> None:
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post("auth/userpass/users/ada", {"password": "lovelace-1815"})
    token = (await live.post("auth/userpass/login/ada", {"password": "lovelace-1815"})).auth["client_token"]
    await restart(live)
    assert await alive(live, token)


async def test_a_token_that_is_made_while_its_parent_is_ended_ends_too(live: Live) -> None:
    parent = await live.make_token()
    hashed = live.server.tokens.hash(parent)
    await live.post("auth/token/revoke", {"token": parent})
    before = await live.server.tokens.accessors()
    with pytest.raises(PermissionDenied):  # as if it had been allowed before that
        await create_token(live.server, Auth(policies=("default",), ttl=HOUR), "auth/token/create",
                           mount="auth/token/", parent=hashed)  # fmt: skip
    assert await live.server.tokens.accessors() == before
