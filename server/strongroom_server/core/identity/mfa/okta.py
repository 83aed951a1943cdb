"""Okta's factors API (https://developer.okta.com, "User Factors"): a push to Okta Verify that the user answers."""

from typing import Any
from urllib.parse import quote

from strongroom_common.clock import Clock
from strongroom_server.core.identity.mfa.kinds import Okta
from strongroom_server.core.identity.mfa.services import PATIENCE, POLLED_EVERY, Failed, Person, Web, text_at

_REFUSED = {
    "REJECTED": "the push notification was rejected",
    "TIMEOUT": "the push notification was not answered in time",
}


async def prove(settings: Okta, person: Person, web: Web, clock: Clock) -> None:
    """Return once the person has said yes to a push; raises Failed."""
    api = _Api(settings, web)
    user = await _user(api, settings, person.name)
    factor = f"/users/{user}/factors/{await _push_factor(api, user)}"
    answer = await api.call("POST", f"{factor}/verify")
    # Security 1: of the address to poll only the last part is used, so that the token goes to no other.
    transaction = quote(text_at(answer, "_links", "poll", "href").rpartition("/")[2], safe="")
    until = clock.now() + PATIENCE
    while (result := text_at(answer, "factorResult")) == "WAITING" and transaction and clock.now() < until:
        await clock.sleep(POLLED_EVERY)
        answer = await api.call("GET", f"{factor}/transactions/{transaction}")
    if result == "WAITING":
        result = "TIMEOUT"
    if result != "SUCCESS":
        raise Failed(_REFUSED.get(result, "Okta denies the login"))


async def _user(api: "_Api", settings: Okta, name: str) -> str:
    """Return the id of the user.

    Security 2: the name may be of the user's own choice, and must not say anything but itself in the filter.
    """
    if '"' in name or "\\" in name:
        raise Failed("the user's name cannot be looked up at Okta")
    field = "profile.email" if settings.primary_email else "profile.login"
    wanted = quote(f'{field} eq "{name}"', safe="")
    found = await api.call("GET", f"/users?filter={wanted}")
    if not isinstance(found, list) or len(found) != 1:
        raise Failed("Okta knows no such user" if not found else "Okta knows more than one such user")
    return _id(found[0])


async def _push_factor(api: "_Api", user: str) -> str:
    found = await api.call("GET", f"/users/{user}/factors")
    for factor in found if isinstance(found, list) else []:
        kind = text_at(factor, "factorType"), text_at(factor, "provider"), text_at(factor, "status")
        if kind == ("push", "OKTA", "ACTIVE"):
            return _id(factor)
    raise Failed("the user has no push factor at Okta")


def _id(found: Any) -> str:
    known = quote(text_at(found, "id"), safe="")
    if not known:
        raise Failed("Okta gave an answer of no use")
    return known


class _Api:
    """Requests with the token."""

    def __init__(self, settings: Okta, web: Web) -> None:
        self._base = f"https://{settings.domain}/api/v1"
        self._web = web
        self._headers = {"Authorization": f"SSWS {settings.api_token.reveal()}", "Accept": "application/json"}

    async def call(self, method: str, path: str) -> Any:
        """Return the parsed answer; raises Failed where Okta refuses the call."""
        told = await self._web.ask(method, self._base + path, self._headers, b"" if method == "POST" else None)
        answer = told.json()
        if told.status >= 400:
            raise Failed(f"Okta refuses the request: {text_at(answer, 'errorSummary')}")
        if told.status not in {200, 201}:
            raise told.unusable()
        return answer
