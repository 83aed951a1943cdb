import base64
from pathlib import Path

import pytest

from strongroom_server.sdk.errors import SealError
from strongroom_server.sdk.seal import Seal
from strongroom_server.seals import open_seal
from tests.conformance.seal import ROOT, SealConformance

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


class TestStatic(SealConformance):
    async def open(self) -> Seal:
        return await open_seal("static", {"current_key_id": "one", "current_key": encoded(KEY)})

    async def open_other(self) -> Seal:
        return await open_seal("static", {"current_key_id": "one", "current_key": encoded(OTHER)})


class TestAesgcm(SealConformance):
    async def open(self) -> Seal:
        return await open_seal("aesgcm", {"keys": [encoded(KEY)]})

    async def open_other(self) -> Seal:
        return await open_seal("aesgcm", {"keys": [encoded(OTHER)]})


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    (tmp_path / "raw").write_bytes(KEY)
    (tmp_path / "text").write_text(encoded(KEY) + "\n")
    (tmp_path / "hex").write_text(KEY.hex() + "\n")
    monkeypatch.setenv("SEAL_KEY", encoded(KEY))
    return {
        "base64": encoded(KEY),
        "hex": KEY.hex(),
        "raw_file": f"file://{tmp_path}/raw",
        "base64_file": f"file://{tmp_path}/text",
        "hex_file": f"file://{tmp_path}/hex",
        "environment": "env://SEAL_KEY",
    }


@pytest.mark.parametrize("place", ["base64", "hex", "raw_file", "base64_file", "hex_file", "environment"])
async def test_a_key_may_be_given_in_many_ways(place: str, places: dict[str, str]):
    blob = await (await open_seal("static", {"current_key_id": "k", "current_key": places[place]})).wrap(ROOT)
    assert await (await open_seal("static", {"current_key_id": "k", "current_key": encoded(KEY)})).unwrap(blob) == ROOT


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({}, "missing required field 'current_key", id="nothing"),
        pytest.param({"current_key_id": "", "current_key": encoded(KEY)}, "current_key_id is empty", id="no_id"),
        pytest.param({"current_key_id": "a", "current_key": encoded(KEY[:16])}, "has 16 bytes: expected 32", id="size"),
        pytest.param({"current_key_id": "a", "current_key": "ab" * 16}, "has 24 bytes", id="hex_of_16"),
        pytest.param({"current_key_id": "a", "current_key": "s3cret!"}, "neither base64 nor hex", id="text"),
        pytest.param({"current_key_id": "a", "current_key": "env://NO_SUCH"}, "'NO_SUCH' is not set", id="no_variable"),
        pytest.param({"current_key_id": "a", "current_key": "file:///no/such"}, "No such file", id="no_file"),
        pytest.param({"current_key_id": "a", "current_key": "http://x"}, "unknown scheme 'http'", id="scheme"),
        pytest.param(
            {"current_key_id": "a", "current_key": encoded(KEY), "previous_key_id": "b"}, "belong together", id="half"
        ),
        pytest.param(
            {
                "current_key_id": "a",
                "current_key": encoded(KEY),
                "previous_key_id": "a",
                "previous_key": encoded(OTHER),
            },
            "previous_key_id is current_key_id",
            id="same_id",
        ),
    ],
)
async def test_a_wrong_static_setting_is_named_and_no_key_shown(settings: dict[str, str], message: str):
    with pytest.raises(SealError, match=message) as caught:
        await open_seal("static", settings)
    assert "s3cret" not in str(caught.value)


async def test_the_previous_key_still_unwraps_and_the_current_one_wraps():
    old = await open_seal("static", {"current_key_id": "1", "current_key": encoded(KEY)})
    both = await open_seal(
        "static",
        {"current_key_id": "2", "current_key": encoded(OTHER), "previous_key_id": "1", "previous_key": encoded(KEY)},
    )
    assert await both.unwrap(await old.wrap(ROOT)) == ROOT
    blob = await both.wrap(ROOT)
    assert blob.key_id == "2"
    with pytest.raises(SealError, match="wrapped by the key '2', which is not set"):
        await old.unwrap(blob)


async def test_the_guides_aesgcm_key_is_accepted():
    guide = {"keys": ["Z3M5bnR0MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY="]}  # 32 bytes
    assert await (await open_seal("aesgcm", guide)).unwrap(await (await open_seal("aesgcm", guide)).wrap(ROOT)) == ROOT


@pytest.mark.parametrize("size", [16, 24, 32])
async def test_every_size_of_an_aes_key_is_accepted(size: int):
    seal = await open_seal("aesgcm", {"keys": [encoded(b"k" * size)]})
    assert await seal.unwrap(await seal.wrap(ROOT)) == ROOT


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        pytest.param([], "keys is empty", id="none"),
        pytest.param([encoded(KEY), encoded(b"x" * 31)], r"keys\[1\] has 31 bytes: expected 16 or 24 or 32", id="size"),
        pytest.param(["?"], r"keys\[0\] is neither base64 nor hex", id="text"),
    ],
)
async def test_a_wrong_aesgcm_key_is_named(keys: list[str], message: str):
    with pytest.raises(SealError, match=message):
        await open_seal("aesgcm", {"keys": keys})


async def test_the_first_aesgcm_key_wraps_and_all_unwrap():
    old = await open_seal("aesgcm", {"keys": [encoded(KEY)]})
    both = await open_seal("aesgcm", {"keys": [encoded(OTHER), encoded(KEY)]})
    assert await both.unwrap(await old.wrap(ROOT)) == ROOT
    with pytest.raises(SealError, match="which is not set"):
        await old.unwrap(await both.wrap(ROOT))


async def test_an_unknown_seal_is_refused_and_the_known_ones_named():
    with pytest.raises(SealError, match="expected one of aesgcm, shamir, static"):
        await open_seal("wrapping", {})
