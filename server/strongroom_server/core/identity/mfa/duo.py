"""Duo's Auth API, version 2 (https://duo.com/docs/authapi): a passcode, or a push that the user answers."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote, urlencode

from strongroom_common.clock import Clock
from strongroom_server.core.identity.mfa.kinds import Duo
from strongroom_server.core.identity.mfa.services import PATIENCE, POLLED_EVERY, Failed, Person, Web, text_at

_DENIED = "Duo denies the login"


async def prove(settings: Duo, person: Person, web: Web, clock: Clock) -> None:
    """Return once Duo lets the person in; raises Failed."""
    if settings.use_passcode and not person.typed:
        raise Failed("a passcode of Duo's is needed and was not given")
    api = _Api(settings, web, clock)
    before = await api.call("POST", "/auth/v2/preauth", {"username": person.name})
    if before.get("result") == "allow":  # the account's own rules ask this user for nothing
        return
    if before.get("result") != "auth":  # "deny", or "enroll" for whom Duo does not know
        raise Failed(_reason(before))
    asked = {"username": person.name} | ({"ipaddr": person.address} if person.address else {})
    if person.typed:
        answer = await api.call("POST", "/auth/v2/auth", asked | {"factor": "passcode", "passcode": person.typed})
    else:
        answer = await _push(api, settings, asked, clock)
    if answer.get("result") != "allow":
        raise Failed(_reason(answer))


async def _push(api: "_Api", settings: Duo, asked: dict[str, str], clock: Clock) -> Mapping[str, Any]:
    said = {"pushinfo": settings.push_info} if settings.push_info else {}
    push = asked | said | {"factor": "push", "device": "auto", "async": "1"}
    started = text_at(await api.call("POST", "/auth/v2/auth", push), "txid")
    if not started:
        raise Failed(_DENIED)
    until = clock.now() + PATIENCE
    while clock.now() < until:
        answer = await api.call("GET", "/auth/v2/auth_status", {"txid": started})
        if answer.get("result") != "waiting":
            return answer
        await clock.sleep(POLLED_EVERY)
    raise Failed("the push notification was not answered in time")


def _reason(answer: Mapping[str, Any]) -> str:
    said = text_at(answer, "status_msg")
    return f"{_DENIED}: {said}" if said else _DENIED


class _Api:
    """Signed requests."""

    def __init__(self, settings: Duo, web: Web, clock: Clock) -> None:
        self._settings = settings
        self._web = web
        self._clock = clock

    async def call(self, method: str, path: str, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the response of a call; raises Failed where Duo refuses it."""
        sent = urlencode(sorted(fields.items()), quote_via=quote, safe="~")
        date = format_datetime(datetime.fromtimestamp(self._clock.now(), UTC))
        headers = {"Date": date, "Authorization": signature(self._settings, (date, method, path, sent))}
        url, body = f"https://{self._settings.api_hostname}{path}", None
        if method == "GET":
            url = f"{url}?{sent}"
        else:
            body, headers["Content-Type"] = sent.encode(), "application/x-www-form-urlencoded"
        told = await self._web.ask(method, url, headers, body)
        answer = told.json()
        if text_at(answer, "stat") == "FAIL":
            raise Failed(f"Duo refuses the request: {text_at(answer, 'message')}")
        response = answer.get("response") if isinstance(answer, dict) else None
        if told.status != 200 or not isinstance(response, dict) or text_at(answer, "stat") != "OK":
            raise told.unusable()
        return response


def signature(settings: Duo, request: tuple[str, str, str, str]) -> str:
    """Return the Authorization header of a request: its date, method, path and encoded fields (authapi,
    "Authentication").
    """
    date, method, path, fields = request
    signed = "\n".join([date, method, settings.api_hostname.lower(), path, fields])
    key = settings.secret_key.reveal().encode()
    digest = hmac.new(key, signed.encode(), hashlib.sha1).hexdigest()  # the vendor's choice; HMAC does not mind
    return "Basic " + base64.b64encode(f"{settings.integration_key.reveal()}:{digest}".encode()).decode()
