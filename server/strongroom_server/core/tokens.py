"""The token store: who a token belongs to, what it may do, and how tokens hang together.

A token is stored once, below its accessor, never as itself: its keyed hash names it, and the accessor is drawn from
that hash. Its lease is told from the record, its children from their records, which are all read once after the start.
So a token is one entry, and a crash leaves it or nothing.

Layout below ``sys/token/``: ``id/<accessor>``, ``salt``, ``roles/<name>``.
"""

import asyncio
import base64
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from strongroom_common.clock import Clock, rfc3339
from strongroom_server.lib.keyed_hash import KeyedHash
from strongroom_server.lib.randomness import Randomness
from strongroom_server.sdk import codec
from strongroom_server.sdk.request import Auth
from strongroom_server.sdk.storage import Change, Storage, load, put, remove

T = TypeVar("T")

SERVICE, BATCH = "service", "batch"
SERVICE_LENGTH = 28
"""Characters of a service token: "hvs." and 24 letters and digits."""
_PREFIXES = {SERVICE: "hvs.", BATCH: "hvb."}
_CACHED = 50_000
_ACCESSOR = 24
_HASH = re.compile(r"h[0-9a-f]{64}")
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_EVEN = 256 - 256 % len(_ALPHABET)
_LETTERS = bytes(_ALPHABET[byte % len(_ALPHABET)] for byte in range(256))
_UNEVEN = bytes(range(_EVEN, 256))  # would make the first letters likelier: left out


class Token(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of a token. Times are epoch seconds; ``expires`` 0 is never; ``uses`` 0 is without limit.

    Plain values in a tree hold no cycles: the collector, which would walk through all of them, need not know it.
    """

    hash: str
    accessor: str
    policies: tuple[str, ...]
    path: str
    display_name: str
    created: float
    type: str = SERVICE
    parent: str = ""
    meta: dict[str, str] | None = None
    uses: int = 0
    ttl: int = 0
    explicit_max_ttl: int = 0
    period: int = 0
    role: str = ""
    entity_id: str = ""
    bound_cidrs: tuple[str, ...] = ()
    no_default_policy: bool = False
    expires: float = 0
    renewed: float = 0
    renewable: bool = False
    lease_id: str = ""
    max_ttl: int = 0
    internal: dict[str, Any] = msgspec.field(default_factory=dict)
    group_aliases: tuple[str, ...] = ()

    @property
    def root(self) -> bool:
        """Whether it may do everything."""
        return "root" in self.policies

    @property
    def orphan(self) -> bool:
        """Whether no parent's end ends it."""
        return not self.parent

    def expired(self, now: float) -> bool:
        """Whether its time is over."""
        return 0 < self.expires <= now


def random_text(length: int, drawn: bytes = b"") -> str:
    """Return ``length`` letters and digits, each equally likely (nearly 6 bits a character), first from ``drawn``."""
    text = drawn.translate(_LETTERS, _UNEVEN)
    while len(text) < length:
        text += os.urandom(2 * length).translate(_LETTERS, _UNEVEN)
    return text[:length].decode()


class TokenStore:
    """Tokens in storage, with the live ones in memory."""

    def __init__(self, storage: Storage, clock: Clock, on_end: Callable[[str], Awaitable[None]], suffix: str = "",
                 above: "TokenStore | None" = None) -> None:  # fmt: skip
        """``on_end(hash)`` takes what else belongs to an ended token (its cubbyhole).

        In a namespace ``suffix`` (".<id>") ends tokens and accessors, and parents may be in the store ``above``.
        """
        self._suffix = suffix
        self._above = above
        self._storage = storage
        self._clock = clock
        self._on_end = on_end
        self._keyed = KeyedHash(b"")
        self._random = Randomness(SERVICE_LENGTH)  # a few more than the letters that are drawn: some fall out
        self._hashes: OrderedDict[str, str] = OrderedDict()
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._children: dict[str, set[str]] = {}
        self.loaded = asyncio.Event()
        self._batch_key = b""

    async def start(self) -> None:
        """Load the salt, making it on the first start."""
        salt = await self._storage.get("salt")
        if salt is None:
            salt = secrets.token_bytes(32)
            await self._storage.commit([Change("salt", salt)])
        self._keyed = KeyedHash(salt)
        self._batch_key = self._keyed.digest(b"batch tokens")

    def hash(self, token: str) -> str:
        """Return what a token is stored under."""
        known = self._hashes.get(token)
        if known is None:
            known = "h" + self._keyed.digest(token.encode()).hex()
            _remember(self._hashes, token, known)
        return known

    def _accessor(self, hashed: str) -> str:
        """Return the accessor of a token. Security 1: without the salt neither it nor the hash tells of the token."""
        return bytes.fromhex(hashed[1 : 1 + 2 * _ACCESSOR]).translate(_LETTERS).decode() + self._suffix

    def issue(self, auth: Auth, path: str, *, token: str = "", parent: str = "", role: str = "") -> tuple[str, Token]:
        """Return a new token's text and record from a filled ``auth`` (its ``ttl`` granted); nothing is stored yet."""
        now = self._clock.now()
        text = token or _PREFIXES[SERVICE] + random_text(SERVICE_LENGTH - 4, self._random.piece()) + self._suffix
        hashed = self.hash(text)
        record = Token(
            hash=hashed,
            accessor=self._accessor(hashed),
            policies=auth.policies,
            path=path,
            display_name=auth.display_name,
            created=now,
            parent=parent,
            meta=auth.metadata or None,
            uses=auth.num_uses,
            ttl=auth.ttl,
            explicit_max_ttl=auth.explicit_max_ttl,
            period=auth.period,
            role=role,
            entity_id=auth.entity_id,
            bound_cidrs=auth.bound_cidrs,
            no_default_policy=auth.no_default_policy,
            expires=now + auth.ttl if auth.ttl else 0,
            renewable=auth.renewable and bool(auth.ttl),
            lease_id=self.lease_id(path, hashed) if auth.ttl else "",
            max_ttl=auth.max_ttl,
            internal=auth.internal,
            group_aliases=tuple([alias.name for alias in auth.group_aliases]) if auth.group_aliases else (),
        )
        return text, record

    def issue_batch(self, auth: Auth, path: str, *, parent: str = "", role: str = "") -> tuple[str, Token]:
        """Return a batch token: its record travels in it, sealed, and is stored nowhere."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        _, record = self.issue(structs.replace(auth, renewable=False, num_uses=0), path, parent=parent, role=role)
        record = structs.replace(record, type=BATCH, accessor="", lease_id="", hash="")
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._batch_key).encrypt(nonce, codec.encode(record), b"batch")
        text = _PREFIXES[BATCH] + base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode() + self._suffix
        return text, structs.replace(record, hash=self.hash(text))

    def _open_batch(self, text: str) -> Token | None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        body = text.removeprefix(_PREFIXES[BATCH]).removesuffix(self._suffix)
        try:
            raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            record = codec.decode(Token, AESGCM(self._batch_key).decrypt(raw[:12], raw[12:], b"batch"))
        except (InvalidTag, ValueError):
            return None
        return structs.replace(record, hash=self.hash(text))

    def _put(self, token: Token) -> Change:
        return put(f"id/{token.accessor}", token)

    async def add(self, token: Token) -> None:
        """Store a new record, or one that may be used only once it is stored."""
        await self._storage.commit([self._put(token)])
        self.keep(token)

    def keep(self, token: Token) -> None:
        """Take ``token``, just stored, into memory."""
        _remember(self._tokens, token.hash, token)
        self._note(token)

    def _note(self, token: Token) -> None:
        if token.parent:
            siblings = self._children.get(token.parent)
            if siblings is None:
                self._children[token.parent] = {token.hash}
            else:
                siblings.add(token.hash)

    async def save(self, token: Token) -> None:
        """Store an updated record; memory has it at once."""
        self.keep(token)
        await self._storage.commit([self._put(token)])

    def at_hand(self, text: str) -> Token | None:
        """Return a live service token that is in memory; the request path asks this first."""
        token = self._tokens.get(self._hashes.get(text, ""))
        return None if token is None or (token.expires and token.expired(self._clock.now())) else token

    async def use(self, token: Token) -> Token | None:
        """Count one use of a token that has a limited number, durably; None where all are gone.

        The returned token's ``uses`` is -1 after the last: it serves this request and then ends. Two requests at
        once cannot have the same use: the record in memory changes before anything is awaited.
        """
        token = self._tokens.get(token.hash, token)
        if token.uses < 0:
            return None
        used = structs.replace(token, uses=token.uses - 1 or -1)
        await self.save(used)
        return used

    async def lookup(self, text: str) -> Token | None:
        """Return the live token, or None: unknown, expired, or a batch token whose parent has ended."""
        if text.startswith(_PREFIXES[BATCH]):
            token = self._open_batch(text)
            if token is not None and token.parent and not await self.holds(token.parent):
                return None
        else:
            token = self._tokens.get(self.hash(text)) or await self.by_hash(self.hash(text))
        if token is None or token.expired(self._clock.now()):
            return None
        return token

    async def holds(self, hashed: str) -> bool:
        """Tell whether a token is here or above, and has not ended."""
        if (token := await self.by_hash(hashed)) is not None:
            return not token.expired(self._clock.now())
        return self._above is not None and await self._above.holds(hashed)

    def lease_id(self, path: str, hashed: str) -> str:
        """Return the id of a token's own lease."""
        return f"{path}/{hashed}{self._suffix}"

    async def by_hash(self, hashed: str) -> Token | None:
        """Return the stored token, expired or not."""
        token = self._tokens.get(hashed)
        if token is None:
            token = await load(self._storage, f"id/{self._accessor(hashed)}", Token)
            if token is not None:
                self.keep(token)
        return token

    async def by_lease(self, lease_id: str) -> Token | None:
        """Return the token whose own lease this is."""
        hashed = lease_id.rpartition("/")[2].removesuffix(self._suffix)
        token = await self.by_hash(hashed) if _HASH.fullmatch(hashed) else None
        return token if token is not None and token.lease_id == lease_id else None

    async def by_accessor(self, accessor: str) -> Token | None:
        """Return the token that an accessor stands for."""
        if not accessor or "/" in accessor:
            return None
        token = await load(self._storage, f"id/{accessor}", Token)
        return None if token is None else await self.by_hash(token.hash)

    async def accessors(self) -> list[str]:
        """Return every live token's accessor."""
        return await self._storage.list("id/")

    async def walk(self) -> AsyncIterator[Token]:
        """Yield every token once after the start; whose child it is is known from then on."""
        for accessor in await self.accessors():
            token = await load(self._storage, f"id/{accessor}", Token)
            if token is not None:
                self._note(token)
                yield token
        self.loaded.set()

    async def children(self, hashed: str) -> list[str]:
        """Return the hashes of the tokens that ``hashed`` made."""
        await self.loaded.wait()
        return sorted(self._children.get(hashed, ()))

    async def remove(self, token: Token) -> None:
        """Forget a token and its cubbyhole; its children and leases are the caller's to end first."""
        await self._storage.commit([remove(f"id/{token.accessor}")])
        self._tokens.pop(token.hash, None)
        self._children.pop(token.hash, None)
        self._part(token)
        await self._on_end(token.hash)

    def _part(self, token: Token) -> None:
        siblings = self._children.get(token.parent, set())
        siblings.discard(token.hash)
        if not siblings:
            self._children.pop(token.parent, None)

    async def adopt_out(self, parent: str) -> None:
        """Make the children of ``parent`` orphans."""
        found = [await self.by_hash(hashed) for hashed in await self.children(parent)]
        orphans = [structs.replace(child, parent="") for child in found if child is not None]
        await self._storage.commit([self._put(child) for child in orphans])
        for child in orphans:
            self.keep(child)
        self._children.pop(parent, None)

    def facts(self, token: Token, *, text: str = "") -> dict[str, object]:
        """Return what a lookup shows; the token itself only where it is the caller's own (``text``)."""
        now = self._clock.now()
        data: dict[str, object] = {
            "accessor": token.accessor,
            "creation_time": int(token.created),
            "creation_ttl": token.ttl,
            "display_name": token.display_name,
            "entity_id": token.entity_id,
            "expire_time": rfc3339(token.expires) if token.expires else None,
            "explicit_max_ttl": token.explicit_max_ttl,
            "id": text,
            "issue_time": rfc3339(token.created),
            "meta": token.meta,
            "num_uses": token.uses,
            "orphan": token.orphan,
            "path": token.path,
            "policies": token.policies,
            "renewable": token.renewable,
            "ttl": max(round(token.expires - now), 0) if token.expires else 0,
            "type": token.type,
        }
        optional = {
            "last_renewal": rfc3339(token.renewed) if token.renewed else None,
            "last_renewal_time": int(token.renewed) or None,
            "period": token.period or None,
            "role": token.role or None,
            "bound_cidrs": token.bound_cidrs or None,
        }
        return data | {name: value for name, value in optional.items() if value is not None}


def _remember(cache: "OrderedDict[str, T]", key: str, value: T) -> None:
    cache[key] = value
    if len(cache) > _CACHED:
        cache.popitem(last=False)
