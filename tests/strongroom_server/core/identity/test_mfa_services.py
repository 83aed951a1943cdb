"""Second factors that a vendor's service looks at: what each is asked, and that nothing but its yes is a yes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.strongroom_server.core.identity.people import login, userpass
from tests.strongroom_server.core.identity.vendors import Duo, Okta, PingId, Vendor
from tests.strongroom_server.live import Answer, Live

VENDORS = [pytest.param(kind, id=kind.kind) for kind in (Duo, Okta, PingId)]


class World:
    """Alice, whose password is known, and who is asked at a vendor's."""

    def __init__(self, live: Live, vendor: Any) -> None:
        self.live, self.vendor = live, vendor
        self.method = ""

    async def enforce(self, **settings: Any) -> None:
        await userpass(self.live)
        path = f"identity/mfa/method/{self.vendor.kind}"
        answer = await self.live.post(path, self.vendor.settings(method_name="phone", **settings))
        assert answer.status == 200, answer
        self.method = answer.data["method_id"]
        body = {"mfa_method_ids": [self.method], "auth_method_types": ["userpass"]}
        assert (await self.live.post("identity/mfa/login-enforcement/all", body)).status == 204

    async def rename(self, user: str, name: str, **more: Any) -> None:
        """Give the entity of a user a name; it is one made by a first login."""
        begun = (await login(self.live, user)).auth["mfa_requirement"]
        assert begun
        found = (await self.live.list("identity/entity/id")).data["keys"]
        assert len(found) == 1
        assert (await self.live.post(f"identity/entity/id/{found[0]}", {"name": name, **more})).status in {200, 204}

    async def end(self, *typed: str, user: str = "alice") -> Answer:
        begun = (await login(self.live, user)).auth["mfa_requirement"]["mfa_request_id"]
        body = {"mfa_request_id": begun, "mfa_payload": {self.method: list(typed)}}
        return await self.patiently(self.live.post("sys/mfa/validate", body, token=""))

    async def in_one(self, line: str) -> Answer:
        headers = {"X-Vault-MFA": line}
        return await self.patiently(
            self.live.post("auth/up/login/alice", {"password": "pw"}, token="", headers=headers)
        )

    async def patiently(self, asked: Awaitable[Answer]) -> Answer:
        """Let the clock go on whenever somebody sleeps for a second, until the answer is there."""
        waiting = asyncio.ensure_future(asked)
        while not waiting.done():
            if self.live.clock.wakes_within(1):
                await self.live.clock.advance(1)
            await asyncio.sleep(0.001)
        return waiting.result()


@pytest.fixture
async def ready(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    vendors: list[Vendor] = []

    async def made(kind: type[Vendor], **facts: Any) -> World:
        vendor = await kind(tmp_path, **facts).__aenter__()
        vendors.append(vendor)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        world = World(live, vendor)
        await world.enforce(username_format="alice")
        return world

    yield made
    for vendor in vendors:
        await vendor.__aexit__()


@pytest.mark.parametrize("kind", VENDORS)
async def test_who_says_yes_gets_in(ready: Any, kind: type[Vendor]) -> None:
    world = await ready(kind)
    answer = await world.end()
    assert answer.status == 200, answer
    assert answer.auth["client_token"]
    assert (await world.in_one("phone")).auth["client_token"]


@pytest.mark.parametrize(
    ("kind", "facts", "reason"),
    [
        pytest.param(Duo, {"answers": "deny"}, "Duo denies the login: Login request denied.", id="duo"),
        pytest.param(Duo, {"before": "deny"}, "Duo denies the login: Account is active", id="duo_before_it_asks"),
        pytest.param(Duo, {"before": "other"}, "Duo denies the login", id="duo_with_a_word_that_nobody_knows"),
        pytest.param(Okta, {"answers": "REJECTED"}, "the push notification was rejected", id="okta"),
        pytest.param(Okta, {"answers": "TIMEOUT"}, "was not answered in time", id="okta_that_waits_no_longer"),
        pytest.param(Okta, {"answers": "CHALLENGE"}, "Okta denies the login", id="okta_that_wants_something_else"),
        pytest.param(Okta, {"factors": []}, "the user has no push factor at Okta", id="okta_without_a_phone"),
        pytest.param(PingId, {"answers": 30003, "says": "Push is disabled."}, "Push is disabled.", id="pingid"),
        pytest.param(PingId, {"answers": True}, "PingID denies the login", id="pingid_with_a_number_that_is_none"),
        pytest.param(PingId, {"signs_with": b"x" * 32}, "of no use", id="pingid_with_another_key"),
        pytest.param(PingId, {"algorithm": "HS512"}, "of no use", id="pingid_with_another_algorithm"),
        pytest.param(PingId, {"alias": "theirs"}, "of no use", id="pingid_for_another_organisation"),
    ],
)
async def test_who_says_no_stays_out(ready: Any, kind: type[Vendor], facts: dict[str, Any], reason: str) -> None:
    world = await ready(kind, **facts)
    answer = await world.end()
    assert (answer.status, reason in answer.errors[0]) == (403, True), answer
    assert (await world.in_one("phone")).errors == ["permission denied"]


@pytest.mark.parametrize("kind", VENDORS)
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"status": 500, "text": "s3cret"}, id="an_error"),
        pytest.param({"status": 200, "text": "s3cret"}, id="no_json"),
        pytest.param({"status": 200, "text": "[]"}, id="an_empty_list"),
        pytest.param({"status": 200, "text": "{}"}, id="an_empty_object"),
        pytest.param({"status": 307, "headers": {"Location": "https://elsewhere.example/"}}, id="somewhere_else"),
        pytest.param({"status": 200, "text": "x" * (1 << 21)}, id="without_end"),
    ],
)
async def test_what_is_no_answer_lets_nobody_in(ready: Any, kind: type[Vendor], broken: dict[str, Any]) -> None:
    world = await ready(kind)
    world.vendor.broken = web.Response(**broken)
    answer = await world.end()
    assert answer.status == 403, answer
    assert "s3cret" not in str(answer)


@pytest.mark.parametrize("kind", VENDORS)
async def test_a_service_that_is_away_lets_nobody_in(ready: Any, kind: type[Vendor]) -> None:
    world = await ready(kind)
    await world.vendor.__aexit__()
    answer = await world.end()
    assert (answer.status, "cannot be asked" in answer.errors[0]) == (403, True), answer


@pytest.mark.parametrize("kind", VENDORS)
async def test_a_service_that_nobody_vouches_for_is_not_asked(
    ready: Any, kind: type[Vendor], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await ready(kind)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert (await world.end()).status == 403
    assert world.vendor.asked == []


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.kind) for kind in (Duo, Okta)])
async def test_nobody_is_waited_for_for_ever(ready: Any, kind: type[Vendor]) -> None:
    world = await ready(kind, waits=1000)
    answer = await world.end()
    assert (answer.status, "not answered in time" in answer.errors[0]) == (403, True), answer
    assert 50 < 1000 - world.vendor.waits < 70


@pytest.mark.parametrize("typed", ["123456", " 123456", "passcode=123456"])
async def test_a_passcode_of_duo(ready: Any, typed: str) -> None:
    world = await ready(Duo)
    assert (await world.end(typed)).status == 200
    asked = {"username": "alice", "ipaddr": "127.0.0.1", "factor": "passcode", "passcode": "123456"}
    assert world.vendor.asked[-1] == ("/auth/v2/auth", asked)
    assert (await world.end("654321")).errors[0].count("Incorrect passcode.") == 1


async def test_a_passcode_that_is_wanted_must_be_given(ready: Any) -> None:
    world = await ready(Duo)
    settings = world.vendor.settings(use_passcode=True, username_format="alice", push_info="from=here & there")
    assert (await world.live.post(f"identity/mfa/method/duo/{world.method}", settings)).status == 204
    told = (await login(world.live)).auth["mfa_requirement"]["mfa_constraints"]["all"]["any"]
    assert told[0]["uses_passcode"] is True
    assert "a passcode of Duo's is needed" in (await world.end()).errors[0]
    assert world.vendor.asked == []
    assert (await world.end("123456")).status == 200


async def test_a_push_of_duo_says_what_the_method_says(ready: Any) -> None:
    world = await ready(Duo)
    settings = world.vendor.settings(username_format="alice", push_info="from=here~&to=th%C3%A4r")
    await world.live.post(f"identity/mfa/method/duo/{world.method}", settings)
    assert (await world.end()).status == 200
    pushed = next(fields for path, fields in world.vendor.asked if path == "/auth/v2/auth")
    assert pushed["pushinfo"] == "from=here~&to=th%C3%A4r"


async def test_whom_duo_lets_by_is_asked_for_nothing(ready: Any) -> None:
    world = await ready(Duo, before="allow")
    assert (await world.end()).status == 200
    assert [path for path, _ in world.vendor.asked] == ["/auth/v2/preauth"]


@pytest.mark.parametrize(
    ("template", "facts", "status"),
    [
        pytest.param("", {"name": "alice"}, 200, id="the_entity_s_name"),
        pytest.param("{{identity.entity.name}}", {"name": "alice"}, 200, id="the_same_in_so_many_words"),
        pytest.param("{{ identity.entity.metadata.login }}", {"metadata": {"login": "alice"}}, 200, id="metadata"),
        pytest.param("{{identity.entity.name}}@example.com", {"name": "alice"}, 403, id="somebody_nobody_knows"),
        pytest.param("{{identity.entity.metadata.login}}", {}, 403, id="metadata_that_is_not_there"),
        pytest.param("{{identity.entity.metadata.login", {}, 403, id="no_template"),
    ],
)
async def test_how_the_service_knows_the_user(ready: Any, template: str, facts: dict[str, Any], status: int) -> None:
    world = await ready(PingId)
    path = f"identity/mfa/method/{world.vendor.kind}/{world.method}"
    assert (await world.live.post(path, world.vendor.settings(username_format=template))).status == 204
    await world.rename("alice", **({"name": "somebody"} | facts))
    answer = await world.end()
    assert answer.status == status, answer


async def test_a_name_says_nothing_but_itself_to_okta(ready: Any) -> None:
    world = await ready(Okta)
    settings = world.vendor.settings(username_format='x" or profile.login eq "alice')
    await world.live.post(f"identity/mfa/method/okta/{world.method}", settings)
    assert (await world.end()).status == 403
    assert world.vendor.asked == []


async def test_okta_knows_people_by_their_address(ready: Any) -> None:
    world = await ready(Okta)
    settings = world.vendor.settings(primary_email=True, username_format="alice@example.com")
    await world.live.post(f"identity/mfa/method/okta/{world.method}", settings)
    assert (await world.end()).status == 200


async def test_a_wrong_key_is_told_without_the_key(ready: Any) -> None:
    world = await ready(Duo)
    settings = world.vendor.settings(secret_key="s3cret2", username_format="alice")
    await world.live.post(f"identity/mfa/method/duo/{world.method}", settings)
    answer = await world.end()
    assert "Duo refuses the request: Invalid signature in request credentials" in answer.errors[0]
    assert "s3cret" not in str(answer)


async def test_an_entity_that_goes_while_it_is_asked_gets_no_token(ready: Any) -> None:
    world = await ready(Duo, waits=1000)
    begun = (await login(world.live)).auth["mfa_requirement"]["mfa_request_id"]
    body = {"mfa_request_id": begun, "mfa_payload": {world.method: []}}
    waiting = asyncio.ensure_future(world.live.post("sys/mfa/validate", body, token=""))
    while not world.live.clock.wakes_within(1):  # noqa: ASYNC110  # the clock tells nobody who sleeps
        await asyncio.sleep(0.001)
    found = (await world.live.list("identity/entity/id")).data["keys"]
    await world.live.delete(f"identity/entity/id/{found[0]}")
    world.vendor.waits = 0
    assert (await world.patiently(waiting)).status == 403
