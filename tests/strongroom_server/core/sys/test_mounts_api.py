"""sys/mounts, sys/auth, tune and remount as their callers see them, asked of OpenBao 2.7.2."""

from typing import Any

import pytest

from tests.strongroom_server.live import Live


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        pytest.param("mounts/x", {}, "backend type must be specified as a string", id="no_type"),
        pytest.param("mounts/x", {"type": "other"}, "plugin not found in the catalog: other", id="unknown_type"),
        pytest.param("mounts/x", {"type": "userpass"}, "plugin not found in the catalog", id="an_auth_method"),
        pytest.param("mounts/x", {"type": "cubbyhole"}, 'type of "cubbyhole" is not mountable', id="second_cubbyhole"),
        pytest.param("mounts/x", {"type": "system"}, 'type of "system" is not mountable', id="second_sys"),
        pytest.param("mounts/x", {"type": "pki", "options": {"version": 2}}, "pki\" does not allow", id="no_versions"),
        pytest.param("auth/x", {"type": "cert", "options": {"version": "2"}}, "auth method \"cert\"", id="nor_here"),
        pytest.param("mounts/x", {"type": "plugin"}, "plugin_name must be provided", id="a_plugin_without_name"),
        pytest.param("auth/x", {"type": "token"}, "cannot be instantiated", id="a_second_token_method"),
        pytest.param("mounts/sys/x", {"type": "kv"}, "sys/x/", id="below_sys"),
        pytest.param("mounts/secret", {"type": "kv"}, "path is already in use at secret/", id="a_taken_path"),
        pytest.param("mounts/secret/x", {"type": "kv"}, "path is already in use at secret/", id="below_a_mount"),
        pytest.param("mounts/a\tb", {"type": "kv"}, "not a valid mount point", id="what_cannot_be_printed"),
        pytest.param("mounts/x", {"type": "kv", "config": {"default_lease_ttl": "3h", "max_lease_ttl": "2h"}},
                     "would be less than", id="ttls_that_contradict"),
    ],
)  # fmt: skip
async def test_mounts_that_are_refused(live: Live, path: str, body: dict[str, Any], error: str) -> None:
    answer = await live.post(f"sys/{path}", body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


@pytest.mark.parametrize(
    "path", [pytest.param(p, id=n) for p, n in (("a b", "a_space"), ("é*+", "signs"), (".x", "a_dot"))]
)
async def test_paths_of_mounts(live: Live, path: str) -> None:
    assert (await live.post(f"sys/mounts/{path}", {"type": "kv"})).status == 204
    await live.post(f"{path}/k", {"v": "w"})
    assert (await live.get(f"{path}/k")).data == {"v": "w"}


async def test_a_mount_is_shown_at_both_levels(live: Live) -> None:
    await live.post("sys/mounts/x", {"type": "kv", "config": {"token_type": "batch"}})
    answer = await live.get("sys/mounts/x")
    assert (answer.body["type"], answer.data["options"]) == ("kv", {})
    assert "token_type" not in answer.data["config"]
    assert (await live.get("sys/auth/token")).body["type"] == "token"


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        pytest.param("sys", {"description": "x"}, "cannot tune parameter description of sys/", id="text_of_sys"),
        pytest.param(
            "cubbyhole", {"default_lease_ttl": "1h"}, "default_lease_ttl of cubbyhole/", id="ttl_of_cubbyhole"
        ),
        pytest.param("identity", {"listing_visibility": "hidden"}, "listing_visibility of identity/", id="identity"),
        pytest.param("secret", {"token_type": "batch"}, "only be modified on auth mounts", id="token_type_of_secrets"),
        pytest.param("auth/token", {"token_type": "batch"}, "cannot be set for 'token'", id="token_type_of_tokens"),
        pytest.param("auth/up", {"token_type": "x"}, "token_type", id="no_token_type"),
        pytest.param(
            "auth/up", {"user_lockout_config": {"lockout_threshold": -1}}, "lockout_threshold", id="threshold"
        ),
        pytest.param(
            "secret", {"user_lockout_config": {"lockout_threshold": 1}}, "not allowed", id="lockout_of_secrets"
        ),
        pytest.param("secret", {"options": {"version": "1"}}, "cannot downgrade", id="downgrade"),
        pytest.param("secret", {"listing_visibility": "x"}, "listing_visibility", id="no_visibility"),
        pytest.param("other", {"description": "x"}, 'tune of path "other/" failed: no mount', id="no_mount"),
    ],
)
async def test_tunings_that_are_refused(live: Live, path: str, body: dict[str, Any], error: str) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    answer = await live.post(f"sys/mounts/{path}/tune", body)
    assert (answer.status, error in answer.errors[0]) == (400, True), answer


@pytest.mark.parametrize(
    ("body", "options"),
    [
        pytest.param({}, {}, id="unsaid"),
        pytest.param({"options": {}}, {}, id="none"),
        pytest.param({"options": None}, None, id="null"),
        pytest.param({"options": {"version": None}}, {"version": ""}, id="a_null_among_them"),
    ],
)
async def test_options_are_shown_as_they_were_sent(live: Live, body: dict[str, Any], options: Any) -> None:
    assert (await live.post("sys/mounts/x", {"type": "kv"} | body)).status == 204
    assert (await live.get("sys/mounts/x")).data["options"] == options


async def test_the_servers_own_mounts_tell_more_to_audit_devices(live: Live) -> None:
    assert (await live.post("sys/mounts/sys/tune", {"audit_non_hmac_request_keys": ["a"]})).status == 204
    assert (await live.get("sys/mounts/sys/tune")).data["audit_non_hmac_request_keys"] == ["a"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param({"default_lease_ttl": ""}, {"default_lease_ttl": 3600}, id="nothing_is_no_change"),
        pytest.param({"default_lease_ttl": "system"}, {"default_lease_ttl": 2764800}, id="the_servers"),
        pytest.param({"default_lease_ttl": 60}, {"default_lease_ttl": 60}, id="seconds"),
        pytest.param({"description": ""}, {"description": ""}, id="no_description"),
        pytest.param({"options": {"a": "b"}}, {"options": {"version": "2", "a": "b"}}, id="an_option"),
        pytest.param({"options": {"version": ""}}, {"options": {"version": "2"}}, id="no_option_that_is_needed"),
    ],
)
async def test_tuning(live: Live, body: dict[str, Any], shown: dict[str, Any]) -> None:
    await live.post("sys/mounts/secret/tune", {"default_lease_ttl": "1h", "description": "d"})
    await live.post("sys/mounts/secret/tune", body)
    assert shown.items() <= (await live.get("sys/mounts/secret/tune")).data.items()


async def test_an_option_goes_by_an_empty_value(live: Live) -> None:
    await live.post("sys/mounts/secret/tune", {"options": {"a": "b"}})
    await live.post("sys/mounts/secret/tune", {"options": {"a": ""}})
    assert (await live.get("sys/mounts/secret/tune")).data["options"] == {"version": "2"}


async def test_lockout_settings_are_shown_whole(live: Live) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    assert not [name for name in (await live.get("sys/auth/up/tune")).data if "lockout" in name]
    await live.post("sys/auth/up/tune", {"user_lockout_config": {"lockout_threshold": "5", "lockout_duration": "5m"}})
    data = (await live.get("sys/auth/up/tune")).data
    assert {name: value for name, value in data.items() if "lockout" in name} == {
        "user_lockout_threshold": 5, "user_lockout_duration": 300, "user_lockout_counter_reset_duration": 0,
        "user_lockout_disable": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        pytest.param("", "x", "both 'from' and 'to' path must be specified", id="nothing_to_move"),
        pytest.param("secret", "", "both 'from' and 'to' path must be specified", id="nowhere_to_move"),
        pytest.param("other", "x", 'no matching mount at "other/"', id="no_mount"),
        pytest.param("sys", "x", 'cannot remount "sys/"', id="sys"),
        pytest.param("cubbyhole", "x", 'cannot remount "cubbyhole/"', id="cubbyhole"),
        pytest.param("identity", "x", 'cannot remount "identity/"', id="identity"),
        pytest.param("auth/token", "auth/x", 'cannot remount "auth/token/"', id="tokens"),
        pytest.param("secret", "sys", "sys/", id="over_sys"),
        pytest.param("secret", "secret", "path is already in use at secret/", id="over_itself"),
        pytest.param("secret", "secret/x", "path is already in use at secret/", id="below_itself"),
        pytest.param("secret", "auth/x", "auth/x/", id="to_the_auth_methods"),
        pytest.param("auth/up", "x", "cannot remount auth mount to non-auth mount", id="from_the_auth_methods"),
        pytest.param("secret", "a/../b", "invalid destination mount", id="a_path_that_climbs"),
    ],
)
async def test_moves_that_are_refused(live: Live, source: str, target: str, error: str) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    answer = await live.post("sys/remount", {"from": source, "to": target})
    assert (answer.status, error in answer.errors[0]) == (400, True), answer
    assert {"cubbyhole/", "identity/", "secret/", "sys/"} <= (await live.get("sys/mounts")).data.keys()


@pytest.mark.parametrize(
    ("source", "target"),
    [pytest.param("secret", "x/y", id="secrets"), pytest.param("auth/up", "/auth/down/", id="an_auth_method")],
)
async def test_moves(live: Live, source: str, target: str) -> None:
    await live.post("sys/auth/up", {"type": "userpass"})
    answer = await live.post("sys/remount", {"from": source, "to": target})
    assert answer.body["migration_id"] == answer.data["migration_id"]
    assert answer.body["warnings"][0].startswith("Mount move has been queued.")
    status = (await live.get(f"sys/remount/status/{answer.data['migration_id']}")).data
    assert status["migration_info"]["status"] == "success"
    assert (await live.get(f"sys/mounts/{target.strip('/')}")).status == 200
    assert (await live.get(f"sys/mounts/{source}")).status == 400
