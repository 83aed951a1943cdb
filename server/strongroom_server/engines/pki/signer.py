"""An issuer ready to sign: key, chain and URLs at hand, everything that is the same for each certificate made once."""

from dataclasses import dataclass, field
from functools import cached_property

from strongroom_server.engines.pki import building, urls
from strongroom_server.engines.pki.assembly import extensions, pattern_for
from strongroom_server.engines.pki.building import Extension
from strongroom_server.engines.pki.issuers import Issuer, Issuers, chain_of
from strongroom_server.engines.pki.keys import Keys
from strongroom_server.engines.pki.urls import Cluster, Urls
from strongroom_server.lib.certificates import Content, Pattern, Signed, assemble
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import PrivateKey, PublicKey, key_bits, key_kind
from strongroom_server.sdk.errors import Internal
from strongroom_server.sdk.storage import Storage, load

_SLOW_RSA = 2048  # bits


@dataclass(frozen=True)
class Signer:
    """An issuer with its key. ``chain`` starts with itself; ``pointers`` are the extensions that lead to it.

    These and ``authority``, which names its key, are in DER already.
    """

    issuer: Issuer
    key: PrivateKey
    chain: tuple[Issuer, ...]
    pointers: tuple[Extension, ...]
    authority: Extension
    patterns: dict[Signing, Pattern] = field(default_factory=dict, repr=False)

    @cached_property
    def end(self) -> float:
        """Return when the issuer's own certificate ends."""
        return self.issuer.x509.not_valid_after_utc.timestamp()

    @cached_property
    def slow(self) -> bool:
        """Tell whether signing takes so long that it is to be done off the event loop."""
        return key_kind(self.key) == "rsa" and key_bits(self.key) > _SLOW_RSA

    @cached_property
    def common_extensions(self) -> bytes:
        """Return the issuer's key and the pointers in DER, as every certificate of a role has them."""
        return extensions([self.authority, *self.pointers])

    def identifiers(self, key: PublicKey) -> list[Extension]:
        """Return the extensions that name the holder's key and the issuer's."""
        return [(building.key_identifier(key), False), self.authority]

    def sign(self, content: Content, signing: Signing) -> Signed:
        """Sign a certificate."""
        return assemble(content, self.pattern(signing))

    def pattern(self, signing: Signing) -> Pattern:
        """Return what all have in common that it signs so."""
        pattern = self.patterns.get(signing)
        if pattern is None:
            pattern = self.patterns[signing] = pattern_for(self.issuer.x509.subject, self.key, signing)
        return pattern


class Signers:
    """The signers of a mount by issuer; made again when anything that they are made of changes."""

    def __init__(self, storage: Storage, issuers: Issuers, keys: Keys) -> None:
        self._storage = storage
        self.issuers = issuers
        self._keys = keys
        self._made: dict[str, Signer] = {}
        self._found: dict[tuple[str, str], Signer] = {}  # by what was asked for
        self._age = -1

    def forget(self) -> None:
        """Make all anew next time; what is being made now is kept where nobody looks any more."""
        self._made, self._found = {}, {}

    async def cluster(self) -> Cluster:
        """Return where the mount is served."""
        return await load(self._storage, "config/cluster", Cluster) or Cluster()

    async def urls(self) -> Urls:
        """Return the mount's URLs."""
        return await load(self._storage, "config/urls", Urls) or Urls()

    async def find(self, ref: str, usage: str = "issuing-certificates") -> Signer:
        """Return the signer of an issuer; raises Internal where there is none, or none for this usage."""
        if self._age != self.issuers.changes:
            self.forget()
            self._age = self.issuers.changes
        found = self._found
        signer = found.get((ref, usage))
        if signer is None:
            signer = found[ref, usage] = await self._find(ref, usage)
        return signer

    async def _find(self, ref: str, usage: str) -> Signer:
        made = self._made
        try:
            issuer = await self.issuers.find(ref)
        except Internal as error:
            raise Internal(f"could not fetch the CA certificate (was one set?): {error}") from None
        issuer.check_usage(usage)
        if not issuer.key_id:
            raise Internal("error fetching CA certificate: unable to fetch corresponding key for issuer "
                           f"{issuer.id}; unable to use this issuer for signing")  # fmt: skip
        signer = made.get(issuer.id)
        if signer is None:
            signer = made[issuer.id] = await self._make(issuer)
        return signer

    async def urls_of(self, issuer: Issuer) -> Urls:
        """Return what certificates of an issuer point to; raises Internal where templates cannot be filled in."""
        return urls.filled(issuer.urls or await self.urls(), await self.cluster(), issuer.id)

    async def _make(self, issuer: Issuer) -> Signer:
        try:
            filled = await self.urls_of(issuer)
        except Internal as error:
            raise Internal(f"error fetching CA certificate: unable to fetch AIA URL information: {error}") from None
        authority = building.authority_identifier(issuer.x509)
        return Signer(
            issuer, await self._keys.private(issuer.key_id), tuple(chain_of(issuer, await self.issuers.all())),
            building.encoded(urls.extensions(filled)), building.encoded([(authority, False)])[0],
        )  # fmt: skip
