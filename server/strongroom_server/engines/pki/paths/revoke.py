"""Revoking certificates, and making CRLs."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Annotated, Any

from cryptography import x509

from strongroom_common.durations import parse_duration
from strongroom_common.fields import Given
from strongroom_server.engines.pki import crls
from strongroom_server.engines.pki.certs import Revoked
from strongroom_server.engines.pki.crls import CrlFrame
from strongroom_server.engines.pki.issuers import Issuer, signed_by
from strongroom_server.engines.pki.lifetimes import parse_time
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.schemas import ListsInput, RevokeInput, RevokeWithKeyInput
from strongroom_server.lib.x509 import der, load_certificate, load_key, moment, normal_serial, pem, serial_text, spki
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Response

_SHORTEST = 75  # characters; what is shorter is a path by mistake
_EMPTY = "The serial number or certificate to revoke must be provided."
_NO_DELTA = "requested rebuild of delta CRL when delta CRL is not enabled; this is a no-op"


@dataclass
class RevocationListInput(ListsInput):
    """Body of sign-revocation-list."""

    revoked_certs: Annotated[Any, "Objects with serial_number, revocation_time and extensions."] = None
    extensions: Annotated[Any, "Objects with id (OID), critical and value (Base64)."] = None


class RevokePaths(Mount):
    """Revokes certificates."""

    @write("revoke")
    async def revoke_certificate(self, given: Given[RevokeInput]) -> Response:
        """Revoke a certificate by its serial number or by itself."""
        serial, certificate = await self._meant(given.value)
        return await self._revoke(serial, certificate)

    @write("revoke-with-key")
    async def revoke_with_key(self, given: Given[RevokeWithKeyInput]) -> Response:
        """Revoke a certificate whose private key the caller has.

        Security 1: the key must be the certificate's own; nothing else entitles to this path.
        """
        serial, certificate = await self._meant(given.value)
        text = given.value.private_key.reveal()
        if not text:
            raise InvalidRequest("Must have private key to revoke via the /revoke-with-key path.")
        if len(text) < _SHORTEST:
            raise InvalidRequest("Provided data for private_key was too short; perhaps a path was passed to the API "
                                 "rather than the contents of a PEM file?")  # fmt: skip
        try:
            key = load_key(text)
        except ValueError as error:
            raise InvalidRequest(str(error)) from None
        if spki(key) != spki(certificate.public_key()):  # type: ignore[arg-type]
            raise Internal("provided private key does not match certificate's public key")
        return await self._revoke(serial, certificate)

    @read("crl/rotate")
    @write("crl/rotate")
    async def rotate_crl(self) -> Response:
        """Make the CRLs anew now."""
        return Response({"success": True}, warnings=await self.rebuild_crls())

    @read("crl/rotate-delta")
    async def rotate_delta(self) -> Response:
        """Make the delta CRLs anew now."""
        if not (await self.crls.config()).enable_delta:
            return Response({"success": True}, warnings=[_NO_DELTA])
        return Response({"success": True}, warnings=await self.crls.rebuild(self.now, delta_only=True))

    @write("issuer/{issuer_ref}/resign-crls")
    async def resign_crls(self, issuer_ref: str, given: Given[ListsInput]) -> dict[str, Any]:
        """Join CRLs that an issuer's key signed into one."""
        body = given.value
        issuer = await self._crl_signer(issuer_ref)
        entries: dict[int, x509.RevokedCertificate] = {}
        for text in body.crls:
            entries |= {entry.serial_number: entry for entry in _entries_of(text, issuer)}
        return await self._signed_list(issuer, list(entries.values()), body, [])

    @write("issuer/{issuer_ref}/sign-revocation-list")
    async def sign_list(self, issuer_ref: str, given: Given[RevocationListInput]) -> dict[str, Any]:
        """Sign a CRL of what the caller lists."""
        issuer = await self._crl_signer(issuer_ref)
        listed = [_listed(number, entry) for number, entry in enumerate(_objects(given.value.revoked_certs))]
        extensions = [_extension(number, one) for number, one in enumerate(_objects(given.value.extensions))]
        return await self._signed_list(issuer, listed, given.value, extensions)

    async def revoke_serial(self, serial: str) -> None:
        """Revoke a certificate, if it is there and not expired."""
        certificate = await self.certs.find(serial)
        if certificate is not None:
            await self._revoke(serial, certificate)

    async def _meant(self, body: RevokeInput) -> tuple[str, x509.Certificate]:
        if body.serial_number and body.certificate:
            raise InvalidRequest("Must provide either the certificate or the serial to revoke; not both.")
        if body.certificate:
            return await self._given(body.certificate)
        if not body.serial_number:
            raise InvalidRequest(_EMPTY)
        serial = normal_serial(body.serial_number)
        certificate = await self.certs.find(serial)
        if certificate is None:
            found = (issuer for issuer in (await self.issuers.all()).values() if issuer.serial == serial)
            issuer = next(found, None)
            if issuer is None:
                raise InvalidRequest(f"certificate with serial {body.serial_number} not found.")
            certificate = issuer.x509
        return serial, certificate

    async def _given(self, text: str) -> tuple[str, x509.Certificate]:
        """Return a certificate that came whole.

        Security 1: only one that an issuer here signed is taken, so that nobody fills the store with made-up ones.
        """
        if len(text) < _SHORTEST:
            raise Internal("provided certificate data was too short; perhaps a path was passed to the API rather than "
                           "the contents of a PEM file")  # fmt: skip
        try:
            certificate = load_certificate(text)
        except ValueError:
            raise Internal("certificate could not be parsed") from None
        serial = serial_text(certificate.serial_number)
        stored = await self.certs.find(serial)
        if stored is not None:
            if der(stored) != der(certificate):
                raise Internal("certificate data does not match the stored certificate of the same serial number")
        elif await self._issuer_of(certificate) is None:
            raise Internal("certificate is not signed by any issuer of this mount")
        return serial, certificate

    async def _issuer_of(self, certificate: x509.Certificate) -> Issuer | None:
        issuers = (await self.issuers.all()).values()
        return next((issuer for issuer in issuers if signed_by(certificate, issuer.x509)), None)

    async def _revoke(self, serial: str, certificate: x509.Certificate) -> Response:
        async with self.changing:
            for issuer in (await self.issuers.all()).values():
                if issuer.serial == serial and issuer.self_signed:
                    raise InvalidRequest(f"adding issuer (id: {issuer.id}) to its own CRL is not allowed")
            entry = (await self.certs.revoked()).get(serial)
            if entry is not None:
                return Response(_revoked(entry))
            end, config = certificate.not_valid_after_utc.timestamp(), await self.crls.config()
            if end < self.now and not config.allow_expired_cert_revocation:
                return Response(warnings=[
                    f"certificate with serial {serial} already expired; refusing to add to CRL, as configured "
                    "(allow_expired_cert_revocation)"
                ])  # fmt: skip
            found = await self._issuer_of(certificate)
            entry = Revoked(self.now, end, found.id if found else "")
            await self.certs.revoke(certificate, entry)
            warnings = [] if config.auto_rebuild else await self.rebuild_crls()
        return Response(_revoked(entry), warnings=warnings)

    async def _crl_signer(self, ref: str) -> Issuer:
        try:
            issuer = await self.issuers.find(ref)
        except Internal as error:
            raise InvalidRequest(f"failed to resolve issuer issuer_ref: {error}") from None
        try:
            issuer.check_usage("crl-signing")
        except Internal as error:
            raise InvalidRequest(str(error).removeprefix("error fetching CA certificate: ")) from None
        if not issuer.key_id:
            raise Internal(f"issuer {issuer.id} has no key here")
        return issuer

    async def _signed_list(self, issuer: Issuer, entries: list[x509.RevokedCertificate], body: ListsInput,
                           extensions: list[x509.Extension[Any]]) -> dict[str, Any]:  # fmt: skip
        if body.crl_number < 0:
            raise InvalidRequest("crl_number parameter must be 0 or greater")
        if body.format not in {"pem", "der"}:
            raise InvalidRequest(f"unknown format value of {body.format}")
        base = body.delta_crl_base_number if body.delta_crl_base_number >= 0 else None
        frame = CrlFrame(self.now, self.now + _span(body.next_update), body.crl_number, base)
        try:
            crl = crls.sign_entries(issuer, await self.keys.private(issuer.key_id), entries, frame, extensions)
        except ValueError as error:
            raise InvalidRequest(f"unable to create the CRL: {error}") from None
        return {"crl": pem(crl) + "\n" if body.format == "pem" else b64encode(der(crl)).decode()}


def _span(text: str) -> float:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"invalid value for next_update: {error}") from None
    if span <= 0:
        raise InvalidRequest("next_update parameter must be greater than 0")
    return span


def _revoked(entry: Revoked) -> dict[str, Any]:
    return {**entry.facts(), "state": "revoked"}


def _entries_of(text: str, issuer: Issuer) -> list[x509.RevokedCertificate]:
    try:
        crl = x509.load_pem_x509_crl(text.encode())
        valid = crl.is_signature_valid(issuer.x509.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise InvalidRequest("crls holds what is no CRL of this issuer") from None
    if not valid:
        raise InvalidRequest("crls holds a CRL that this issuer's key did not sign")
    return list(crl)


def _objects(given: Any) -> list[Any]:
    """Return what should be a list of objects; nothing is none."""
    if given is not None and not isinstance(given, list):
        raise InvalidRequest("revoked_certs and extensions: expected lists of objects")
    return given or []


def _listed(number: int, entry: Any) -> x509.RevokedCertificate:
    what = f"entry {number} of revoked_certs"
    if not isinstance(entry, dict):
        raise InvalidRequest(f"{what}: expected an object")
    try:
        serial = int(normal_serial(str(entry.get("serial_number", ""))).replace(":", ""), 16)
    except ValueError:
        raise InvalidRequest(f"failed parsing serial_number from {what}: expected hex") from None
    builder = x509.RevokedCertificateBuilder(serial, moment(_revocation_time(what, entry.get("revocation_time"))))
    for place, one in enumerate(_objects(entry.get("extensions"))):
        extension = _extension(place, one)
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.build()


def _revocation_time(what: str, given: Any) -> float:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    if not isinstance(given, str):
        raise InvalidRequest(f"failed parsing revocation_time from {what}: missing 'revocation_time' field")
    return parse_time(given)


def _extension(number: int, given: Any) -> x509.Extension[Any]:
    try:
        oid, raw = x509.ObjectIdentifier(given["id"]), b64decode(given["value"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise InvalidRequest(f"failed parsing extension entry {number}: expected id (OID) and value (Base64)") from None
    return x509.Extension(oid, bool(given.get("critical")), x509.UnrecognizedExtension(oid, raw))
