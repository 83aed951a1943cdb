"""What an OpenID provider tells about a user: the claims of a verified id token, and of the user info beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strongroom_common.clock import Clock
from strongroom_common.secret import Secret
from strongroom_server.auth.jwt import flow
from strongroom_server.auth.jwt.flow import Pending
from strongroom_server.auth.jwt.keys import Keys, Verified
from strongroom_server.auth.jwt.provider import Discovered, Provider, Refused
from strongroom_server.sdk.errors import InvalidRequest, UpstreamError

if TYPE_CHECKING:
    from strongroom_server.auth.jwt.schemas import Callback, Config, Role

TOKENS = ("access_token", "id_token", "refresh_token")
_NOT_YET = frozenset({"authorization_pending", "slow_down"})  # RFC 8628, 3.5


class NotYet(InvalidRequest):
    """The user has not been at the provider yet; the client is to ask again."""


@dataclass(frozen=True)
class Told:
    """What the provider has told: claims about the user, and the tokens that it gave, by kind."""

    claims: Mapping[str, Any]
    tokens: Mapping[str, Secret[str]] = field(default_factory=dict)

    def metadata(self, kinds: Sequence[str]) -> dict[str, str]:
        """Return the tokens of these kinds as a login's metadata has them."""
        return {f"oauth2_{kind}": self.tokens[kind].reveal() for kind in kinds if kind in self.tokens}


class Answers:
    """Asks the provider, and believes what is signed for us alone."""

    def __init__(self, provider: Provider, keys: Keys, clock: Clock) -> None:
        self._provider = provider
        self._keys = keys
        self._clock = clock

    async def by_callback(self, config: "Config", role: "Role", pending: Pending, sent: "Callback") -> Told:
        """Return the claims that a code, or an id token sent through the browser, leads to."""
        code = (sent.code or pending.code).reveal()
        tokens, found = {"id_token": (sent.id_token or pending.id_token).reveal()}, None
        if code and config.wants_code:
            found = await self._provider.discover(config)
            tokens = _texts(await self._redeem(config, found, flow.redemption(pending, code)))
        return await self._told(config, role, pending, tokens, found)

    async def by_device(self, config: "Config", role: "Role", pending: Pending) -> Told:
        """Return the claims of a user who logged in with another device; raises NotYet until then."""
        found = await self._provider.discover(config)
        try:
            tokens = await self._redeem(config, found, flow.device_redemption(config, pending))
        except flow.Failed as error:
            reason = error.__cause__.reason if isinstance(error.__cause__, Refused) else ""
            if reason in _NOT_YET:
                raise NotYet(reason) from None
            raise
        return await self._told(config, role, pending, _texts(tokens), found)

    async def _told(
        self, config: "Config", role: "Role", pending: Pending, tokens: Mapping[str, str], found: Discovered | None
    ) -> Told:
        token, access = tokens["id_token"], tokens.get("access_token", "")
        if not token:
            raise flow.failed("No code or id_token received.")
        verified = await self._verify(config, token)
        flow.check_id_token(config, role, verified, pending, self._clock.now())
        info = await self._user_info(config, found, access) if found and access else {}
        # Security 1: what is told about another user is not used (OpenID Connect Core 1.0, 5.3.2).
        same = info.get("sub") == verified.claims.get("sub")
        kept = {kind: Secret(text) for kind, text in tokens.items() if text}
        return Told({**verified.claims, **(info if same else {})}, kept)

    async def _redeem(self, config: "Config", found: Discovered, form: Mapping[str, str]) -> dict[str, Any]:
        try:
            return await self._provider.redeem(config, found, form)
        except UpstreamError as error:
            raise flow.failed(f'Error exchanging oidc code: "{error}".') from error

    async def _verify(self, config: "Config", token: str) -> Verified:
        try:
            return await self._keys.verify(config, token)
        except InvalidRequest as error:
            raise flow.failed(f'Error exchanging oidc code: "{error}".') from None

    async def _user_info(self, config: "Config", found: Discovered, access: str) -> dict[str, Any]:
        if not found.userinfo_endpoint:
            return {}
        try:
            return await self._provider.user_info(config, found, access)
        except UpstreamError:  # logged there; claims that are missing then are missed by the checks
            return {}


def _texts(tokens: Mapping[str, Any]) -> dict[str, str]:
    """Return the tokens of an answer by kind; "" is one that is not there."""
    return {kind: str(tokens.get(kind) or "") for kind in TOKENS}
