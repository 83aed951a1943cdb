"""The issuer, over HTTP: the only file of this method that does I/O besides storage."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from strongroom_common.clock import Clock
from strongroom_server.auth.jwt.keys import FRESH, published_keys
from strongroom_server.lib.bodies import read_body
from strongroom_server.lib.trust import trusting
from strongroom_server.sdk.errors import UpstreamError

if TYPE_CHECKING:
    import jwt
    from aiohttp import ClientSession

    from strongroom_server.auth.jwt.schemas import Config

log = logging.getLogger("auth.jwt")

TIMEOUT = 10  # seconds
_LONGEST = 1 << 20  # bytes of an answer
_MOST = 32  # certificates that connections are kept for


@dataclass(frozen=True)
class Discovered:
    """The provider's metadata (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    device_authorization_endpoint: str = ""


class Refused(UpstreamError):
    """The provider answers with an error; ``reason`` is its code (RFC 6749, 5.2)."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Provider:
    """Asks over kept connections. Everything here raises UpstreamError where no usable answer comes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: tuple[Config, float, Discovered] | None = None
        self._sessions: dict[str, ClientSession] = {}

    async def close(self) -> None:
        """Close the connections."""
        while self._sessions:
            await self._sessions.popitem()[1].close()

    async def discover(self, config: "Config") -> Discovered:
        """Return the provider's metadata, fetched now or lately."""
        now = self._clock.now()
        if self._known is None or self._known[0] is not config or now - self._known[1] >= FRESH:
            self._known = (config, now, await self._discover(config))
        return self._known[2]

    async def _discover(self, config: "Config") -> Discovered:
        issuer = config.oidc_discovery_url
        found = await self._get(config, issuer.rstrip("/") + "/.well-known/openid-configuration")
        # Security 1: the document must be the issuer's own (OpenID Connect Discovery 1.0, 4.3).
        if found.get("issuer") != issuer:
            raise UpstreamError(
                f'issuer did not match the returned issuer, expected "{issuer}" got "{found.get("issuer")}"'
            )
        names = Discovered.__dataclass_fields__
        known = {name: value for name, value in found.items() if name in names and isinstance(value, str)}
        if not known.get("jwks_uri"):
            raise UpstreamError("the provider's metadata has no jwks_uri")
        return Discovered(**known)

    async def keys(self, config: "Config") -> "Sequence[jwt.PyJWK]":
        """Return the keys that the issuer publishes; of several URLs one that answers is enough."""
        if not config.jwks_pairs:
            return await self._keys_at(config, config.jwks_url or (await self.discover(config)).jwks_uri)
        found: list[jwt.PyJWK] = []
        failed: UpstreamError | None = None
        for pair in config.jwks_pairs:
            try:
                found += await self._keys_at(replace(config, jwks_ca_pem=pair.jwks_ca_pem), pair.jwks_url)
            except UpstreamError as error:
                failed = error
        if not found and failed is not None:
            raise failed
        return found

    async def _keys_at(self, config: "Config", url: str) -> "Sequence[jwt.PyJWK]":
        document = await self._get(config, url)
        if not isinstance(document.get("keys"), list):
            raise UpstreamError(f"{url} is no set of keys")
        return published_keys(document["keys"])

    async def redeem(self, config: "Config", found: Discovered, form: Mapping[str, str]) -> dict[str, Any]:
        """Return the tokens that a code is worth (RFC 6749, 4.1.3)."""
        return await self._ask(config, "POST", found.token_endpoint, _basic(config), form)

    async def begin_device(self, config: "Config", found: Discovered, scope: str) -> dict[str, Any]:
        """Return what a device of the user's needs to log in for us (RFC 8628, 3.2)."""
        if not found.device_authorization_endpoint:
            raise UpstreamError("the provider's metadata has no device_authorization_endpoint")
        form = {"client_id": config.oidc_client_id, "scope": scope}
        return await self._ask(config, "POST", found.device_authorization_endpoint, _basic(config), form)

    async def user_info(self, config: "Config", found: Discovered, access_token: str) -> dict[str, Any]:
        """Return what the provider tells of the user (OpenID Connect Core 1.0, 5.3)."""
        return await self._ask(config, "GET", found.userinfo_endpoint, f"Bearer {access_token}")

    async def _get(self, config: "Config", url: str) -> dict[str, Any]:
        return await self._ask(config, "GET", url)

    async def _ask(
        self, config: "Config", method: str, url: str, authorization: str = "", form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        from aiohttp import ClientConnectorCertificateError, ClientError

        headers = {"Accept": "application/json"} | ({"Authorization": authorization} if authorization else {})
        for name in config.override_allowed_server_names or (None,):
            try:
                session = await self._open(config.ca_pem)
                async with session.request(
                    method, url, data=form, headers=headers, allow_redirects=not authorization, server_hostname=name
                ) as answer:  # Security 2: what we authenticate with goes to no other host
                    raw, status = await read_body(answer, _LONGEST), answer.status
            except ClientConnectorCertificateError as error:  # perhaps it has another of the names
                last: Exception = error
                continue
            except (ClientError, TimeoutError, OSError, ValueError) as error:
                last = error
                break
            return _object(url, status, raw)
        log.warning("the issuer cannot be asked: %s: %s", url, last)
        raise UpstreamError(f"{url} cannot be asked") from last

    async def _open(self, trusted: str) -> "ClientSession":
        from aiohttp import ClientSession, ClientTimeout, TCPConnector

        if trusted not in self._sessions:
            if len(self._sessions) >= _MOST:  # those of former configurations
                await self._sessions.pop(next(iter(self._sessions))).close()
            context = trusting(trusted) if trusted else True
            self._sessions[trusted] = ClientSession(
                connector=TCPConnector(ssl=context), timeout=ClientTimeout(total=TIMEOUT)
            )
        return self._sessions[trusted]


def _basic(config: "Config") -> str:
    """Return the client's id and secret as they go into a header, each form-encoded (RFC 6749, 2.3.1)."""
    from aiohttp import encode_basic_auth

    return encode_basic_auth(quote_plus(config.oidc_client_id), quote_plus(config.oidc_client_secret.reveal()))


def _object(url: str, status: int, raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except (ValueError, RecursionError):
        parsed = None
    if status != 200 or not isinstance(parsed, dict):
        reason = parsed.get("error") if isinstance(parsed, dict) else None
        log.warning("the issuer answers %s with status %d: %s", url, status, reason)
        raise Refused(f"{url} answered with status {status}" + (f": {reason}" if reason else ""), str(reason or ""))
    return parsed
