"""sys/rotate/root and rotate/recovery: rekey's newer paths. They ask for a token, and answer within the envelope."""

from typing import Any

from strongroom_common.fields import Given
from strongroom_server.core.sys.rekey import Rekey, Share, Start
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Request, Response


class RotateRoot(Rekey):
    """The same operation on both families of paths: what one begins, the other shows."""

    @write("rotate/root", sudo=True)
    async def rotate_root(self) -> None:
        """Install a new root key where the seal wraps it; the shares stay."""
        await self.server.sealing.replace_root_key()

    @read("rotate/root/init")
    @read("rotate/recovery/init")
    async def read_rotation(self, request: Request) -> dict[str, Any]:
        """Tell how far the operation has come."""
        self._check(request)
        return self._progress()

    @write("rotate/root/init")
    @write("rotate/recovery/init")
    async def start_rotation(self, request: Request, body: Given[Start]) -> dict[str, Any]:
        """Begin an operation."""
        await self.start_rekey(body, request)
        return self._progress()

    @delete("rotate/root/init")
    @delete("rotate/recovery/init")
    async def cancel_rotation(self) -> None:
        """Forget the operation; the old shares stay."""
        await self.cancel_rekey()

    @write("rotate/root/update")
    @write("rotate/recovery/update")
    async def rotate_by_share(self, request: Request, body: Given[Share]) -> dict[str, Any]:
        """Hand in an old share; the last one needed brings the new ones."""
        self._check(request)
        done = _data(await self.give_old_share(body))
        return {"verification_nonce": "", **done} if done.get("complete") else self._progress()

    @read("rotate/root/verify")
    @read("rotate/recovery/verify")
    async def read_trial(self) -> dict[str, Any]:
        """Tell how far trying the new shares has come."""
        return _data(await self.read_verification())

    @write("rotate/root/verify")
    @write("rotate/recovery/verify")
    async def verify_by_share(self, body: Given[Share]) -> dict[str, Any]:
        """Hand in a new share; the last one needed makes the new ones valid and the old ones not."""
        return _data(await self.give_new_share(body))

    @delete("rotate/root/verify")
    @delete("rotate/recovery/verify")
    async def restart_trial(self) -> dict[str, Any]:
        """Forget the new shares given so far, and begin trying anew."""
        return _data(await self.restart_verification())

    @read("rotate/root/backup")
    @read("rotate/recovery/backup")
    async def read_kept(self) -> dict[str, Any]:
        """Return the encrypted shares that were kept."""
        return await self.read_backup()

    @delete("rotate/root/backup")
    @delete("rotate/recovery/backup")
    async def delete_kept(self) -> None:
        """Forget the encrypted shares that were kept."""
        await self.delete_backup()

    def _check(self, request: Request) -> None:
        if request.path.startswith("rotate/recovery/") and not self.server.sealing.stored:
            raise InvalidRequest("recovery keys not supported: the seal is Shamir's")

    def _progress(self) -> dict[str, Any]:
        state = _data(self._state())
        if not state["started"]:
            return {name: state[name] for name in ("n", "required", "started", "t")}
        return {"verification_nonce": "", **state}


def _data(response: Response) -> dict[str, Any]:
    return response.data or {}
