"""ML-DSA (FIPS 204) in all places where a key signs or is signed."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from strongroom_server.engines.pki import Engine
from strongroom_server.lib.x509 import load_key
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.engines.pki.mounted import certificate, issue, role
from tests.strongroom_server.fakes import Mounted


async def mounted(**root: object) -> Mounted:
    pki = await Mounted(Engine).start()
    await pki("update", "root/generate/internal", common_name="R", key_type="mldsa", issuer_name="root", **root)
    return pki


@pytest.mark.parametrize(("bits", "kind"), [
    pytest.param(0, mldsa.MLDSA44PublicKey, id="the_usual_one"),
    pytest.param(65, mldsa.MLDSA65PublicKey, id="sixty_five"),
    pytest.param(87, mldsa.MLDSA87PublicKey, id="eighty_seven"),
])  # fmt: skip
async def test_a_root_issues(bits: int, kind: type) -> None:
    pki = await mounted(key_bits=bits)
    root = certificate(await pki.data("cert/ca"))
    assert isinstance(root.public_key(), kind)
    assert (await pki.data("issuer/root"))["revocation_signature_algorithm"] == f"MLDSA{bits or 44}"
    await role(pki, key_type="mldsa", key_bits=bits)
    made = await issue(pki)
    leaf = certificate(made)
    leaf.verify_directly_issued_by(root)
    assert made["private_key_type"] == "mldsa"
    assert load_key(made["private_key"]).public_key() == leaf.public_key()
    info = (await pki("list", "certs/detailed")).data or {}
    assert info["key_info"][made["serial_number"]]["key_bits"] == (bits or 44)


async def test_intermediates_lists_and_ocsp() -> None:
    pki = await mounted()
    body = {"common_name": "I", "key_type": "mldsa", "key_bits": 87}
    request = (await pki("update", "intermediate/generate/internal", **body)).data
    assert request is not None
    signed = (await pki("update", "root/sign-intermediate", csr=request["csr"], common_name="I", ttl="1h")).data
    assert signed is not None
    below, root = certificate(signed), certificate(await pki.data("cert/ca"))
    below.verify_directly_issued_by(root)
    await pki("update", "revoke", serial_number=signed["serial_number"])
    answer = await pki("read", "crl")
    assert answer.raw is not None
    assert isinstance(answer.raw.body, bytes)
    found = x509.load_der_x509_crl(answer.raw.body)
    assert found.is_signature_valid(root.public_key())  # type: ignore[arg-type]
    assert [entry.serial_number for entry in found] == [below.serial_number]
    asked = ocsp.OCSPRequestBuilder().add_certificate(below, root, SHA256()).build().public_bytes(Encoding.DER)
    answer = await pki.engine.handle(Request(Operation.UPDATE, "ocsp", body=asked))
    assert answer.raw is not None
    assert isinstance(answer.raw.body, bytes)
    told = ocsp.load_der_ocsp_response(answer.raw.body)
    assert told.certificate_status is ocsp.OCSPCertStatus.REVOKED
    root.public_key().verify(told.signature, told.tbs_response_bytes)  # type: ignore[call-arg, union-attr]


@pytest.mark.parametrize("bits", [3, 256])
async def test_other_sizes_are_refused(bits: int) -> None:
    pki = await Mounted(Engine).start()
    with pytest.raises(InvalidRequest, match=f"unsupported bit length for ML-DSA key: {bits}"):
        await role(pki, key_type="mldsa", key_bits=bits)


async def test_a_key_signs_by_its_own_algorithm() -> None:
    pki = await mounted()
    await pki("patch", "issuer/root", revocation_signature_algorithm="mldsa44")
    with pytest.raises(Internal, match="unable to use issuer"):
        await pki("patch", "issuer/root", revocation_signature_algorithm="mldsa65")
