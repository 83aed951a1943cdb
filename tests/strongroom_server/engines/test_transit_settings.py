"""Transit: what batches answer, which settings contradict each other, keys made by the way, keys that come in."""

import base64
import functools
import json
import os
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from strongroom_server.engines.transit import Engine
from strongroom_server.engines.transit.key_types import to_pkcs8
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Operation, Request
from strongroom_server.sdk.storage import Change
from tests.strongroom_server.engines.test_transit import HELLO, b64, write
from tests.strongroom_server.engines.test_transit_forms import read
from tests.strongroom_server.fakes import Mounted

BAD = "illegal base64 data at input byte 0"


@pytest.fixture
async def transit() -> Mounted:
    return await Mounted(Engine).start()


# -- batches ---------------------------------------------------------------------------------------------------------


async def test_failed_items_have_the_fields_of_good_ones(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    await write(transit, "keys/aes")
    signed = await write(transit, "sign/k", batch_input=[{"input": "!", "reference": "r"}])
    assert signed["batch_results"] == [
        {"key_version": 0, "error": f"unable to decode input as base64: {BAD}", "reference": "r"}
    ]
    verified = await write(transit, "verify/k", batch_input=[{"input": HELLO, "signature": "x"}])
    assert verified["batch_results"] == [{"valid": False, "error": "invalid signature: no prefix", "reference": ""}]
    decrypted = await write(transit, "decrypt/aes", batch_input=[{"ciphertext": "x"}])
    assert decrypted["batch_results"] == [{"plaintext": "", "error": "invalid ciphertext: no prefix", "reference": ""}]


async def test_a_batch_of_rewraps_is_answered_by_200_whatever_fails(transit: Mounted) -> None:
    await write(transit, "keys/k")
    good = (await write(transit, "encrypt/k", plaintext=HELLO))["ciphertext"]
    batch = [{"ciphertext": good}, {"ciphertext": "x"}, {}]
    answer = await transit.ask("update", "rewrap/k", {"batch_input": batch})
    assert answer.status in {0, 200}
    assert [result.get("error") for result in answer.data["batch_results"]] == [
        None, "invalid ciphertext: no prefix", "missing ciphertext to decrypt"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "status", "warned"),
    [
        pytest.param(0, 400, False, id="none"),
        pytest.param(207, 207, False, id="a_status"),
        pytest.param(200, 200, False, id="no_error_at_all"),
        pytest.param(999, 400, True, id="no_status"),
        pytest.param(-1, 400, True, id="a_negative_number"),
        pytest.param(100, 400, True, id="one_that_is_no_answer"),
    ],
)
async def test_the_status_of_batches_that_fail_in_part(transit: Mounted, code: int, status: int, warned: bool) -> None:
    await write(transit, "keys/k")
    batch = [{"plaintext": HELLO}, {"plaintext": "!"}]
    body = {"batch_input": batch, "partial_failure_response_code": code}
    answer = await transit.ask("update", "encrypt/k", body)
    assert (answer.status, bool(answer.warnings)) == (status, warned)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("encrypt/k", {"plaintext": HELLO}, id="encrypt"),
        pytest.param("sign/s", {"input": HELLO}, id="sign"),
        pytest.param("hmac/k", {"input": HELLO}, id="hmac"),
    ],
)
async def test_a_batch_of_null_is_no_batch(transit: Mounted, path: str, body: dict[str, Any]) -> None:
    await write(transit, "keys/k")
    await write(transit, "keys/s", type="ed25519")
    assert "batch_results" not in await write(transit, path, batch_input=None, **body)


async def test_the_version_of_a_batch_is_that_of_its_items(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    await write(transit, "keys/k/rotate")
    batch = [{"input": HELLO}, {"input": HELLO, "key_version": 2}]
    signed = await write(transit, "sign/k", batch_input=batch, key_version=1)
    assert [result["key_version"] for result in signed["batch_results"]] == [1, 2]
    hashed = await write(transit, "hmac/k", batch_input=[{"input": HELLO}], key_version=1)
    assert hashed["batch_results"][0]["hmac"].startswith("vault:v1:")


async def test_null_in_an_item_is_as_if_left_out(transit: Mounted) -> None:
    await write(transit, "keys/k")
    item = {"plaintext": HELLO, "key_version": None, "context": None, "associated_data": None, "reference": None}
    sealed = (await write(transit, "encrypt/k", batch_input=[item]))["batch_results"]
    again = [{**result, "key_version": None} for result in sealed]
    (rewrapped,) = (await write(transit, "rewrap/k", batch_input=again))["batch_results"]
    assert rewrapped["key_version"] == 1
    hashed = await write(transit, "hmac/k", batch_input=[{"input": HELLO, "key_version": None}])
    assert hashed["batch_results"][0]["hmac"].startswith("vault:v1:")


@pytest.mark.parametrize("value", [[], {}, 0, False, ["eA=="]], ids=repr)
@pytest.mark.parametrize("name", ["plaintext", "context", "associated_data", "input"])
async def test_what_is_no_text_is_not_taken_for_nothing(transit: Mounted, name: str, value: Any) -> None:
    await write(transit, "keys/k")
    await write(transit, "keys/s", type="ed25519")
    path, whole = ("sign/s", {}) if name == "input" else ("encrypt/k", {"plaintext": HELLO})
    answer = await transit.ask("update", path, {"batch_input": [{**whole, name: value}]})
    assert "expected base64 as a string" in answer.data["batch_results"][0]["error"]


async def test_making_a_key_needs_update_and_encrypting_with_a_new_one_create(transit: Mounted) -> None:
    """As Vault decides: policies with ``update`` alone on ``transit/keys/*`` are in use."""
    assert await transit.engine.exists(Request(Operation.UPDATE, "keys/k", {})) is None
    assert await transit.engine.exists(Request(Operation.UPDATE, "encrypt/k", {})) is False
    await write(transit, "keys/k")
    assert await transit.engine.exists(Request(Operation.UPDATE, "encrypt/k", {})) is True


# -- settings --------------------------------------------------------------------------------------------------------


async def test_trimming_wants_a_version(transit: Mounted) -> None:
    await write(transit, "keys/k")
    for body, text in (({}, "missing min_available_version"), ({"min_available_version": 0}, "should be positive")):
        with pytest.raises(InvalidRequest, match=text):
            await transit.ask("update", "keys/k/trim", body)


async def test_what_is_trimmed_stays_out_of_reach(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    await write(transit, "keys/k/rotate")
    await write(transit, "keys/k/config", min_decryption_version=2, min_encryption_version=2)
    await write(transit, "keys/k/trim", min_available_version=2)
    for name in ("encryption", "decryption"):
        with pytest.raises(InvalidRequest, match=f"min {name} version should not be less than min available version"):
            await write(transit, "keys/k/config", **{f"min_{name}_version": 0})
    for path in ("sign/k", "hmac/k"):
        with pytest.raises(InvalidRequest, match="less than the minimum encryption key version"):
            await write(transit, path, input=HELLO, key_version=1)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"min_decryption_version": -1}, "min decryption version cannot be negative", id="decryption"),
        pytest.param({"min_encryption_version": -1}, "min encryption version cannot be negative", id="encryption"),
    ],
)
async def test_versions_are_not_negative(transit: Mounted, body: dict[str, int], text: str) -> None:
    await write(transit, "keys/k")
    with pytest.raises(InvalidRequest, match=text):
        await transit.ask("update", "keys/k/config", body)
    assert (await transit.ask("update", "keys/k/config", {"min_decryption_version": 0})).warnings


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"type": "rsa-2048"}, "unknown key type rsa-2048", id="an_rsa_key"),
        pytest.param({"type": "ed25519"}, "unknown key type ed25519", id="a_signing_key"),
        pytest.param({"type": "hmac"}, "unknown key type hmac", id="an_hmac_key"),
        pytest.param({"convergent_encryption": True}, "so context is required", id="convergent_without_context"),
        pytest.param({"batch_input": [{"plaintext": HELLO}, {"plaintext": HELLO, "context": HELLO}]},
                     "either in all the request blocks or in none", id="a_context_here_and_there"),
    ],
)  # fmt: skip
async def test_keys_that_are_not_made_by_the_way(transit: Mounted, body: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        await transit.ask("create", "encrypt/new", {"plaintext": HELLO} | body)
    with pytest.raises(NotFound):
        await read(transit, "keys/new")


async def test_a_context_is_checked_also_where_it_has_no_use(transit: Mounted) -> None:
    await write(transit, "keys/k")
    with pytest.raises(InvalidRequest, match=BAD):
        await write(transit, "encrypt/k", plaintext=HELLO, context="!")


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        pytest.param("random/x/8", {}, 'unsupported entropy source "x"', id="no_source_in_the_path"),
        pytest.param("random", {"source": "x"}, 'unsupported entropy source "x"', id="no_source_in_the_body"),
        pytest.param("random/x", {}, "error parsing url-set byte count", id="no_number"),
        pytest.param("random/0", {}, "cannot be less than 1", id="no_bytes"),
        pytest.param("random", {"bytes": 131073}, "should be less than 131072", id="too_many_bytes"),
        pytest.param("hash", {}, "input missing", id="nothing_to_hash"),
        pytest.param("hash", {"input": "!"}, f"unable to decode input as base64: {BAD}", id="no_base64"),
    ],
)
async def test_random_bytes_and_hashes_that_cannot_be(
    transit: Mounted, path: str, body: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(text)):
        await transit.ask("update", path, body)


@pytest.mark.parametrize("path", ["random/7", "random/platform/7", "random/seal/7", "random/all/7"])
async def test_as_many_random_bytes_as_the_path_says(transit: Mounted, path: str) -> None:
    assert len((await write(transit, path, bytes=5, format="hex"))["random_bytes"]) == 14


async def test_a_key_tells_when_it_was_backed_up_and_restored(transit: Mounted) -> None:
    await write(transit, "keys/k", exportable=True, allow_plaintext_backup=True)
    assert "backup_info" not in await read(transit, "keys/k")
    backup = (await read(transit, "backup/k"))["backup"]
    assert (await read(transit, "keys/k"))["backup_info"]["version"] == 1
    await write(transit, "restore/copy", backup=backup)
    assert (await read(transit, "keys/copy"))["restore_info"]["version"] == 1


async def test_a_key_is_restored_under_the_name_of_the_path_or_of_the_body(transit: Mounted) -> None:
    await write(transit, "keys/k", exportable=True, allow_plaintext_backup=True)
    backup = (await read(transit, "backup/k"))["backup"]
    await write(transit, "restore", backup=backup, name="a")
    await write(transit, "restore/b", backup=backup, name="c")
    assert (await transit.ask("list", "keys")).data == {"keys": ["a", "b", "k"]}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"latest_version": 7}, id="a_latest_version_that_is_not_there"),
        pytest.param({"latest_version": "x"}, id="no_number"),
        pytest.param({"min_decryption_version": 9}, id="nothing_to_decrypt_with"),
        pytest.param({"min_encryption_version": 9}, id="nothing_to_encrypt_with"),
        pytest.param({"derived": []}, id="neither_derived_nor_not"),
        pytest.param({"name": "a/b"}, id="a_name_that_no_path_has"),
        pytest.param({"name": 5}, id="no_name"),
        pytest.param({"type": 99}, id="no_type"),
        pytest.param({"type": 8}, id="another_length"),
        pytest.param({"type": 44}, id="no_ml_dsa_key"),
    ],
)
async def test_what_could_not_be_used_later_is_not_restored(transit: Mounted, change: dict[str, Any]) -> None:
    await write(transit, "keys/k", exportable=True, allow_plaintext_backup=True)
    backup = json.loads(base64.b64decode((await read(transit, "backup/k"))["backup"]))
    backup["policy"] |= change
    with pytest.raises(InvalidRequest, match="the backup could not be read"):
        await write(transit, "restore", backup=b64(json.dumps(backup)), force=True)
    assert (await read(transit, "keys/k"))["latest_version"] == 1


# -- keys from elsewhere ---------------------------------------------------------------------------------------------

OWN, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    text: str = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


@functools.cache
def wrapping_key() -> Any:
    """Return one key for all tests: making it takes long."""
    return rsa.generate_private_key(65537, 4096)


async def wrapped(transit: Mounted, secret: bytes, once_length: int = 32) -> str:
    await transit.store.commit([Change("import/wrapping_key", to_pkcs8(wrapping_key()))])
    public: Any = load_pem_public_key((await read(transit, "wrapping_key"))["public_key"].encode())
    once = os.urandom(once_length)
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return b64(public.encrypt(once, oaep) + aes_key_wrap_with_padding(once, secret))


async def test_the_private_half_comes_after_the_public_one(transit: Mounted) -> None:
    await write(transit, "keys/k/import", type="ecdsa-p256", public_key=pem(OWN))
    own, other = await wrapped(transit, to_pkcs8(OWN)), await wrapped(transit, to_pkcs8(OTHER))
    with pytest.raises(InvalidRequest, match="does not belong to the public key"):
        await write(transit, "keys/k/import_version", ciphertext=other, version=1)
    with pytest.raises(InvalidRequest, match="no such key version"):
        await write(transit, "keys/k/import_version", ciphertext=own, version=2)
    await write(transit, "keys/k/import_version", ciphertext=own, version=1)
    assert (await write(transit, "sign/k", input=HELLO))["key_version"] == 1
    with pytest.raises(InvalidRequest, match="key version cannot be updated"):
        await write(transit, "keys/k/import_version", ciphertext=own, version=1)
    await write(transit, "keys/k/import_version", ciphertext=other)
    assert (await read(transit, "keys/k"))["latest_version"] == 2


@pytest.mark.parametrize(
    ("kind", "secret", "ciphertext"),
    [
        pytest.param("aes256-gcm96", 32, "VJJbWuV9dk1kTr7t/I9yvvX1HDRipK5jvZhLVIswO+X9", id="aes256"),
        pytest.param("aes128-gcm96", 16, "jluspFP6jkMeW0ru/R/xhRcmsUDC+9EaqPkfX5A9Mgy3", id="aes128"),
        pytest.param(
            "xchacha20-poly1305", 32, "aXd8WQPk/iPF0qCd/g9FbMKgihBjQ1IASKthwrBZkGNNYwdB7J6G4M4vurOt", id="xchacha20",
        ),
    ],
)  # fmt: skip
async def test_an_imported_key_is_derived_as_the_peer_does(
    transit: Mounted, kind: str, secret: int, ciphertext: str
) -> None:
    """What is decrypted is of OpenBao 2.7.2, with the same key imported."""
    body = {"type": kind, "derived": True, "exportable": True, "allow_plaintext_backup": True, "allow_rotation": True}
    await write(transit, "keys/k/import", ciphertext=await wrapped(transit, bytes(range(secret))), **body)
    await write(transit, "restore/copy", backup=(await read(transit, "backup/k"))["backup"])
    await write(transit, "keys/copy/rotate")
    for name in ("k", "copy"):
        assert (await read(transit, f"keys/{name}"))["kdf"] == "hmac-sha256-counter"
        opened = await write(transit, f"decrypt/{name}", ciphertext=f"vault:v1:{ciphertext}", context=b64("ctx"))
        assert opened["plaintext"] == b64("hello")
        sealed = (await write(transit, f"encrypt/{name}", plaintext=HELLO, context=b64("c")))["ciphertext"]
        assert (await write(transit, f"decrypt/{name}", ciphertext=sealed, context=b64("c")))["plaintext"] == HELLO
        with pytest.raises(InvalidRequest, match="message authentication failed"):
            await write(transit, f"decrypt/{name}", ciphertext=sealed, context=b64("d"))


async def test_the_key_around_a_key_has_256_bits(transit: Mounted) -> None:
    with pytest.raises(InvalidRequest, match="expected ephemeral AES key to be 256-bit"):
        await write(transit, "keys/k/import", ciphertext=await wrapped(transit, os.urandom(32), 16))


async def test_of_a_wrapped_key_and_a_public_one_the_wrapped_one_counts(transit: Mounted) -> None:
    own = await wrapped(transit, to_pkcs8(OWN))
    await write(transit, "keys/k/import", type="ecdsa-p256", ciphertext=own, public_key=pem(OTHER))
    assert (await read(transit, "keys/k"))["keys"]["1"]["public_key"] == pem(OWN)


async def test_a_rotated_key_is_no_imported_one_any_more(transit: Mounted) -> None:
    secret = await wrapped(transit, os.urandom(32))
    await write(transit, "keys/k/import", ciphertext=secret, allow_rotation=True)
    await write(transit, "keys/k/rotate")
    assert (await read(transit, "keys/k"))["imported_key"] is False
    with pytest.raises(InvalidRequest, match="only be used with an imported key"):
        await write(transit, "keys/k/import_version", ciphertext=secret)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"auto_rotate_period": "2h", "ciphertext": "x"}, "allow_rotation must be set", id="rotation"),
        pytest.param({"auto_rotate_period": "2m", "allow_rotation": True}, "at least an hour", id="too_often"),
        pytest.param({"public_key": pem(OWN)}, "does not support public_key import", id="public_and_symmetric"),
        pytest.param({"type": "rsa-2048", "public_key": pem(OWN)}, "expected rsa-2048, got ecdsa-p256", id="a_type"),
        pytest.param({"type": "ecdsa-p384", "public_key": pem(OWN)}, "expected ecdsa-p384", id="a_curve"),
        pytest.param({"type": "ecdsa-p256", "public_key": "x"}, "error parsing public key", id="no_pem"),
        pytest.param({"type": "rsa-2048", "derived": True}, "key derivation not supported", id="derived_rsa"),
    ],
)
async def test_imports_that_cannot_be(transit: Mounted, body: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        await transit.ask("update", "keys/k/import", body)
    with pytest.raises(NotFound):
        await read(transit, "keys/k")


@pytest.mark.parametrize(("length", "good"), [(16, False), (31, False), (32, True), (512, True), (513, False)])
async def test_hmac_keys_come_in_with_32_to_512_bytes(transit: Mounted, length: int, good: bool) -> None:
    body = {"type": "hmac", "ciphertext": await wrapped(transit, os.urandom(length))}
    if good:
        await transit.ask("update", "keys/k/import", body)
        assert (await read(transit, "keys/k"))["key_size"] == length
    else:
        with pytest.raises(InvalidRequest, match=f"invalid key size {length} bytes"):
            await transit.ask("update", "keys/k/import", body)
