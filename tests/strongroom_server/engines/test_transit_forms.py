"""Transit: forms of signatures, XChaCha20, agreed keys, certificates, and keys that leave wrapped."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

from strongroom_server.engines.transit import Engine, material
from strongroom_server.engines.transit.xchacha import XChaCha20Poly1305, hchacha20
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from tests.strongroom_server.engines.test_transit import HELLO, b64, write
from tests.strongroom_server.fakes import Mounted


@pytest.fixture
async def transit() -> Mounted:
    return await Mounted(Engine).start()


async def read(mounted: Mounted, path: str) -> dict[str, Any]:
    data: dict[str, Any] = (await mounted.ask("read", path)).data
    return data


async def public(transit: Mounted, name: str) -> Any:
    text = (await read(transit, f"keys/{name}"))["keys"]["1"]["public_key"]
    if text.startswith("-----"):
        return load_pem_public_key(text.encode())
    return ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(text))


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# -- signatures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519", "ecdsa-p256", "ecdsa-p384"])
async def test_signatures_for_json_web_signatures_are_base64_for_urls_without_padding(
    transit: Mounted, kind: str
) -> None:
    await write(transit, "keys/k", type=kind)
    made = await write(transit, "sign/k", input=HELLO, marshaling_algorithm="jws", signature_algorithm="pkcs1v15")
    text = made["signature"].removeprefix("vault:v1:")
    assert re.fullmatch("[A-Za-z0-9_-]+", text)
    key, raw = await public(transit, "k"), unpadded(text)
    if kind == "rsa-2048":
        key.verify(raw, b"hello", padding.PKCS1v15(), hashes.SHA256())
    elif kind == "ed25519":
        key.verify(raw, b"hello")
    else:
        assert len(raw) == key.key_size // 4
    way = {"input": HELLO, "marshaling_algorithm": "jws", "signature_algorithm": "pkcs1v15"}
    assert (await write(transit, "verify/k", signature=made["signature"], **way))["valid"] is True
    with pytest.raises(InvalidRequest, match="invalid base64 signature value"):
        await write(transit, "verify/k", signature=f"vault:v1:{b64(raw)}=", **way)


@pytest.mark.parametrize("digest", [b"", b"short", b"x" * 32, b"x" * 64], ids=["empty", "short", "fitting", "long"])
@pytest.mark.parametrize("algorithm", ["sha2-256", "none"])
async def test_ecdsa_signs_digests_of_any_length(transit: Mounted, digest: bytes, algorithm: str) -> None:
    await write(transit, "keys/k", type="ecdsa-p256")
    way = {"input": b64(digest), "prehashed": True, "hash_algorithm": algorithm, "signature_algorithm": "pkcs1v15"}
    made = await write(transit, "sign/k", **way)
    raw = base64.b64decode(made["signature"].removeprefix("vault:v1:"))
    fitted = digest[:32].rjust(32, b"\0")
    (await public(transit, "k")).verify(raw, fitted, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert (await write(transit, "verify/k", signature=made["signature"], **way))["valid"] is True


async def test_ed25519_hashes_by_itself_so_none_needs_nothing_else(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    assert (await write(transit, "sign/k", input=HELLO, hash_algorithm="none"))["signature"]


@pytest.mark.parametrize(
    ("kind", "path", "body", "text"),
    [
        pytest.param("ed25519", "datakey/plaintext/k", {}, "message encryption not supported for key type ed25519",
                     id="a_data_key_by_a_signing_key"),
        pytest.param("ed25519", "decrypt/k", {"ciphertext": "x"},
                     "message decryption not supported for key type ed25519", id="decrypting_by_a_signing_key"),
        pytest.param("hmac", "datakey/wrapped/k", {}, "message encryption not supported", id="a_data_key_by_hmac"),
        pytest.param("aes256-gcm96", "sign/k", {"input": HELLO, "hash_algorithm": "x"},
                     "key type aes256-gcm96 does not support signing", id="the_wrong_key_comes_before_the_wrong_hash"),
        pytest.param("ed25519", "sign/k", {"input": HELLO, "key_version": 2},
                     "requested version for signing is higher", id="a_version_to_come"),
        pytest.param("ed25519", "hmac/k", {}, "missing input for HMAC", id="an_hmac_of_nothing"),
        pytest.param("ed25519", "verify/k", {"input": HELLO, "hmac": "x"}, "invalid HMAC to verify: no prefix",
                     id="no_hmac"),
        pytest.param("ed25519", "verify/k", {"input": HELLO, "hmac": "vault:v1:!"},
                     "unable to decode verification HMAC as base64", id="an_hmac_that_is_no_base64"),
        pytest.param("ecdsa-p256", "verify/k", {"input": HELLO, "signature": "vault:v1:aGVsbG8="},
                     "supplied signature is invalid", id="a_signature_that_is_no_asn1"),
        pytest.param("rsa-2048", "sign/k", {"input": HELLO, "salt_length": "x"}, "unsupported salt length",
                     id="a_salt_without_a_length"),
        pytest.param("ed25519", "sign/k", {"input": HELLO, "salt_length": "-2"}, "unsupported salt length",
                     id="a_negative_salt_where_none_is_used"),
    ],
)  # fmt: skip
async def test_wrong_uses(transit: Mounted, kind: str, path: str, body: dict[str, Any], text: str) -> None:
    await write(transit, "keys/k", type=kind, **({"key_size": 32} if kind == "hmac" else {}))
    with pytest.raises(InvalidRequest, match=re.escape(text)):
        await transit.ask("update", path, body)


async def test_where_a_signature_and_an_hmac_are_given_the_signature_counts(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    signature = (await write(transit, "sign/k", input=HELLO))["signature"]
    assert (await write(transit, "verify/k", input=HELLO, signature=signature, hmac="x"))["valid"] is True
    mixed = [{"input": HELLO, "signature": signature}, {"input": HELLO, "hmac": "x"}]
    with pytest.raises(InvalidRequest, match="must all provide 'signature' or all provide 'hmac'"):
        await write(transit, "verify/k", batch_input=mixed)


@pytest.mark.parametrize("name", ["signature", "hmac"])
async def test_a_batch_to_verify_has_something_to_verify_in_each_item(transit: Mounted, name: str) -> None:
    await write(transit, "keys/k", type="ed25519")
    with pytest.raises(InvalidRequest, match=f"some elements of batch_input are missing '{name}'"):
        await write(transit, "verify/k", batch_input=[{"input": HELLO, name: "x"}, {"input": HELLO}])


@pytest.mark.parametrize(
    ("path", "body", "algorithm"),
    [
        pytest.param("", {}, "sha2-256", id="none"),
        pytest.param("", {"hash_algorithm": ""}, "sha2-256", id="empty"),
        pytest.param("", {"hash_algorithm": "", "algorithm": "sha2-512"}, "sha2-512", id="the_older_field"),
        pytest.param("", {"hash_algorithm": "sha2-384", "algorithm": "sha2-512"}, "sha2-384", id="the_newer_of_two"),
        pytest.param("/sha2-512", {"hash_algorithm": "sha2-384"}, "sha2-512", id="the_path_before_both"),
    ],
)
async def test_which_hash_algorithm_counts(transit: Mounted, path: str, body: dict[str, str], algorithm: str) -> None:
    await write(transit, "keys/k", type="ecdsa-p521")
    signature = (await write(transit, f"sign/k{path}", input=HELLO, **body))["signature"]
    assert (await write(transit, f"verify/k/{algorithm}", input=HELLO, signature=signature))["valid"]
    mac = (await write(transit, f"hmac/k/{algorithm}", input=HELLO))["hmac"]
    assert (await write(transit, f"verify/k{path}", input=HELLO, hmac=mac, **body))["valid"]


async def test_an_hmac_is_by_its_own_field_alone(transit: Mounted) -> None:
    await write(transit, "keys/k")
    answer = await transit.ask("update", "hmac/k", {"input": HELLO, "hash_algorithm": "sha2-512"})
    assert answer.data == await write(transit, "hmac/k/sha2-256", input=HELLO)
    assert await write(transit, "hmac/k", input=None) == await write(transit, "hmac/k", input="")
    with pytest.raises(InvalidRequest, match="missing input for HMAC"):
        await write(transit, "hmac/k")


async def test_public_halves_of_derived_keys_come_with_their_signatures(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519", derived=True)
    item = {"input": HELLO, "context": b64("c")}
    one, batch = await write(transit, "sign/k", **item), await write(transit, "sign/k", batch_input=[item])
    assert one["public_key"] == batch["batch_results"][0]["publickey"]  # as the peer spells it in batches


async def test_putting_out_of_use_twice_warns(transit: Mounted) -> None:
    await write(transit, "keys/k")
    for operation, path, warning in (
        ("delete", "keys/k/soft-delete", "key was already marked as soft deleted"),
        ("update", "keys/k/soft-delete-restore", "key was already restored"),
    ):
        answers = [await transit.ask(operation, path), await transit.ask(operation, path)]
        assert [answer.warnings for answer in answers] == [[], [warning]]


async def test_null_is_the_empty_plaintext(transit: Mounted) -> None:
    await write(transit, "keys/k")
    sealed = (await write(transit, "encrypt/k", plaintext=None))["ciphertext"]
    assert (await write(transit, "decrypt/k", ciphertext=sealed))["plaintext"] == ""
    with pytest.raises(InvalidRequest, match="missing plaintext to encrypt"):
        await write(transit, "encrypt/k")


async def test_signing_nothing_is_signing_the_empty_message(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519")
    signature = base64.b64decode((await write(transit, "sign/k"))["signature"].removeprefix("vault:v1:"))
    (await public(transit, "k")).verify(signature, b"")


async def test_keys_that_are_elsewhere_are_not_replaced_by_ones_made_here(transit: Mounted) -> None:
    with pytest.raises(InvalidRequest, match="must provide type=external-key"):
        await write(transit, "keys/k", external_key_ref="kms:k")
    with pytest.raises(NotFound):
        await transit("read", "keys/k")


async def test_a_size_is_for_hmac_keys_only(transit: Mounted) -> None:
    with pytest.raises(InvalidRequest, match="key_size is not valid for algorithm aes256-gcm96"):
        await write(transit, "keys/k", type="aes256-gcm96", key_size=32)


async def test_a_derived_key_shows_the_public_key_of_a_context(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ed25519", derived=True)
    assert (await read(transit, "keys/k"))["keys"]["1"]["public_key"] == ""
    shown = (await transit.ask("read", "keys/k", {"context": b64("c")})).data["keys"]["1"]["public_key"]
    assert shown == (await write(transit, "sign/k", input=HELLO, context=b64("c")))["public_key"]
    with pytest.raises(InvalidRequest, match="failed to base64-decode context"):
        await transit.ask("read", "keys/k", {"context": "!"})


def test_derived_signing_keys_are_those_of_the_peer() -> None:
    key = material.ed25519_key(bytes(range(32)), b"c").public_key()  # test_keys_move_to_the_peer_and_back agrees
    assert key.public_bytes_raw().hex() == "67f5102ed34c45415331e69ed23729e8609d93d106a26fabeb049979e954c8c6"


# -- XChaCha20 -------------------------------------------------------------------------------------------------------


def test_hchacha20_as_the_draft_has_it() -> None:
    made = hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    assert made.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def test_xchacha20_poly1305_as_the_draft_has_it() -> None:
    text = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
    nonce, associated = bytes(range(0x40, 0x58)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    cipher = XChaCha20Poly1305(bytes(range(0x80, 0xA0)))
    sealed = cipher.encrypt(nonce, text + b"would be it.", associated)
    assert sealed[:16].hex() == "bd6d179d3e83d43b9576579493c0e939"
    assert sealed[-16:].hex() == "c0875924c1c7987947deafd8780acf49"
    assert cipher.decrypt(nonce, sealed, associated) == text + b"would be it."


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
@pytest.mark.parametrize("more", [{}, {"derived": True}, {"derived": True, "convergent_encryption": True}])
async def test_xchacha20_nonces_are_long(transit: Mounted, more: dict[str, Any], batch: bool) -> None:
    await write(transit, "keys/k", type="xchacha20-poly1305", **more)
    item = {"plaintext": HELLO} | ({"context": b64("c")} if more else {})
    answer = await write(transit, "encrypt/k", **({"batch_input": [item]} if batch else item))
    made = (answer["batch_results"][0] if batch else answer)["ciphertext"]
    assert len(base64.b64decode(made.removeprefix("vault:v1:"))) == 24 + 5 + 16
    back = {"ciphertext": made} | ({"context": b64("c")} if more else {})
    assert (await write(transit, "decrypt/k", **back))["plaintext"] == HELLO


# -- agreed keys -----------------------------------------------------------------------------------------------------


async def exported(transit: Mounted, name: str, form: str = "encryption-key") -> str:
    return str((await read(transit, f"export/{form}/{name}"))["keys"]["1"])


async def test_two_parties_agree_on_a_key(transit: Mounted) -> None:
    pems = {}
    for name in ("a", "b"):
        await write(transit, f"keys/{name}", type="ecdsa-p256")
        pems[name] = (await read(transit, f"keys/{name}"))["keys"]["1"]["public_key"]
    for own, other in (("a", "b"), ("b", "a")):
        await write(transit, f"derive-key/of-{own}", base_key_name=own, peer_public_key=pems[other])
    sealed = (await write(transit, "encrypt/of-a", plaintext=HELLO))["ciphertext"]
    assert (await write(transit, "decrypt/of-b", ciphertext=sealed))["plaintext"] == HELLO
    facts = await read(transit, "keys/of-a")
    assert (facts["type"], facts["imported_key"], facts["exportable"]) == ("aes256-gcm96", True, False)
    await write(transit, "derive-key/of-a", base_key_name="a", peer_public_key=pems["a"])
    assert (await read(transit, "keys/of-a"))["latest_version"] == 2


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param({"peer_public_key": ""}, "peer public key not provided", id="no_peer"),
        pytest.param({"peer_public_key": "x"}, "failed to parse supplied peer public key PEM", id="no_pem"),
        pytest.param({"base_key_name": "none"}, "specified base key not found", id="no_base"),
        pytest.param({"base_key_name": "aes"}, "does not support key agreement", id="a_base_that_is_not_ec"),
        pytest.param({"base_key_name": "larger"}, "does not match peer public key curve", id="another_curve"),
        pytest.param({"base_key_version": 2}, "requested version for the base key is higher", id="a_later_version"),
        pytest.param({"derived_key_type": "rsa-2048"}, "unknown key type rsa-2048", id="a_type_that_is_not_symmetric"),
        pytest.param({"key_derivation_algorithm": "dh"}, "key derivation algorithm dh not supported", id="no_ecdh"),
    ],
)
async def test_agreements_that_cannot_be(transit: Mounted, body: dict[str, Any], text: str) -> None:
    for name, kind in (("base", "ecdsa-p256"), ("larger", "ecdsa-p384"), ("aes", "aes256-gcm96")):
        await write(transit, f"keys/{name}", type=kind)
    peer = (await read(transit, "keys/base"))["keys"]["1"]["public_key"]
    with pytest.raises(InvalidRequest, match=text):
        await write(transit, "derive-key/made", **({"base_key_name": "base", "peer_public_key": peer} | body))
    with pytest.raises(NotFound):
        await read(transit, "keys/made")


# -- certificates ----------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CA = ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, *, ca: bool = False) -> str:
    names = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "n")])
    builder = x509.CertificateBuilder(names, names, key, 5, NOW, NOW + timedelta(1))
    builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
    return builder.sign(CA, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


ROOT = certificate(CA.public_key(), ca=True)


def template() -> str:
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("a.example")]), critical=False)
    return builder.sign(CA, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519", "ecdsa-p256", "ecdsa-p384"])
async def test_a_signing_request_takes_names_from_another(transit: Mounted, kind: str) -> None:
    await write(transit, "keys/k", type=kind)
    made = await write(transit, "keys/k/csr", csr=template())
    request = x509.load_pem_x509_csr(made["csr"].encode())
    assert request.is_signature_valid
    assert request.public_key() == await public(transit, "k")
    assert request.subject.rfc4514_string() == "CN=me"
    assert [extension.value for extension in request.extensions] == [
        x509.SubjectAlternativeName([x509.DNSName("a.example")])
    ]
    empty = x509.load_pem_x509_csr((await write(transit, "keys/k/csr"))["csr"].encode())
    assert (list(empty.subject), list(empty.extensions)) == ([], [])


async def test_a_chain_stays_beside_its_version_through_backups(transit: Mounted) -> None:
    await write(transit, "keys/k", type="ecdsa-p256", exportable=True, allow_plaintext_backup=True)
    chain = certificate(await public(transit, "k")) + ROOT
    assert (await write(transit, "keys/k/set-certificate", certificate_chain=chain))["certificate_chain"]
    await write(transit, "keys/k/rotate")
    backup = (await read(transit, "backup/k"))["backup"]
    await write(transit, "restore/copy", backup=backup)
    for name in ("k", "copy"):
        shown = (await read(transit, f"export/certificate-chain/{name}/1"))["keys"]["1"]
        assert shown == chain.strip()
        assert (await read(transit, f"keys/{name}"))["keys"]["1"]["certificate_chain"] == shown
        with pytest.raises(InvalidRequest, match="does not have a certificate chain"):
            await read(transit, f"export/certificate-chain/{name}")


@pytest.mark.parametrize(
    ("chain", "text"),
    [
        pytest.param("", "did not contain any valid PEM encoded certificate", id="nothing"),
        pytest.param("x", "could not decode a PEM block", id="no_pem"),
        pytest.param(template(), "did not contain any valid PEM encoded certificate", id="a_request"),
        pytest.param(ROOT, "first element is not a valid leaf", id="an_authority_first"),
        pytest.param(certificate(ed25519.Ed25519PrivateKey.generate().public_key()), "does not match the selected key",
                     id="of_another_key"),
    ],
)  # fmt: skip
async def test_chains_that_cannot_be(transit: Mounted, chain: str, text: str) -> None:
    await write(transit, "keys/k", type="ecdsa-p256")
    with pytest.raises(InvalidRequest, match=text):
        await write(transit, "keys/k/set-certificate", certificate_chain=chain)
    assert (await read(transit, "keys/k"))["keys"]["1"]["certificate_chain"] == ""


@pytest.mark.parametrize("path", ["keys/k/csr", "keys/k/set-certificate"])
async def test_certificates_are_for_keys_that_sign(transit: Mounted, path: str) -> None:
    await write(transit, "keys/k", type="aes256-gcm96")
    with pytest.raises(InvalidRequest, match="key type 'aes256-gcm96' does not support signing"):
        await write(transit, path, certificate_chain=ROOT)
    with pytest.raises(InvalidRequest, match="key with provided name 'none' not found"):
        await write(transit, path.replace("/k/", "/none/"), certificate_chain=ROOT)


# -- keys that leave -------------------------------------------------------------------------------------------------


async def test_keys_go_to_another_mount_wrapped(transit: Mounted) -> None:
    pem = (await read(transit, "wrapping_key"))["public_key"]
    await write(transit, "keys/wrap/import", type="rsa-4096", public_key=pem)
    for kind in ("aes256-gcm96", "xchacha20-poly1305", "ed25519", "ecdsa-p521", "hmac"):
        size = {"key_size": 48} if kind == "hmac" else {}
        await write(transit, f"keys/{kind}", type=kind, exportable=True, **size)
        for digest in ("SHA256", "sha1"):
            wrapped = await transit.ask("read", f"byok-export/wrap/{kind}/latest", {"hash": digest})
            copy = f"{kind}-{digest}"
            ciphertext = wrapped.data["keys"]["1"]
            await write(transit, f"keys/{copy}/import", type=kind, ciphertext=ciphertext, hash_function=digest)
            await same_key(transit, kind, copy)


async def same_key(transit: Mounted, kind: str, copy: str) -> None:
    if kind == "hmac":
        made = (await write(transit, f"hmac/{kind}", input=HELLO))["hmac"]
        assert (await write(transit, f"verify/{copy}", input=HELLO, hmac=made))["valid"] is True
    elif kind in {"ed25519", "ecdsa-p521"}:
        made = (await write(transit, f"sign/{kind}", input=HELLO))["signature"]
        assert (await write(transit, f"verify/{copy}", input=HELLO, signature=made))["valid"] is True
    else:
        made = (await write(transit, f"encrypt/{kind}", plaintext=HELLO))["ciphertext"]
        assert (await write(transit, f"decrypt/{copy}", ciphertext=made))["plaintext"] == HELLO


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("byok-export/none/k", "no such destination key to export to", id="no_destination"),
        pytest.param("byok-export/wrap/none", "no such source key for export", id="no_source"),
        pytest.param("byok-export/k/k", "must be a rsa key", id="a_destination_that_is_not_rsa"),
        pytest.param("byok-export/wrap/wrap", "key is not exportable", id="a_source_that_may_not_leave"),
        pytest.param("byok-export/wrap/k/2", "version does not exist", id="a_version_to_come"),
        pytest.param("export/signing-key/k/0", "below minimum decryption version", id="version_zero"),
        pytest.param("export/signing-key/k/x", "invalid key version", id="no_version"),
        pytest.param("export/x/none", "invalid export type: x", id="no_form"),
    ],
)
async def test_exports_that_cannot_be(transit: Mounted, path: str, text: str) -> None:
    await write(transit, "keys/k", type="ed25519", exportable=True)
    await write(transit, "keys/wrap", type="rsa-2048")
    with pytest.raises(InvalidRequest, match=text):
        await read(transit, path)


@pytest.mark.parametrize("form", ["public-key", "signing-key"])
@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519", "ecdsa-p256"])
async def test_exports_in_the_same_form_for_all_types(transit: Mounted, kind: str, form: str) -> None:
    await write(transit, "keys/k", type=kind, exportable=True)
    forms = {}
    for encoding in ("der", "pem"):
        forms[encoding] = (await transit.ask("read", f"export/{form}/k", {"format": encoding})).data["keys"]["1"]
    der = base64.b64decode(forms["der"])
    if form == "public-key":
        assert load_der_public_key(der) == load_pem_public_key(forms["pem"].encode()) == await public(transit, "k")
    else:
        whole = load_pem_private_key(forms["pem"].encode(), None)
        assert forms["pem"].startswith("-----BEGIN PRIVATE KEY-----")
        assert load_der_private_key(der, None).public_key() == whole.public_key() == await public(transit, "k")
    assert forms["pem"].endswith("-----\n" if kind == "rsa-2048" else "-----")


@pytest.mark.parametrize(
    ("kind", "form", "encoding", "text"),
    [
        pytest.param("ed25519", "public-key", "x", "invalid format: x", id="no_encoding"),
        pytest.param("rsa-2048", "public-key", "raw", "unknown key format for rsa-2048 key", id="raw_rsa"),
        pytest.param("ecdsa-p256", "signing-key", "raw", "unknown key format for ecdsa-p256 key", id="raw_ec"),
        pytest.param("aes256-gcm96", "encryption-key", "pem", "unknown format for aes256-gcm96 key", id="a_secret"),
        pytest.param("ed25519", "hmac-key", "der", "unknown format for HMAC key", id="an_hmac_key"),
    ],
)
async def test_encodings_that_cannot_be(transit: Mounted, kind: str, form: str, encoding: str, text: str) -> None:
    await write(transit, "keys/k", type=kind, exportable=True)
    with pytest.raises(InvalidRequest, match=text):
        await transit.ask("read", f"export/{form}/k", {"format": encoding})


async def test_keys_are_listed_by_pages(transit: Mounted) -> None:
    for name in ("a", "b", "c"):
        await write(transit, f"keys/{name}")
    assert (await transit.ask("list", "keys", {"after": "a", "limit": 1})).data == {"keys": ["b"]}


async def test_an_export_of_no_key_finds_nothing(transit: Mounted) -> None:
    with pytest.raises(NotFound):
        await read(transit, "export/signing-key/none")


@pytest.mark.parametrize("kind", ["rsa-2048", "ed25519", "ecdsa-p256"])
async def test_public_keys_without_private_ones_are_backed_up(transit: Mounted, kind: str) -> None:
    await write(transit, "keys/k", type=kind)
    pem = (await public(transit, "k")).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await write(transit, "keys/half/import", type=kind, public_key=pem, exportable=True, allow_plaintext_backup=True)
    await write(transit, "restore/copy", backup=(await read(transit, "backup/half"))["backup"])
    signature = (await write(transit, "sign/k", input=HELLO))["signature"]
    assert (await write(transit, "verify/copy", input=HELLO, signature=signature))["valid"] is True
    with pytest.raises(InvalidRequest, match="private half"):
        await write(transit, "sign/copy", input=HELLO)


async def test_hmac_keys_of_vault_are_told_from_xchacha20_ones_of_openbao(transit: Mounted) -> None:
    await write(transit, "keys/k", type="hmac", key_size=64, exportable=True, allow_plaintext_backup=True)
    backup = json.loads(base64.b64decode((await read(transit, "backup/k"))["backup"]))
    assert (backup["policy"]["type"], backup["policy"]["key_size"]) == (10, 64)
    backup["policy"]["type"] = 11
    await write(transit, "restore/copy", backup=b64(json.dumps(backup)))
    assert (await read(transit, "keys/copy"))["type"] == "hmac"


async def test_rsa_pads_as_asked(transit: Mounted) -> None:
    await write(transit, "keys/k", type="rsa-2048", exportable=True)
    exported = (await transit.data("export/encryption-key/k"))["keys"]["1"]
    key = load_pem_private_key(exported.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    old = await write(transit, "encrypt/k", plaintext=HELLO, padding_scheme="pkcs1v15")
    raw = base64.b64decode(old["ciphertext"].removeprefix("vault:v1:"))
    assert key.decrypt(raw, padding.PKCS1v15()) == b"hello"
    back = await write(transit, "decrypt/k", ciphertext=old["ciphertext"], padding_scheme="pkcs1v15")
    assert back == {"plaintext": HELLO}
    with pytest.raises(InvalidRequest, match="failed to RSA decrypt"):
        await write(transit, "decrypt/k", ciphertext=old["ciphertext"])
    new = await write(transit, "rewrap/k", ciphertext=old["ciphertext"], decrypt_padding_scheme="pkcs1v15")
    assert await write(transit, "decrypt/k", ciphertext=new["ciphertext"]) == back
    batch = [{"plaintext": HELLO, "padding_scheme": scheme} for scheme in ("pkcs1v15", "oaep", None)]
    results = (await write(transit, "encrypt/k", batch_input=batch))["batch_results"]
    again = [{"ciphertext": one["ciphertext"], "padding_scheme": item["padding_scheme"]}
             for one, item in zip(results, batch, strict=True)]  # fmt: skip
    told = (await write(transit, "decrypt/k", batch_input=again))["batch_results"]
    assert [one["plaintext"] for one in told] == [HELLO] * 3


@pytest.mark.parametrize(
    ("kind", "scheme", "message"),
    [
        pytest.param("rsa-2048", "pss", "expected oaep or pkcs1v15", id="a_scheme_for_signatures"),
        pytest.param("aes256-gcm96", "oaep", "expected an RSA key", id="a_key_that_pads_nothing"),
    ],
)
async def test_other_paddings_are_refused(transit: Mounted, kind: str, scheme: str, message: str) -> None:
    await write(transit, "keys/k", type=kind)
    with pytest.raises(InvalidRequest, match=message):
        await write(transit, "encrypt/k", plaintext=HELLO, padding_scheme=scheme)
    with pytest.raises(InvalidRequest, match=message):
        await write(transit, "datakey/wrapped/k", padding_scheme=scheme)
