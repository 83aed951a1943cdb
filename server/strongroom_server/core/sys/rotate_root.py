"""sys/rotate/root and rotate/recovery: rekey's newer paths. They ask for a token, and answer within the envelope."""

from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.sys.rekey import Rekey, Share, Start
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest, UnsupportedPath
from strongroom_server.sdk.request import Response

Which = Annotated[str, "root, or recovery where the seal unseals the server."]


class RotateRoot(Rekey):
    """The same operation on both families of paths: what one begins, the other shows."""

    @write("rotate/root", sudo=True)
    async def rotate_root(self) -> None:
        """Install a new root key where the seal wraps it; the shares stay."""
        await self.server.sealing.replace_root_key()

    @read("rotate/{which}/init")
    async def read_rotation(self, which: Which) -> dict[str, Any]:
        """Tell how far the operation has come."""
        self._check(which)
        return self._progress()

    @write("rotate/{which}/init")
    async def start_rotation(self, which: Which, body: Given[Start]) -> dict[str, Any]:
        """Begin an operation."""
        self._check(which)
        await self.start_rekey(body)
        return self._progress()

    @delete("rotate/{which}/init")
    async def cancel_rotation(self, which: Which) -> None:
        """Forget the operation; the old shares stay."""
        _known(which)
        await self.cancel_rekey()

    @write("rotate/{which}/update")
    async def rotate_by_share(self, which: Which, body: Given[Share]) -> dict[str, Any]:
        """Hand in an old share; the last one needed brings the new ones."""
        self._check(which)
        done = _data(await self.give_old_share(body))
        return {"verification_nonce": "", **done} if done.get("complete") else self._progress()

    @read("rotate/{which}/verify")
    async def read_trial(self, which: Which) -> dict[str, Any]:
        """Tell how far trying the new shares has come."""
        _known(which)
        return _data(await self.read_verification())

    @write("rotate/{which}/verify")
    async def verify_by_share(self, which: Which, body: Given[Share]) -> dict[str, Any]:
        """Hand in a new share; the last one needed makes the new ones valid and the old ones not."""
        _known(which)
        answer = _data(await self.give_new_share(body))
        return answer if answer.get("complete") else _data(await self.read_verification())

    @delete("rotate/{which}/verify")
    async def restart_trial(self, which: Which) -> dict[str, Any]:
        """Forget the new shares given so far, and begin trying anew."""
        _known(which)
        return _data(await self.restart_verification())

    @read("rotate/{which}/backup")
    async def read_kept(self, which: Which) -> dict[str, Any]:
        """Return the encrypted shares that were kept."""
        _known(which)
        return await self.read_backup()

    @delete("rotate/{which}/backup")
    async def delete_kept(self, which: Which) -> None:
        """Forget the encrypted shares that were kept."""
        _known(which)
        await self.delete_backup()

    def _check(self, which: str) -> None:
        _known(which)
        if which == "recovery" and not self.server.sealing.stored:
            raise InvalidRequest("recovery keys not supported: the seal is Shamir's")

    def _progress(self) -> dict[str, Any]:
        state = _data(self._state())
        if not state["started"]:
            return {name: state[name] for name in ("n", "required", "started", "t")}
        return {"verification_nonce": "", **state}


def _known(which: str) -> None:
    if which not in ("root", "recovery"):
        raise UnsupportedPath


def _data(response: Response) -> dict[str, Any]:
    return response.data or {}
