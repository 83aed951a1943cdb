"""Certificates for ends: issue, sign, sign-verbatim."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from strongroom_common.fields import Given
from strongroom_server.engines.pki import answers, leaves
from strongroom_server.engines.pki.assembly import encoded
from strongroom_server.engines.pki.certs import Metadata
from strongroom_server.engines.pki.leaves import Allowed
from strongroom_server.engines.pki.lifetimes import Behavior, Frame, Lifetime
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.role import Role
from strongroom_server.engines.pki.schemas import IssueInput, LeafInput, SignInput, VerbatimInput
from strongroom_server.engines.pki.signer import Signer
from strongroom_server.lib.certificates import Content, Signed, Template
from strongroom_server.lib.identity_templates import fill
from strongroom_server.lib.leaf_worker import PrintedKey, Wish
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import PrivateKey, new_key, public_part
from strongroom_server.sdk.engine import revokes, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Lease, Request, Response
from strongroom_server.sdk.storage import Change

LEASE = "pki"
_NAME_IGNORED = 'the common_name field was provided but the role is set with "use_csr_common_name" set to true'
_NAMES_IGNORED = 'the alt_names field was provided but the role is set with "use_csr_sans" set to true'
_BEHAVIORS: dict[str, Behavior] = {"err": "err", "truncate": "truncate", "permit": "permit"}


@dataclass(slots=True)
class Made:
    """A fresh certificate and what it was made for; with its key where that is fresh too."""

    signed: Signed
    span: Lifetime
    signer: Signer
    role_name: str
    role: Role
    body: LeafInput
    key: PrivateKey | PrintedKey | None = None

    @property
    def end(self) -> int:
        """Return when it ends."""
        return int(self.span.end)


class IssuePaths(Mount):
    """Issues and signs."""

    @write("issue/{role}")
    async def issue(self, role: str, given: Given[IssueInput], request: Request) -> Response:
        """Issue a certificate with a new key."""
        found = await self.known_role(role)
        return await self._issue(role, found, found.issuer_ref, given.value, request)

    @write("issuer/{issuer_ref}/issue/{role}")
    async def issue_by(self, issuer_ref: str, role: str, given: Given[IssueInput], request: Request) -> Response:
        """Issue a certificate with a new key, by a certain issuer."""
        return await self._issue(role, await self.known_role(role), issuer_ref, given.value, request)

    @write("sign/{role}")
    async def sign(self, role: str, given: Given[SignInput], request: Request) -> Response:
        """Sign a request by the rules of a role."""
        found = await self.known_role(role)
        return await self._sign(role, found, found.issuer_ref, given.value, request)

    @write("issuer/{issuer_ref}/sign/{role}")
    async def sign_by(self, issuer_ref: str, role: str, given: Given[SignInput], request: Request) -> Response:
        """Sign a request by the rules of a role, by a certain issuer."""
        return await self._sign(role, await self.known_role(role), issuer_ref, given.value, request)

    @write("sign-verbatim")
    async def sign_as_it_is(self, given: Given[VerbatimInput]) -> Response:
        """Sign a request with the names and extensions that it has."""
        return await self._sign_verbatim("", given.value.issuer_ref or "default", given.value)

    @write("sign-verbatim/{role}")
    async def sign_as_it_is_for(self, role: str, given: Given[VerbatimInput]) -> Response:
        """Sign a request as it is, with the TTL and the issuer of a role."""
        return await self._sign_verbatim(role, (await self.known_role(role)).issuer_ref, given.value)

    @write("issuer/{issuer_ref}/sign-verbatim")
    async def sign_as_it_is_by(self, issuer_ref: str, given: Given[VerbatimInput]) -> Response:
        """Sign a request with the names and extensions that it has, by a certain issuer."""
        return await self._sign_verbatim("", issuer_ref, given.value)

    @write("issuer/{issuer_ref}/sign-verbatim/{role}")
    async def sign_as_it_is_by_for(self, issuer_ref: str, role: str, given: Given[VerbatimInput]) -> Response:
        """Sign a request as it is, with the TTL of a role, by a certain issuer."""
        return await self._sign_verbatim(role, issuer_ref, given.value)

    @revokes(LEASE)
    async def revoke_lease(self, lease: Lease, request: Request) -> None:
        """Revoke the certificate of a lease."""
        del request
        await self.revoke_serial(lease.internal["serial_number"])

    async def revoke_serial(self, serial: str) -> None:
        """Revoke a certificate, if it is there and not expired; ``paths/revoke.py`` does it."""
        raise NotImplementedError

    async def _issue(self, name: str, role: Role, issuer_ref: str, body: IssueInput, request: Request) -> Response:
        answers.check_format(body.format)
        kind, bits, warnings = leaves.issuing_key(role, body.key_type, body.key_bits)
        signer = await self.signers.find(issuer_ref)
        names = leaves.leaf_names(body, role, None, await self.allowed(role, request))
        span = leaves.span_of(body, role, self.frame(signer))
        template = leaves.template(names, span, role, signer)
        signed, key = await self._with_key(kind, bits, template, signer, Signing(role.signature_bits, role.use_pss))
        made = Made(signed, span, signer, name, role, body, key)
        return await self._kept(made, [*warnings, *span.warnings])

    async def _sign(self, name: str, role: Role, issuer_ref: str, body: SignInput, request: Request) -> Response:
        answers.check_format(body.format)
        signer = await self.signers.find(issuer_ref)
        csr = leaves.load_csr(body.csr)
        key = leaves.csr_key(csr, role.key_type, role.key_bits)
        names = leaves.leaf_names(body, role, csr, await self.allowed(role, request))
        span = leaves.span_of(body, role, self.frame(signer))
        content = leaves.template(names, span, role, signer).of(public_part(key))
        signed = await self.signed(signer, content, Signing(role.signature_bits, role.use_pss))
        warnings = [*_ignored(body, role), *leaves.csr_warnings(csr), *span.warnings]
        return await self._kept(Made(signed, span, signer, name, role, body), warnings)

    async def _sign_verbatim(self, name: str, issuer_ref: str, body: VerbatimInput) -> Response:
        answers.check_format(body.format)
        role = verbatim_role(await self.known_role(name) if name else None)
        signer = await self.signers.find(issuer_ref)
        csr = leaves.load_csr(body.csr)
        key = leaves.csr_key(csr, "any", 0)
        span = leaves.span_of(body, role, self.frame(signer))
        content = encoded(leaves.verbatim_draft(csr, key, span, body, signer))
        signed = await self.signed(signer, content, Signing(body.signature_bits, body.use_pss))
        warnings = [*_ignored(body, role), *leaves.csr_warnings(csr), *span.warnings]
        return await self._kept(Made(signed, span, signer, name, role, body), warnings)

    async def allowed(self, role: Role, request: Request) -> Allowed:
        """Return the role's domains and URIs for the caller."""
        domains: Sequence[str] = role.allowed_domains
        uris: Sequence[str] = role.allowed_uri_sans
        if role.allowed_domains_template or role.allowed_uri_sans_template:
            values = await self.identity_values(request)
            globs = role.allow_globs_in_identity_templates
            if role.allowed_domains_template:
                domains = [text for one in domains if (text := fill(one, values, globs=globs))]
            if role.allowed_uri_sans_template:
                uris = [text for one in uris if (text := fill(one, values, globs=globs))]
        return Allowed(domains, uris)

    def frame(self, signer: Signer | None) -> Frame:
        """Return the limits of lifetimes; without a signer those of the mount alone."""
        system = self.system
        if signer is None:
            return Frame(self.now, system.default_lease_ttl, system.max_lease_ttl)
        behavior = _BEHAVIORS[signer.issuer.leaf_not_after_behavior]
        return Frame(self.now, system.default_lease_ttl, system.max_lease_ttl, signer.end, behavior)

    async def _with_key(self, kind: str, bits: int, template: Template, signer: Signer,
                        signing: Signing) -> tuple[Signed, PrivateKey | PrintedKey]:  # fmt: skip
        """Make a certificate and its key, in the child process where one is at work."""
        if kind == "rsa":
            key: PrivateKey = await self.rsa_keys.take(bits)
        elif leaf := await self.leaf_process.make(Wish(kind, bits, template), signer, signing):
            return leaf
        else:
            key = new_key(kind, bits)
        return await self.signed(signer, template.of(public_part(key)), signing), key

    async def signed(self, signer: Signer, content: Content, signing: Signing) -> Signed:
        """Sign a certificate; with a large RSA key that takes long."""
        if signer.slow:
            signed: Signed = await self.system.run_blocking(signer.sign, content, signing)
            return signed
        return signer.sign(content, signing)

    async def _kept(self, made: Made, warnings: list[str]) -> Response:
        """Store a certificate before anybody has it, in one step with its lease where it has one."""
        changes = self._changes(made)
        lease = None
        if made.role.generate_lease:
            ttl = ceil(made.end - self.now)
            lease = Lease(LEASE, {"serial_number": made.signed.serial}, ttl, ttl, renewable=False, beside=changes)
        elif changes:
            await self.storage.commit(changes)
        return Response(_shown(made), lease=lease, warnings=warnings)

    def _changes(self, made: Made) -> list[Change]:
        """Return what is stored of a certificate; raises InvalidRequest for metadata that cannot be."""
        changes = [] if made.role.no_store else [self.certs.entry(made.signed.serial, made.signed.der)]
        if text := made.body.cert_metadata:
            if made.role.no_store_metadata:
                raise InvalidRequest("cert_metadata was given, but the role is set with no_store_metadata")
            _check_base64(text)
            metadata = Metadata(text, made.end, made.signer.issuer.id, made.role_name)
            changes.append(self.certs.with_metadata(made.signed.serial, metadata))
        return changes


def _shown(made: Made) -> dict[str, Any]:
    signer, body = made.signer, made.body
    data: dict[str, Any] = {
        "certificate": answers.shown_signed(made.signed, body.format),
        "expiration": made.end,
        "issuing_ca": answers.shown_issuer(signer.issuer, body.format),
        "not_before": int(made.span.start),
        "serial_number": made.signed.serial,
    }
    data |= answers.chain_facts(signer.chain, body.format, without_roots=body.remove_roots_from_chain)
    if made.key is not None:
        data |= answers.key_facts(made.key, body.format, body.private_key_format)
    if body.format == "pem_bundle":
        answers.bundled(data, signer.chain, made.key)
    return data


def verbatim_role(role: Role | None) -> Role:
    """Return what sign-verbatim takes from a role."""
    free = Role(key_type="any")
    if role is None:
        return free
    return replace(
        free, ttl=role.ttl, max_ttl=role.max_ttl, generate_lease=role.generate_lease, no_store=role.no_store,
        not_before_duration=role.not_before_duration, not_after=role.not_after,
        no_store_metadata=role.no_store_metadata,
    )  # fmt: skip


def _ignored(body: SignInput, role: Role) -> list[str]:
    ignored = []
    if body.common_name and role.use_csr_common_name:
        ignored.append(_NAME_IGNORED)
    if body.alt_names and role.use_csr_sans:
        ignored.append(_NAMES_IGNORED)
    return ignored


def _check_base64(text: str) -> None:
    try:
        b64decode(text, validate=True)
    except ValueError:
        raise InvalidRequest("cert_metadata is not Base64") from None
