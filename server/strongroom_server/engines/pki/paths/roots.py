"""Roots: making them, signing other CAs with them, deleting everything."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any, TypeVar

from cryptography import x509

from strongroom_common.fields import Given
from strongroom_server.engines.pki import answers, building, crls, leaves, lifetimes, urls
from strongroom_server.engines.pki.assembly import encoded
from strongroom_server.engines.pki.authority import ca_extensions
from strongroom_server.engines.pki.building import Draft
from strongroom_server.engines.pki.issuers import NEXT, Issuer
from strongroom_server.engines.pki.keys import Key
from strongroom_server.engines.pki.paths.issue import IssuePaths
from strongroom_server.engines.pki.role import Role, checked_bits
from strongroom_server.engines.pki.schemas import (
    IntermediateInput,
    NewKeyInput,
    RootInput,
    SelfIssuedInput,
    SubjectInput,
)
from strongroom_server.engines.pki.signer import Signer
from strongroom_server.engines.pki.subject import holder_of, subject_of
from strongroom_server.lib.signing import Signing, hash_for
from strongroom_server.lib.x509 import PrivateKey, PublicKey, key_kind, load_certificate, pem_of
from strongroom_server.sdk.engine import delete, write
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Response

Kind = TypeVar("Kind", bound=x509.ExtensionType)
_NO_URLS = (
    "This mount hasn't configured any authority information access (AIA) fields; this may make it harder for systems "
    "to find missing certificates in the chain or to validate revocation status of certificates. Consider updating "
    "/config/urls or the newly generated issuer with this information."
)
_NO_URLS_BELOW = (
    f"{_NO_URLS} Since this certificate is an intermediate, it might be useful to regenerate this certificate after "
    "fixing this problem for the root mount."
)
_NO_SUBJECT = (
    "This issuer certificate was generated without a Subject; this makes it likely that issuing leaf certs with this "
    "certificate will cause TLS validation libraries to reject this certificate."
)
_KEY_IS_THERE = (
    "invalid parameter for the kms/existing path parameter, key_type nor key_bits arguments can be set in this mode"
)
_NO_DEPTH = "signing certificate has a max path length of zero, and cannot issue further CA certificates"
_PATH_LENGTH_ZERO = (
    "Max path length of the generated certificate is zero. This certificate cannot be used to issue intermediate CA "
    "certificates."
)
_SIGNED_PATH_LENGTH_ZERO = (
    "Max path length of the signed certificate is zero. This certificate cannot be used to issue intermediate CA "
    "certificates."
)
_BEYOND = (
    "The expiration time for the signed certificate is after the CA's expiration time. If the new certificate is not "
    "treated as a root, validation paths with the certificate past the issuing CA's expiration time will fail."
)
_DELETES_ALL = (
    "DELETE /root deletes all keys and issuers; prefer the new DELETE /key/:key_ref and DELETE /issuer/:issuer_ref for "
    "finer granularity, unless removal of all keys and issuers is desired."
)


class RootPaths(IssuePaths):
    """Makes roots and signs CAs."""

    @write("root/generate/{exported}")
    @write("issuers/generate/root/{exported}")
    async def generate_root(self, exported: str, given: Given[RootInput]) -> Response:
        """Make a self-signed CA: internal, exported (the key is shown once) or existing (with a key that is there)."""
        return await self._generate_root(exported, given)

    @write("root/rotate/{exported}")
    async def rotate_root(self, exported: str, given: Given[RootInput]) -> Response:
        """Make the self-signed CA that shall follow the present one; it is called "next" unless it is named."""
        return await self._generate_root(exported, given, NEXT)

    async def _generate_root(self, exported: str, given: Given[RootInput], usual_name: str = "") -> Response:
        body = given.value
        answers.check_format(body.format)
        async with self.changing:
            name = await self.issuers.chosen_name(body.issuer_name) or await self.issuers.if_free(usual_name)
            span = leaves.span_of(body, ca_role(body), self.frame(None))
            signing = Signing(body.signature_bits, body.use_pss)
            names = leaves.requested_names(body)._replace(fields=body.fields)
            private, key_name = await self.ca_key(exported, body, given.sent)
            hash_for(private, body.signature_bits)
            certificate = _self_signed(private, names, span, body, signing, await self._pointers())
            key, _ = await self.keys.add(private, key_name)
            algorithm = crls.algorithm_name(private, signing)
            issuer, _ = await self.issuers.add(certificate, key.id, name, algorithm)
            await self.certs.add(certificate)
        warnings = [*span.warnings, *await self.rebuild_crls()]
        if not list(certificate.subject):
            warnings.append(_NO_SUBJECT)
        warnings += await self.pointer_warnings()
        if body.max_path_length == 0:
            warnings.append(_PATH_LENGTH_ZERO)
        return Response(_root_facts(issuer, key, private, exported, body), warnings=warnings)

    @delete("root", sudo=True)
    async def delete_root(self) -> Response:
        """Delete all issuers and keys."""
        async with self.changing:
            for issuer in list((await self.issuers.all()).values()):
                await self.issuers.delete(issuer)
            for key in list((await self.keys.all()).values()):
                await self.keys.delete(key)
        return Response(warnings=[_DELETES_ALL])

    @write("root/sign-intermediate")
    async def sign_intermediate(self, given: Given[IntermediateInput]) -> Response:
        """Sign the request of another CA."""
        return await self._sign_intermediate(given.value.issuer_ref or "default", given)

    @write("issuer/{issuer_ref}/sign-intermediate")
    async def sign_intermediate_by(self, issuer_ref: str, given: Given[IntermediateInput]) -> Response:
        """Sign the request of another CA, by a certain issuer."""
        return await self._sign_intermediate(issuer_ref, given)

    @write("root/sign-self-issued", sudo=True)
    async def sign_self_issued(self, given: Given[SelfIssuedInput]) -> dict[str, Any]:
        """Sign a self-issued certificate of another CA, to let trust in one lead to the other."""
        return await self._sign_self_issued(given.value.issuer_ref or "default", given.value)

    @write("issuer/{issuer_ref}/sign-self-issued", sudo=True)
    async def sign_self_issued_by(self, issuer_ref: str, given: Given[SelfIssuedInput]) -> dict[str, Any]:
        """Sign a self-issued certificate of another CA, by a certain issuer."""
        return await self._sign_self_issued(issuer_ref, given.value)

    async def pointer_warnings(self, *, below: bool = False) -> list[str]:
        """Return what the client should know where new CAs point nowhere; ``below`` for requests."""
        return [_NO_URLS_BELOW if below else _NO_URLS] if (await self.signers.urls()).empty else []

    async def ca_key(self, exported: str, body: NewKeyInput, sent: Collection[str]) -> tuple[PrivateKey, str]:
        """Return the key for a new CA, and its name: a new one, or the existing one; ``sent`` are the body's fields."""
        if body.external_key_ref:
            raise InvalidRequest(f'cannot specify "external_key_ref" on "{exported}"-typed generation requests')
        if exported == "existing":
            if {"key_type", "key_bits"} & set(sent):
                raise InvalidRequest(_KEY_IS_THERE)
            try:
                key = await self.keys.find(body.key_ref)
                return await self.keys.private(key.id), key.name
            except Internal as error:
                raise InvalidRequest(f"failed to lookup public key from existing key: {error}") from None
        if exported not in {"internal", "exported"}:
            raise InvalidRequest('the "exported" path parameter must be "internal", "existing", exported" or "kms"')
        if body.key_type == "any":
            raise InvalidRequest("unknown key type any")
        name = await self.keys.chosen_name(body.key_name)
        return await self.make_key(body.key_type, checked_bits(body.key_type, body.key_bits)), name

    async def _pointers(self) -> list[building.Extension]:
        try:
            filled = urls.filled(await self.signers.urls(), await self.signers.cluster(), "")
        except Internal:
            return []  # templates that need the issuer's id or the cluster's path say nothing of a root
        return urls.extensions(filled) if "issuer_id" not in str(await self.signers.urls()) else []

    async def _sign_intermediate(self, issuer_ref: str, given: Given[IntermediateInput]) -> Response:
        csr = leaves.load_csr(given.value.csr)
        body = replace(given.value, common_name=given.value.common_name or holder_of(csr.subject).common_name)
        answers.check_format(body.format)
        key = leaves.csr_key(csr, "any", 0)
        signer = await self.signers.find(issuer_ref)
        frame = self.frame(signer)._replace(behavior="permit")
        span = leaves.span_of(body, ca_role(body), frame)
        warnings = [_BEYOND] if span.end > signer.end else []
        draft = Draft(*_intermediate_subject(csr, body), key, span.start, span.end)
        depth = _depth(body.max_path_length if "max_path_length" in given.sent else None, signer)
        draft = replace(draft, extensions=_intermediate_extensions(csr, body, signer, (key, depth)))
        certificate = (await self.signed(signer, encoded(draft), Signing(body.signature_bits, body.use_pss))).x509
        await self.certs.add(certificate)
        data = answers.certificate_facts(certificate, signer.issuer, body.format)
        data["ca_chain"] = [data["certificate"], *answers.chain_facts(signer.chain, body.format)["ca_chain"]]
        if body.format == "pem_bundle":
            answers.bundled(data, signer.chain, None)
        warnings += await self.pointer_warnings()
        if depth == 0:
            warnings.append(_SIGNED_PATH_LENGTH_ZERO)
        return Response(data, warnings=[*warnings, *span.warnings])

    async def _sign_self_issued(self, issuer_ref: str, body: SelfIssuedInput) -> dict[str, Any]:
        certificate = _self_issued(body.certificate)
        signer = await self.signers.find(issuer_ref)
        key = certificate.public_key()
        if body.require_matching_certificate_algorithms and key_kind(key) != key_kind(signer.key):
            raise InvalidRequest("the certificate's key is of another type than the issuer's")
        left_out = (x509.AuthorityKeyIdentifier, x509.AuthorityInformationAccess, x509.CRLDistributionPoints)
        kept = [(one.value, one.critical) for one in certificate.extensions if not isinstance(one.value, left_out)]
        draft = Draft(
            certificate.subject, key, certificate.not_valid_before_utc.timestamp(),  # type: ignore[arg-type]
            certificate.not_valid_after_utc.timestamp(), certificate.serial_number,
            [*kept, signer.authority, *signer.pointers],
        )  # fmt: skip
        signed = await self.signed(signer, encoded(draft), Signing())
        return {"certificate": pem_of(signed.der), "issuing_ca": signer.issuer.certificate}


def ca_role(body: SubjectInput) -> Role:
    """Return the role that a CA's lifetime follows: its own start, the mount's limits."""
    return Role(not_before_duration=body.not_before_duration)


def _self_signed(private: PrivateKey, names: Any, span: lifetimes.Lifetime, body: RootInput, signing: Signing,
                 pointers: list[building.Extension]) -> x509.Certificate:  # fmt: skip
    public = private.public_key()
    own = building.key_identifier(public)
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    extensions = [
        *ca_extensions(body, body.max_path_length),
        (own, False), (authority, False), *pointers, *building.alternatives(names),
    ]  # fmt: skip
    subject = subject_of(names)
    return building.sign(Draft(subject, public, span.start, span.end, extensions=extensions), subject, private, signing)


def _root_facts(issuer: Issuer, key: Key, private: PrivateKey, exported: str, body: RootInput) -> dict[str, Any]:
    data = answers.certificate_facts(issuer.x509, issuer, body.format) | {
        "issuer_id": issuer.id, "issuer_name": issuer.name, "key_id": key.id, "key_name": key.name,
    }  # fmt: skip
    shows_key = exported == "exported"
    if shows_key:
        data |= answers.key_facts(private, body.format, body.private_key_format)
    if body.format == "pem_bundle" and shows_key:
        answers.bundled(data, (), private)
    return data


def _intermediate_subject(csr: x509.CertificateSigningRequest, body: IntermediateInput) -> tuple[x509.Name]:
    if body.use_csr_values:
        return (csr.subject,)
    return (subject_of(leaves.requested_names(body)._replace(fields=body.fields)),)


def _depth(asked: int | None, signer: Signer) -> int:
    """Return how many CAs may be below a new one: what was asked for, else one less than below the signer."""
    own = _extension(signer.issuer.x509.extensions, x509.BasicConstraints)
    limit = None if own is None else own.path_length
    if limit == 0:
        raise InvalidRequest(_NO_DEPTH)
    if asked is not None:
        return asked
    return -1 if limit is None else limit - 1


def _extension(extensions: x509.Extensions, kind: type[Kind]) -> Kind | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _intermediate_extensions(csr: x509.CertificateSigningRequest, body: IntermediateInput, signer: Signer,
                             own: tuple[PublicKey, int]) -> list[building.Extension]:  # fmt: skip
    """Return the extensions of a CA below the signer; ``own`` are its key and its path length.

    Security 1: what makes it a CA, and how far, is this call's to say and never the request's.
    """
    key, depth = own
    asked = _extension(csr.extensions, x509.KeyUsage) if body.use_csr_values else None
    extensions = ca_extensions(body, depth, asked)
    extensions += [(_subject_identifier(body.skid), False), signer.authority] if body.skid else signer.identifiers(key)
    extensions += signer.pointers
    if body.use_csr_values:
        taken = {extension.oid for extension, _ in extensions}
        return [*extensions, *((one.value, one.critical) for one in csr.extensions if one.oid not in taken)]
    return extensions + building.alternatives(leaves.requested_names(body)._replace(fields=body.fields))


def _subject_identifier(text: str) -> x509.SubjectKeyIdentifier:
    try:
        return x509.SubjectKeyIdentifier(bytes.fromhex(text.replace(":", "").replace("-", "")))
    except ValueError:
        raise InvalidRequest("cannot parse requested SKID value as hex") from None


def _self_issued(text: str) -> x509.Certificate:
    try:
        certificate = load_certificate(text)
    except ValueError:
        raise InvalidRequest("certificate could not be PEM-decoded") from None
    if certificate.issuer != certificate.subject:
        raise InvalidRequest("given certificate is not self-issued")
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise InvalidRequest("given certificate is not a CA certificate")
    except x509.ExtensionNotFound:
        raise InvalidRequest("given certificate is not a CA certificate") from None
    return certificate
