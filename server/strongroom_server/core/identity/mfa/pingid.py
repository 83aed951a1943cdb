"""PingID's authentication API, version 4.9 (https://developer.pingidentity.com/pingid-api): a push to the user's
primary device. Requests and answers are JSON web signatures by a key of the organisation's settings file.
"""

import binascii
import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from typing import Any

from strongroom_common.clock import Clock
from strongroom_server.core.identity.mfa.kinds import PingId
from strongroom_server.core.identity.mfa.services import Failed, Person, Told, Web, text_at

_VERSION = "4.9"
_OK = 200  # error ids of the vendor's, not statuses


async def prove(settings: PingId, person: Person, web: Web, clock: Clock) -> None:
    """Return once the person has said yes on their device; the service answers when they have. Raises Failed."""
    import jwt

    file = settings.file()
    key = _key(file)
    fields = {"spAlias": "web", "userName": person.name, "authType": "CONFIRM"}
    header = {
        "locale": "en", "orgAlias": file.get("org_alias", ""), "secretKey": file.get("token", ""),
        "timestamp": datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "version": _VERSION,
    }  # fmt: skip
    payload = json.dumps({"reqHeader": header, "reqBody": fields}).encode()
    signed = jwt.PyJWS().encode(payload, key, "HS256", headers=_ours(file))
    url = file.get("idp_url", "").rstrip("/") + "/rest/4/authonline/do"
    told = await web.ask("POST", url, {"Content-Type": "application/json"}, signed.encode())
    body = _opened(told, key, file).get("responseBody")
    error = body.get("errorId") if isinstance(body, dict) else None
    if told.status != 200 or error != _OK or isinstance(error, bool):
        said = text_at(body, "errorMsg")
        raise Failed(f"PingID denies the login: {said}" if said else "PingID denies the login")


def _key(file: dict[str, str]) -> bytes:
    text = file.get("use_base64_key", "").replace("+", "-").replace("/", "_").rstrip("=")
    try:
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        key = b""
    # Security 1: a signature by an empty key is one that everybody can make.
    if not key:
        raise Failed("the settings file of PingID has no key in base64")
    return key


def _ours(file: dict[str, str]) -> dict[str, str]:
    return {"org_alias": file.get("org_alias", ""), "token": file.get("token", "")}


def _opened(told: Told, key: bytes, file: dict[str, str]) -> dict[str, Any]:
    """Return what an answer says, if the organisation's key has signed it for the organisation.

    Security 2: only by this algorithm (RFC 8725, 3.1); an answer to another organisation is none.
    """
    import jwt

    try:
        answer = jwt.PyJWS().decode_complete(told.raw, key, algorithms=["HS256"])
        said = json.loads(answer["payload"])
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise told.unusable() from None
    if not isinstance(said, dict) or not _ours(file).items() <= answer["header"].items():
        raise told.unusable()
    return said
