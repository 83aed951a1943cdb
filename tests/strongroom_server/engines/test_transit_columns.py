"""Batches that are served a column at a time answer as those that are served item by item."""

import base64
from typing import Any

import pytest

from strongroom_server.engines.transit import Engine, columns
from strongroom_server.engines.transit.store import KeyStore
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response
from tests.strongroom_server.fakes import Mounted

A, B = base64.b64encode(b"a").decode(), base64.b64encode(b"b" * 100).decode()
KINDS = ("aes256-gcm96", "aes128-gcm96", "chacha20-poly1305")
MIXES = [
    pytest.param([A, B, A], id="good_ones"),
    pytest.param([""], id="an_empty_one"),
    pytest.param([A, "!", B], id="one_that_is_no_base64"),
    pytest.param(["!"], id="none_that_is_good"),
    pytest.param([A, 17, None, True, ["x"], {}], id="some_that_are_no_texts"),
    pytest.param([A[:2] + "\n" + A[2:]], id="a_line_end_within"),
    pytest.param([A, "AAAA="], id="padding_that_is_too_much"),
    pytest.param(["é"], id="one_that_is_not_ascii"),
]


@pytest.fixture
async def transit() -> Mounted:
    """A mount with a key of each kind, named after it, and a derived one."""
    mounted = await Mounted(Engine).start()
    for kind in (*KINDS, "ed25519"):
        await mounted.ask("update", f"keys/{kind}", {"type": kind})
    await mounted.ask("update", "keys/derived", {"derived": True})
    return mounted


async def plain(mounted: Mounted, path: str, items: list[dict[str, Any]]) -> tuple[int, list[Any]]:
    return shown(await mounted.ask("update", path, {"batch_input": items}))


async def by_item(mounted: Mounted, path: str, items: list[dict[str, Any]]) -> tuple[int, list[Any]]:
    """A version, even the one that is taken anyway, keeps a batch from the short way."""
    return await plain(mounted, path, [{**item, "key_version": 0} for item in items])


def shown(response: Response) -> tuple[int, list[Any]]:
    results: list[Any] = codec.loads(codec.encode(response.data))["batch_results"]
    return response.status, results


def key_of(mounted: Mounted, name: str) -> Any:
    assert isinstance(mounted.engine, KeyStore)
    return mounted.engine._keys[name]


async def sealed(mounted: Mounted, name: str, plaintext: str) -> str:
    data = (await mounted.ask("update", f"encrypt/{name}", {"plaintext": plaintext})).data or {}
    ciphertext: str = data["ciphertext"]
    return ciphertext


async def opened(mounted: Mounted, name: str, results: list[Any]) -> list[Any]:
    """Results of encrypting with their plaintexts in place of the ciphertexts, which are never the same twice."""
    return [
        {**result, "ciphertext": (await mounted.ask("update", f"decrypt/{name}", {"ciphertext": text})).data}
        if (text := result.get("ciphertext")) else result
        for result in results
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", MIXES)
async def test_both_ways_encrypt_alike(transit: Mounted, kind: str, texts: list[Any]) -> None:
    await transit.ask("update", f"keys/{kind}/rotate")
    items = [{"plaintext": text} for text in texts]
    (status, short), (expected, long) = [await way(transit, f"encrypt/{kind}", items) for way in (plain, by_item)]
    assert status == expected
    assert await opened(transit, kind, short) == await opened(transit, kind, long)
    assert [list(result) for result in short] == [list(result) for result in long]


@pytest.mark.parametrize("kind", KINDS)
async def test_both_ways_decrypt_and_rewrap_alike(transit: Mounted, kind: str) -> None:
    old = await sealed(transit, kind, A)
    await transit.ask("update", f"keys/{kind}/rotate")
    new = await sealed(transit, kind, B)
    bad = ["", "x", "vault:v1:", "vault:v1:AAAA", "vault:v9:" + new[9:], "vault:v1:" + new[9:], "vault:v2:x:" + new[9:],
           "vault:v0:" + old[9:], "vault::" + old[9:], new[:-4], f" {new}", 5, None]  # fmt: skip
    batches: list[list[Any]] = [[old, new], [new], *([old, text, new] for text in bad), bad]
    for texts in batches:
        items = [{"ciphertext": text} for text in texts]
        assert await plain(transit, f"decrypt/{kind}", items) == await by_item(transit, f"decrypt/{kind}", items)
        (status, short), (expected, long) = [await way(transit, f"rewrap/{kind}", items) for way in (plain, by_item)]
        assert status == expected
        assert await opened(transit, kind, short) == await opened(transit, kind, long)


@pytest.mark.parametrize("texts", MIXES)
@pytest.mark.parametrize("algorithm", ["sha1", "sha2-256", "sha3-512"])
async def test_both_ways_make_the_same_hmacs(transit: Mounted, texts: list[Any], algorithm: str) -> None:
    path, items = f"hmac/ed25519/{algorithm}", [{"input": text} for text in texts]
    assert await plain(transit, path, items) == await by_item(transit, path, items)


@pytest.mark.parametrize(
    ("name", "item", "short"),
    [
        pytest.param("aes256-gcm96", {"plaintext": A}, True, id="a_text_alone"),
        pytest.param("aes256-gcm96", {"plaintext": A, "reference": "x"}, True, id="a_text_with_a_reference"),
        pytest.param("aes256-gcm96", {"plaintext": A, "key_version": 1}, False, id="a_version"),
        pytest.param("aes256-gcm96", {"plaintext": A, "associated_data": A}, False, id="associated_data"),
        pytest.param("aes256-gcm96", {"plaintext": "!"}, False, id="a_wrong_text"),
        pytest.param("derived", {"plaintext": A}, False, id="a_derived_key"),
        pytest.param("ed25519", {"plaintext": A}, False, id="a_key_of_two_halves"),
    ],
)
async def test_what_goes_the_short_way(transit: Mounted, name: str, item: dict[str, Any], short: bool) -> None:
    assert (columns.encrypt(key_of(transit, name), [{"plaintext": B}, item]) is not None) is short


async def test_versions_below_the_minimum_are_barred_both_ways(transit: Mounted) -> None:
    old = await sealed(transit, "aes256-gcm96", A)
    await transit.ask("update", "keys/aes256-gcm96/rotate")
    await transit.ask("update", "keys/aes256-gcm96/config", {"min_decryption_version": 2})
    status, results = await plain(transit, "decrypt/aes256-gcm96", [{"ciphertext": old}])
    assert status == 400
    assert "too old" in results[0]["error"]


async def test_references_come_back_both_ways(transit: Mounted) -> None:
    references: list[Any] = ["", "x", 'a "quote" and \\', "é\u0000", 5, 2**70, True, None]
    items = [{"input": A, "reference": reference} for reference in references]
    assert columns.make_hmac(key_of(transit, "ed25519"), [*items, {"input": B}], "sha2-256") is not None
    for batch in (items, [*items, {"input": B}], [{"input": B}, *items]):
        assert await plain(transit, "hmac/ed25519", batch) == await by_item(transit, "hmac/ed25519", batch)
    for batch in ([{"plaintext": A, "reference": "x"}], [{"plaintext": A}, {"plaintext": B, "reference": "y"}]):
        (_, short), (_, long) = [await way(transit, "encrypt/aes256-gcm96", batch) for way in (plain, by_item)]
        assert await opened(transit, "aes256-gcm96", short) == await opened(transit, "aes256-gcm96", long)


@pytest.mark.parametrize("path", ["encrypt/aes256-gcm96", "hmac/aes256-gcm96", "sign/ed25519"])
async def test_a_reference_that_cannot_come_back_is_refused(transit: Mounted, path: str) -> None:
    item = {"plaintext": A, "input": A}
    with pytest.raises(InvalidRequest, match="reference"):
        await plain(transit, path, [item, {**item, "reference": ["x"]}])


async def test_no_nonce_is_used_twice(transit: Mounted) -> None:
    _, results = await plain(transit, "encrypt/aes256-gcm96", [{"plaintext": A}] * 500)
    assert len({base64.b64decode(result["ciphertext"][9:])[:12] for result in results}) == 500
