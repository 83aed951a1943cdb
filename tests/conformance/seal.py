"""What every seal that stores a wrapped root key must do. Subclass ``SealConformance``, saying how it is opened."""

import dataclasses

import pytest

from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Blob, Seal

ROOT = bytes(range(32))


class SealConformance:
    """``open`` opens the same seal each time, ``open_other`` one with other keys."""

    async def open(self) -> Seal:
        raise NotImplementedError

    async def open_other(self) -> Seal:
        raise NotImplementedError

    async def test_it_says_what_it_is(self):
        seal = await self.open()
        assert seal.stored
        assert seal.kind

    @pytest.mark.parametrize("plaintext", [ROOT, b"", b"\x00", b"x" * 4096], ids=["key", "empty", "nul", "long"])
    async def test_what_was_wrapped_is_unwrapped_after_a_restart(self, plaintext: bytes):
        blob = await (await self.open()).wrap(plaintext)
        assert await (await self.open()).unwrap(blob) == plaintext

    async def test_the_root_key_is_not_in_the_blob_and_each_wrapping_differs(self):
        seal = await self.open()
        blobs = [await seal.wrap(ROOT) for _ in range(2)]
        assert blobs[0].ciphertext != blobs[1].ciphertext
        assert ROOT not in blobs[0].ciphertext

    async def test_another_seals_blob_is_refused(self):
        blob = await (await self.open_other()).wrap(ROOT)
        with pytest.raises(SealError):
            await (await self.open()).unwrap(blob)

    @pytest.mark.parametrize("cut", [0, 5, 12, -1], ids=["empty", "short", "nonce_only", "last_byte_gone"])
    async def test_a_cut_blob_is_refused(self, cut: int):
        seal = await self.open()
        blob = await seal.wrap(ROOT)
        with pytest.raises(SealError):
            await seal.unwrap(dataclasses.replace(blob, ciphertext=blob.ciphertext[:cut]))

    async def test_a_damaged_blob_is_refused(self):
        seal = await self.open()
        blob = await seal.wrap(ROOT)
        for position in range(len(blob.ciphertext)):
            damaged = bytearray(blob.ciphertext)
            damaged[position] ^= 1
            with pytest.raises(SealError):
                await seal.unwrap(Blob(bytes(damaged), blob.key_id, blob.version))
