"""What a proxy says of its clients: believed where the proxy is listed, and nowhere else."""

import base64
import datetime
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom_server.http.forwarded import Forwarding
from strongroom_server.sdk.errors import InvalidRequest

PROXY, OTHER = "10.0.0.1", "10.9.9.9"


def rules(**more: object) -> Forwarding:
    return Forwarding(("10.0.0.0/24",), certificate_header="X-Client-Cert", **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=1)).sign(key, SHA256())
    )  # fmt: skip


@pytest.mark.parametrize(
    ("write", "known"),
    [
        pytest.param(lambda der, pem: base64.b64encode(der).decode(), True, id="base64"),
        pytest.param(lambda der, pem: f":{base64.b64encode(der).decode()}:", True, id="between_colons"),
        pytest.param(lambda der, pem: quote(base64.b64encode(der).decode()), True, id="base64_percent_encoded"),
        pytest.param(lambda der, pem: quote(pem), True, id="pem_percent_encoded_as_nginx_has_it"),
        pytest.param(lambda der, pem: pem.replace("\n", " "), True, id="pem_in_one_line"),
        pytest.param(lambda der, pem: "", False, id="nothing"),
    ],
)
def test_certificates_are_read_as_proxies_write_them(write, known, certificate) -> None:
    der, pem = certificate.public_bytes(Encoding.DER), certificate.public_bytes(Encoding.PEM).decode()
    assert rules().certificates(PROXY, write(der, pem)) == ((der,) if known else ())
    assert rules().certificates(OTHER, write(der, pem)) == ()


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("x", id="no_base64"),
        pytest.param(":YWJj:", id="no_certificate_between_colons"),
        pytest.param("-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----", id="no_certificate_as_pem"),
    ],
)
def test_what_is_no_certificate_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest, match="X-Client-Cert: expected a certificate"):
        rules().certificates(PROXY, header)


@pytest.mark.parametrize(
    ("peer", "header", "more", "expected"),
    [
        pytest.param(PROXY, ["1.1.1.1"], {}, "1.1.1.1", id="a_proxy_is_believed"),
        pytest.param(PROXY, ["9.9.9.9, 1.1.1.1"], {}, "1.1.1.1", id="the_last_address_is_the_proxys_own_word"),
        pytest.param(PROXY, ["9.9.9.9, 1.1.1.1"], {"hop_skips": 1}, "9.9.9.9", id="unless_hops_are_skipped"),
        pytest.param(PROXY, ["9.9.9.9", "1.1.1.1"], {"hop_skips": 1}, "9.9.9.9", id="over_several_headers"),
        pytest.param(PROXY, [], {"reject_not_present": False}, PROXY, id="a_proxy_may_say_nothing"),
        pytest.param(OTHER, ["1.1.1.1"], {"reject_not_authorized": False}, OTHER, id="others_are_not_believed"),
        pytest.param(OTHER, [], {}, OTHER, id="others_need_no_header"),
    ],
)
def test_addresses(peer: str, header: list[str], more: dict[str, object], expected: str) -> None:
    assert rules(**more).address(peer, header) == expected


@pytest.mark.parametrize(
    ("peer", "header", "more", "message"),
    [
        pytest.param(OTHER, ["1.1.1.1"], {}, "not authorized", id="somebody_else_with_the_header"),
        pytest.param(PROXY, [], {}, "missing x-forwarded-for", id="a_proxy_without_it"),
        pytest.param(PROXY, ["1.1.1.1"], {"hop_skips": 1}, "hops to skip", id="fewer_hops_than_are_skipped"),
    ],
)
def test_refusals(peer: str, header: list[str], more: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        rules(**more).address(peer, header)
