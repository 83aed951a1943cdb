"""Initialising, unsealing and sealing: how the root key of the barrier comes and goes.

The root key is kept wrapped in the store, outside the barrier (``core/root-key``). With Shamir's scheme it is wrapped
by an unseal key that exists only as people's shares; another seal wraps it itself, and its shares are recovery keys
(kept in the barrier). ``core/seal-config`` tells kind, shares and threshold before anyone can unseal.
"""

import asyncio
import base64
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom_common.fields import Strings
from strongroom_server.barrier.barrier import Barrier
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.lib import pgp
from strongroom_server.sdk import codec
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.errors import InvalidRequest, SealError
from strongroom_server.sdk.seal import Blob, Seal
from strongroom_server.seals import shamir

log = logging.getLogger("core.sealing")

CONFIG, ROOT_KEY = "core/seal-config", "core/root-key"
_KEY_LENGTH = 32


@dataclass(frozen=True)
class SealConfig:
    """How many shares there are and how many open; ``kind`` is the seal's type."""

    shares: int
    threshold: int
    kind: str = "shamir"


@dataclass(frozen=True)
class InitRequest:
    """What ``operator init`` asks for."""

    secret_shares: Annotated[int, "Number of shares to split the unseal key into."] = 0
    secret_threshold: Annotated[int, "Number of shares that open the server."] = 0
    stored_shares: Annotated[int, "Shares kept by the seal itself; has no effect."] = 0
    pgp_keys: Annotated[Strings, "PGP keys that the shares are encrypted for."] = Strings(())
    root_token_pgp_key: Annotated[str, "PGP key that the root token is encrypted for."] = ""
    recovery_shares: Annotated[int, "Number of shares of the recovery key (seals that unseal themselves)."] = 0
    recovery_threshold: Annotated[int, "Number of shares that make up the recovery key."] = 0
    recovery_pgp_keys: Annotated[Strings, "PGP keys that the recovery shares are encrypted for."] = Strings(())


@dataclass
class Progress:
    """Shares handed in so far, by their text's bytes; a share given twice counts once."""

    nonce: str = field(default_factory=fresh_nonce)
    shares: list[bytes] = field(default_factory=list, repr=False)

    def add(self, share: bytes) -> None:
        """Take a share."""
        if not any(hmac.compare_digest(share, known) for known in self.shares):
            self.shares.append(share)


class ShamirWrap:
    """Wraps the root key by the key that the shares make up."""

    kind = "shamir"
    stored = False

    def __init__(self, key: bytes) -> None:
        self._key = AESGCM(key)

    async def wrap(self, plaintext: bytes) -> Blob:
        """Protect ``plaintext``."""
        nonce = secrets.token_bytes(12)
        return Blob(nonce + self._key.encrypt(nonce, plaintext, ROOT_KEY.encode()))

    async def unwrap(self, blob: Blob) -> bytes:
        """Return what was wrapped; raises SealError for another key."""
        try:
            return self._key.decrypt(blob.ciphertext[:12], blob.ciphertext[12:], ROOT_KEY.encode())
        except InvalidTag as error:
            raise SealError("the shares do not belong to this server") from error


class Sealing:
    """The barrier's door. ``opened`` and ``closed`` are called after it opened and before it closes."""

    def __init__(self, backend: Backend, barrier: Barrier, seal: Seal | None, opened: Callable[[], Awaitable[None]],
                 closed: Callable[[], Awaitable[None]]) -> None:  # fmt: skip
        """``seal`` is None for Shamir's scheme."""
        self._backend = backend
        self._barrier = barrier
        self._seal = seal
        self._opened = opened
        self._closed = closed
        self._progress: Progress | None = None
        self._lock = asyncio.Lock()
        self.config: SealConfig | None = None

    @property
    def kind(self) -> str:
        """Return the seal's type."""
        return self._seal.kind if self._seal else "shamir"

    @property
    def stored(self) -> bool:
        """Whether the server unseals itself, so that people's shares are recovery keys."""
        return self._seal is not None

    @property
    def progress(self) -> Progress | None:
        """Return the attempt under way."""
        return self._progress

    async def start(self) -> None:
        """Load the configuration; a seal that can unseals."""
        raw = await self._backend.get(CONFIG)
        self.config = None if raw is None else codec.decode(SealConfig, raw)
        if self.config is not None and self._seal is not None:
            await self._open(await self._seal.unwrap(await self._root_key()))

    async def initialized(self) -> bool:
        """Whether the server has been initialised."""
        return self.config is not None

    # -- init -----------------------------------------------------------------------------------------------------

    async def initialize(self, asked: InitRequest, make_root: Callable[[], Awaitable[str]]) -> dict[str, Any]:
        """Initialise once and return shares and root token, which are shown this one time.

        Raises InvalidRequest where the server is initialised already or the numbers make no sense.
        """
        async with self._lock:
            if self.config is not None:
                raise InvalidRequest("Vault is already initialized")
            count, threshold = self._numbers(asked)
            pgp_keys = asked.recovery_pgp_keys if self.stored else asked.pgp_keys
            if pgp_keys and len(pgp_keys) != count:
                raise InvalidRequest(f"expected as many PGP keys as shares: {count}")
            for key in (*pgp_keys, *filter(None, [asked.root_token_pgp_key])):
                pgp.encrypt(b"", key)  # a bad key is found before anything is initialised
            unseal_key, root_key = secrets.token_bytes(_KEY_LENGTH), secrets.token_bytes(_KEY_LENGTH)
            shares = split(unseal_key, count, threshold)
            if pgp_keys:
                shares = [pgp.encrypt(s.hex().encode(), k).message for s, k in zip(shares, pgp_keys, strict=True)]
            config = SealConfig(count, threshold, self.kind)
            blob = await (self._seal or ShamirWrap(unseal_key)).wrap(root_key)
            await self._barrier.initialize(root_key, beside=[_stored(blob), Change(CONFIG, codec.encode(config))])
            self.config = config
            await self._open(root_key)
            token = await make_root()
            if asked.root_token_pgp_key:
                token = base64.b64encode(pgp.encrypt(token.encode(), asked.root_token_pgp_key).message).decode()
            if self._seal is not None:
                await self._barrier.view("core/").commit([Change("recovery-key", unseal_key)])
            else:
                await self._close()
        answer = {
            "keys": [share.hex() for share in shares],
            "keys_base64": [base64.b64encode(share).decode() for share in shares],
        }
        if self.stored:
            answer = {"keys": [], "keys_base64": [], "recovery_keys": answer["keys"],
                      "recovery_keys_base64": answer["keys_base64"]}  # fmt: skip
        return {**answer, "root_token": token}

    def _numbers(self, asked: InitRequest) -> tuple[int, int]:
        if self.stored:
            if asked.secret_shares or asked.secret_threshold:
                raise InvalidRequest(
                    f"parameters secret_shares,secret_threshold not applicable to seal type {self.kind}: "
                    "give recovery_shares and recovery_threshold"
                )
            count, threshold = asked.recovery_shares, asked.recovery_threshold
        else:
            if asked.recovery_shares or asked.recovery_threshold:
                raise InvalidRequest("parameters recovery_shares,recovery_threshold not applicable to seal type shamir")
            count, threshold = asked.secret_shares, asked.secret_threshold
        check_numbers(count, threshold)
        return count, threshold

    # -- unseal ---------------------------------------------------------------------------------------------------

    async def unseal(self, share: bytes) -> None:
        """Take one share; at the threshold the server opens. Raises InvalidRequest for a share that cannot be one.

        A wrong set of shares is forgotten whole, as nobody can tell which of them was wrong.
        """
        async with self._lock:
            if self.config is None:
                raise InvalidRequest("server is not yet initialized")
            if not self._barrier.sealed:
                return
            if self.stored:
                await self._open(await self._unwrapped())
                return
            check_share(share, self.config)
            self._progress = self._progress or Progress()
            self._progress.add(share)
            if len(self._progress.shares) < self.config.threshold:
                return
            shares, self._progress = self._progress.shares, None
            await self._open(await self._combined_root(shares))

    async def _combined_root(self, shares: list[bytes]) -> bytes:
        try:
            key = combine(shares)
            return await ShamirWrap(key).unwrap(await self._root_key())
        except (SealError, ValueError) as error:
            raise InvalidRequest("unseal failed, invalid key") from error

    async def _unwrapped(self) -> bytes:
        assert self._seal is not None  # noqa: S101 - the caller asked `stored`
        return await self._seal.unwrap(await self._root_key())

    def reset(self) -> None:
        """Forget the shares handed in."""
        self._progress = None

    async def _root_key(self) -> Blob:
        raw = await self._backend.get(ROOT_KEY)
        if raw is None:
            raise SealError("the store holds no root key: it belongs to another server, or it is damaged")
        fields = codec.loads(raw)
        return Blob(base64.b64decode(fields["ciphertext"]), fields["key_id"], fields["version"])

    async def _open(self, root_key: bytes) -> None:
        await self._barrier.unseal(root_key)
        try:
            await self._opened()
        except BaseException:
            await self._close()
            raise

    async def seal(self) -> None:
        """Close the barrier."""
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        if not self._barrier.sealed:
            await self._closed()
            self._barrier.seal()

    # -- the keys of people, for rekey and generate-root ------------------------------------------------------------

    async def verify_shares(self, shares: list[bytes]) -> bytes:
        """Return the key that ``shares`` make up; raises InvalidRequest where it is not this server's.

        It is the unseal key, or the recovery key where the seal unseals itself.
        """
        try:
            key = combine(shares)
        except ValueError as error:
            raise InvalidRequest("invalid key") from error
        if self.stored:
            known = await self._barrier.view("core/").get("recovery-key")
            if known is None or not hmac.compare_digest(known, key):
                raise InvalidRequest("recovery key verification failed")
            return key
        await self._combined_root(shares)
        return key

    async def replace_key(self, key: bytes, config: SealConfig) -> None:
        """Make ``key`` the unseal (or recovery) key; its shares replace the old ones."""
        async with self._lock:
            change = Change(CONFIG, codec.encode(config))
            if self.stored:
                await self._barrier.view("core/").commit([Change("recovery-key", key)])
                await self._backend.commit([change])
            else:  # with a new root key too: whoever kept the old shares cannot open an old copy of the wrapped key
                root_key = secrets.token_bytes(_KEY_LENGTH)
                await self._barrier.rekey(root_key, beside=[_stored(await ShamirWrap(key).wrap(root_key)), change])
            self.config = config

    async def replace_root_key(self) -> None:
        """Put the keyring under a new root key where the seal wraps it; people's shares stay as they are.

        Raises InvalidRequest under Shamir's scheme: the key that wraps is then known to the holders alone.
        """
        if self._seal is None:
            raise InvalidRequest("the holders of the shares are needed: use sys/rotate/root/init")
        async with self._lock:
            root_key = secrets.token_bytes(_KEY_LENGTH)
            await self._barrier.rekey(root_key, beside=[_stored(await self._seal.wrap(root_key))])


def check_numbers(count: int, threshold: int) -> None:
    """Raise InvalidRequest unless ``threshold`` of ``count`` shares can be made (Shamir over GF(256))."""
    if not 1 <= count <= 255:
        raise InvalidRequest("secret_shares must be from 1 to 255")
    if not 1 <= threshold <= count:
        raise InvalidRequest("secret_threshold must be from 1 to secret_shares")
    if threshold == 1 and count > 1:
        raise InvalidRequest("secret_threshold must be at least 2 when there is more than one share")


def check_share(share: bytes, config: SealConfig) -> None:
    """Raise InvalidRequest for a share of impossible length."""
    length = _KEY_LENGTH if config.shares == 1 else _KEY_LENGTH + 1
    if len(share) != length:
        raise InvalidRequest(f"key must be {length} bytes; it is {len(share)}")


def split(key: bytes, count: int, threshold: int) -> list[bytes]:
    """Return the shares of ``key``; a single one is the key itself, as Vault has it."""
    return [key] if count == 1 else shamir.split(key, count, threshold)


def combine(shares: list[bytes]) -> bytes:
    """Return the key that ``shares`` make up; raises ValueError for shares that do not fit each other."""
    return shares[0] if len(shares) == 1 else shamir.combine(shares)


def decode_share(text: str) -> bytes:
    """Read a share as people paste it, hex or base64; raises InvalidRequest."""
    text = text.strip()
    if not text:
        raise InvalidRequest("'key' must be specified in request body as JSON")
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidRequest("'key' must be a valid hex or base64 string") from None


def _stored(blob: Blob) -> Change:
    text = base64.b64encode(blob.ciphertext).decode()
    return Change(ROOT_KEY, codec.encode({"ciphertext": text, "key_id": blob.key_id, "version": blob.version}))
