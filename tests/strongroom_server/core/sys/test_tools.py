"""sys/tools and decode-token, with values asked of OpenBao 2.7.2."""

import base64
from typing import Any

import pytest

from tests.strongroom_server.live import Live

HELLO = base64.b64encode(b"hello").decode()


@pytest.mark.parametrize(
    ("path", "body", "length"),
    [
        pytest.param("random", {}, 32, id="thirty_two_bytes"),
        pytest.param("random", {"bytes": 4}, 4, id="so_many_by_body"),
        pytest.param("random/16", {"bytes": 4}, 16, id="the_path_wins"),
        pytest.param("random/platform", {"bytes": 8}, 8, id="a_source"),
        pytest.param("random/all/9", {}, 9, id="a_source_and_so_many"),
        pytest.param("random/131072", {}, 131072, id="the_most"),
    ],
)
async def test_random_bytes(live: Live, path: str, body: dict[str, Any], length: int) -> None:
    answers = [(await live.post(f"sys/tools/{path}", body)).data["random_bytes"] for _ in range(2)]
    assert [len(base64.b64decode(text)) for text in answers] == [length] * 2
    assert answers[0] != answers[1]


async def test_random_bytes_in_hex_and_from_the_seal(live: Live) -> None:
    answer = await live.post("sys/tools/random/seal/8", {"format": "hex"})
    assert len(bytes.fromhex(answer.data["random_bytes"])) == 8
    assert answer.body["warnings"] == ["no seal/entropy augmentation available, using platform entropy source"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("random/xx", {}, id="no_number"),
        pytest.param("random/xx/8", {}, id="no_source"),
        pytest.param("random/platform/x", {}, id="no_number_after_the_source"),
        pytest.param("random/0", {}, id="none"),
        pytest.param("random/131073", {}, id="too_many"),
        pytest.param("random", {"format": "x"}, id="no_format"),
        pytest.param("hash", {"input": "aGV%"}, id="no_base64"),
        pytest.param("hash/md5", {"input": HELLO}, id="no_such_hash"),
        pytest.param("hash", {"input": HELLO, "format": "x"}, id="no_format_of_a_hash"),
    ],
)
async def test_refusals(live: Live, path: str, body: dict[str, Any]) -> None:
    assert (await live.post(f"sys/tools/{path}", body)).status == 400


@pytest.mark.parametrize(
    ("path", "body", "total"),
    [
        pytest.param("hash", {}, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", id="sha2_256"),
        pytest.param("hash/sha2-224", {}, "ea09ae9cc6768c50fcee903ed054556e5bfc8347907f12598aa24193", id="sha2_224"),
        pytest.param("hash", {"algorithm": "sha3-256"},
                     "3338be694f50c5f338814986cdf0686453a888b84f424d792af4b9202398f392", id="sha3_256"),
        pytest.param("hash/sha3-224", {"format": "base64"}, "uH+IxycC//8XSOWLh+kUGkLA2+3Cmng8s0pdzQ==", id="base64"),
    ],
)  # fmt: skip
async def test_hashes(live: Live, path: str, body: dict[str, Any], total: str) -> None:
    answer = await live.post(f"sys/tools/{path}", {"input": HELLO, **body})
    if body.get("format") == "base64":
        assert len(base64.b64decode(answer.data["sum"])) == 28
    else:
        assert answer.data == {"sum": total}


async def test_a_default_token_may_hash(live: Live) -> None:
    token = await live.make_token(policies=["default"])
    assert (await live.post("sys/tools/hash/sha2-256", {"input": HELLO}, token=token)).status == 200
    assert (await live.post("sys/tools/random", {}, token=token)).status == 403


async def test_a_pad_comes_off(live: Live) -> None:
    token, pad = b"hvs.abcdef", b"0123456789"
    encoded = base64.b64encode(bytes(a ^ b for a, b in zip(token, pad, strict=True))).decode().rstrip("=")
    body = {"encoded_token": encoded, "otp": pad.decode()}
    assert (await live.post("sys/decode-token", body, token="")).data == {"token": token.decode()}
    assert (await live.post("sys/decode-token", {"encoded_token": encoded}, token="")).status == 400
    assert (await live.post("sys/decode-token", {"encoded_token": encoded, "otp": "1"}, token="")).status == 400
