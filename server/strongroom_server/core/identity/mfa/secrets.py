"""identity/mfa/method/totp: the secrets that people's authenticators need."""

import base64
import secrets
from dataclasses import dataclass
from typing import Annotated

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.areas import Area
from strongroom_server.core.identity.mfa.kinds import Totp
from strongroom_server.engines.totp.keys import Key, url
from strongroom_server.engines.totp.qr import png
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response


@dataclass(frozen=True)
class Mine:
    """Which secret of the caller's."""

    method_id: Annotated[str, "Id of the method."] = ""


@dataclass(frozen=True)
class Theirs:
    """Which secret of an entity's."""

    method_id: Annotated[str, "Id of the method."] = ""
    entity_id: Annotated[str, "Id of the entity."] = ""


class TotpSecrets(Area):
    """Secrets of time-based one-time passwords."""

    @write("mfa/method/totp/generate")
    async def generate(self, body: Given[Mine], request: Request) -> Response:
        """Make the caller a secret, once."""
        return await self._generate(body.value.method_id, request.caller.entity_id if request.caller else "")

    @write("mfa/method/totp/admin-generate")
    async def admin_generate(self, body: Given[Theirs]) -> Response:
        """Make an entity a secret, once."""
        return await self._generate(body.value.method_id, body.value.entity_id)

    @write("mfa/method/totp/admin-destroy")
    async def admin_destroy(self, body: Given[Theirs]) -> None:
        """Take an entity's secret away: the next one is a fresh one."""
        method_id = body.value.method_id
        await self._method(method_id)
        if not body.value.entity_id:
            raise InvalidRequest("missing entity ID")
        await self.server.identity.mfa.remove_secret(method_id, self._entity(body.value.entity_id))

    async def _generate(self, method_id: str, entity_id: str) -> Response:
        settings, store = await self._method(method_id), self.server.identity.mfa
        if not entity_id:
            raise InvalidRequest("missing entityID")
        entity_id = self._entity(entity_id)
        async with store.changing.of(entity_id):
            if await store.secret(method_id, entity_id) is not None:
                return Response(warnings=[f'Entity already has a secret for MFA method "{settings.method_name}"'])
            secret = Secret(base64.b32encode(secrets.token_bytes(settings.key_size)).decode().rstrip("="))
            key = Key(entity_id, settings.algorithm, settings.digits, settings.issuer, settings.period,
                      settings.skew, secret)  # fmt: skip
            address = url(key)
            image = png(address, settings.qr_size) if settings.qr_size else ""
            await store.save_secret(method_id, entity_id, secret)
        return Response({"barcode": image, "url": address})

    async def _method(self, method_id: str) -> Totp:
        if not method_id:
            raise InvalidRequest("missing method ID")
        method = await self.server.identity.mfa.method(method_id)
        if method is None:
            raise InvalidRequest(f'configuration for method ID "{method_id}" does not exist')
        if not isinstance(method.settings, Totp):
            raise InvalidRequest(f'generate not available for MFA type "{method.kind}"')
        return method.settings

    def _entity(self, entity_id: str) -> str:
        entity = self.server.identity.index.entity(entity_id)
        if entity is None:
            raise InvalidRequest("invalid entity ID")
        return entity.id
