"""CAs below CAs: how far they reach, for which names, and what OpenSSL makes of it."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom_server.sdk.errors import InvalidRequest
from tests.strongroom_server.engines.pki.mounted import certificate, mounted, openssl
from tests.strongroom_server.fakes import Mounted


async def signed(pki: Mounted, csr: str, **body: Any) -> x509.Certificate:
    answer = await pki("update", "root/sign-intermediate", **{"csr": csr, "common_name": "Int"} | body)
    assert answer.data is not None
    return certificate(answer.data)


async def request(pki: Mounted, **body: Any) -> str:
    body = {"common_name": "Own", "key_type": "ec"} | body
    made = (await pki("update", "intermediate/generate/internal", **body)).data
    assert made is not None
    return str(made["csr"])


def depth(found: x509.Certificate) -> int | None:
    return found.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


@pytest.mark.parametrize(("root", "body", "expected"), [
    pytest.param({}, {}, None, id="no_limit_above_is_none_below"),
    pytest.param({"max_path_length": 2}, {}, 1, id="one_less_than_above"),
    pytest.param({"max_path_length": 2}, {"max_path_length": 0}, 0, id="what_was_asked_for"),
    pytest.param({"max_path_length": 1}, {"max_path_length": -1}, None, id="minus_one_is_any"),
])  # fmt: skip
async def test_path_lengths(root: dict[str, Any], body: dict[str, Any], expected: int | None) -> None:
    pki = await mounted(**root)
    assert depth(await signed(pki, await request(pki), **body)) == expected


async def test_a_root_of_length_zero_signs_no_cas() -> None:
    pki = await mounted(max_path_length=0)
    with pytest.raises(InvalidRequest, match="max path length of zero"):
        await signed(pki, await request(pki))


async def test_names_are_constrained_by_all_kinds() -> None:
    pki = await mounted()
    found = await signed(
        pki, await request(pki), permitted_dns_domains="a.test,.b.test", excluded_dns_domains="no.a.test",
        permitted_ip_ranges="10.0.0.0/8", excluded_ip_ranges="fd00::/8", permitted_email_addresses="a.test",
        excluded_email_addresses="me@a.test", permitted_uri_domains="a.test", excluded_uri_domains=".b.test",
    )  # fmt: skip
    text = openssl("x509", "-noout", "-ext", "nameConstraints", stdin=found.public_bytes(Encoding.PEM))
    for part in ("critical", "DNS:a.test", "DNS:.b.test", "DNS:no.a.test", "IP:10.0.0.0/255.0.0.0", "email:a.test",
                 "email:me@a.test", "URI:a.test", "URI:.b.test"):  # fmt: skip
        assert part in text
    assert text.index("Permitted") < text.index("DNS:a.test") < text.index("Excluded") < text.index("DNS:no.a.test")


@pytest.mark.parametrize("body", [
    pytest.param({"permitted_dns_domains": "a b"}, id="no_domain"),
    pytest.param({"permitted_dns_domains": "*.a"}, id="a_wildcard"),
    pytest.param({"excluded_ip_ranges": "10.0.0.1"}, id="an_address_instead_of_a_network"),
    pytest.param({"permitted_ip_ranges": "x/8"}, id="no_network"),
    pytest.param({"permitted_uri_domains": "spiffe://a.test/b"}, id="a_uri_instead_of_its_host"),
    pytest.param({"excluded_email_addresses": "me@a b"}, id="no_mail_address"),
])  # fmt: skip
async def test_constraints_that_are_none_are_refused_by_name(body: dict[str, Any]) -> None:
    pki = await mounted()
    with pytest.raises(InvalidRequest, match=next(iter(body))):
        await signed(pki, await request(pki), **body)


async def test_a_cross_signed_ca_signs_and_is_revoked_from_under_two_roots() -> None:
    pki, others = await mounted(issuer_name="own"), [await mounted(), await mounted()]
    made = (await pki("update", "intermediate/generate/internal", common_name="I", key_type="ec", key_name="k")).data
    assert made is not None
    again = (await pki("update", "intermediate/cross-sign", common_name="I", key_ref="k")).data
    assert again is not None
    for other, csr in zip(others, (made["csr"], again["csr"]), strict=True):
        below = (await other("update", "root/sign-intermediate", csr=csr, common_name="I", ttl="900h")).data
        assert below is not None
        bundle = "\n".join([below["certificate"], below["issuing_ca"], below["certificate"]])
        await pki("update", "intermediate/set-signed", certificate=bundle)
    info = ((await pki("list", "issuers")).data or {})["key_info"]
    crossed = [one for one, facts in info.items() if facts["key_id"] == made["key_id"]]
    assert len(crossed) == 2
    for issuer in crossed:
        assert len((await pki.data(f"issuer/{issuer}"))["ca_chain"]) == 2
        signed = await pki("update", f"issuer/{issuer}/sign-intermediate", csr=await request(pki), common_name="L",
                           ttl="1h")  # fmt: skip
        serial = int((signed.data or {})["serial_number"].replace(":", ""), 16)
        await pki("update", "revoke", serial_number=(signed.data or {})["serial_number"])
        for one in crossed:  # one key, one subject: one list
            pem = (await pki.data(f"issuer/{one}/crl"))["crl"]
            assert x509.load_pem_x509_crl(pem.encode()).get_revoked_certificate_by_serial_number(serial) is not None


async def test_a_ca_s_key_may_be_for_more() -> None:
    pki = await mounted()
    csr = await request(pki)
    plain = (await signed(pki, csr, key_usage="Bogus")).extensions.get_extension_for_class(x509.KeyUsage).value
    assert (plain.digital_signature, plain.key_cert_sign, plain.crl_sign) == (False, True, True)
    found = (await signed(pki, csr, key_usage="DigitalSignature", ext_key_usage="ServerAuth")).extensions
    usage = found.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, True, True)
    assert list(found.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]


async def test_without_a_name_of_its_own_it_has_the_request_s() -> None:
    pki = await mounted()
    found = await signed(pki, await request(pki, common_name="Asked"), common_name="")
    assert found.subject.rfc4514_string() == "CN=Asked"


@pytest.mark.parametrize(("path", "body", "below"), [
    pytest.param("root/generate/internal", {"common_name": "R", "key_type": "ec"}, False, id="roots"),
    pytest.param("intermediate/generate/internal", {"common_name": "I", "key_type": "ec"}, True, id="requests"),
])  # fmt: skip
async def test_cas_that_point_nowhere_come_with_a_warning(path: str, body: dict[str, Any], below: bool) -> None:
    pki = await mounted()
    warnings = (await pki("update", path, **body)).warnings
    assert ["hasn't configured any authority information access" in warning for warning in warnings] == [True]
    assert ("Since this certificate is an intermediate" in warnings[0]) is below
    await pki("update", "config/urls", issuing_certificates="http://a.test/ca")
    assert not (await pki("update", path, **body)).warnings


@pytest.mark.parametrize(
    "path",
    [
        "root/generate/existing",
        "intermediate/generate/existing",
        "intermediate/cross-sign",
    ],
)
@pytest.mark.parametrize("body", [{"key_type": "ec"}, {"key_bits": 0}])
async def test_the_kind_of_an_existing_key_is_not_to_choose(path: str, body: dict[str, Any]) -> None:
    pki = await mounted()
    with pytest.raises(InvalidRequest, match="key_type nor key_bits"):
        await pki("update", path, common_name="x", **body)
