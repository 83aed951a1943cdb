from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from strongroom_common.clock import FakeClock
from strongroom_server.engines.pki import Engine
from strongroom_server.lib.der import frames
from strongroom_server.lib.x509 import key_pem, new_key
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from tests.strongroom_server.engines.pki.mounted import certificate, issue, mounted, role
from tests.strongroom_server.fakes import Mounted

HOUR = 3600


async def crl(pki: Mounted, path: str = "crl") -> x509.CertificateRevocationList:
    raw = (await pki("read", path)).raw
    assert raw is not None
    return x509.load_der_x509_crl(raw.body)


async def root(pki: Mounted) -> x509.Certificate:
    raw = (await pki("read", "ca")).raw
    assert raw is not None
    return x509.load_der_x509_certificate(raw.body)


def number(found: x509.CertificateRevocationList) -> int:
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


async def test_a_serial_number_in_any_form_revokes_once() -> None:
    pki = await mounted()
    await role(pki)
    serial = (await issue(pki))["serial_number"]
    first = (await pki("update", "revoke", serial_number=serial.replace(":", "-"))).data or {}
    assert first["state"] == "revoked"
    await pki.clock.advance(10)
    for form in (serial, serial.upper(), serial.replace(":", "")):
        assert (await pki("update", "revoke", serial_number=form)).data == first
        shown = await pki.data(f"cert/{form}")
        assert shown["revocation_time"] == first["revocation_time"]
    assert [entry.serial_number for entry in await crl(pki)] == [int(serial.replace(":", ""), 16)]
    assert (await crl(pki)).is_signature_valid((await root(pki)).public_key())  # type: ignore[arg-type]


@pytest.mark.parametrize(("body", "error", "message"), [
    pytest.param({}, InvalidRequest, "must be provided", id="nothing"),
    pytest.param({"serial_number": "00:11"}, InvalidRequest, "certificate with serial 00:11 not found", id="unknown"),
    pytest.param({"serial_number": "zz"}, InvalidRequest, "certificate with serial zz not found", id="no_number"),
    pytest.param({"certificate": "x"}, Internal, "too short", id="a_path"),
    pytest.param({"certificate": "x" * 100}, Internal, "could not be parsed", id="no_certificate"),
    pytest.param({"certificate": "x", "serial_number": "00"}, InvalidRequest, "not both", id="both"),
])  # fmt: skip
async def test_what_is_not_there_is_not_revoked(body: dict[str, Any], error: type, message: str) -> None:
    pki = await mounted()
    with pytest.raises(error, match=message):
        await pki("update", "revoke", **body)


async def test_a_certificate_of_another_ca_is_not_revoked() -> None:
    pki, other = await mounted(), await mounted()
    await role(other)
    with pytest.raises(Internal, match="not signed by any issuer"):
        await pki("update", "revoke", certificate=(await issue(other))["certificate"])


async def test_a_certificate_that_was_not_stored_is_revoked_by_itself() -> None:
    pki = await mounted()
    await role(pki, no_store=True)
    made = await issue(pki)
    assert (await pki("update", "revoke", certificate=made["certificate"])).data is not None
    assert await pki.keys("certs/revoked") == [made["serial_number"]]


async def test_whoever_has_the_key_may_revoke() -> None:
    pki = await mounted()
    await role(pki)
    made = await issue(pki)
    serial = made["serial_number"]
    with pytest.raises(InvalidRequest, match="Must have private key"):
        await pki("update", "revoke-with-key", serial_number=serial)
    with pytest.raises(InvalidRequest, match="too short"):
        await pki("update", "revoke-with-key", serial_number=serial, private_key="bad")
    with pytest.raises(Internal, match="does not match"):
        await pki("update", "revoke-with-key", serial_number=serial, private_key=key_pem(new_key("ec", 256)))
    with pytest.raises(NotFound):
        await pki.keys("certs/revoked")
    answer = await pki("update", "revoke-with-key", serial_number=serial, private_key=made["private_key"])
    assert (answer.data or {})["state"] == "revoked"


async def test_the_root_and_what_is_expired_are_not_revoked() -> None:
    pki = await mounted()
    await role(pki)
    expired = (await issue(pki, ttl="10s"))["serial_number"]
    await pki.clock.advance(20)
    answer = await pki("update", "revoke", serial_number=expired)
    assert answer.data is None
    assert "already expired; refusing to add to CRL" in answer.warnings[0]
    await pki("update", "config/crl", allow_expired_cert_revocation=True)
    assert (await pki("update", "revoke", serial_number=expired)).data is not None
    own = next(iter((await pki("list", "issuers")).data["key_info"].values()))["serial_number"]  # type: ignore[index]
    with pytest.raises(InvalidRequest, match="to its own CRL is not allowed"):
        await pki("update", "revoke", serial_number=own)


async def test_crls_are_made_in_time_and_deltas_between() -> None:
    pki = await mounted()
    await role(pki, ttl="100h")
    await pki("update", "config/crl", auto_rebuild=True, auto_rebuild_grace_period="1h", expiry="10h",
              enable_delta=True, delta_rebuild_interval="15m")  # fmt: skip
    start = await crl(pki)
    await pki.clock.advance(60)
    serial = (await issue(pki))["serial_number"]
    await pki("update", "revoke", serial_number=serial)
    await pki.engine.tick()
    assert number(await crl(pki)) == number(start)
    assert len(await crl(pki, "crl/delta")) == 0
    await pki.clock.advance(HOUR)
    await pki.engine.tick()
    delta = await crl(pki, "crl/delta")
    assert len(delta) == 1
    assert len(await crl(pki)) == 0
    base = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert (base.critical, base.value.crl_number) == (True, number(start))
    await pki.clock.advance(9 * HOUR)
    await pki.engine.tick()
    complete = await crl(pki)
    assert len(complete) == 1
    assert number(complete) > number(delta)
    assert len(await crl(pki, "crl/delta")) == 0


async def test_crls_are_made_by_hand() -> None:
    pki = await mounted()
    before = number(await crl(pki))
    assert (await pki("read", "crl/rotate")).data == {"success": True}
    assert number(await crl(pki)) > before
    assert "no-op" in (await pki("read", "crl/rotate-delta")).warnings[0]
    await role(pki)
    await pki("update", "revoke", serial_number=(await issue(pki))["serial_number"])
    await pki("update", "config/crl", disable=True)
    assert len(await crl(pki)) == 0
    assert len(await crl(pki, "issuer/default/crl/der")) == 0
    assert "BEGIN X509 CRL" in (await pki.data("cert/crl"))["certificate"]
    reason = {"id": "2.5.29.21", "critical": False, "value": "CgEB"}
    listed = [{"serial_number": "ab:cd", "revocation_time": "2023-01-01T00:00:00Z", "extensions": [reason]}]
    signed = await pki("update", "issuer/default/sign-revocation-list", crl_number=7, revoked_certs=listed)
    found = x509.load_pem_x509_crl((signed.data or {})["crl"].encode())
    assert (number(found), [entry.serial_number for entry in found]) == (7, [0xABCD])
    assert next(iter(found)).extensions.get_extension_for_class(x509.CRLReason).value.reason.name == "key_compromise"
    joined = await pki("update", "issuer/default/resign-crls", crl_number=8, crls=[(signed.data or {})["crl"]])
    assert number(x509.load_pem_x509_crl((joined.data or {})["crl"].encode())) == 8


async def test_a_complete_crl_leads_to_the_delta_where_there_is_one() -> None:
    pki = await mounted()
    await pki("update", "config/urls", delta_crl_distribution_points="http://crl.test/delta")
    await pki("read", "crl/rotate")
    kinds = {extension.oid for extension in (await crl(pki)).extensions}
    assert x509.FreshestCRL.oid not in kinds
    await pki("update", "config/crl", auto_rebuild=True, enable_delta=True)
    found = (await crl(pki)).extensions.get_extension_for_class(x509.FreshestCRL).value
    assert found[0].full_name == [x509.UniformResourceIdentifier("http://crl.test/delta")]


@pytest.mark.parametrize(("body", "message"), [
    pytest.param({"crl_number": -1}, "crl_number parameter must be 0 or greater", id="number"),
    pytest.param({"format": "zz"}, "unknown format value of zz", id="format"),
    pytest.param({"next_update": "-1h"}, "next_update parameter must be greater than 0", id="span"),
    pytest.param({"revoked_certs": 5}, "expected lists of objects", id="no_list"),
    pytest.param({"revoked_certs": [5]}, "entry 0 of revoked_certs: expected an object", id="no_object"),
    pytest.param({"revoked_certs": [{"serial_number": "zz"}]}, "failed parsing serial_number from entry 0", id="hex"),
    pytest.param({"revoked_certs": [{"serial_number": "aa"}]}, "missing 'revocation_time' field", id="time"),
    pytest.param({"extensions": [{"id": "zz"}]}, "failed parsing extension entry 0", id="extension"),
])  # fmt: skip
async def test_lists_that_cannot_be_are_refused(body: dict[str, Any], message: str) -> None:
    pki = await mounted()
    with pytest.raises(InvalidRequest, match=message):
        await pki("update", "issuer/default/sign-revocation-list", **body)


@pytest.mark.parametrize(("body", "message"), [
    pytest.param({"enable_delta": True}, "Delta CRLs cannot be enabled", id="delta_without_rebuilding"),
    pytest.param({"auto_rebuild": True, "expiry": "1h"}, "grace period", id="a_grace_longer_than_all"),
    pytest.param({"auto_rebuild": True, "enable_delta": True, "delta_rebuild_interval": "99h"}, "window", id="rare"),
    pytest.param({"expiry": "bad"}, "could not be decoded", id="no_duration"),
    pytest.param({"ocsp_expiry": "-1h"}, "got: -1h0m0s", id="negative"),
])  # fmt: skip
async def test_rules_that_contradict_each_other_are_refused(body: dict[str, Any], message: str) -> None:
    pki = await Mounted(Engine).start()
    before = await pki.data("config/crl")
    with pytest.raises(InvalidRequest, match=message):
        await pki("update", "config/crl", **body)
    assert await pki.data("config/crl") == before


def asking(found: x509.Certificate, issuer: x509.Certificate, nonce: bytes = b"") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = ocsp.OCSPRequestBuilder().add_certificate(found, issuer, hashes.SHA1())
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


async def ask(pki: Mounted, raw: bytes) -> ocsp.OCSPResponse:
    answer = await _post(pki, raw)
    assert answer.raw is not None
    assert answer.raw.content_type == "application/ocsp-response"
    return ocsp.load_der_ocsp_response(answer.raw.body)


async def _post(pki: Mounted, raw: bytes) -> Any:
    from strongroom_server.sdk.request import Operation, Request

    return await pki.engine.handle(Request(Operation.UPDATE, "ocsp", body=raw))


async def test_ocsp_knows_good_from_revoked_and_strange() -> None:
    pki, other = await mounted(), await mounted()
    await role(pki)
    issuer, made = await root(pki), await issue(pki)
    good = await ask(pki, asking(certificate(made), issuer, b"nonce"))
    assert good.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert good.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"nonce"
    assert good.next_update_utc is not None
    issuer.public_key().verify(good.signature, good.tbs_response_bytes, _ecdsa())  # type: ignore[union-attr,call-arg]
    await pki("update", "revoke", serial_number=made["serial_number"])
    revoked = await ask(pki, asking(certificate(made), issuer))
    assert revoked.certificate_status is ocsp.OCSPCertStatus.REVOKED
    encoded = b64encode(asking(certificate(made), issuer)).decode()
    answer = (await pki("read", f"ocsp/{encoded}")).raw
    assert answer is not None
    assert ocsp.load_der_ocsp_response(answer.body).certificate_status is ocsp.OCSPCertStatus.REVOKED
    strange = await ask(pki, asking(await root(other), await root(other)))
    assert strange.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


class Ticking(FakeClock):
    """A clock that goes on whenever it is looked at, as real ones do."""

    def now(self) -> float:
        self.time += 0.001
        return super().now()


async def test_an_ocsp_answer_without_an_expiry_has_no_end() -> None:
    pki = await mounted()
    await role(pki)
    issuer, made = await root(pki), await issue(pki)
    await pki("update", "config/crl", ocsp_expiry="0s")
    pki.system.clock = Ticking()
    assert (await ask(pki, asking(certificate(made), issuer))).next_update_utc is None


def _ecdsa() -> Any:
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    return ECDSA(hashes.SHA256())


@pytest.mark.parametrize(("raw", "status", "code"), [
    pytest.param(b"junk", ocsp.OCSPResponseStatus.MALFORMED_REQUEST, 400, id="junk"),
    pytest.param(bytes.fromhex("300430023000"), ocsp.OCSPResponseStatus.MALFORMED_REQUEST, 400, id="for_none"),
    pytest.param(b"0" * 5000, ocsp.OCSPResponseStatus.MALFORMED_REQUEST, 400, id="too_long"),
])  # fmt: skip
async def test_ocsp_refuses_what_it_cannot_read(raw: bytes, status: ocsp.OCSPResponseStatus, code: int) -> None:
    pki = await mounted()
    answer = (await _post(pki, raw)).raw
    assert answer is not None
    assert (answer.status, ocsp.load_der_ocsp_response(answer.body).response_status) == (code, status)
    await pki("update", "config/crl", ocsp_disable=True)
    answer = (await _post(pki, raw)).raw
    assert answer is not None
    assert answer.status == 401


async def test_without_an_issuer_there_is_nothing_to_fetch() -> None:
    pki = await Mounted(Engine).start()
    for path in ("ca", "ca/pem", "ca_chain", "crl", "crl/pem", "crl/delta", "cert/00:11/raw", "unified-crl"):
        raw = (await pki("read", path)).raw
        assert raw is not None
        assert (raw.status, raw.body) == (204, b"")
    with pytest.raises(InvalidRequest, match="no default issuer"):
        await pki.data("cert/ca")
    with pytest.raises(NotFound):
        await pki.data("cert/00:11")


async def settle(pki: Mounted) -> dict[str, Any]:
    for _ in range(200):
        await pki.clock.advance(0)
        status = await pki.data("tidy-status")
        if status["state"] != "Running":
            return status  # type: ignore[no-any-return]
    raise AssertionError("tidying does not end")


async def test_tidying_forgets_what_is_long_over() -> None:
    pki = await mounted()
    await role(pki)
    old, revoked = (await issue(pki, ttl="10s"))["serial_number"], (await issue(pki, ttl="1h"))["serial_number"]
    await pki("update", "revoke", serial_number=revoked)
    assert (await pki.data("tidy-status"))["state"] == "Inactive"
    assert "no tidy operations were set" in (await pki("update", "tidy")).warnings[0]
    await settle(pki)
    await pki.clock.advance(2 * HOUR)
    kept = (await issue(pki))["serial_number"]
    answer = await pki("update", "tidy", tidy_cert_store=True, tidy_revoked_certs=True, safety_buffer="10s")
    assert answer.status == 202
    status = await settle(pki)
    counts = (status["cert_store_deleted_count"], status["revoked_cert_deleted_count"])
    assert (status["state"], counts) == ("Finished", (2, 1))
    left = await pki.keys("certs")
    assert kept in left
    assert not {old, revoked} & set(left)
    assert len(await crl(pki)) == 0
    with pytest.raises(InvalidRequest, match="safety_buffer must be greater than zero"):
        await pki("update", "tidy", safety_buffer=0)
    assert "cannot be cancelled" in (await pki("update", "tidy-cancel")).warnings[0]


async def test_a_mount_tidies_by_itself() -> None:
    pki = await mounted()
    await role(pki)
    with pytest.raises(InvalidRequest, match="no tidy operations were requested"):
        await pki("update", "config/auto-tidy", enabled=True)
    rules = {"enabled": True, "tidy_cert_store": True, "safety_buffer": "1s", "interval_duration": "1h"}
    await pki("update", "config/auto-tidy", **rules)
    serial = (await issue(pki, ttl="10s"))["serial_number"]
    await pki.clock.advance(600)
    await pki.engine.tick()
    assert serial in await pki.keys("certs")
    await pki.clock.advance(HOUR)
    await pki.engine.tick()
    assert (await settle(pki))["cert_store_deleted_count"] == 1
    assert serial not in await pki.keys("certs")
    await pki.engine.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("30", "not a frame", id="no_length"),
        pytest.param("3080", "not a frame", id="an_end_told_later"),
        pytest.param("1f00", "not a frame", id="a_long_tag"),
        pytest.param("300201", "cut off", id="less_content_than_told"),
        pytest.param("3082", "cut off", id="less_length_than_told"),
    ],
)
def test_what_is_no_frame_of_der_is_refused(content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        frames(bytes.fromhex(content))
