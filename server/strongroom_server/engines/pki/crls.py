"""CRLs: one for each group of issuers with the same key and subject, complete and delta, numbered together."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from cryptography import x509

from strongroom_common.durations import go_duration, parse_duration
from strongroom_common.fields import Given
from strongroom_server.engines.pki.building import authority_identifier
from strongroom_server.engines.pki.certs import Certs, Revoked
from strongroom_server.engines.pki.issuers import Issuer
from strongroom_server.engines.pki.keys import Keys
from strongroom_server.engines.pki.signer import Signers
from strongroom_server.engines.pki.urls import freshest_crl
from strongroom_server.lib.signing import HASHES, Hash, Signing, hash_for, padding_for
from strongroom_server.lib.x509 import PrivateKey, der, key_bits, key_kind, moment
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.storage import Storage, load, save

ALGORITHMS: Mapping[str, tuple[str, Signing]] = {
    "sha256withrsa": ("rsa", Signing(256)), "sha384withrsa": ("rsa", Signing(384)),
    "sha512withrsa": ("rsa", Signing(512)), "sha256withrsapss": ("rsa", Signing(256, pss=True)),
    "sha384withrsapss": ("rsa", Signing(384, pss=True)), "sha512withrsapss": ("rsa", Signing(512, pss=True)),
    "ecdsawithsha256": ("ec", Signing(256)), "ecdsawithsha384": ("ec", Signing(384)),
    "ecdsawithsha512": ("ec", Signing(512)), "pureed25519": ("ed25519", Signing()), "ed25519": ("ed25519", Signing()),
    "mldsa44": ("mldsa", Signing(44)), "mldsa65": ("mldsa", Signing(65)), "mldsa87": ("mldsa", Signing(87)),
}  # fmt: skip
"""Signature algorithms of revocations by their names in Go, in lower case and without hyphens."""


class CrlConfig(msgspec.Struct, frozen=True):
    """The mount's rules; durations as the client wrote them."""

    expiry: str = "72h"
    disable: bool = False
    ocsp_disable: bool = False
    ocsp_expiry: str = "12h"
    auto_rebuild: bool = False
    auto_rebuild_grace_period: str = "12h"
    enable_delta: bool = False
    delta_rebuild_interval: str = "15m"
    allow_expired_cert_revocation: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        return msgspec.structs.asdict(self)


@dataclass(frozen=True)
class CrlInput:
    """Body of a write of config/crl."""

    expiry: Annotated[str, "How long a CRL is valid."] = "72h"
    disable: Annotated[bool, "Whether CRLs stay empty."] = False
    ocsp_disable: Annotated[bool, "Whether OCSP is not answered."] = False
    ocsp_expiry: Annotated[str, "How long an OCSP answer is valid."] = "12h"
    auto_rebuild: Annotated[bool, "Whether CRLs are made anew in time rather than at each revocation."] = False
    auto_rebuild_grace_period: Annotated[str, "How long before its end a CRL is made anew."] = "12h"
    enable_delta: Annotated[bool, "Whether delta CRLs are made between complete ones."] = False
    delta_rebuild_interval: Annotated[str, "How often delta CRLs are made."] = "15m"
    allow_expired_cert_revocation: Annotated[bool, "Whether expired certificates can be revoked."] = False


def changed_config(given: Given[CrlInput], stored: CrlConfig) -> CrlConfig:
    """Return the rules after a write; raises InvalidRequest for those that contradict each other."""
    config = msgspec.structs.replace(stored, **{name: getattr(given.value, name) for name in given.sent})
    expiry = _seconds("expiry", config.expiry)
    if (ocsp := _seconds("ocsp_expiry", config.ocsp_expiry)) < 0:
        raise InvalidRequest(f"ocsp_expiry must be greater than or equal to 0 got: {go_duration(ocsp)}")
    grace = _seconds("auto_rebuild_grace_period", config.auto_rebuild_grace_period)
    interval = _seconds("delta_rebuild_interval", config.delta_rebuild_interval)
    if config.auto_rebuild and grace >= expiry:
        raise InvalidRequest(
            f"CRL auto-rebuilding grace period ({config.auto_rebuild_grace_period}) must be strictly shorter than CRL "
            f"expiry ({config.expiry}) value when auto-rebuilding of CRLs is enabled"
        )
    if config.enable_delta and interval >= expiry:
        raise InvalidRequest(
            f"CRL delta rebuild window ({config.delta_rebuild_interval}) must be strictly shorter than CRL expiry "
            f"({config.expiry}) value when delta CRLs are enabled"
        )
    if config.enable_delta and not config.auto_rebuild:
        raise InvalidRequest("Delta CRLs cannot be enabled when auto rebuilding is disabled as the complete CRL is "
                             "always regenerated!")  # fmt: skip
    return config


def _seconds(field: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"given {field} could not be decoded: {error}") from None


class Crl(msgspec.Struct, frozen=True):
    """The newest CRLs of a group, as DER; times are epoch seconds."""

    number: int
    made: float
    expires: float
    complete: bytes
    delta: bytes
    delta_made: float
    base: int


class Crls:
    """All CRLs of a mount."""

    def __init__(self, storage: Storage, signers: Signers, keys: Keys, certs: Certs) -> None:
        self._storage = storage
        self._signers = signers
        self._issuers = signers.issuers
        self._keys = keys
        self._certs = certs

    async def config(self) -> CrlConfig:
        """Return the mount's rules."""
        return await load(self._storage, "config/crl", CrlConfig) or CrlConfig()

    async def save_config(self, config: CrlConfig) -> None:
        """Store the rules."""
        await save(self._storage, "config/crl", config)

    async def of(self, issuer: Issuer) -> Crl | None:
        """Return the CRLs of an issuer's group."""
        return await load(self._storage, _key(issuer), Crl)

    async def groups(self) -> tuple[list[list[Issuer]], list[str]]:
        """Return the groups that have a signer first in each, and warnings for those that have none."""
        groups: dict[str, list[Issuer]] = {}
        for issuer in (await self._issuers.all()).values():
            if issuer.key_id:
                groups.setdefault(_key(issuer), []).append(issuer)
        able, warnings = [], []
        for group in groups.values():
            signers = [issuer for issuer in group if "crl-signing" in issuer.usage and _may_sign_crls(issuer.x509)]
            if signers:
                able.append([*signers, *(issuer for issuer in group if issuer not in signers)])
            else:
                warnings.append(_NO_SIGNER + ",".join(issuer.id for issuer in group))
        return able, [f"Warning {n} during CRL rebuild: {text}" for n, text in enumerate(warnings, 1)]

    async def rebuild(self, now: float, *, delta_only: bool = False) -> list[str]:
        """Make all CRLs anew (or the delta ones); return warnings."""
        groups, warnings = await self.groups()
        config = await self.config()
        for group in groups:
            await self._rebuild(group, config, now, delta_only=delta_only)
        return warnings

    async def rebuild_due(self, now: float) -> None:
        """Make anew what is due where the mount says that CRLs are made in time."""
        config = await self.config()
        if not config.auto_rebuild or config.disable:
            return
        for group in (await self.groups())[0]:
            crl = await self.of(group[0])
            if crl is None or crl.expires - parse_duration(config.auto_rebuild_grace_period) <= now:
                await self._rebuild(group, config, now, delta_only=False)
            elif config.enable_delta and await self._delta_due(group, crl, config, now):
                await self._rebuild(group, config, now, delta_only=True)

    async def _delta_due(self, group: list[Issuer], crl: Crl, config: CrlConfig, now: float) -> bool:
        if crl.delta_made + parse_duration(config.delta_rebuild_interval) > now:
            return False
        return any(entry.time >= crl.delta_made for entry in (await self._entries(group)).values())

    async def _rebuild(self, group: list[Issuer], config: CrlConfig, now: float, *, delta_only: bool) -> None:
        issuer, old = group[0], await self.of(group[0])
        key = await self._keys.private(issuer.key_id)
        entries = {} if config.disable else await self._entries(group)
        end = now + parse_duration(config.expiry)
        number, delta_only = (old.number if old else 0) + 1, delta_only and old is not None
        complete, made, base = old.complete if old else b"", old.made if old else 0, old.base if old else 0
        if not delta_only:
            more = await self._freshest(issuer) if config.enable_delta else []
            complete = der(sign_crl(issuer, key, entries, CrlFrame(now, end, number), more))
            made, base, number = now, number, number + 1
        fresh = {serial: entry for serial, entry in entries.items() if entry.time > made} if delta_only else {}
        delta = der(sign_crl(issuer, key, fresh, CrlFrame(now, end, number, base)))
        crl = Crl(number, made, end if not delta_only or old is None else old.expires, complete, delta, now, base)
        await save(self._storage, _key(issuer), crl)

    async def _freshest(self, issuer: Issuer) -> list[x509.Extension[Any]]:
        """Return the extension that leads from a complete CRL to the delta CRL (RFC 5280, section 5.2.6)."""
        try:
            points = (await self._signers.urls_of(issuer)).delta_crl_distribution_points
        except Internal:  # a template that lacks the cluster's path
            return []
        return [_extension(freshest_crl(points))] if points else []

    async def _entries(self, group: list[Issuer]) -> dict[str, Revoked]:
        """Return the group's revocations; those of no known issuer belong to the default one's group."""
        ids = {issuer.id for issuer in group}
        default = await self._issuers.default()
        if default is not None and default.id in ids:
            ids.add("")
        return {serial: entry for serial, entry in (await self._certs.revoked()).items() if entry.issuer_id in ids}


_NO_SIGNER = (
    "warning from local CRL rebuild: Issuer equivalency set with associated keys lacked an issuer with CRL Signing "
    "KeyUsage; refusing to rebuild CRL for this group of issuers: "
)


def _key(issuer: Issuer) -> str:
    subject = hashlib.sha256(issuer.x509.subject.public_bytes()).hexdigest()[:16]
    return f"crl/{issuer.key_id}-{subject}"


def _may_sign_crls(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return False


@dataclass(frozen=True)
class CrlFrame:
    """From when until when a CRL is valid, its number, and for a delta CRL the number that it builds on."""

    start: float
    end: float
    number: int
    base: int | None = None


def sign_crl(issuer: Issuer, key: PrivateKey, entries: Mapping[str, Revoked],
             frame: CrlFrame, more: Iterable[x509.Extension[Any]] = ()) -> x509.CertificateRevocationList:  # fmt: skip
    """Return a CRL of ``entries`` (RFC 5280, section 5)."""
    revoked = [_entry(serial, entry.time) for serial, entry in sorted(entries.items())]
    return sign_entries(issuer, key, revoked, frame, more)


def sign_entries(issuer: Issuer, key: PrivateKey, revoked: Iterable[x509.RevokedCertificate], frame: CrlFrame,
                 more: Iterable[x509.Extension[Any]] = ()) -> x509.CertificateRevocationList:  # fmt: skip
    """Return a CRL of entries that are made already."""
    extensions: list[x509.Extension[Any]] = [
        _extension(authority_identifier(issuer.x509)), _extension(x509.CRLNumber(frame.number)), *more,
    ]  # fmt: skip
    if frame.base is not None:
        extensions.append(_extension(x509.DeltaCRLIndicator(frame.base), critical=True))
    builder = x509.CertificateRevocationListBuilder(
        issuer.x509.subject, moment(frame.start), moment(frame.end), extensions, list(revoked)
    )
    signing = signing_of(issuer)
    return builder.sign(key, revocation_hash(key, signing), rsa_padding=padding_for(key, signing))


def algorithm_name(key: PrivateKey, signing: Signing) -> str:
    """Return Go's name of the algorithm that a key signs with."""
    used = hash_for(key, signing.bits)
    if used is None:
        return "Ed25519" if key_kind(key) == "ed25519" else f"MLDSA{key_bits(key)}"
    bits = used.digest_size * 8
    return f"SHA{bits}WithRSA{'PSS' if signing.pss else ''}" if key_kind(key) == "rsa" else f"ECDSAWithSHA{bits}"


def signing_of(issuer: Issuer) -> Signing:
    """Return how an issuer signs revocations."""
    name = issuer.revocation_signature_algorithm.lower().replace("-", "")
    return ALGORITHMS[name][1] if name else Signing()


def revocation_hash(key: PrivateKey, signing: Signing) -> Hash | None:
    """Return the hash for revocations: the one chosen, also for EC keys."""
    usual = hash_for(key, signing.bits)
    return HASHES[signing.bits] if usual is not None and signing.bits else usual


def _extension(value: x509.ExtensionType, *, critical: bool = False) -> x509.Extension[Any]:
    return x509.Extension(value.oid, critical, value)


def _entry(serial: str, time: float) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder(int(serial.replace(":", ""), 16), moment(time)).build()
