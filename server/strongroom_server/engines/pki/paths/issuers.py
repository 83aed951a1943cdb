"""Issuers: listing, reading, changing, revoking and deleting them, and which one is the default."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from strongroom_common.fields import Given, Names
from strongroom_server.engines.pki import urls
from strongroom_server.engines.pki.certs import Revoked
from strongroom_server.engines.pki.crls import ALGORITHMS
from strongroom_server.engines.pki.issuers import NEXT, USAGES, Issuer, IssuerConfig, chain_of, signed_by
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.urls import Urls
from strongroom_server.lib.folders import Page, described
from strongroom_server.lib.x509 import key_bits, key_kind
from strongroom_server.sdk.engine import delete, list_, patch, read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Response

_NOT_FOR_CRLS = (
    "This issuer's underlying certificate lacks the CRLSign KeyUsage value; unable to set CRLSigningUsage on this "
    "issuer as a result."
)
_BEHAVIORS = ("err", "truncate", "permit")
_GO_NAMES = {"sha256withrsa": "SHA256-RSA", "sha384withrsa": "SHA384-RSA", "sha512withrsa": "SHA512-RSA"}
_KINDS = {"ec": "ECDSA", "ed25519": "Ed25519", "rsa": "RSA"}
_NO_DEFAULT = "Invalid issuer specification; must be non-empty and can't be 'default'."


@dataclass(frozen=True)
class IssuerInput:
    """Body of a write of an issuer."""

    issuer_name: Annotated[str | None, "Name for the issuer."] = None
    leaf_not_after_behavior: Annotated[str, 'What if a certificate would outlive it: "err", "truncate", "permit".'] = (
        "err"
    )
    manual_chain: Annotated[Names, 'Issuers of its chain, "self" first.'] = Names(())
    usage: Annotated[Names, "What it is for."] = Names(USAGES)
    revocation_signature_algorithm: Annotated[str, "How it signs CRLs and OCSP answers."] = ""
    issuing_certificates: Annotated[Names | None, "Where its certificate is; instead of config/urls."] = None
    crl_distribution_points: Annotated[Names | None, "Where its CRL is."] = None
    delta_crl_distribution_points: Annotated[Names | None, "Where its delta CRL is."] = None
    ocsp_servers: Annotated[Names | None, "Where OCSP is answered."] = None
    enable_aia_url_templating: Annotated[bool, "Whether those URLs hold templates."] = False


@dataclass(frozen=True)
class DefaultInput:
    """Body of config/issuers."""

    default: Annotated[str, "Issuer for calls that name none."] = ""
    default_follows_latest_issuer: Annotated[bool, "Whether each new issuer becomes the default."] = False


@dataclass(frozen=True)
class ReplaceInput:
    """Body of root/replace."""

    default: Annotated[str, "Issuer that becomes the default."] = NEXT


class IssuerPaths(Mount):
    """Keeps issuers."""

    @list_("issuers", public=True)
    async def list_issuers(self, page: Given[Page]) -> dict[str, Any]:
        """List the issuers."""
        default = (await self.issuers.config()).default
        return described(page.value, {
            issuer.id: {"is_default": issuer.id == default, "issuer_name": issuer.name, "key_id": issuer.key_id,
                        "serial_number": issuer.serial}
            for issuer in (await self.issuers.all()).values()
        })  # fmt: skip

    @read("issuer/{issuer_ref}")
    async def read_issuer(self, issuer_ref: str) -> dict[str, Any]:
        """Read an issuer."""
        return await self._facts(await self.issuers.find(issuer_ref))

    @write("issuer/{issuer_ref}")
    async def write_issuer(self, issuer_ref: str, given: Given[IssuerInput]) -> Response:
        """Change an issuer; what is not given goes back to what it is by default."""
        fields = frozenset(IssuerInput.__dataclass_fields__)
        body = given.value
        if "usage" not in given.sent:
            body = replace(body, usage=Names((await self.issuers.find(issuer_ref)).possible_usages))
        return await self._change(issuer_ref, Given(body, fields))

    @patch("issuer/{issuer_ref}")
    async def patch_issuer(self, issuer_ref: str, given: Given[IssuerInput]) -> Response:
        """Change some fields of an issuer."""
        value = given.value
        if value.issuer_name is not None and not value.issuer_name.strip():
            given = replace(given, value=replace(value, issuer_name=None))  # takes the name away
        return await self._change(issuer_ref, given)

    @delete("issuer/{issuer_ref}")
    async def delete_issuer(self, issuer_ref: str) -> Response:
        """Delete an issuer; its certificates and its key stay."""
        async with self.changing:
            try:
                issuer = await self.issuers.find(issuer_ref)
            except Internal:
                return Response(status=200)
            users = await self._users_of(issuer)
            warnings = (
                [
                    f"Deleted issuer {issuer.id} (via issuer_ref {issuer_ref}); this was configured as the default "
                    "issuer. Operations without an explicit issuer will not work until a new default is configured."
                ]
                if await self.issuers.delete(issuer)
                else []
            )
            warnings += users
        return Response(warnings=[*warnings, *await self.rebuild_crls()], status=200)

    @write("issuer/{issuer_ref}/revoke")
    async def revoke_issuer(self, issuer_ref: str) -> Response:
        """Revoke an issuer: it issues no more, and the issuer above it here puts it on its CRL."""
        async with self.changing:
            issuer = await self.issuers.find(issuer_ref)
            if issuer.revoked:
                return Response(await self._facts(issuer))
            usage = tuple(one for one in issuer.usage if one != "issuing-certificates")
            issuer = msgspec.structs.replace(issuer, revoked=self.now, usage=usage)
            await self.issuers.save(issuer)
            parents = (one for one in (await self.issuers.all()).values() if one.id != issuer.id)
            parent = next((one for one in parents if signed_by(issuer.x509, one.x509)), None)
            if parent is not None:
                end = issuer.x509.not_valid_after_utc.timestamp()
                await self.certs.revoke(issuer.x509, Revoked(self.now, end, parent.id))
        return Response(await self._facts(issuer), warnings=await self.rebuild_crls())

    @read("config/issuers")
    async def read_default(self) -> dict[str, Any]:
        """Read which issuer is the default one."""
        return (await self.issuers.config()).facts()

    @write("config/issuers")
    async def write_default(self, given: Given[DefaultInput]) -> dict[str, Any]:
        """Choose the default issuer."""
        body = given.value
        return await self._set_default(body.default, follows=body.default_follows_latest_issuer)

    @write("root/replace")
    async def replace_root(self, given: Given[ReplaceInput]) -> dict[str, Any]:
        """Choose the default issuer, by default the one called "next"."""
        follows = (await self.issuers.config()).default_follows_latest_issuer
        return await self._set_default(given.value.default, follows=follows)

    async def _set_default(self, ref: str, *, follows: bool) -> dict[str, Any]:
        if ref in {"", "default"}:
            raise InvalidRequest(_NO_DEFAULT)
        async with self.changing:
            try:
                issuer = await self.issuers.find(ref)
            except Internal as error:
                raise InvalidRequest(f"Error resolving issuer reference: {error}") from None
            config = IssuerConfig(issuer.id, follows)
            await self.issuers.set_config(config)
        return config.facts()

    async def _change(self, ref: str, given: Given[IssuerInput]) -> Response:
        async with self.changing:
            issuer = await self.issuers.find(ref)
            changed = await self._changed(issuer, given)
            await self.issuers.save(changed)
        warnings = []
        if changed.urls is not None:
            warnings = urls.template_warnings(changed.urls, await self.signers.cluster())
        if changed.usage != issuer.usage:
            warnings += await self.rebuild_crls()
        return Response(await self._facts(changed), warnings=warnings)

    async def _changed(self, issuer: Issuer, given: Given[IssuerInput]) -> Issuer:
        body, sent, changes = given.value, given.sent, dict[str, Any]()
        if "issuer_name" in sent:
            changes["name"] = await self.issuers.chosen_name(body.issuer_name, issuer.id)
        if "usage" in sent:
            changes["usage"] = _usage(body.usage, issuer)
        if "leaf_not_after_behavior" in sent:
            if body.leaf_not_after_behavior not in _BEHAVIORS:
                raise InvalidRequest("Unknown value for field `leaf_not_after_behavior`. Possible values are `err`, "
                                     "`truncate`, and `permit`.")  # fmt: skip
            changes["leaf_not_after_behavior"] = body.leaf_not_after_behavior
        if "revocation_signature_algorithm" in sent:
            _check_algorithm(body.revocation_signature_algorithm, issuer)
            changes["revocation_signature_algorithm"] = body.revocation_signature_algorithm
        if "manual_chain" in sent:
            changes["manual_chain"] = await self._manual_chain(issuer, body.manual_chain)
        if (own := _own_urls(issuer, given)) is not issuer.urls:
            changes["urls"] = own
        return msgspec.structs.replace(issuer, **changes)

    async def _manual_chain(self, issuer: Issuer, refs: Names) -> list[str] | None:
        if not refs:
            return None
        chain = [issuer.id if ref == "self" else (await self.issuers.find(ref)).id for ref in refs]
        if chain[0] != issuer.id:
            raise InvalidRequest("expected first cert in chain to be a self-reference, but was: "
                                 f"{refs[0]}/{chain[0]}")  # fmt: skip
        return chain

    async def _users_of(self, issuer: Issuer) -> list[str]:
        """Return a warning for each way in which roles name an issuer."""
        is_default = (await self.issuers.config()).default == issuer.id
        roles = [await self.find_role(name) for name in await self.storage.list("role/")]
        refs = [issuer.id, *([issuer.name] if issuer.name else []), *(["default"] if is_default else [])]
        counts = {ref: sum(role is not None and role.issuer_ref == ref for role in roles) for ref in refs}
        return [f"{count} roles reference {ref}" for ref, count in counts.items() if count]

    async def _facts(self, issuer: Issuer) -> dict[str, Any]:
        chain = chain_of(issuer, await self.issuers.all())
        own = issuer.urls or Urls()
        empty = None if issuer.urls is not None else ()
        facts = {
            "ca_chain": [f"{one.certificate}\n" for one in chain],
            "certificate": f"{issuer.certificate}\n",
            "crl_distribution_points": own.crl_distribution_points or empty,
            "delta_crl_distribution_points": own.delta_crl_distribution_points or empty,
            "issuer_id": issuer.id,
            "issuer_name": issuer.name,
            "issuing_certificates": own.issuing_certificates or empty,
            "key_id": issuer.key_id,
            "leaf_not_after_behavior": issuer.leaf_not_after_behavior,
            "manual_chain": issuer.manual_chain,
            "ocsp_servers": own.ocsp_servers or empty,
            "revocation_signature_algorithm": issuer.revocation_signature_algorithm,
            "revoked": bool(issuer.revoked),
            "usage": ",".join(issuer.usage),
        }
        if issuer.urls is not None:
            facts["enable_aia_url_templating"] = own.enable_templating
        return facts | issuer.revocation_facts()


def _usage(names: Names, issuer: Issuer) -> tuple[str, ...]:
    """Return usages in order; reading is always one. Raises InvalidRequest for what the certificate is not for."""
    if set(names) - set(USAGES):
        raise InvalidRequest(f"Unable to parse specified usages: [{' '.join(names)}] - valid values are "
                             f"{','.join(USAGES)}")  # fmt: skip
    if "crl-signing" in set(names) - set(issuer.possible_usages):
        raise InvalidRequest(_NOT_FOR_CRLS)
    return tuple(usage for usage in USAGES if usage in {*names, "read-only"})


def _check_algorithm(name: str, issuer: Issuer) -> None:
    if not name:
        return
    known = ALGORITHMS.get(name.lower().replace("-", ""))
    if known is None:
        raise InvalidRequest(f"Unknown signature algorithm value: {name} - valid values are "
                             f"{', '.join(sorted(ALGORITHMS))}")  # fmt: skip
    kind = key_kind(issuer.x509.public_key())
    if known[0] != kind or (kind == "mldsa" and known[1].bits != key_bits(issuer.x509.public_key())):
        named = _GO_NAMES.get(name.lower().replace("-", ""), name)
        raise Internal(f"unable to use issuer of type {_KINDS.get(kind, kind)} to sign with {named} key type")


def _own_urls(issuer: Issuer, given: Given[IssuerInput]) -> Urls | None:
    """Return the issuer's own URLs after a write; none at all where none is given."""
    body, stored = given.value, issuer.urls or Urls()
    fields = ("issuing_certificates", "crl_distribution_points", "delta_crl_distribution_points", "ocsp_servers")
    changes: dict[str, Any] = {name: tuple(getattr(body, name) or ()) for name in fields if name in given.sent}
    if "enable_aia_url_templating" in given.sent:
        changes["enable_templating"] = body.enable_aia_url_templating
    if not changes:
        return issuer.urls
    own = msgspec.structs.replace(stored, **changes)
    if own.empty:
        return None
    if not own.enable_templating:
        urls.check_plain(own)
    return own
