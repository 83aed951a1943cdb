"""Second factors: which logins need one, in one request and in two, and what is none."""

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from strongroom_common.secret import Secret
from strongroom_server.engines.totp.codes import code, step
from strongroom_server.engines.totp.keys import Key
from tests.strongroom_server.core.identity.people import entity, group, login, userpass
from tests.strongroom_server.live import Answer, Live


async def method(live: Live, **fields: Any) -> str:
    answer = await live.post("identity/mfa/method/totp", {"issuer": "here"} | fields)
    assert answer.status == 200, answer
    found: str = answer.data["method_id"]
    return found


async def enforce(live: Live, *methods: str, name: str = "all", **subjects: Any) -> None:
    body = {"mfa_method_ids": methods} | (subjects or {"auth_method_types": ["userpass"]})
    answer = await live.post(f"identity/mfa/login-enforcement/{name}", body)
    assert answer.status == 204, answer


class Authenticator:
    """Somebody's phone."""

    def __init__(self, live: Live, url: str) -> None:
        known = dict(parse_qsl(urlsplit(url).query))
        self.live = live
        self.key = Key("", known["algorithm"], int(known["digits"]), "", int(known["period"]), 1,
                       Secret(known["secret"]))  # type: ignore[arg-type]  # fmt: skip

    def code(self, periods: int = 0) -> str:
        return code(self.key, step(self.key, self.live.clock.now()) + periods)


class World:
    """Alice, whose password is known, and her phone."""

    def __init__(self, live: Live, alice: str, accessor: str) -> None:
        self.live, self.alice, self.accessor = live, alice, accessor

    async def phone(self, method_id: str) -> Authenticator:
        body = {"method_id": method_id, "entity_id": self.alice}
        answer = await self.live.post("identity/mfa/method/totp/admin-generate", body)
        assert answer.status == 200, answer
        return Authenticator(self.live, answer.data["url"])

    async def begin(self, user: str = "alice") -> str:
        answer = await login(self.live, user)
        assert answer.status == 200, answer
        requirement = answer.auth["mfa_requirement"]
        assert requirement, answer
        found: str = requirement["mfa_request_id"]
        return found

    async def end(self, request_id: str, payload: dict[str, Any]) -> Answer:
        body = {"mfa_request_id": request_id, "mfa_payload": payload}
        return await self.live.post("sys/mfa/validate", body, token="")

    async def in_one(self, *lines: str) -> Answer:
        headers = {"X-Vault-MFA": ",".join(lines)}
        return await self.live.post("auth/up/login/alice", {"password": "pw"}, token="", headers=headers)


@pytest.fixture
async def world(live: Live) -> World:
    accessor = await userpass(live)
    return World(live, (await login(live)).auth["entity_id"], accessor)


async def test_a_login_in_two_requests(live: Live, world: World) -> None:
    method_id = await method(live, method_name="phones")
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    first = await login(live)
    assert (first.auth["client_token"], first.auth["policies"]) == ("", None)
    told = {"type": "totp", "id": method_id, "uses_passcode": True, "name": "phones"}
    assert first.auth["mfa_requirement"]["mfa_constraints"] == {"all": {"any": [told]}}
    request_id = first.auth["mfa_requirement"]["mfa_request_id"]
    assert (await world.end(request_id, {method_id: ["000000"]})).status == 403
    answer = await world.end(request_id, {method_id: [phone.code()]})
    assert (answer.status, answer.auth["entity_id"], answer.auth["mfa_requirement"]) == (200, world.alice, None)
    assert (await live.get("auth/token/lookup-self", token=answer.auth["client_token"])).data[
        "path"
    ] == "auth/up/login/alice"
    again = await world.end(request_id, {method_id: [phone.code(1)]})
    assert (again.status, again.errors) == (400, ["invalid request ID"])


@pytest.mark.parametrize("form", ["{id}:{code}", "phones:{code}", "{id}:passcode={code}"])
async def test_a_login_in_one_request(live: Live, world: World, form: str) -> None:
    method_id = await method(live, method_name="phones")
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    assert (await world.in_one(form.format(id=method_id, code=phone.code()))).auth["client_token"]


@pytest.mark.parametrize("line", ["{id}", "{id}:", "{id}:000000", "other:{code}", "{id}:{code},{id}:{code}", ":{code}"])
async def test_what_one_request_must_not_say(live: Live, world: World, line: str) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    answer = await world.in_one(line.format(id=method_id, code=phone.code()))
    assert (answer.status, answer.errors) == (403, ["permission denied"])


@pytest.mark.parametrize(
    "subject", ["auth_method_accessors", "auth_method_types", "identity_entity_ids", "identity_group_ids"]
)
async def test_who_needs_a_second_factor(live: Live, world: World, subject: str) -> None:
    inner = await group(live, "inner", member_entity_ids=[world.alice])
    outer = await group(live, "outer", member_group_ids=[inner])
    fits = {"auth_method_accessors": world.accessor, "auth_method_types": "userpass",
            "identity_entity_ids": world.alice, "identity_group_ids": outer}  # fmt: skip
    await enforce(live, await method(live), **{subject: [fits[subject]]})
    assert (await login(live)).auth["mfa_requirement"]
    everybody = subject.startswith("auth_")
    assert bool((await login(live, "bob")).auth["mfa_requirement"]) is everybody


async def test_one_method_of_each_enforcement_is_enough(live: Live, world: World) -> None:
    first, second, third = [await method(live) for _ in range(3)]
    phones = {method_id: await world.phone(method_id) for method_id in (first, second, third)}
    await enforce(live, first, second)
    await enforce(live, third, name="more", identity_entity_ids=[world.alice])
    request_id = await world.begin()
    half = await world.end(request_id, {second: [phones[second].code()]})
    assert half.errors[0].startswith("failed to satisfy enforcement more.")
    both = {first: ["000000"], second: [phones[second].code(1)], third: [phones[third].code()]}
    assert (await world.end(request_id, both)).auth["client_token"]


async def test_one_code_is_enough_for_all_enforcements_of_its_method(live: Live, world: World) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    await enforce(live, await method(live), method_id, name="more", identity_entity_ids=[world.alice])
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).auth["client_token"]


async def test_a_merge_lets_nobody_off(live: Live, world: World) -> None:
    await enforce(live, await method(live), identity_entity_ids=[world.alice])
    target = await entity(live, "alice")
    both = {"to_entity_id": target, "from_entity_ids": [world.alice]}
    assert (await live.post("identity/entity/merge", both)).status == 204
    assert await world.begin()


async def test_a_code_is_good_once(live: Live, world: World) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    request_ids = [await world.begin() for _ in range(10)]
    answers = await asyncio.gather(*(world.end(i, {method_id: [phone.code()]}) for i in request_ids))
    assert sorted(answer.status for answer in answers) == [200, *[403] * 9]
    await live.clock.advance(30)
    assert (await world.end(await world.begin(), {method_id: [phone.code(-1)]})).status == 403
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"algorithm": "SHA256", "skew": 0}, id="sha256_without_skew"),
        pytest.param({"algorithm": "SHA512", "digits": 8, "period": "1m"}, id="sha512_of_eight_digits"),
        pytest.param({"max_validation_attempts": 0}, id="attempts_by_default"),
    ],
)
async def test_codes_of_all_kinds(live: Live, world: World, fields: dict[str, Any]) -> None:
    method_id = await method(live, **fields)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).auth["client_token"]


@pytest.mark.parametrize("form", [" {}", "{} ", "{}\n", "passcode={}", "passcode= {}"])
async def test_a_used_code_is_used_however_it_is_spelled(live: Live, world: World, form: str) -> None:
    """Blanks around a code once got round the memory of used ones (CVE-2025-6015)."""
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).status == 200
    assert (await world.end(await world.begin(), {method_id: [form.format(phone.code())]})).status == 403


async def test_guesses_are_few(live: Live, world: World) -> None:
    method_id = await method(live, max_validation_attempts=3)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    for _ in range(3):
        assert (await world.end(await world.begin(), {method_id: ["000000"]})).status == 403
    answer = await world.end(await world.begin(), {method_id: [phone.code()]})
    assert "maximum TOTP validation attempts 4 exceeded the allowed attempts 3" in answer.errors[0]
    await live.clock.advance(31)
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).status == 200


@pytest.mark.parametrize("event", ["late", "disabled", "deleted", "unmounted"])
async def test_a_waiting_login_ends_with_what_it_stands_on(live: Live, world: World, event: str) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    request_id = await world.begin()
    match event:
        case "late":
            await live.clock.advance(300)
        case "disabled":
            await live.post(f"identity/entity/id/{world.alice}", {"disabled": True})
        case "deleted":
            await live.delete(f"identity/entity/id/{world.alice}")
        case _:
            await live.delete("sys/auth/up")
    assert (await world.end(request_id, {method_id: [phone.code()]})).status in {400, 403}


async def test_without_a_secret_nobody_gets_in(live: Live, world: World) -> None:
    method_id = await method(live)
    await enforce(live, method_id)
    answer = await world.end(await world.begin(), {method_id: ["123456"]})
    assert f'MFA secret for method name "" not present in entity "{world.alice}"' in answer.errors[0]


async def test_a_secret_is_shown_once_and_can_be_taken_away(live: Live, world: World) -> None:
    method_id = await method(live, qr_size=0)
    await live.post(
        "sys/policies/acl/own", {"policy": 'path "identity/mfa/method/totp/generate" { capabilities = ["update"] }'}
    )
    alice = (await login(live)).auth["client_token"]
    first = await live.post("identity/mfa/method/totp/generate", {"method_id": method_id}, token=alice)
    assert (first.data["barcode"], first.data["url"][:15]) == ("", "otpauth://totp/")
    again = await live.post("identity/mfa/method/totp/generate", {"method_id": method_id}, token=alice)
    assert again.body["warnings"] == ['Entity already has a secret for MFA method ""']
    assert (
        await live.post("identity/mfa/method/totp/generate", {"method_id": method_id})
    ).status == 400  # root is nobody
    both = {"method_id": method_id, "entity_id": world.alice}
    assert (await live.post("identity/mfa/method/totp/admin-destroy", both)).status == 204
    assert (await world.phone(method_id)).key.key.reveal() not in first.data["url"]


@pytest.mark.parametrize(
    ("kind", "fields", "shown"),
    [
        pytest.param("duo", {"secret_key": "s3cret", "integration_key": "1nteg", "api_hostname": "h", "push_info": "p"},
                     {"api_hostname": "h", "pushinfo": "p", "use_passcode": False}, id="duo"),
        pytest.param("okta", {"org_name": "o", "api_token": "s3cret"}, {"base_url": "okta.com", "org_name": "o"},
                     id="okta"),
        pytest.param("pingid", {"settings_file_base64": "dG9rZW49czNjcmV0CmFkbWluX3VybD1odHRwczovL2E="},
                     {"admin_url": "https://a", "use_signature": False}, id="pingid"),
    ],
)  # fmt: skip
async def test_methods_of_vendors_are_kept_without_their_secrets(
    live: Live, kind: str, fields: dict[str, str], shown: dict[str, Any]
) -> None:
    method_id = (await live.post(f"identity/mfa/method/{kind}", fields)).data["method_id"]
    read = (await live.get(f"identity/mfa/method/{method_id}")).data
    assert read.items() >= (shown | {"type": kind, "id": method_id}).items()
    assert "s3cret" not in str(read)


async def test_a_restart_keeps_factors_and_forgets_who_waits(live: Live, world: World) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    request_id = await world.begin()
    await live.post("sys/seal")
    assert (await live.post("sys/unseal", {"key": live.unseal_key}, token="")).body["sealed"] is False
    assert (await world.end(request_id, {method_id: [phone.code()]})).status == 400
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).status == 200


async def test_the_second_half_can_be_wrapped(live: Live, world: World) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    await enforce(live, method_id)
    first = await live.post("auth/up/login/alice", {"password": "pw"}, token="", wrap_ttl=60)
    request_id = first.auth["mfa_requirement"]["mfa_request_id"]
    body = {"mfa_request_id": request_id, "mfa_payload": {method_id: [phone.code()]}}
    wrapped = (await live.post("sys/mfa/validate", body, token="", wrap_ttl=60)).body["wrap_info"]
    assert wrapped["wrapped_accessor"]
    assert (await live.post("sys/wrapping/unwrap", token=wrapped["token"])).auth["entity_id"] == world.alice


async def test_a_method_in_use_stays(live: Live, world: World) -> None:
    method_id = await method(live)
    await enforce(live, method_id)
    assert (await live.delete(f"identity/mfa/method/totp/{method_id}")).status == 400
    assert (await live.delete("identity/mfa/login-enforcement/all")).status == 204
    assert (await login(live)).auth["client_token"]
    assert (await live.delete(f"identity/mfa/method/totp/{method_id}")).status == 204
    assert (await live.get(f"identity/mfa/method/totp/{method_id}")).status == 404


async def test_secrets_go_where_their_entities_go(live: Live, world: World) -> None:
    method_id = await method(live)
    phone = await world.phone(method_id)
    target = await entity(live, "alice")
    both = {"to_entity_id": target, "from_entity_ids": [world.alice]}
    body = {"method_id": method_id, "entity_id": target}
    assert (await live.post("identity/mfa/method/totp/admin-generate", body)).status == 200
    refused = await live.post("identity/entity/merge", both)
    assert refused.errors[0].startswith("conflicting MFA config ID")
    await live.post("identity/mfa/method/totp/admin-destroy", body)
    assert (await live.post("identity/entity/merge", both)).status == 204
    await enforce(live, method_id)
    assert (await world.end(await world.begin(), {method_id: [phone.code()]})).auth["entity_id"] == target
    await live.delete(f"identity/entity/id/{target}")
    assert (await world.end(await world.begin(), {method_id: [phone.code(1)]})).status == 403


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "is empty", id="nothing"),
        pytest.param("Ärger", "no text in base64", id="no_base64"),
        pytest.param("/w==", "no text in base64", id="no_text"),
        pytest.param("Zm9v", "not in key=value format", id="no_settings"),
    ],
)
async def test_settings_of_pingid_that_are_none(live: Live, text: str, message: str) -> None:
    answer = await live.post("identity/mfa/method/pingid", {"settings_file_base64": text})
    assert (answer.status, message in answer.errors[0]) == (400, True), answer
