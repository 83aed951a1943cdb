"""The issuers of a mount, stored below ``issuer/``: certificates that sign others, with how they do it."""

import re
import uuid
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from strongroom_common.clock import Clock, rfc3339
from strongroom_server.engines.pki.keys import DEFAULT
from strongroom_server.engines.pki.urls import Urls
from strongroom_server.lib.x509 import der, pem, serial_text
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

USAGES = ("crl-signing", "issuing-certificates", "ocsp-signing", "read-only")
NEXT = "next"
"""Name of the root that shall follow the present one."""
_NAME = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)


class Issuer(msgspec.Struct, dict=True):
    """One issuer. ``certificate`` is PEM; ``key_id`` is empty where the key is elsewhere; ``urls`` its own, if any."""

    id: str
    certificate: str
    key_id: str = ""
    name: str = ""
    usage: tuple[str, ...] = USAGES
    leaf_not_after_behavior: str = "err"
    manual_chain: list[str] | None = None
    revocation_signature_algorithm: str = ""
    urls: Urls | None = None
    revoked: float = 0

    @cached_property
    def x509(self) -> x509.Certificate:
        """Return the certificate, taken apart once."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def serial(self) -> str:
        """Return the serial number as text."""
        return serial_text(self.x509.serial_number)

    @property
    def possible_usages(self) -> tuple[str, ...]:
        """Return what it may be for: its certificate has to say so where it is to sign CRLs (RFC 5280, 4.2.1.3)."""
        try:
            signs = self.x509.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
        except x509.ExtensionNotFound:
            signs = False
        return tuple(one for one in USAGES if signs or one != "crl-signing")

    @property
    def self_signed(self) -> bool:
        """Tell whether it is a root."""
        return self.x509.subject == self.x509.issuer

    def check_usage(self, usage: str) -> None:
        """Raise Internal where the issuer is not for ``usage``."""
        if usage not in self.usage:
            raise Internal(
                f"error fetching CA certificate: error while attempting to use issuer {self.id}: requested usage "
                f"{usage} for issuer [id:{self.id} / name:{self.name}] but only had usage {','.join(self.usage)}"
            )

    def revocation_facts(self) -> dict[str, Any]:
        """Return what is told of a revoked issuer beside the rest."""
        if not self.revoked:
            return {}
        return {"revocation_time": int(self.revoked), "revocation_time_rfc3339": rfc3339(self.revoked)}


class IssuerConfig(msgspec.Struct, frozen=True):
    """Which issuer is the default one, and whether the newest always is; ``modified`` is when any issuer changed."""

    default: str = ""
    default_follows_latest_issuer: bool = False
    modified: float = 0

    def facts(self) -> dict[str, Any]:
        """Return what a read of config/issuers shows."""
        return {"default": self.default, "default_follows_latest_issuer": self.default_follows_latest_issuer}


class Issuers:
    """All issuers of a mount, in memory once read. ``changes`` counts, so that what is derived knows its age."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock
        self._all: dict[str, Issuer] | None = None
        self._config: IssuerConfig | None = None
        self.changes = 0

    def forget(self) -> None:
        """Read everything anew next time."""
        self._all = self._config = None
        self.changes += 1

    async def all(self) -> dict[str, Issuer]:
        """Return the issuers by id, sorted."""
        if self._all is None:
            ids = await self._storage.list("issuer/")
            found = [await load(self._storage, f"issuer/{issuer_id}", Issuer) for issuer_id in ids]
            self._all = {issuer.id: issuer for issuer in found if issuer is not None}
        return self._all

    async def find(self, ref: str) -> Issuer:
        """Return the issuer of an id, a name or "default"; raises Internal, as the peer does."""
        issuers = await self.all()
        if ref == DEFAULT:
            ref = (await self.config()).default
            if not ref:
                raise Internal("no default issuer currently configured")
        found = issuers.get(ref) or next((one for one in issuers.values() if one.name and one.name == ref), None)
        if found is None:
            raise Internal(f"unable to find PKI issuer for reference: {ref}")
        return found

    async def default(self) -> Issuer | None:
        """Return the default issuer, if there is one."""
        return (await self.all()).get((await self.config()).default)

    async def config(self) -> IssuerConfig:
        """Return which issuer is the default one."""
        if self._config is None:
            self._config = await load(self._storage, "config/issuers", IssuerConfig) or IssuerConfig()
        return self._config

    async def set_config(self, config: IssuerConfig) -> None:
        """Choose the default issuer."""
        await self._commit([], config)

    async def chosen_name(self, asked: str | None, but: str = "") -> str:
        """Return the name for an issuer, without blanks around it; "" where none is asked for.

        Raises InvalidRequest unless an issuer may be called so; the one with the id ``but`` already may be.
        """
        if asked is None:
            return ""
        name = asked.strip()
        if not name:
            raise InvalidRequest("expected non-empty issuer name")
        if name.lower() == DEFAULT:
            raise InvalidRequest("reserved keyword 'default' can not be used as issuer name")
        if not _NAME.fullmatch(name):
            raise InvalidRequest("issuer name contained invalid characters")
        if any(issuer.name == name and issuer.id != but for issuer in (await self.all()).values()):
            raise InvalidRequest("issuer name already in use")
        return name

    async def if_free(self, name: str) -> str:
        """Return a name, or "" where an issuer has it already."""
        return "" if any(issuer.name == name for issuer in (await self.all()).values()) else name

    async def known(self, certificate: x509.Certificate) -> Issuer | None:
        """Return the issuer with a certificate, if it is there."""
        raw = der(certificate)
        return next((issuer for issuer in (await self.all()).values() if der(issuer.x509) == raw), None)

    async def add(self, certificate: x509.Certificate, key_id: str, name: str = "", algorithm: str = "", *,
                  latest: bool = True) -> tuple[Issuer, bool]:  # fmt: skip
        """Store an issuer, unless it is there already; tell whether it is new.

        The first with a key is the default, and so is the ``latest`` where that is wished for.
        """
        issuer = await self.known(certificate)
        if issuer is not None:
            return await self.adopt(issuer, key_id), False
        issuer = Issuer(str(uuid.uuid4()), pem(certificate), key_id, name, revocation_signature_algorithm=algorithm)
        issuer = msgspec.structs.replace(issuer, usage=issuer.possible_usages)
        config = await self.config()
        if key_id and (not config.default or (latest and config.default_follows_latest_issuer)):
            config = msgspec.structs.replace(config, default=issuer.id)
        await self._commit([put(f"issuer/{issuer.id}", issuer)], config)
        return issuer, True

    async def adopt(self, issuer: Issuer, key_id: str) -> Issuer:
        """Return an issuer with the key that it lacked; it is the default one where there is none."""
        if issuer.key_id or not key_id:
            return issuer
        changed, config = msgspec.structs.replace(issuer, key_id=key_id), await self.config()
        config = msgspec.structs.replace(config, default=config.default or changed.id)
        await self._commit([put(f"issuer/{changed.id}", changed)], config)
        return changed

    async def save(self, issuer: Issuer) -> None:
        """Store a changed issuer."""
        await self._commit([put(f"issuer/{issuer.id}", issuer)], await self.config())

    async def delete(self, issuer: Issuer) -> bool:
        """Remove an issuer; tell whether it was the default one."""
        config = await self.config()
        was_default = config.default == issuer.id
        if was_default:
            config = msgspec.structs.replace(config, default="")
        await self._commit([remove(f"issuer/{issuer.id}")], config)
        return was_default

    async def _commit(self, changes: Sequence[Change], config: IssuerConfig) -> None:
        """Store changes to issuers and when that was, and forget what is remembered of them."""
        config = msgspec.structs.replace(config, modified=self._clock.now())
        await self._storage.commit([*changes, put("config/issuers", config)])
        self.forget()


def chain_of(issuer: Issuer, issuers: dict[str, Issuer]) -> list[Issuer]:
    """Return the issuer, those that signed it, those that signed them: as the manual chain says, or as signatures do.

    With cross-signatures there are several ways up; all are taken, each issuer once.
    """
    if issuer.manual_chain:
        return [issuers[ref] for ref in issuer.manual_chain if ref in issuers]
    chain: list[Issuer] = []
    _climb(issuer, issuers, chain)
    return chain


def _climb(issuer: Issuer, issuers: dict[str, Issuer], chain: list[Issuer]) -> None:
    chain.append(issuer)
    for parent in issuers.values():
        if parent not in chain and signed_by(issuer.x509, parent.x509):
            _climb(parent, issuers, chain)


def signed_by(certificate: x509.Certificate, parent: x509.Certificate) -> bool:
    """Tell whether ``parent`` signed ``certificate``."""
    if certificate.issuer != parent.subject:
        return False
    try:
        certificate.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
