"""PEM bundles that come in: issuers and keys, matched to each other."""

from dataclasses import dataclass, field
from typing import Any

from cryptography import x509

from strongroom_server.engines.pki.issuers import IssuerConfig, Issuers
from strongroom_server.engines.pki.keys import Keys
from strongroom_server.lib.x509 import (
    PrivateKey,
    der,
    for_pss_alone,
    load_certificate,
    load_signing_key,
    pem_blocks,
    spki,
)
from strongroom_server.sdk.errors import InvalidRequest

SHORTEST = 75  # characters; what is shorter is a path by mistake
_TOO_SHORT = (
    "provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM "
    "file"
)
_DEFAULT_LEFT = (
    "Default issuer left unchanged: could not select new issuer automatically as multiple imported issuers had key "
    "material in Vault."
)
_DEFAULT_CHOSEN = (
    "The imported bundle contained multiple certs matching keys, the default issuer that was selected should be "
    "verified and manually changed if incorrect."
)


@dataclass(frozen=True)
class Bundle:
    """The certificates and keys of a bundle, in order."""

    certificates: tuple[x509.Certificate, ...]
    keys: tuple[PrivateKey, ...]


def parse_bundle(text: str) -> Bundle:
    """Take a PEM bundle apart; raises InvalidRequest for what is none, or holds anything else or no CA."""
    if len(text) < SHORTEST:
        raise InvalidRequest(_TOO_SHORT)
    blocks = pem_blocks(text)
    if not blocks:
        raise InvalidRequest("error when parsing block 1: invalid PEM data")
    certificates, keys = [], []
    for number, (label, block) in enumerate(blocks):
        if label not in {"CERTIFICATE", "EC PARAMETERS"} and not label.endswith("PRIVATE KEY"):
            raise InvalidRequest(f"error when parsing block {number + 1}: unexpected {label}")
        try:
            if label == "CERTIFICATE":
                certificates.append(load_certificate(block))
            elif label != "EC PARAMETERS":
                keys.append(load_signing_key(block))
        except ValueError as error:
            raise InvalidRequest(f"error when parsing block {number + 1}: {error}") from None
    for number, certificate in enumerate(certificates):
        _check_ca(number, certificate)
    return Bundle(tuple(certificates), tuple(keys))


def _check_ca(number: int, certificate: x509.Certificate) -> None:
    if for_pss_alone(certificate):
        raise InvalidRequest(f"Error parsing issuer {number}: Refusing to import CA certificate with an RSASSA-PSS key")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        if constraints.ca:
            return
    except (x509.ExtensionNotFound, ValueError):
        pass
    raise InvalidRequest(f"Error parsing issuer {number}: Refusing to import non-CA certificate")


@dataclass
class Imported:
    """What an import did, as the API tells it; ``warnings`` are of which issuer is the default one then."""

    warnings: list[str] = field(default_factory=list)
    issuers: list[str] = field(default_factory=list)
    known_issuers: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    known_keys: list[str] = field(default_factory=list)
    mapping: dict[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the answer; lists that are empty are null."""
        return {
            "existing_issuers": self.known_issuers or None,
            "existing_keys": self.known_keys or None,
            "imported_issuers": self.issuers or None,
            "imported_keys": self.keys or None,
            "mapping": self.mapping,
        }


async def take_in(bundle: Bundle, issuers: Issuers, keys: Keys) -> Imported:
    """Store a bundle's keys and issuers; what is there already stays as it is, and gets a key that it lacked."""
    result = Imported()
    for private in bundle.keys:
        key, new = await keys.add(private)
        (result.keys if new else result.known_keys).append(key.id)
    key_ids = await _by_public_half(keys)
    able = {der(one) for one in bundle.certificates if _spki(one) in key_ids and not await issuers.known(one)}
    if len(able) > 1:
        result.warnings = _several(await issuers.config())
    for certificate in bundle.certificates:
        issuer, new = await issuers.add(certificate, key_ids.get(_spki(certificate), ""), latest=len(able) == 1)
        (result.issuers if new else result.known_issuers).append(issuer.id)
        result.mapping[issuer.id] = issuer.key_id
    await give_keys(issuers, keys)
    return result


def _several(config: IssuerConfig) -> list[str]:
    """Return what the client should know where several new issuers have keys, and so any could be the default one."""
    left = [_DEFAULT_LEFT] if config.default_follows_latest_issuer else []
    return left if config.default else [*left, _DEFAULT_CHOSEN]


async def give_keys(issuers: Issuers, keys: Keys) -> None:
    """Let issuers that came before their key have it now."""
    key_ids = await _by_public_half(keys)
    for issuer in list((await issuers.all()).values()):
        await issuers.adopt(issuer, key_ids.get(_spki(issuer.x509), ""))


async def _by_public_half(keys: Keys) -> dict[bytes, str]:
    return {spki(await keys.private(key_id)): key_id for key_id in await keys.all()}


def _spki(certificate: x509.Certificate) -> bytes:
    return spki(certificate.public_key())  # type: ignore[arg-type]
