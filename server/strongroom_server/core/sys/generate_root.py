"""sys/generate-root: a root token from the holders' shares, handed over under a one-time pad or a PGP key."""

import base64
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.core.quorum import Quorum
from strongroom_server.core.sealing import decode_share
from strongroom_server.core.sys.area import Area
from strongroom_server.core.tokens import SERVICE_LENGTH, random_text
from strongroom_server.lib import pgp
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

_WHAT = "root generation"


@dataclass(frozen=True)
class Start:
    """How the token shall be protected on its way."""

    otp: Annotated[Secret[str], "One-time pad as long as the token; made up where left out."] = Secret("")
    pgp_key: Annotated[str, "PGP key that the token is encrypted for, in base64."] = ""


@dataclass(frozen=True)
class Share:
    """One holder's share."""

    key: Annotated[Secret[str], "The share, in hex or base64."] = Secret("")
    nonce: Annotated[str, "The attempt's nonce."] = ""


@dataclass(frozen=True)
class Plan:
    """What an attempt will do."""

    otp: str
    pgp_key: str
    fingerprint: str


class GenerateRoot(Area):
    """A root token when there is none."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._quorum: Quorum[Plan] | None = None

    @property
    def quorum(self) -> Quorum[Plan]:
        """Return the attempt under way, or room for one."""
        if self._quorum is None:
            self._quorum = Quorum(self.server.sealing)
        return self._quorum

    @read("generate-root/attempt", public=True)
    @read("generate-root", public=True)
    async def read_attempt(self) -> Response:
        """Tell how far the attempt has come."""
        return self._state()

    @write("generate-root/attempt", public=True)
    @write("generate-root", public=True)
    async def start_attempt(self, body: Given[Start]) -> Response:
        """Begin an attempt."""
        otp, key = body.value.otp.reveal(), body.value.pgp_key
        if otp and key:
            raise InvalidRequest('only one of "otp" and "pgp_key" may be given')
        if otp and len(otp) != SERVICE_LENGTH:
            raise InvalidRequest(f"OTP string is wrong length: expected {SERVICE_LENGTH} characters")
        fingerprint = pgp.encrypt(b"", key).fingerprint if key else ""
        made = "" if otp or key else random_text(SERVICE_LENGTH)
        self.quorum.start(Plan(otp or made, key, fingerprint), _WHAT)
        return self._state(otp=made)

    @delete("generate-root/attempt", public=True)
    @delete("generate-root", public=True)
    @delete("generate-root-token/attempt")
    async def cancel_attempt(self) -> None:
        """Forget the attempt."""
        self.quorum.cancel()

    @write("generate-root/update", public=True)
    async def give_share(self, body: Given[Share]) -> Response:
        """Hand in a share; the last one needed brings the token."""
        nonce, given = self.quorum.nonce, self.quorum.progress + 1
        plan = await self.quorum.give(decode_share(body.value.key.reveal()), body.value.nonce, _WHAT)
        if plan is None:
            return self._state()
        token = (await self.server.make_root_token()).encode()
        if plan.pgp_key:
            encoded = base64.b64encode(pgp.encrypt(token, plan.pgp_key).message).decode()
        else:
            pad = plan.otp.encode()
            encoded = base64.b64encode(bytes(a ^ b for a, b in zip(token, pad, strict=True))).decode().rstrip("=")
        return self._state(complete=True, nonce=nonce, progress=given, encoded_token=encoded,
                           encoded_root_token=encoded, pgp_fingerprint=plan.fingerprint)  # fmt: skip

    # -- the same for those who have a token, within the envelope ---------------------------------------------------

    @read("generate-root-token/attempt")
    async def read_attempt_with_token(self) -> dict[str, Any]:
        """Tell how far the attempt has come."""
        return _enveloped(self._state())

    @write("generate-root-token/attempt")
    async def start_attempt_with_token(self, body: Given[Start]) -> dict[str, Any]:
        """Begin an attempt."""
        return _enveloped(await self.start_attempt(body))

    @write("generate-root-token/update")
    async def give_share_with_token(self, body: Given[Share]) -> dict[str, Any]:
        """Hand in a share; the last one needed brings the token."""
        return _enveloped(await self.give_share(body))

    def _state(self, **more: Any) -> Response:
        quorum = self.quorum
        plan = quorum.plan
        state = {
            "nonce": quorum.nonce, "started": plan is not None, "progress": quorum.progress,
            "required": quorum.required, "complete": False, "encoded_token": "", "encoded_root_token": "",
            "pgp_fingerprint": plan.fingerprint if plan else "", "otp": "", "otp_length": SERVICE_LENGTH,
        }  # fmt: skip
        return Response({**state, **more}, bare=True)


def _enveloped(response: Response) -> dict[str, Any]:
    return {name: value for name, value in (response.data or {}).items() if name != "encoded_root_token"}
