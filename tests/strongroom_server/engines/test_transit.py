"""Transit: what goes in comes out, what must not does not, and keys move between servers."""

import asyncio
import base64
from typing import Any

import pytest

from strongroom_server.engines.transit import Engine
from strongroom_server.engines.transit.key_types import KEY_TYPES
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest, RequestError
from tests.bao import Peer, dev_server
from tests.strongroom_server.fakes import Mounted


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


HELLO = b64("hello")


@pytest.fixture
async def transit() -> Mounted:
    return await Mounted(Engine).start()


async def write(mounted: Mounted, path: str, **body: Any) -> dict[str, Any]:
    data: dict[str, Any] = codec.loads(codec.encode((await mounted.ask("update", path, body)).data or {}))
    return data


def of_type(kind: str) -> dict[str, Any]:
    return {"type": kind} | ({"key_size": 32} if kind == "hmac" else {})


@pytest.mark.parametrize("kind", [name for name, kind in KEY_TYPES.items() if kind.encrypts])
async def test_every_encrypting_type_returns_what_it_took(transit: Mounted, kind: str) -> None:
    await write(transit, "keys/k", type=kind)
    for text in ("", "x", "hello" * 30):
        made = await write(transit, "encrypt/k", plaintext=b64(text))
        assert made["ciphertext"].startswith("vault:v1:")
        assert (await write(transit, "decrypt/k", ciphertext=made["ciphertext"]))["plaintext"] == b64(text)


@pytest.mark.parametrize("kind", [name for name, kind in KEY_TYPES.items() if kind.signs])
async def test_every_signing_type_knows_its_signatures(transit: Mounted, kind: str) -> None:
    await write(transit, "keys/k", type=kind)
    signature = (await write(transit, "sign/k", input=HELLO))["signature"]
    assert (await write(transit, "verify/k", input=HELLO, signature=signature))["valid"] is True
    assert (await write(transit, "verify/k", input=b64("other"), signature=signature))["valid"] is False


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("rsa-2048", {"signature_algorithm": "pkcs1v15"}, id="pkcs1v15"),
        pytest.param("rsa-2048", {"signature_algorithm": "pss", "salt_length": "hash"}, id="pss_salt_like_the_hash"),
        pytest.param("rsa-2048", {"signature_algorithm": "pss", "salt_length": "20"}, id="pss_salt_of_twenty_bytes"),
        pytest.param("rsa-2048", {"hash_algorithm": "sha2-512"}, id="another_hash"),
        pytest.param("ecdsa-p256", {"marshaling_algorithm": "jws"}, id="a_json_web_signature"),
        pytest.param("ecdsa-p521", {"marshaling_algorithm": "jws", "hash_algorithm": "sha2-512"}, id="a_larger_one"),
    ],
)
async def test_ways_of_signing(transit: Mounted, kind: str, options: dict[str, Any]) -> None:
    await write(transit, "keys/k", type=kind)
    signature = (await write(transit, "sign/k", input=HELLO, **options))["signature"]
    assert (await write(transit, "verify/k", input=HELLO, signature=signature, **options))["valid"] is True


async def test_derived_keys_need_their_context(transit: Mounted) -> None:
    await write(transit, "keys/k", derived=True)
    made = (await write(transit, "encrypt/k", plaintext=HELLO, context=b64("a")))["ciphertext"]
    assert (await write(transit, "decrypt/k", ciphertext=made, context=b64("a")))["plaintext"] == HELLO
    for other in ({"context": b64("b")}, {}):
        with pytest.raises(InvalidRequest):
            await write(transit, "decrypt/k", ciphertext=made, **other)


async def test_convergent_keys_repeat_themselves_per_context(transit: Mounted) -> None:
    await write(transit, "keys/k", derived=True, convergent_encryption=True)
    one, same = [await write(transit, "encrypt/k", plaintext=HELLO, context=b64("a")) for _ in range(2)]
    other = await write(transit, "encrypt/k", plaintext=HELLO, context=b64("b"))
    assert one == same != other


async def test_associated_data_must_be_the_same(transit: Mounted) -> None:
    await write(transit, "keys/k")
    made = (await write(transit, "encrypt/k", plaintext=HELLO, associated_data=b64("a")))["ciphertext"]
    assert (await write(transit, "decrypt/k", ciphertext=made, associated_data=b64("a")))["plaintext"] == HELLO
    with pytest.raises(InvalidRequest):
        await write(transit, "decrypt/k", ciphertext=made, associated_data=b64("b"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("encrypt/k", {}, id="nothing_to_encrypt"),
        pytest.param("encrypt/k", {"plaintext": "!"}, id="no_base64"),
        pytest.param("encrypt/k", {"plaintext": HELLO, "key_version": 2}, id="a_version_that_is_not_yet"),
        pytest.param("encrypt/k", {"batch_input": []}, id="an_empty_batch"),
        pytest.param("encrypt/k", {"batch_input": "x"}, id="a_batch_that_is_none"),
        pytest.param("encrypt/k", {"batch_input": [{}]}, id="an_item_without_plaintext"),
        pytest.param(
            "encrypt/k",
            {"batch_input": [{"plaintext": HELLO, "context": HELLO}, {"plaintext": HELLO}]},
            id="a_context_in_some_items_only",
        ),
        pytest.param("decrypt/k", {"ciphertext": "hello"}, id="no_prefix"),
        pytest.param("decrypt/k", {"ciphertext": "vault:v1:AAAA"}, id="too_short"),
        pytest.param("decrypt/k", {"ciphertext": "vault:vx:AAAA"}, id="no_version"),
        pytest.param("decrypt/none", {"ciphertext": "vault:v1:AAAA"}, id="no_key"),
        pytest.param("sign/k", {"input": HELLO}, id="a_key_that_cannot_sign"),
        pytest.param("keys/new", {"type": "rot13"}, id="an_unknown_type"),
        pytest.param("keys/new", {"convergent_encryption": True}, id="convergent_without_derived"),
        pytest.param("keys/new", {"auto_rotate_period": "1m"}, id="rotation_every_minute"),
        pytest.param("datakey/plaintext/k", {"bits": 100}, id="odd_bits"),
        pytest.param("hash/md5", {"input": HELLO}, id="an_unknown_hash"),
        pytest.param("random/0", {}, id="no_random_bytes"),
    ],
)
async def test_bad_requests(transit: Mounted, path: str, body: dict[str, Any]) -> None:
    await write(transit, "keys/k")
    with pytest.raises(InvalidRequest):
        await write(transit, path, **body)


@pytest.mark.parametrize(
    ("path", "item", "error"),
    [
        pytest.param("decrypt/k", {"ciphertext": ""}, "missing ciphertext to decrypt", id="an_empty_ciphertext"),
        pytest.param("decrypt/k", {"ciphertext": None}, "missing ciphertext to decrypt", id="null_as_ciphertext"),
        pytest.param("rewrap/k", {"ciphertext": ""}, "missing ciphertext to decrypt", id="nothing_to_rewrap"),
        pytest.param("encrypt/s", {"plaintext": HELLO}, "not supported for key type ed25519", id="a_key_that_signs"),
        pytest.param("encrypt/s", {"plaintext": "!"}, "illegal base64", id="no_base64_for_a_key_that_signs"),
        pytest.param("hmac/k", {"input": None}, None, id="null_is_the_empty_message"),
        pytest.param("sign/s", {"input": None}, None, id="null_is_signed_as_the_empty_message"),
    ],
)
async def test_items_tell_what_is_wrong_with_them(
    transit: Mounted, path: str, item: dict[str, Any], error: str | None
) -> None:
    await write(transit, "keys/k")
    await write(transit, "keys/s", type="ed25519")
    [result] = (await write(transit, path, batch_input=[item]))["batch_results"]
    assert ("error" in result) is (error is not None), result
    assert (error or "") in result.get("error", "")


async def test_rotation_and_trimming(transit: Mounted) -> None:
    await write(transit, "keys/k")
    old = (await write(transit, "encrypt/k", plaintext=HELLO))["ciphertext"]
    await write(transit, "keys/k/rotate")
    new = (await write(transit, "rewrap/k", ciphertext=old))["ciphertext"]
    assert new.startswith("vault:v2:")
    await write(transit, "keys/k/config", min_decryption_version=2, min_encryption_version=2)
    with pytest.raises(InvalidRequest, match="too old"):
        await write(transit, "decrypt/k", ciphertext=old)
    facts = await write(transit, "keys/k/trim", min_available_version=2)
    assert list(facts["keys"]) == ["2"]
    assert (await write(transit, "decrypt/k", ciphertext=new))["plaintext"] == HELLO


async def test_keys_rotate_by_themselves(transit: Mounted) -> None:
    await write(transit, "keys/k", auto_rotate_period="1h")
    transit.clock.time += 3500
    await transit.engine.tick()
    assert (await transit.ask("read", "keys/k")).data["latest_version"] == 1
    transit.clock.time += 200
    await transit.engine.tick()
    assert (await transit.ask("read", "keys/k")).data["latest_version"] == 2


async def test_keys_are_there_after_a_restart(transit: Mounted) -> None:
    made = {}
    for kind in KEY_TYPES:
        await write(transit, f"keys/{kind}", **of_type(kind))
        if KEY_TYPES[kind].encrypts:
            made[kind] = (await write(transit, f"encrypt/{kind}", plaintext=HELLO))["ciphertext"]
    again = await Mounted(Engine, transit.store).start()
    for kind, ciphertext in made.items():
        assert (await write(again, f"decrypt/{kind}", ciphertext=ciphertext))["plaintext"] == HELLO


async def test_one_key_is_made_by_many_at_once(transit: Mounted) -> None:
    answers = await asyncio.gather(*(transit.ask("create", "encrypt/new", {"plaintext": HELLO}) for _ in range(20)))
    texts = [answer.data["ciphertext"] for answer in answers]
    for text in texts:
        assert (await write(transit, "decrypt/new", ciphertext=text))["plaintext"] == HELLO


async def test_nothing_leaves_that_may_not(transit: Mounted) -> None:
    await write(transit, "keys/k")
    for path in ("export/encryption-key/k", "export/hmac-key/k", "backup/k"):
        with pytest.raises(RequestError):
            await transit.ask("read", path)
    secret = transit.engine._keys["k"].versions[1].secret  # type: ignore[attr-defined]
    assert b64(secret) not in repr(transit.engine._keys)  # type: ignore[attr-defined]


async def test_a_large_batch_is_one_request(transit: Mounted) -> None:
    await write(transit, "keys/k")
    batch = [{"plaintext": b64(str(number)), "reference": str(number)} for number in range(10_000)]
    results = (await write(transit, "encrypt/k", batch_input=batch))["batch_results"]
    back = (await write(transit, "decrypt/k", batch_input=results))["batch_results"]
    assert [item["plaintext"] for item in back] == [item["plaintext"] for item in batch]
    assert back[77]["reference"] == "77"


# -- the peer --------------------------------------------------------------------------------------------------------

MOVED = [name for name in KEY_TYPES if not name.startswith("ml-dsa")]


@pytest.mark.peer
@pytest.mark.slow
async def test_keys_move_to_the_peer_and_back(transit: Mounted) -> None:
    with dev_server() as peer:
        assert peer.call("POST", "sys/mounts/transit", {"type": "transit"})[0] == 204
        for kind in MOVED:
            await moved(transit, peer, kind, of_type(kind))
        for kind in ("aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"):
            same = {"type": kind, "derived": True, "convergent_encryption": True}
            await moved(transit, peer, f"same-{kind}", same)
        await moved(transit, peer, "derived", {"type": "ed25519", "derived": True})


async def moved(transit: Mounted, peer: Peer, name: str, settings: dict[str, Any]) -> None:
    settings = {**settings, "exportable": True, "allow_plaintext_backup": True}
    context = {"context": b64("c")} if settings.get("derived") else {}
    kind = KEY_TYPES[settings["type"]]
    await write(transit, f"keys/{name}", **settings)
    await write(transit, f"keys/{name}/rotate")
    backup = (await transit.ask("read", f"backup/{name}")).data["backup"]
    status, answer = peer.call("POST", f"transit/restore/{name}", {"backup": backup})
    assert status in {200, 204}, (name, answer)
    assert peer.call("POST", f"transit/keys/{name}/rotate")[0] == 200
    back = peer.call("GET", f"transit/backup/{name}")[1]["data"]["backup"]
    await write(transit, f"restore/{name}", backup=back, force=True)
    facts = (await transit.ask("read", f"keys/{name}")).data
    assert facts["latest_version"] == 3
    if kind.encrypts:
        ours = (await write(transit, f"encrypt/{name}", plaintext=HELLO, **context))["ciphertext"]
        theirs = peer.call("POST", f"transit/encrypt/{name}", {"plaintext": HELLO, **context})[1]["data"]["ciphertext"]
        assert settings.get("convergent_encryption") is None or ours == theirs
        assert (await write(transit, f"decrypt/{name}", ciphertext=theirs, **context))["plaintext"] == HELLO
        answer = peer.call("POST", f"transit/decrypt/{name}", {"ciphertext": ours, **context})[1]
        assert answer["data"]["plaintext"] == HELLO, (name, answer)
    if kind.signs:
        for form in ("asn1", "jws"):
            way = {"input": HELLO, "marshaling_algorithm": form, **context}
            ours = (await write(transit, f"sign/{name}", **way))["signature"]
            theirs = peer.call("POST", f"transit/sign/{name}", way)[1]["data"]["signature"]
            assert (await write(transit, f"verify/{name}", signature=theirs, **way))["valid"] is True
            answer = peer.call("POST", f"transit/verify/{name}", way | {"signature": ours})[1]
            assert answer["data"]["valid"] is True, name
    ours = (await write(transit, f"hmac/{name}", input=HELLO))["hmac"]
    assert peer.call("POST", f"transit/hmac/{name}", {"input": HELLO})[1]["data"]["hmac"] == ours
