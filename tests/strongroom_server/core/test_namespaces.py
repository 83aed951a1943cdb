"""Namespaces as their clients see them: apart from each other, found by header and path, locked, deleted."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.core.leases import ATTEMPTS
from strongroom_server.core.sealing import decode_share
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.live import Live, start_live

_ALL = 'path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }'


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    """A server with the namespaces one/, one/below/ and two/, each with KV, an administrator's policy and a login."""
    running = await start_live()
    for parent, name in (("", "one"), ("one", "below"), ("", "two")):
        assert (await running.post(f"sys/namespaces/{name}", namespace=parent)).status == 200
    for namespace in ("", "one", "one/below", "two"):
        await running.post("sys/policies/acl/admin", {"policy": _ALL}, namespace=namespace)
        await running.post("sys/mounts/kv", {"type": "kv"}, namespace=namespace)
        await running.post("kv/a", {"where": namespace}, namespace=namespace)
        await running.post("sys/auth/approle", {"type": "approle"}, namespace=namespace)
        role = {
            "policies": "admin",
            "role_id": "role",
            "bind_secret_id": False,
            "secret_id_bound_cidrs": "127.0.0.1/32",
        }
        await running.post("auth/approle/role/r", role, namespace=namespace)
    yield running
    await running.server.namespaces.settled()
    await running.server.sealing.seal()


async def login(live: Live, namespace: str) -> dict[str, Any]:
    answer = await live.post("auth/approle/login", {"role_id": "role"}, token="", namespace=namespace)
    assert answer.status == 200, answer
    auth: dict[str, Any] = answer.auth
    return auth


async def admin(live: Live, namespace: str) -> str:
    return str((await login(live, namespace))["client_token"])


@pytest.mark.parametrize(
    ("namespace", "body", "counts"),
    [
        pytest.param("", {}, {"auth/approle/": 1}, id="its_own"),
        pytest.param("one", {}, {"auth/approle/": 1}, id="its_own_below_the_root"),
        pytest.param("", {"include_child_namespaces": True},
                     {f"{path}auth/approle/": 1 for path in ("", "one/", "one/below/", "two/")}, id="all"),
        pytest.param("one", {"include_child_namespaces": True}, {"auth/approle/": 1, "below/auth/approle/": 1},
                     id="those_below"),
    ],
)  # fmt: skip
async def test_whose_leases_are_counted(
    live: Live, namespace: str, body: dict[str, Any], counts: dict[str, int]
) -> None:
    tokens = {where: await admin(live, where) for where in ("", "one", "one/below", "two")}
    answer = await live.get("sys/leases/count", body=body, token=tokens[namespace], namespace=namespace)
    assert answer.data == {"lease_count": len(counts), "counts": counts}
    listed = await live.get("sys/leases", body=body, token=tokens[namespace], namespace=namespace)
    assert listed.data == {"lease_count": 0, "leases": []}


# -- which namespace -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "path", "where"),
    [
        pytest.param("", "kv/a", "", id="no_header_is_the_root"),
        pytest.param("root", "kv/a", "", id="root_is_the_root"),
        pytest.param("/", "kv/a", "", id="a_slash_is_the_root"),
        pytest.param("root/", "kv/a", "", id="root_with_a_slash_is_the_root"),
        pytest.param("one", "kv/a", "one", id="a_name"),
        pytest.param("one/", "kv/a", "one", id="a_name_with_a_slash_after_it"),
        pytest.param("/one", "kv/a", "one", id="a_name_with_a_slash_before_it"),
        pytest.param(" one ", "kv/a", "one", id="a_name_between_blanks"),
        pytest.param("one/below", "kv/a", "one/below", id="a_name_below_another"),
        pytest.param("one//below/", "kv/a", "one/below", id="a_name_below_another_after_two_slashes"),
        pytest.param("", "one/kv/a", "one", id="the_beginning_of_the_path"),
        pytest.param("", "one/below/kv/a", "one/below", id="the_beginning_of_the_path_twice"),
        pytest.param("one", "below/kv/a", "one/below", id="header_and_path_are_joined"),
    ],
)
async def test_a_request_is_in_the_namespace_of_its_header_and_path(
    live: Live, header: str, path: str, where: str
) -> None:
    assert (await live.get(path, namespace=header)).data == {"where": where}


@pytest.mark.parametrize(
    ("header", "path"),
    [
        pytest.param("nope", "kv/a", id="an_unknown_name"),
        pytest.param("one/nope", "kv/a", id="an_unknown_name_below_a_known_one"),
        pytest.param("ONE", "kv/a", id="a_name_in_another_case"),
        pytest.param("root/one", "kv/a", id="root_is_no_name_to_start_from"),
        pytest.param("two", "below/kv/a", id="a_name_that_is_elsewhere"),
        pytest.param("", "nope/kv/a", id="an_unknown_beginning_of_the_path"),
        pytest.param("", "one", id="a_namespace_itself"),
    ],
)
async def test_an_unknown_namespace_is_not_found(live: Live, header: str, path: str) -> None:
    answer = await live.get(path, namespace=header)
    assert answer.status == 404


# -- isolation -------------------------------------------------------------------------------------------------------

Refused = tuple[Operation, str, dict[str, Any]]


async def _things(live: Live, namespace: str) -> dict[str, Refused]:
    """Make one object of each kind in a namespace; return the request that would show or touch it from elsewhere."""
    auth = await login(live, namespace)
    token, accessor, entity = auth["client_token"], auth["accessor"], auth["entity_id"]
    lease = f"auth/approle/login/{await _lease(live, namespace)}"
    wrapped = await live.get("kv/a", namespace=namespace, wrap_ttl=60)
    await live.post("cubbyhole/mine", {"a": 1}, token=token, namespace=namespace)
    await live.post("sys/mounts/theirs", {"type": "kv"}, namespace=namespace)
    await live.post("theirs/a", {"a": 1}, namespace=namespace)
    await live.post("sys/auth/theirs", {"type": "approle"}, namespace=namespace)
    await live.post("identity/group", {"name": "g"}, namespace=namespace)
    await live.post("sys/policies/acl/theirs", {"policy": _ALL}, namespace=namespace)
    await live.post("sys/policies/password/theirs", {"policy": 'length = 20\nrule "charset" { charset = "abc" }'},
                    namespace=namespace)  # fmt: skip
    await live.post("auth/token/roles/theirs", {}, namespace=namespace)
    prefix = f"{namespace}/" if namespace else ""
    update, read = Operation.UPDATE, Operation.READ
    return {
        "secret": (read, f"{prefix}theirs/a", {}),
        "mount": (read, f"{prefix}sys/mounts/theirs", {}),
        "auth method": (read, f"{prefix}sys/auth/theirs", {}),
        "policy": (read, "sys/policies/acl/theirs", {}),
        "password policy": (read, "sys/policies/password/theirs", {}),
        "token by accessor": (update, "auth/token/lookup-accessor", {"accessor": accessor}),
        "end by accessor": (update, "auth/token/revoke-accessor", {"accessor": accessor}),
        "token": (update, "auth/token/lookup", {"token": token}),
        "renewal": (update, "auth/token/renew", {"token": token}),
        "end": (update, "auth/token/revoke", {"token": token}),
        "end without children": (update, "auth/token/revoke-orphan", {"token": token}),
        "token role": (read, "auth/token/roles/theirs", {}),
        "capabilities by accessor": (update, "sys/capabilities-accessor", {"accessor": accessor, "paths": ["kv/a"]}),
        "lease": (update, "sys/leases/lookup", {"lease_id": lease}),
        "end of lease": (update, "sys/leases/revoke", {"lease_id": lease}),
        "entity": (read, f"identity/entity/id/{entity}", {}),
        "group": (read, "identity/group/name/g", {}),
        "end of wrapping token": (update, "auth/token/revoke", {"token": wrapped.body["wrap_info"]["token"]}),
        "wrapping token by accessor": (
            update, "auth/token/lookup-accessor", {"accessor": wrapped.body["wrap_info"]["accessor"]}),
        "cubbyhole": (read, "cubbyhole/mine", {}),
        "quota": (Operation.LIST, "sys/quotas/rate-limit", {}),
        "audit device": (read, "sys/audit", {}),
    }  # fmt: skip


async def _lease(live: Live, namespace: str) -> str:
    names = await live.list("sys/leases/lookup/auth/approle/login", namespace=namespace)
    return str(names.data["keys"][0])


@pytest.mark.parametrize(
    ("caller", "owner"),
    [
        pytest.param("one", "", id="a_child_and_its_parent"),
        pytest.param("one", "two", id="a_child_and_its_sibling"),
        pytest.param("one/below", "one", id="a_grandchild_and_its_parent"),
        pytest.param("two", "one/below", id="a_child_and_another_ones_child"),
    ],
)
async def test_nothing_of_another_namespace_can_be_seen_or_touched(live: Live, caller: str, owner: str) -> None:
    things, token = await _things(live, owner), await admin(live, caller)
    victim = await admin(live, owner)
    for kind, (operation, path, body) in things.items():
        for namespace in {caller, owner}:
            answer = await live.ask(operation, path, body, token=token, namespace=namespace)
            harmless = kind == "end by accessor" and namespace == caller and answer.body["warnings"]
            known_to_all = kind in {"secret", "mount", "auth method"} and namespace == owner == ""
            assert answer.status in {400, 403, 404} or harmless, (kind, namespace, answer, known_to_all)
    unseen = {"quota", "audit device", "cubbyhole"}
    for kind, (operation, path, body) in things.items():  # all of it is there, and was not ended
        if kind not in unseen and "end" not in kind:
            namespace = "" if owner and path.startswith(owner) else owner
            answer = await live.ask(operation, path, body, namespace=namespace)
            assert answer.status == 200, (kind, answer)
    assert (await live.get("auth/token/lookup-self", token=victim, namespace=owner)).status == 200


async def test_lists_show_what_is_of_the_namespace(live: Live) -> None:
    tokens = {namespace: await login(live, namespace) for namespace in ("", "one", "two")}
    for namespace, auth in tokens.items():
        accessors = (await live.list("auth/token/accessors", namespace=namespace)).data["keys"]
        assert auth["accessor"] in accessors
        others = {other["accessor"] for name, other in tokens.items() if name != namespace}
        assert not others & set(accessors)
        entities = (await live.list("identity/entity/id", namespace=namespace)).data["keys"]
        assert entities == [auth["entity_id"]]
    assert (await live.list("sys/policies/acl", namespace="one")).data["keys"] == ["admin", "default"]


async def test_a_token_of_one_namespace_is_none_above_or_beside_it(live: Live) -> None:
    token = await admin(live, "one")
    statuses = {
        namespace: (await live.get("kv/a", token=token, namespace=namespace)).status
        for namespace in ("", "one", "one/below", "two")
    }
    assert statuses == {"": 403, "one": 200, "one/below": 200, "two": 403}


# -- policies and tokens ---------------------------------------------------------------------------------------------


async def test_policies_name_paths_from_where_they_are(live: Live) -> None:
    rules = 'path "one/kv/*" { capabilities = ["read"] }\npath "+/sys/mounts" { capabilities = ["read"] }'
    await live.post("sys/policies/acl/from-above", {"policy": rules})
    token = await live.make_token(policies=["from-above"])
    allowed = {
        ("one", "kv/a"), ("", "one/kv/a"), ("one", "sys/mounts"), ("two", "sys/mounts"), ("", "auth/token/lookup-self"),
        ("one", "auth/token/lookup-self"),
    }  # fmt: skip
    refused = {
        ("", "kv/a"),
        ("two", "kv/a"),
        ("one/below", "sys/mounts"),
        ("one", "cubbyhole/x"),
        ("one/below", "kv/a"),
    }
    for namespace, path in allowed | refused:
        answer = await live.get(path, token=token, namespace=namespace)
        assert (answer.status == 200) == ((namespace, path) in allowed), (namespace, path, answer)


async def test_the_root_token_does_everything_everywhere(live: Live) -> None:
    for namespace in ("", "one", "one/below", "two"):
        assert (await live.get("kv/a", namespace=namespace)).status == 200
        assert (await live.get("auth/token/lookup-self", namespace=namespace)).data["policies"] == ["root"]


async def test_what_is_made_in_a_namespace_ends_in_its_id(live: Live) -> None:
    auth = await login(live, "one")
    suffix = "." + (await live.get("sys/namespaces/one")).data["id"]
    shown = (await live.get("auth/token/lookup-self", token=auth["client_token"], namespace="one")).data
    entity = (await live.get(f"identity/entity/id/{auth['entity_id']}", namespace="one")).data
    ending = [auth["client_token"], auth["accessor"], auth["entity_id"], await _lease(live, "one"), entity["name"],
              entity["aliases"][0]["id"], f".{entity['namespace_id']}"]  # fmt: skip
    assert [text for text in ending if not text.endswith(suffix)] == []
    assert (shown["namespace_path"], shown["display_name"]) == ("one/", "one-auth-approle")
    batch = await live.make_token(type="batch", namespace="one")
    assert batch.endswith(suffix)
    assert (await live.get("auth/token/lookup-self", token=batch, namespace="one")).status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(
            {"policies": ["root"]}, "root tokens may not be created from a parent namespace", id="a_root_token"
        ),
        pytest.param(
            {"id": "mine"}, "token IDs can only be manually specified in the root namespace", id="a_chosen_id"
        ),
    ],
)
async def test_what_cannot_be_made_in_a_namespace(live: Live, body: dict[str, Any], message: str) -> None:
    answer = await live.post("auth/token/create", body, namespace="one")
    assert (answer.status, answer.errors) == (400, [message])


async def test_a_token_ends_its_children_and_leases_in_namespaces_below(live: Live) -> None:
    parent = await live.make_token(policies=["admin"])
    child = await live.make_token(policies=["admin"], by=parent, namespace="one")
    batch = await live.make_token(type="batch", by=parent, namespace="one")
    grandchild = await live.make_token(policies=["admin"], by=child, namespace="one/below")
    await live.post("cubbyhole/x", {"a": 1}, token=parent, namespace="one")
    assert (await live.post("auth/token/revoke-self", token=parent)).status == 204
    for token, namespace in ((child, "one"), (grandchild, "one/below"), (batch, "one")):
        assert (await live.get("auth/token/lookup-self", token=token, namespace=namespace)).status == 403


async def test_orphans_are_made_of_children_below(live: Live) -> None:
    parent = await live.make_token(policies=["admin"])
    child = await live.make_token(policies=["admin"], by=parent, namespace="one")
    assert (await live.post("auth/token/revoke-orphan", {"token": parent})).status == 204
    shown = await live.get("auth/token/lookup-self", token=child, namespace="one")
    assert shown.data["orphan"] is True


async def test_capabilities_are_told_of_paths_of_the_namespace(live: Live) -> None:
    await live.post("sys/policies/acl/above", {"policy": 'path "one/kv/*" { capabilities = ["read"] }'})
    above, own = await live.make_token(policies=["above"]), await admin(live, "one")
    everything = ["create", "delete", "list", "patch", "read", "sudo", "update"]
    for namespace, token, path, expected in (
        ("one", above, "kv/x", ["read"]), ("", above, "one/kv/x", ["read"]), ("two", above, "kv/x", ["deny"]),
        ("", own, "one/kv/x", everything), ("", own, "kv/x", ["deny"]), ("two", own, "kv/x", ["deny"]),
    ):  # fmt: skip
        answer = await live.post("sys/capabilities", {"token": token, "paths": [path]}, namespace=namespace)
        assert answer.data["capabilities"] == expected, (namespace, path)


async def test_a_wrapping_token_opens_wherever_it_is_shown(live: Live) -> None:
    for namespace, by_body in (("one", True), ("", True), ("two", False), ("one", False)):
        info = (await live.get("kv/a", namespace="one", wrap_ttl=60)).body["wrap_info"]
        body, token = ({"token": info["token"]}, None) if by_body else ({}, info["token"])
        opened = await live.post("sys/wrapping/unwrap", body, token=token, namespace=namespace)
        assert opened.data == {"where": "one"}
        again = await live.post("sys/wrapping/unwrap", body, token=token, namespace=namespace)
        assert again.status == 400


async def test_the_web_interface_sees_mounts_and_namespaces_within(live: Live) -> None:
    await live.post("sys/policies/acl/above", {"policy": 'path "one/kv/*" { capabilities = ["read"] }'})
    token = await live.make_token(policies=["above"], no_default_policy=True)
    assert list((await live.get("sys/internal/ui/mounts", token=token, namespace="one")).data["secret"]) == ["kv/"]
    assert (await live.get("sys/internal/ui/mounts/one/kv/a", token=token)).data["path"] == "one/kv/"
    assert (await live.get("sys/internal/ui/mounts/kv/a", token=token, namespace="two")).status == 403
    assert (await live.get("sys/internal/ui/namespaces", token=token)).data == {"keys": ["one/"]}
    assert (await live.get("sys/internal/ui/namespaces", namespace="one")).data == {"keys": ["below/"]}


# -- after a restart -------------------------------------------------------------------------------------------------


async def _restarted(live: Live) -> Live:
    await live.server.sealing.seal()
    other = await start_live(backend=live.backend, dev_mode=False)
    other.server.clock = live.clock
    await other.server.sealing.unseal(decode_share(live.unseal_key))
    return other


async def test_namespaces_are_there_after_a_restart(live: Live) -> None:
    token = await admin(live, "one/below")
    assert (await live.get("kv/a", namespace="one")).status == 200
    await live.server.sealing.seal()
    assert (await live.get("kv/a", namespace="one")).status == 503
    other = await _restarted(live)
    assert (await other.get("kv/a", token=token, namespace="one/below")).data == {"where": "one/below"}
    assert (await other.get("auth/token/lookup-self", token=token)).data["namespace_path"] == "one/below/"
    await other.server.sealing.seal()


async def test_a_deleted_namespace_takes_all_with_it(live: Live) -> None:
    token = await admin(live, "two")
    above = await live.make_token(policies=["admin"])
    child = await live.make_token(by=above, namespace="two", policies=["admin"])
    prefix = live.server.children["two"].prefix
    assert await live.server.barrier.view(prefix).list() != []
    assert (await live.delete("sys/namespaces/two")).data == {"status": "in-progress"}
    assert (await live.get("kv/a", namespace="two")).status == 404
    await live.server.namespaces.settled()
    assert await live.server.barrier.view(prefix).list() == []
    assert await live.server.barrier.view("core/namespaces/").list() != []
    assert (await live.get("sys/namespaces/two")).status == 404
    for text in (token, child):
        assert (await live.get("auth/token/lookup-self", token=text)).status == 403
    assert (await live.get("auth/token/lookup-self", token=above)).status == 200
    fresh = await live.post("sys/namespaces/two")
    assert fresh.status == 200
    assert (await live.get("kv/a", namespace="two")).status == 404


async def test_a_namespace_with_others_below_is_not_deleted(live: Live) -> None:
    answer = await live.delete("sys/namespaces/one")
    assert (answer.status, answer.errors) == (400, ["unable to delete namespace containing child namespaces"])
    assert (await live.get("kv/a", namespace="one")).status == 200


async def test_a_deletion_goes_on_after_a_crash(live: Live) -> None:
    namespace = live.server.children["two"]
    await live.server.namespaces.change(namespace, lambda entry: replace(entry, tainted=True))  # and the power went
    shown = await live.get("sys/namespaces/two")
    assert shown.data["tainted"] is True
    other = await _restarted(live)
    await other.server.namespaces.settled()
    assert (await other.get("sys/namespaces/two")).status == 404
    assert await other.server.barrier.view(namespace.prefix).list() == []
    await other.server.sealing.seal()


async def test_a_deletion_whose_leases_cannot_be_taken_back_goes_on_later(live: Live) -> None:
    namespace = live.server.children["two"]
    token = await admin(live, "two")

    async def refuse(_: object) -> None:
        raise InvalidRequest("the source is away")

    take_back, namespace.leases._take_back = namespace.leases._take_back, refuse
    await live.delete("sys/namespaces/two")
    await live.server.namespaces.settled()
    assert (await live.get("sys/namespaces/two")).data["tainted"] is True
    assert (await live.get("kv/a", token=token, namespace="two")).status == 404
    namespace.leases._take_back = take_back
    await live.delete("sys/namespaces/two")
    await live.server.namespaces.settled()
    assert (await live.get("sys/namespaces/two")).status == 404


async def test_leases_that_were_given_up_do_not_hold_a_deletion_up(live: Live) -> None:
    namespace = live.server.children["two"]
    await login(live, "two")

    async def refuse(_: object) -> None:
        raise InvalidRequest("the source is away for good")

    namespace.leases._take_back = refuse
    await live.delete("sys/namespaces/two")
    for _ in range(ATTEMPTS + 1):
        await live.server.namespaces.settled()
        live.server.namespaces.go_on()
    await live.server.namespaces.settled()
    assert (await live.get("sys/namespaces/two")).status == 404
    assert await live.server.barrier.view(namespace.prefix).list() == []


async def test_locking_refuses_all_below_until_it_is_unlocked(live: Live) -> None:
    key = (await live.post("sys/namespaces/api-lock/lock/one")).data["unlock_key"]
    token = await admin(live, "two")
    for namespace, path in (
        ("one", "kv/a"),
        ("one/below", "kv/a"),
        ("", "one/kv/a"),
        ("one", "auth/token/lookup-self"),
    ):
        assert (await live.get(path, namespace=namespace)).status == 503
    assert (await live.get("kv/a", token=token, namespace="two")).status == 200
    for body, status in (({"unlock_key": "wrong"}, 400), ({"unlock_key": key}, 204)):
        answer = await live.post("sys/namespaces/api-lock/unlock", body, namespace="one")
        assert answer.status == status, answer
    assert (await live.get("kv/a", namespace="one/below")).status == 200


async def test_without_the_key_only_sudo_unlocks(live: Live) -> None:
    await live.post("sys/policies/acl/weak", {"policy": 'path "sys/namespaces/*" { capabilities = ["update"] }'})
    weak = await live.make_token(policies=["weak"])
    await live.post("sys/namespaces/api-lock/lock/one")
    assert (await live.post("sys/namespaces/api-lock/unlock/one", token=weak)).status == 400
    assert (await live.get("kv/a", namespace="one")).status == 503
    assert (await live.post("sys/namespaces/api-lock/unlock/one")).status == 200
    assert (await live.get("kv/a", namespace="one")).status == 200


# -- what reaches over -----------------------------------------------------------------------------------------------


async def test_quotas_of_the_root_are_for_paths_of_namespaces(live: Live) -> None:
    await live.post("sys/quotas/rate-limit/one", {"rate": 1, "interval": 60, "path": "one/"})
    statuses = [(await live.get("kv/a", namespace=name)).status for name in ("one", "one", "one/below", "two", "")]
    assert statuses == [200, 429, 200, 200, 200]
    await live.post("sys/quotas/rate-limit/one", {"rate": 1, "interval": 60, "path": "one/", "inheritable": True})
    assert [(await live.get("kv/a", namespace="one/below")).status for _ in range(2)] == [200, 429]
    await live.delete("sys/quotas/rate-limit/one")
    await live.post("sys/quotas/rate-limit/mount", {"rate": 1, "interval": 60, "path": "two/kv"})
    statuses = [(await live.get("kv/a", namespace=name)).status for name in ("two", "two", "one", "")]
    assert statuses == [200, 429, 200, 200]


async def test_leases_of_namespaces_are_counted(live: Live) -> None:
    await live.post("sys/quotas/lease-count/one", {"max_leases": 1, "path": "one/"})
    first = await live.post("auth/approle/login", {"role_id": "role"}, token="", namespace="one")
    second = await live.post("auth/approle/login", {"role_id": "role"}, token="", namespace="one")
    other = await live.post("auth/approle/login", {"role_id": "role"}, token="", namespace="two")
    assert (first.status, second.status, other.status) == (200, 429, 200)


async def test_nothing_is_mounted_where_a_namespace_is_and_the_other_way_round(live: Live) -> None:
    for path in ("one", "one/kv2"):
        assert (await live.post(f"sys/mounts/{path}", {"type": "kv"})).status == 400
    taken = await live.post("sys/namespaces/kv")
    assert (taken.status, taken.errors) == (400, ["new namespace conflicts with existing mount: kv/"])
    moved = await live.post("sys/remount", {"from": "kv", "to": "one"})
    assert moved.status == 400


@pytest.mark.parametrize(
    ("source", "target", "read_there"),
    [
        pytest.param("one/kv", "one/kv9", "one/kv9", id="within_one"),
        pytest.param("one/kv", "two/kv9", "two/kv9", id="from_one_to_another"),
        pytest.param("kv", "one/deep/kv9", "one/deep/kv9", id="from_the_root"),
        pytest.param("one/kv", "kv9", "kv9", id="to_the_root"),
    ],
)
async def test_mounts_move_between_namespaces(live: Live, source: str, target: str, read_there: str) -> None:
    for name in ("a", "b/c/d"):
        await live.post(f"{source}/{name}", {"from": name})
    await live.post("sys/quotas/rate-limit/q", {"rate": 1000, "path": source})
    moved = await live.post("sys/remount", {"from": source, "to": target})
    assert moved.status == 200
    for name in ("a", "b/c/d"):
        assert (await live.get(f"{read_there}/{name}")).data == {"from": name}
        assert (await live.get(f"{source}/{name}")).status == 404
    assert (await live.get("sys/quotas/rate-limit/q")).data["path"] == f"{target}/"
    again = await start_live(dev_mode=False, backend=live.backend)
    await again.post("sys/unseal", {"key": live.unseal_key})
    assert (await again.get(f"{read_there}/b/c/d")).data == {"from": "b/c/d"}
    await again.server.sealing.seal()


async def test_a_move_to_a_point_that_is_taken_changes_nothing(live: Live) -> None:
    await live.post("one/kv/a", {"x": 1})
    assert (await live.post("sys/remount", {"from": "one/kv", "to": "two/kv"})).status == 400
    assert (await live.get("one/kv/a")).data == {"x": 1}


async def test_quotas_end_with_their_namespace(live: Live) -> None:
    for name, path in (("ns", "two/"), ("mount", "two/kv")):
        assert (await live.post(f"sys/quotas/rate-limit/{name}", {"rate": 1000, "path": path})).status == 204
    await live.delete("sys/namespaces/two")
    await live.server.namespaces.settled()
    assert (await live.list("sys/quotas/rate-limit")).status == 404


async def test_a_namespace_needs_its_own_mounts(live: Live) -> None:
    for path in ("sys/mounts/cubbyhole", "sys/mounts/identity", "sys/mounts/sys", "sys/auth/token"):
        assert (await live.delete(path, namespace="one")).status == 400
    types = {path: row["type"] for path, row in (await live.get("sys/mounts", namespace="one")).data.items()}
    assert types == {"cubbyhole/": "ns_cubbyhole", "identity/": "ns_identity", "kv/": "kv", "sys/": "ns_system"}


async def test_renewal_and_leases_work_in_a_namespace(live: Live) -> None:
    auth = await login(live, "one")
    lease = {"lease_id": f"auth/approle/login/{await _lease(live, 'one')}"}
    for namespace in ("one", ""):
        shown = await live.post("sys/leases/lookup", lease, namespace=namespace)
        assert shown.data["namespace_path"] == "one/"
    renewed = await live.post("auth/token/renew-self", token=auth["client_token"], namespace="one")
    assert renewed.auth["client_token"] == auth["client_token"]
    assert (await live.post("sys/leases/revoke", {**lease, "sync": True}, namespace="one")).status == 204
    assert (await live.get("auth/token/lookup-self", token=auth["client_token"], namespace="one")).status == 403


async def test_a_token_with_few_uses_is_used_up_in_namespaces_too(live: Live) -> None:
    token = await live.make_token(policies=["admin", "above"], num_uses=2)
    await live.post("sys/policies/acl/above", {"policy": 'path "+/kv/*" { capabilities = ["read"] }'})
    statuses = [(await live.get("kv/a", token=token, namespace=name)).status for name in ("one", "two", "one")]
    assert statuses == [200, 200, 403]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("a/b", "namespace name cannot contain /", id="a_slash"),
        pytest.param("a b", '"a b" contains space characters that cannot be used in a namespace name', id="a_blank"),
        pytest.param(
            "a*", "\"a*\" contains wildcard characters that cannot be used in a namespace name: '*'", id="a_star"
        ),
        pytest.param(
            "a+", "\"a+\" contains wildcard characters that cannot be used in a namespace name: '+'", id="a_plus"
        ),
        pytest.param("sys", '"sys/" is a reserved path and cannot be used as a namespace name', id="a_mount_of_all"),
        pytest.param("root", '"root/" is a reserved path and cannot be used as a namespace name', id="the_root"),
    ],
)
async def test_what_is_no_name(live: Live, name: str, message: str) -> None:
    for namespace in ("", "one"):
        answer = await live.post(f"sys/namespaces/{name}", namespace=namespace)
        assert (answer.status, answer.errors) == (400, [message])


async def test_metadata_is_replaced_and_patched(live: Live) -> None:
    await live.post("sys/namespaces/one", {"custom_metadata": {"a": "1", "b": "2"}})
    patched = await live.ask(Operation.PATCH, "sys/namespaces/one", {"custom_metadata": {"a": None, "c": "3"}})
    assert patched.data["custom_metadata"] == {"b": "2", "c": "3"}
    for operation in (Operation.UPDATE, Operation.PATCH):
        wrong = await live.ask(operation, "sys/namespaces/one", {"custom_metadata": {"a": 1}})
        assert wrong.status == 400
    assert (await live.get("sys/namespaces/one")).data["custom_metadata"] == {"b": "2", "c": "3"}
    assert (await live.post("sys/namespaces/one")).data["custom_metadata"] == {}
    unknown = await live.ask(Operation.PATCH, "sys/namespaces/nope", {"custom_metadata": {}})
    assert (unknown.status, unknown.errors) == (400, ["namespace not found"])


async def test_namespaces_are_listed_and_scanned(live: Live) -> None:
    assert (await live.list("sys/namespaces")).data["keys"] == ["one/", "two/"]
    assert (await live.list("sys/namespaces", namespace="one")).data["key_info"]["below/"]["path"] == "one/below/"
    assert (await live.list("sys/namespaces", namespace="two")).status == 404
    assert (await live.ask(Operation.SCAN, "sys/namespaces/")).data["keys"] == ["one/", "one/below/", "two/"]
    assert (await live.ask(Operation.SCAN, "sys/namespaces/", namespace="one")).data["keys"] == ["below/"]
    assert (await live.ask(Operation.SCAN, "sys/namespaces/", namespace="two")).data == {}


async def test_audit_entries_say_which_namespace(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await live.post("sys/audit/file", {"type": "file", "options": {"file_path": str(log)}})
    await live.post("sys/policies/acl/above", {"policy": 'path "one/kv/*" { capabilities = ["read"] }'})
    above, own = await live.make_token(policies=["above"]), await admin(live, "one")
    identifier = (await live.get("sys/namespaces/one")).data["id"]
    for token, home in ((above, "root"), (own, identifier)):
        await live.get("one/kv/a", token=token)
        entry = json.loads(log.read_text().splitlines()[-2])
        request = entry["request"]
        assert request["namespace"] == {"id": identifier, "path": "one/"}
        assert (request["path"], request["mount_point"]) == ("kv/a", "one/kv/")
        assert {policy["namespace_id"] for policy in entry["auth"]["policy_results"]["granting_policies"]} == {home}
    await live.get("kv/a")
    assert json.loads(log.read_text().splitlines()[-1])["request"]["namespace"] == {"id": "root"}
    await live.delete("sys/audit/file")


async def test_users_are_locked_out_of_their_namespace_alone(live: Live) -> None:
    for namespace in ("one", "two"):
        await live.post("sys/auth/userpass", {"type": "userpass"}, namespace=namespace)
        await live.post("auth/userpass/users/u", {"password": "right-one"}, namespace=namespace)
    for _ in range(5):
        await live.post("auth/userpass/login/u", {"password": "wrong"}, token="", namespace="one")
    answers = [
        await live.post("auth/userpass/login/u", {"password": "right-one"}, token="", namespace=namespace)
        for namespace in ("one", "two")
    ]
    assert [answer.status for answer in answers] == [403, 200]
    told = (await live.get("sys/locked-users")).data["by_namespace"]
    assert {row["namespace_path"]: row["counts"] for row in told} == {"": 0, "one/": 1, "one/below/": 0, "two/": 0}
    assert (await live.get("sys/locked-users", namespace="two")).data["total"] == 0


async def test_password_policies_are_those_of_the_namespace(live: Live) -> None:
    policy = {"policy": 'length = 20\nrule "charset" {\n  charset = "abc"\n}'}
    assert (await live.post("sys/policies/password/own", policy, namespace="one")).status == 204
    assert set((await live.get("sys/policies/password/own/generate", namespace="one")).data["password"]) <= set("abc")
    for namespace in ("", "one/below", "two"):
        assert (await live.get("sys/policies/password/own", namespace=namespace)).status == 404


async def test_a_child_below_belongs_to_its_parents_entity(live: Live) -> None:
    auth = await login(live, "")
    child = await live.make_token(by=auth["client_token"], namespace="one", policies=["admin"])
    shown = await live.get("auth/token/lookup-self", token=child, namespace="one")
    assert shown.data["entity_id"] == auth["entity_id"]
    assert (await live.get("kv/a", token=child, namespace="one/below")).status == 200
    await live.post(f"identity/entity/id/{auth['entity_id']}", {"disabled": True})
    assert (await live.get("kv/a", token=child, namespace="one")).status == 403
    await live.delete(f"identity/entity/id/{auth['entity_id']}")
    assert (await live.get("kv/a", token=child, namespace="one")).status == 403


async def test_a_token_goes_on_after_it_has_made_namespaces(live: Live) -> None:
    auth = await login(live, "")
    token, entity = auth["client_token"], auth["entity_id"]
    rules = 'path "sys/namespaces/*" { capabilities = ["create", "update", "read", "delete"] }'
    await live.post("sys/policies/acl/makers", {"policy": rules})
    await live.post("identity/group", {"name": "g", "policies": "makers", "member_entity_ids": [entity]})
    for name in ("first", "second", "third"):
        assert (await live.post(f"sys/namespaces/{name}", token=token)).status == 200
    assert (await live.delete("sys/namespaces/first", token=token)).status == 200
    assert (await live.get("kv/a", token=token)).status == 200


async def test_a_mount_taken_away_during_the_deletion_does_not_stop_it(live: Live) -> None:
    await live.post("sys/mounts/other", {"type": "transit"}, namespace="two")
    namespace = live.server.children["two"]
    mount = namespace.mounts.at("other/")
    assert mount is not None
    await asyncio.gather(live.delete("sys/namespaces/two"), namespace.mounts.remove(mount))
    await live.server.namespaces.settled()
    live.server.namespaces.go_on()
    await live.server.namespaces.settled()
    assert (await live.get("sys/namespaces/two")).status == 404
    assert await live.server.barrier.view(namespace.prefix).list() == []


@pytest.mark.parametrize("restarted", [pytest.param(False, id="at_once"), pytest.param(True, id="after_a_restart")])
async def test_what_a_token_left_below_ends_with_it(live: Live, restarted: bool) -> None:
    parent = await live.make_token(policies=["admin", "above"])
    await live.post("sys/policies/acl/above", {"policy": 'path "+/*" { capabilities = ["create", "read", "update"] }'})
    child = await live.make_token(by=parent, namespace="one", policies=["admin"])
    assert (await live.post("cubbyhole/mine", {"a": 1}, token=parent, namespace="two")).status == 204
    if restarted:
        live = await _restarted(live)
    assert (await live.post("auth/token/revoke", {"token": parent})).status == 204
    assert (await live.get("auth/token/lookup-self", token=child)).status == 403
    two = live.server.children["two"]
    assert await two.mounts.table("secret")["cubbyhole/"].storage.list() == []
    assert len(two.visitors - {""}) <= 1  # the root token, which made the mounts
    await live.server.sealing.seal()


async def test_namespaces_are_counted_apart(live: Live) -> None:
    await login(live, "one")
    page = (
        await live.server.handle(Request(Operation.READ, "sys/metrics", {"format": "prometheus"}, token="root"))
    ).raw
    assert page is not None
    lines = str(page.body, "utf-8").splitlines() if isinstance(page.body, bytes) else []
    cluster = live.server.cluster_name
    for name, namespace, count in (
        ("vault_token_count", "one", 1), ("vault_token_count", "two", 0), ("vault_identity_entity_count", "one", 1),
        ("vault_identity_entity_count", "root", 0),
    ):  # fmt: skip
        assert f'{name}{{cluster="{cluster}",namespace="{namespace}"}} {count}' in lines


async def test_one_name_is_made_once_and_changes_are_not_lost(live: Live) -> None:
    made = await asyncio.gather(*(live.post("sys/namespaces/new") for _ in range(5)))
    assert len({answer.data["uuid"] for answer in made}) == 1
    patches = [{"custom_metadata": {f"key{number}": "x"}} for number in range(5)]
    await asyncio.gather(
        *(live.ask(Operation.PATCH, "sys/namespaces/new", patch) for patch in patches),
        live.post("sys/namespaces/api-lock/lock/new"),
    )
    shown = (await live.get("sys/namespaces/new")).data
    assert (len(shown["custom_metadata"]), shown["locked"]) == (5, True)


async def test_nothing_is_made_below_what_is_being_deleted(live: Live) -> None:
    namespace = live.server.children["two"]
    deleted, made = await asyncio.gather(
        live.delete("sys/namespaces/two"), live.post("sys/namespaces/in", namespace="two"), return_exceptions=False
    )
    await live.server.namespaces.settled()
    gone = await live.server.barrier.view(namespace.prefix).list() == []
    assert (deleted.status, made.status, gone) in {(200, 404, True), (400, 200, False)}


async def test_a_token_with_rights_in_one_namespace_names_nothing_elsewhere(live: Live) -> None:
    rules = (
        'path "one/sys/leases/*" { capabilities = ["update"] }\npath "one/auth/token/*" { capabilities = ["update"] }'
    )
    await live.post("sys/policies/acl/one-only", {"policy": rules})
    token = await live.make_token(policies=["one-only"])
    victims = {name: (await login(live, name))["client_token"] for name in ("", "two")}
    for namespace, victim in victims.items():
        lease = f"auth/approle/login/{await _lease(live, namespace)}"
        for path, body in (
            ("sys/leases/revoke", {"lease_id": lease}), ("auth/token/revoke", {"token": victim}),
            ("auth/token/lookup", {"token": victim}),
        ):  # fmt: skip
            assert (await live.post(path, body, token=token, namespace="one")).status == 403
        assert (await live.get("auth/token/lookup-self", token=victim, namespace=namespace)).status == 200


@pytest.mark.parametrize(
    ("operation", "path", "body", "status", "message"),
    [
        pytest.param(Operation.UPDATE, "one/seal", {}, 400, "namespace is not sealable", id="sealing"),
        pytest.param(Operation.READ, "one/seal-status", {}, 400, "namespace is not sealable", id="seal_status"),
        pytest.param(Operation.UPDATE, "one/unseal", {"key": "x"}, 400, "namespace is not sealable", id="unsealing"),
        pytest.param(Operation.DELETE, "one/delete-sealed", {}, 400, "namespace is not sealed", id="deleting_sealed"),
        pytest.param(Operation.UPDATE, "nope/seal", {}, 400, "namespace doesn't exist", id="sealing_what_is_not_there"),
        pytest.param(
            Operation.UPDATE, "new", {"seal": 'seal "shamir" {}'}, 400,
            "seal: expected nothing, as no namespace has a seal of its own here", id="making_one_with_a_seal",
        ),
    ],
)  # fmt: skip
async def test_no_namespace_has_a_seal_of_its_own(
    live: Live, operation: Operation, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = await live.ask(operation, f"sys/namespaces/{path}", body)
    assert (answer.status, answer.errors) == (status, [message])
    assert (await live.get("sys/namespaces/new")).status == 404


async def test_scanning_needs_its_own_capability(live: Live) -> None:
    for capability, status in (("list", 403), ("scan", 200)):
        rules = f'path "sys/namespaces/" {{ capabilities = ["{capability}"] }}'
        await live.post(f"sys/policies/acl/can-{capability}", {"policy": rules})
        token = await live.make_token(policies=[f"can-{capability}"])
        assert (await live.ask(Operation.SCAN, "sys/namespaces/", token=token)).status == status


@pytest.mark.parametrize("restarted", [pytest.param(False, id="at_once"), pytest.param(True, id="after_a_restart")])
@pytest.mark.parametrize("kind", ["service", "batch"])
async def test_a_secret_that_a_token_from_above_took_ends_with_it(live: Live, kind: str, restarted: bool) -> None:
    await live.post("sys/mounts/pki", {"type": "pki"}, namespace="one")
    root = {"common_name": "x.test", "key_type": "ec", "key_bits": 256, "ttl": "700h"}
    await live.post("pki/root/generate/internal", root, namespace="one")
    role = {"allow_any_name": True, "generate_lease": True, "key_type": "ec", "key_bits": 256, "ttl": "1h"}
    await live.post("pki/roles/r", role, namespace="one")
    await live.post("sys/policies/acl/above", {"policy": 'path "one/pki/*" { capabilities = ["create", "update"] }'})
    parent = await live.make_token(policies=["above", "admin"])
    holder = parent if kind == "service" else await live.make_token(by=parent, type="batch", policies=["above"])
    issued = await live.post("pki/issue/r", {"common_name": "a.x.test"}, token=holder, namespace="one")
    lease = {"lease_id": issued.body["lease_id"]}
    assert lease["lease_id"].startswith("pki/issue/r/")
    assert (await live.post("sys/leases/lookup", lease)).data["namespace_path"] == "one/"
    if restarted:
        live = await _restarted(live)
    assert (await live.post("auth/token/revoke", {"token": parent})).status == 204
    assert (await live.post("sys/leases/lookup", lease)).status == 400
    serial = issued.data["serial_number"]
    assert (await live.get(f"pki/cert/{serial}", namespace="one")).data["revocation_time"] > 0
    await live.server.sealing.seal()
