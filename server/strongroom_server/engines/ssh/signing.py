"""Signing keys of clients, and issuing key pairs made here."""

import secrets
from dataclasses import dataclass
from typing import Annotated

from msgspec import structs

from strongroom_common.fields import Given
from strongroom_server.engines.ssh import certificate, keys, rules
from strongroom_server.engines.ssh.certificate import Certificate
from strongroom_server.engines.ssh.issuers import IssuerPaths
from strongroom_server.engines.ssh.keys import PublicKey
from strongroom_server.engines.ssh.roles import CA, Role, RolePaths
from strongroom_server.engines.ssh.rules import Templates, Wish
from strongroom_server.lib.identity_templates import identity_values
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Caller, Request, Response


@dataclass(frozen=True)
class SignWish(Wish):
    """Body of a request to sign a key."""

    public_key: Annotated[str, "The key to sign, as in a .pub file."] = ""


@dataclass(frozen=True)
class IssueWish(Wish):
    """Body of a request for a key pair."""

    key_type: Annotated[str, "rsa, ec or ed25519."] = "rsa"
    key_bits: Annotated[int, "Size of the key; 0 is 4096 for rsa and 256 for ec."] = 0


class SigningPaths(IssuerPaths, RolePaths):
    """Signs."""

    @write("sign/{role:at}")
    async def sign(
        self, role: Annotated[str, "Name of the role."], given: Given[SignWish], request: Request
    ) -> Response:
        """Sign a client's key."""
        known = await self._ca_role(role)
        if not given.value.public_key:
            raise InvalidRequest("missing public_key")
        key = keys.parse_public(given.value.public_key)
        rules.check_key(known, key)
        return await self._signed(role, known, given.value, key, request)

    @write("issue/{role:at}")
    async def issue(self, role: str, given: Given[IssueWish], request: Request) -> Response:
        """Make a key pair and sign it."""
        known, wish = await self._ca_role(role), given.value
        private = await keys.make(wish.key_type, wish.key_bits, self.rsa_keys)
        key = keys.parse_public(keys.public_line(private))
        rules.check_key(known, key)
        response = await self._signed(role, known, wish, key, request)
        pair = {"private_key": keys.private_text(private), "private_key_type": wish.key_type}
        return structs.replace(response, data=(response.data or {}) | pair)

    async def _ca_role(self, name: str) -> Role:
        role = await self.find_role(name)
        if role is None:
            raise InvalidRequest(f"Unknown role: {name}")
        if role.key_type != CA:
            raise InvalidRequest(f"role key type '{role.key_type}' not allowed to issue certificates")
        return role

    async def _signed(self, name: str, role: Role, wish: Wish, key: PublicKey, request: Request) -> Response:
        rules.check_type(role, wish.cert_type)
        caller = request.caller or Caller()
        templates = Templates.of(await self._identity(role, caller), role)
        ttl = rules.lifetime(role, wish.ttl, self.system.default_lease_ttl, self.system.max_lease_ttl)
        now = int(self.system.clock.now())
        made = Certificate(
            key=key,
            kind=wish.cert_type,
            serial=secrets.randbits(64),
            key_id=rules.key_id(role, name, wish, key, caller.display_name),
            principals=rules.principals(role, wish, templates),
            not_before=max(now - role.not_before_duration, 0),
            not_after=now + ttl,
            critical_options=rules.critical_options(role, wish),
            extensions=rules.extensions(role, wish, templates),
        )
        issuer = await self.issuer(role.issuer_ref)
        line = certificate.sign(made, self.signer(issuer), role.algorithm_signer)
        data = {"issuer_id": issuer.issuer_id, "serial_number": f"{made.serial:x}", "signed_key": line}
        missing = [] if wish.extensions else sorted(role.default_extensions.keys() - made.extensions.keys())
        left_out = f"left out, as the token has no entity to fill their templates in: extensions {', '.join(missing)}"
        return Response(data, warnings=[left_out] if missing else [])

    async def _identity(self, role: Role, caller: Caller) -> dict[str, str] | None:
        """Return the caller's values for templates, None without an entity or where nothing asks for them."""
        templated = (
            role.allowed_users_template, role.default_user_template, role.allowed_domains_template,
            role.default_extensions_template,
        )  # fmt: skip
        if not caller.entity_id or not any(templated):
            return None
        entity = await self.system.entity(caller.entity_id)
        return None if entity is None else identity_values(entity, await self.system.groups(caller.entity_id))
