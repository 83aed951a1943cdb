"""transit/keys/…/csr and set-certificate: signing requests by a key, and the certificates that came of them."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from strongroom_common.fields import Given
from strongroom_server.engines.transit import material
from strongroom_server.engines.transit.records import Key, Version
from strongroom_server.engines.transit.store import Name
from strongroom_server.engines.transit.transfer import Transfer
from strongroom_server.lib.x509 import der, load_certificates, pem, pem_blocks, read_csr
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest

_DIGESTS: dict[int, Any] = {384: hashes.SHA384, 521: hashes.SHA512}
_NO_CHAIN = "failed to persist certificate chain: "


@dataclass(frozen=True)
class RequestWish:
    """What shall be requested."""

    csr: Annotated[str, "A signing request in PEM whose subject and extensions are taken; empty is none."] = ""
    version: Annotated[int, "Version of the key that signs; 0 is the latest."] = 0


@dataclass(frozen=True)
class Chain:
    """Certificates for a version of a key."""

    certificate_chain: Annotated[str, "Certificates in PEM: the key's own first, that of an authority last."] = ""
    version: Annotated[int, "Version of the key that they are for; 0 is the latest."] = 0


class Certificates(Transfer):
    """Lets keys have certificates."""

    @write("keys/{name}/csr")
    async def make_csr(self, name: Name, body: Given[RequestWish]) -> dict[str, str]:
        """Sign a certificate signing request with a key."""
        key = await self._signing_key(name)
        template = _template(body.value.csr) if body.value.csr else None
        version = _version(key, body.value.version, "could not create the csr: ")
        if version.secret is None:
            raise InvalidRequest("could not create the csr: the private half of this key is not here")
        return {"csr": _signed(key, version.secret, template), "name": name, "type": key.type}

    @write("keys/{name}/set-certificate")
    async def set_certificate(self, name: Name, body: Given[Chain]) -> dict[str, Any]:
        """Keep a certificate chain beside the version of a key that it is for."""
        async with self.locked(name):
            key = await self._signing_key(name)
            chain = _chain(body.value.certificate_chain)
            number = body.value.version or key.latest
            version = _version(key, number, _NO_CHAIN)
            _check_chain(key, version, chain)
            renewed = replace(version, chain=tuple(der(one) for one in chain))
            kept = await self.keep(replace(key, versions={**key.versions, number: renewed}))
        return {"certificate_chain": "\n".join(pem(one) for one in chain), "name": name, "type": kept.type}

    async def _signing_key(self, name: str) -> Key:
        key = await self.look_up(name)
        if key is None:
            raise InvalidRequest(f"key with provided name '{name}' not found")
        if not key.usable().kind.signs:
            raise InvalidRequest(f"key type '{key.type}' does not support signing")
        if key.derived:
            raise InvalidRequest("operation not supported on keys with derivation enabled")
        return key


def _version(key: Key, number: int, failed: str) -> Version:
    version = key.versions.get(number or key.latest)
    if version is None:
        raise InvalidRequest(f"{failed}no such key version")
    return version


def _template(text: str) -> x509.CertificateSigningRequest:
    blocks = [block for label, block in pem_blocks(text) if label.endswith("CERTIFICATE REQUEST")]
    if not blocks:
        raise InvalidRequest("could not decode PEM CSR")
    try:
        return read_csr(blocks[0])
    except ValueError as error:
        raise InvalidRequest(f"could not decode PEM CSR: {error}") from None


def _signed(key: Key, secret: bytes, template: x509.CertificateSigningRequest | None) -> str:
    """Return the request of a key, with the subject and extensions of another request where there is one."""
    private: Any = material.ed25519_key(secret, None) if key.type == "ed25519" else material.private_key(secret)
    request = x509.CertificateSigningRequestBuilder(template.subject if template else x509.Name([]))
    for extension in template.extensions if template else ():
        request = request.add_extension(extension.value, extension.critical)
    by_digest = isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    algorithm = _DIGESTS.get(private.key_size, hashes.SHA256)() if by_digest else None
    return pem(request.sign(private, algorithm)) + "\n"


def _chain(text: str) -> list[x509.Certificate]:
    blocks = pem_blocks(text)
    if text.strip() and not blocks:
        raise InvalidRequest("could not decode a PEM block in the certificate chain")
    certificates = [block for label, block in blocks if label == "CERTIFICATE"]
    if not certificates:
        raise InvalidRequest("provided certificate chain did not contain any valid PEM encoded certificate")
    try:
        return load_certificates(certificates)
    except ValueError as error:
        raise InvalidRequest(f"failed to parse certificate: {error}") from None


def _check_chain(key: Key, version: Version, chain: list[x509.Certificate]) -> None:
    """Refuse chains that do not begin with a certificate of the key and end with an authority's."""
    if _is_authority(chain[0]):
        raise InvalidRequest(f"{_NO_CHAIN}certificate in the first element is not a valid leaf certificate")
    if chain[0].public_key() != material.public_of(key.kind, version.secret, version.public):
        raise InvalidRequest(f"{_NO_CHAIN}leaf certificate public key does not match the selected key version")
    if len(chain) > 1 and not _is_authority(chain[-1]):
        raise InvalidRequest(f"{_NO_CHAIN}certificate in the last element is not a valid CA certificate")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
