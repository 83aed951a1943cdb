"""sys/rekey: new shares for the holders, with verification before the old ones stop working where that is asked."""

import base64
import secrets
from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Strings
from strongroom_common.secret import Secret
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.quorum import Quorum
from strongroom_server.core.sealing import SealConfig, check_numbers, combine, decode_share, split
from strongroom_server.core.sys.area import Area
from strongroom_server.lib import pgp
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import Storage, load, remove, save
from strongroom_server.sdk.system import System

_WHAT = "rekey"
_BACKUP = "rekey-backup"
_RECOVERY = ("rekey-recovery-key/", "rotate/recovery/")


@dataclass(frozen=True)
class Start:
    """What the new shares shall be."""

    secret_shares: Annotated[int, "Number of shares."] = 0
    secret_threshold: Annotated[int, "Number of shares that open the server."] = 0
    stored_shares: Annotated[int, "Has no effect."] = 0
    pgp_keys: Annotated[Strings, "PGP keys that the shares are encrypted for, in base64."] = Strings(())
    backup: Annotated[bool, "Keep the encrypted shares on the server too."] = False
    require_verification: Annotated[bool, "Let the new shares be tried before the old ones stop working."] = False


@dataclass(frozen=True)
class Share:
    """One holder's share."""

    key: Annotated[Secret[str], "The share, in hex or base64."] = Secret("")
    nonce: Annotated[str, "The nonce of the operation."] = ""


@dataclass
class Verification:
    """New shares on trial: the key that they make up, and those given so far."""

    key: bytes
    config: SealConfig
    nonce: str
    shares: list[bytes]
    begun: str
    """The nonce of the operation that made them."""


class Rekey(Area):
    """New shares. The paths of recovery keys are the same operation on a seal that unseals itself."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._quorum: Quorum[Start] | None = None
        self._trial: Verification | None = None

    @property
    def quorum(self) -> Quorum[Start]:
        """Return the operation under way, or room for one."""
        if self._quorum is None:
            self._quorum = Quorum(self.server.sealing)
        return self._quorum

    @read("rekey/init", public=True)
    @read("rekey-recovery-key/init", public=True)
    async def read_rekey(self) -> Response:
        """Tell how far the operation has come."""
        return self._state()

    @write("rekey/init", public=True)
    @write("rekey-recovery-key/init", public=True)
    async def start_rekey(self, body: Given[Start], request: Request) -> Response:
        """Begin an operation."""
        if request.path.startswith(_RECOVERY) and not self.server.sealing.stored:
            raise InvalidRequest("recovery keys not supported: the seal is Shamir's")
        asked = body.value
        check_numbers(asked.secret_shares, asked.secret_threshold)
        if asked.pgp_keys and len(asked.pgp_keys) != asked.secret_shares:
            raise InvalidRequest("incorrect number of PGP keys for the number of shares")
        for key in asked.pgp_keys:
            pgp.encrypt(b"", key)
        if asked.backup and not asked.pgp_keys:
            raise InvalidRequest("cannot request a backup of the new keys without providing PGP keys for encryption")
        self.quorum.start(asked, _WHAT)
        self._trial = None
        return self._state()

    @delete("rekey/init", public=True)
    @delete("rekey-recovery-key/init", public=True)
    async def cancel_rekey(self) -> None:
        """Forget the operation; the old shares stay."""
        self.quorum.cancel()
        self._trial = None

    @write("rekey/update", public=True)
    @write("rekey-recovery-key/update", public=True)
    async def give_old_share(self, body: Given[Share]) -> Response:
        """Hand in an old share; the last one needed brings the new ones."""
        nonce = self.quorum.nonce
        asked = await self.quorum.give(decode_share(body.value.key.reveal()), body.value.nonce, _WHAT)
        if asked is None:
            return self._state()
        key = secrets.token_bytes(32)
        config = SealConfig(asked.secret_shares, asked.secret_threshold, self.server.sealing.kind)
        answer = await self._handed_out(key, config, asked)
        if asked.require_verification:
            self._trial = Verification(key, config, fresh_nonce(), [], nonce)
            answer["verification_nonce"] = self._trial.nonce
        else:
            await self.server.sealing.replace_key(key, config)
        return Response({"nonce": nonce, "complete": True, "backup": asked.backup,
                         "verification_required": asked.require_verification, **answer}, bare=True)  # fmt: skip

    async def _handed_out(self, key: bytes, config: SealConfig, asked: Start) -> dict[str, Any]:
        shares = split(key, config.shares, config.threshold)
        if not asked.pgp_keys:
            return _shown(shares) | {"pgp_fingerprints": None}
        sealed = [pgp.encrypt(s.hex().encode(), k) for s, k in zip(shares, asked.pgp_keys, strict=True)]
        answer = _shown([one.message for one in sealed])
        fingerprints = [one.fingerprint for one in sealed]
        if asked.backup:
            kept: dict[str, list[str]] = {}
            for fingerprint, text in zip(fingerprints, answer["keys"], strict=True):
                kept.setdefault(fingerprint, []).append(text)
            await save(self.server.barrier.view("core/"), _BACKUP, {"nonce": self.quorum.nonce, "keys": kept})
        return answer | {"pgp_fingerprints": fingerprints}

    def _state(self) -> Response:
        quorum, plan, trial = self.quorum, self.quorum.plan, self._trial
        state = {
            "nonce": quorum.nonce, "started": plan is not None or trial is not None, "t": 0, "n": 0,
            "progress": quorum.progress, "required": quorum.required, "pgp_fingerprints": None, "backup": False,
            "verification_required": False,
        }  # fmt: skip
        if plan is not None:
            fingerprints = [pgp.encrypt(b"", key).fingerprint for key in plan.pgp_keys]
            state |= {"t": plan.secret_threshold, "n": plan.secret_shares, "backup": plan.backup,
                      "verification_required": plan.require_verification,
                      "pgp_fingerprints": fingerprints or None}  # fmt: skip
        if trial is not None:
            state |= {"t": trial.config.threshold, "n": trial.config.shares, "verification_required": True,
                      "nonce": trial.begun, "verification_nonce": trial.nonce}  # fmt: skip
        return Response(state, bare=True)

    # -- verification -----------------------------------------------------------------------------------------------

    @read("rekey/verify", public=True)
    @read("rekey-recovery-key/verify", public=True)
    async def read_verification(self) -> Response:
        """Tell how far trying the new shares has come."""
        trial = self._on_trial()
        return Response({"nonce": trial.nonce, "started": True, "t": trial.config.threshold, "n": trial.config.shares,
                         "progress": len(trial.shares)}, bare=True)  # fmt: skip

    @write("rekey/verify", public=True)
    @write("rekey-recovery-key/verify", public=True)
    async def give_new_share(self, body: Given[Share]) -> Response:
        """Hand in a new share; the last one needed makes the new ones valid and the old ones not."""
        trial = self._on_trial()
        if not secrets.compare_digest(body.value.nonce.encode(), trial.nonce.encode()):
            raise InvalidRequest(f'incorrect nonce supplied; nonce for this verify operation is "{trial.nonce}"')
        share = decode_share(body.value.key.reveal())
        if any(secrets.compare_digest(share, given) for given in trial.shares):
            raise InvalidRequest("given key has already been provided during this verify operation")
        trial.shares.append(share)
        if len(trial.shares) < trial.config.threshold:
            return await self.read_verification()
        shares, trial.shares = trial.shares, []
        if not secrets.compare_digest(_combined(shares), trial.key):
            raise InvalidRequest("rekey verification failed; incorrect shares supplied")
        await self.server.sealing.replace_key(trial.key, trial.config)
        self._trial = None
        return Response({"nonce": trial.nonce, "complete": True}, bare=True)

    @delete("rekey/verify", public=True)
    @delete("rekey-recovery-key/verify", public=True)
    async def restart_verification(self) -> Response:
        """Forget the new shares given so far, and begin trying anew."""
        trial = self._on_trial()
        self._trial = replace(trial, nonce=fresh_nonce(), shares=[])
        return await self.read_verification()

    def _on_trial(self) -> Verification:
        if self._trial is None:
            raise InvalidRequest("no rekey verification operation in progress")
        return self._trial

    # -- the backup -------------------------------------------------------------------------------------------------

    @read("rekey/backup")
    @read("rekey/recovery-key-backup")
    async def read_backup(self) -> dict[str, Any]:
        """Return the encrypted shares that were kept."""
        kept = await load(self.server.barrier.view("core/"), _BACKUP, dict[str, Any])
        if kept is None:
            raise InvalidRequest("no backed-up keys found")
        coded = {f: [base64.b64encode(bytes.fromhex(k)).decode() for k in keys] for f, keys in kept["keys"].items()}
        return {**kept, "keys_base64": coded}

    @delete("rekey/backup")
    @delete("rekey/recovery-key-backup")
    async def delete_backup(self) -> None:
        """Forget the encrypted shares that were kept."""
        await self.server.barrier.view("core/").commit([remove(_BACKUP)])


def _shown(shares: list[bytes]) -> dict[str, Any]:
    return {"keys": [share.hex() for share in shares],
            "keys_base64": [base64.b64encode(share).decode() for share in shares]}  # fmt: skip


def _combined(shares: list[bytes]) -> bytes:
    try:
        return combine(shares)
    except ValueError:
        return b""
