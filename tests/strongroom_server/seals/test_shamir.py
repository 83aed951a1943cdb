import itertools

import pyshamir
import pytest

from strongroom_server.barrier import Barrier
from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Blob
from strongroom_server.seals import open_seal
from strongroom_server.seals.shamir import combine, split
from strongroom_server.storage.memory import MemoryStore

ROOT = bytes(range(32))


@pytest.mark.parametrize(("shares", "threshold"), [(2, 2), (3, 2), (5, 3), (5, 5), (6, 4)])
def test_any_threshold_of_shares_gives_the_secret(shares: int, threshold: int):
    parts = split(ROOT, shares, threshold)
    assert {len(part) for part in parts} == {33}
    assert len(set(parts)) == shares
    for some in itertools.combinations(parts, threshold):
        assert combine(some) == ROOT
    assert combine(parts) == ROOT
    if threshold > 2:
        assert combine(parts[: threshold - 1]) != ROOT


def test_255_shares_are_possible():
    parts = split(ROOT, 255, 2)
    assert combine([parts[0], parts[254]]) == ROOT


def test_a_single_share_is_the_key_itself():
    assert split(ROOT, 1, 1) == [ROOT]
    assert combine([ROOT]) == ROOT


def test_shares_are_interchangeable_with_another_port_of_vaults():
    assert combine([bytes(part) for part in pyshamir.split(ROOT, 5, 3)[1:4]]) == ROOT
    assert bytes(pyshamir.combine([bytearray(part) for part in split(ROOT, 5, 3)[2:]])) == ROOT


@pytest.mark.parametrize(("shares", "threshold"), [(0, 0), (0, 1), (3, 0), (3, 4), (256, 3), (-1, -1), (3, 1)])
def test_impossible_numbers_are_refused(shares: int, threshold: int):
    with pytest.raises(SealError, match=r"expected|needs"):
        split(ROOT, shares, threshold)


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param([], id="none"),
        pytest.param([b"abc\x01", b"abcd\x02"], id="lengths_differ"),
        pytest.param([b"abc\x01", b"abc\x01"], id="twice_the_same"),
        pytest.param([b"abc\x01", b"xyz\x01"], id="twice_the_same_number"),
        pytest.param([b"a", b"b"], id="too_short"),
    ],
)
def test_shares_that_cannot_belong_together_are_refused(shares: list[bytes]):
    with pytest.raises(SealError, match="do not fit together"):
        combine(shares)


async def test_wrong_shares_do_not_open_the_keyring():
    barrier = Barrier(MemoryStore())
    await barrier.initialize(ROOT)
    right, foreign = split(ROOT, 5, 3), split(bytes(32), 5, 3)
    with pytest.raises(SealError, match="does not open"):
        await barrier.unseal(combine([right[0], right[1], foreign[2]]))
    await barrier.unseal(combine(right[2:]))


async def test_it_wraps_nothing():
    seal = await open_seal("shamir", {})
    assert (seal.kind, seal.stored) == ("shamir", False)
    with pytest.raises(SealError):
        await seal.wrap(ROOT)
    with pytest.raises(SealError):
        await seal.unwrap(Blob(b""))
