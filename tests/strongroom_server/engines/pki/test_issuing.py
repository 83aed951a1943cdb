import ipaddress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom_server.engines.pki import Engine
from strongroom_server.lib.x509 import key_pem, new_key, pem, read_csr, spki
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from strongroom_server.sdk.request import Caller
from tests.strongroom_server.engines.pki.mounted import certificate, issue, mounted, openssl, role
from tests.strongroom_server.fakes import FakeSystem, Mounted


def names(found: x509.Certificate) -> x509.SubjectAlternativeName:
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


_IA5 = x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x16\x01a")


def csr(*san: x509.GeneralName, subject: str = "foo.test", key: Any = None, extensions: Any = (),
        user: str = "") -> str:  # fmt: skip
    named = {NameOID.ORGANIZATION_NAME: "Acme", NameOID.COMMON_NAME: subject,
             **({NameOID.USER_ID: user} if user else {})}  # fmt: skip
    holder = x509.Name([x509.NameAttribute(oid, value) for oid, value in named.items()])
    builder = x509.CertificateSigningRequestBuilder().subject_name(holder)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    key = key or new_key("ec", 256)
    return pem(builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()))


async def test_an_issued_certificate_is_what_was_asked_for_and_its_key_fits() -> None:
    pki = await mounted()
    await role(pki, organization="Org", country="DE", allowed_other_sans="*", allowed_uri_sans="*",
               allowed_user_ids="*", allowed_serial_numbers="*", policy_identifiers="1.2.3",
               basic_constraints_valid_for_non_ca=True)  # fmt: skip
    await pki("update", "config/urls", issuing_certificates="http://h/ca", ocsp_servers="http://h/ocsp",
              crl_distribution_points="http://h/crl")  # fmt: skip
    data = await issue(pki, common_name="a.test", alt_names="b.test,me@b.test", ip_sans="10.0.0.1,::1,::ffff:10.0.0.2",
                       uri_sans="spiffe://td/x", other_sans="1.3.6.1.4.1.311.20.2.3;utf8:dev@x", user_ids="u1,u2",
                       serial_number="123", ttl="30m")  # fmt: skip
    found, root = certificate(data), x509.load_pem_x509_certificate(data["issuing_ca"].encode())
    found.verify_directly_issued_by(root)
    assert found.subject.rfc4514_string() == "UID=u2,UID=u1,2.5.4.5=123,CN=a.test,O=Org,C=DE"
    assert names(found).get_values_for_type(x509.DNSName) == ["a.test", "b.test"]
    assert names(found).get_values_for_type(x509.RFC822Name) == ["me@b.test"]
    assert names(found).get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address(ip) for ip in ("10.0.0.1", "::1", "10.0.0.2")
    ]
    assert names(found).get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://td/x"]
    assert names(found).get_values_for_type(x509.OtherName)[0].value == b"\x0c\x05dev@x"
    assert found.not_valid_after_utc.timestamp() == pki.clock.now() + 1800 == data["expiration"]
    assert found.not_valid_before_utc.timestamp() == pki.clock.now() - 30 == data["not_before"]
    key = load_pem_private_key(data["private_key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert spki(key) == spki(found.public_key())  # type: ignore[arg-type]
    assert data["private_key_type"] == "ec"
    assert data["serial_number"] in await pki.keys("certs")
    assert (await pki.data(f"cert/{data['serial_number']}"))["certificate"] == data["certificate"]


@pytest.mark.parametrize(("unit", "tag"), [
    pytest.param("Unit 7 (a'b), c+d-e./:=?", 0x13, id="printable"),
    pytest.param("Tom & Jerry", 0x0C, id="an_ampersand"),
    pytest.param("a_b", 0x0C, id="an_underscore"),
    pytest.param("*", 0x0C, id="an_asterisk"),
    pytest.param("B\u00e9", 0x0C, id="not_ascii"),
])  # fmt: skip
async def test_a_subject_has_the_bytes_of_the_peers(unit: str, tag: int) -> None:
    pki = await mounted()
    await role(pki, ou=[unit], allowed_serial_numbers="*")
    data = await issue(pki, common_name="a.test", serial_number=unit)
    assert certificate(data).subject.public_bytes().count(bytes((tag, len(unit.encode()))) + unit.encode()) == 2


@pytest.mark.parametrize(("fields", "usages"), [
    pytest.param({}, [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH], id="server_and_client"),
    pytest.param({"server_flag": False, "client_flag": False, "ext_key_usage": "CodeSigning",
                  "ext_key_usage_oids": "1.2.3.4"},
                 [ExtendedKeyUsageOID.CODE_SIGNING, x509.ObjectIdentifier("1.2.3.4")], id="by_name_and_oid"),
    pytest.param({"email_protection_flag": True, "client_flag": False},
                 [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION], id="by_flags"),
])  # fmt: skip
async def test_a_role_says_what_a_certificate_is_for(fields: dict[str, Any], usages: list[Any]) -> None:
    pki = await mounted()
    await role(pki, **fields)
    found = certificate(await issue(pki)).extensions
    assert list(found.get_extension_for_class(x509.ExtendedKeyUsage).value) == usages
    assert found.get_extension_for_class(x509.KeyUsage).critical
    with pytest.raises(x509.ExtensionNotFound):
        found.get_extension_for_class(x509.BasicConstraints)


@pytest.mark.parametrize(("kind", "expected"), [
    pytest.param("ed25519", ed25519.Ed25519PublicKey, id="ed25519"),
    pytest.param("ec", ec.EllipticCurvePublicKey, id="ec"),
    pytest.param("rsa", rsa.RSAPublicKey, id="rsa"),
])  # fmt: skip
async def test_keys_of_each_kind(kind: str, expected: type) -> None:
    pki = await mounted()
    await role(pki, key_type=kind)
    assert isinstance(certificate(await issue(pki)).public_key(), expected)
    await pki.engine.close()


async def test_rsa_signs_with_pss_where_the_role_says_so() -> None:
    pki = await Mounted(Engine).start()
    await pki("update", "root/generate/internal", common_name="R", ttl="700h")
    await role(pki, use_pss=True, signature_bits=384)
    found = certificate(await issue(pki))
    assert isinstance(found.signature_algorithm_parameters, padding.PSS)
    assert found.signature_hash_algorithm is not None
    assert found.signature_hash_algorithm.name == "sha384"
    await pki.engine.close()


@pytest.mark.parametrize(("fields", "body", "message"), [
    pytest.param({}, {"common_name": ""}, "the common_name field is required", id="no_name"),
    pytest.param({"allow_ip_sans": False}, {"ip_sans": "1.2.3.4"}, "IP Subject Alternative Names are not", id="ip"),
    pytest.param({"allowed_ip_sans_cidr": "10.0.0.0/8"}, {"ip_sans": "1.2.3.4"}, "is not allowed", id="network"),
    pytest.param({}, {"ip_sans": "x"}, 'the value "x" is not a valid IP address', id="no_ip"),
    pytest.param({}, {"uri_sans": "http://x"}, "URI Subject Alternative Names are not allowed", id="uri"),
    pytest.param({"allowed_uri_sans": "spiffe://*"}, {"uri_sans": "http://x"}, "not valid for this", id="glob"),
    pytest.param({}, {"other_sans": "1.2.3;utf8:x"}, "other SAN OID 1.2.3 not allowed", id="other_name"),
    pytest.param({"allowed_other_sans": "1.2.3;utf8:*@x"}, {"other_sans": "1.2.3;utf8:a"}, "other SAN a", id="value"),
    pytest.param({}, {"other_sans": "1.2;int:3"}, "only utf8 other SANs", id="another_type"),
    pytest.param({}, {"user_ids": "x"}, "user_id x is not allowed", id="user_id"),
    pytest.param({}, {"serial_number": "x"}, "serial_number x not allowed", id="serial_number"),
    pytest.param({"allow_any_name": False, "cn_validations": "disabled"}, {"common_name": "me@x.test"},
                 "email address me@x.test not allowed", id="an_address_as_a_free_common_name"),
    pytest.param({"key_type": "any"}, {"key_type": "any"}, "unknown key type: any", id="any_kind_of_key"),
    pytest.param({"cn_validations": "email"}, {}, "common name a.example.test not allowed", id="no_address"),
    pytest.param({}, {"format": "foo"}, 'the "format" path parameter must be', id="no_format"),
    pytest.param({"allow_any_name": False, "allowed_domains": "example.test", "allow_subdomains": True},
                 {"alt_names": "other.test"}, "subject alternate name other.test not allowed", id="alternative"),
    pytest.param({"key_type": "any"}, {}, 'role key type "any" not allowed', id="any_key"),
])  # fmt: skip
async def test_what_is_not_allowed_is_refused(fields: dict[str, Any], body: dict[str, Any], message: str) -> None:
    pki = await mounted()
    await role(pki, **fields)
    with pytest.raises(InvalidRequest, match=message):
        await issue(pki, **body)
    assert len(await pki.keys("certs")) == 1


async def test_formats() -> None:
    pki = await mounted()
    await role(pki)
    bundle = await issue(pki, format="pem_bundle", private_key_format="pkcs8")
    assert [line for line in bundle["certificate"].split("\n") if "BEGIN" in line] == [
        "-----BEGIN EC PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----",
    ]  # fmt: skip
    assert bundle["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    raw = await issue(pki, format="der")
    assert all(raw[name].startswith("M") for name in ("certificate", "issuing_ca", "private_key"))
    assert "ca_chain" not in await issue(pki, remove_roots_from_chain=True)


async def test_leases_and_what_is_not_stored() -> None:
    pki = await mounted()
    [root] = await pki.keys("certs")
    await role(pki, generate_lease=True)
    answer = await pki("update", "issue/r", common_name="a.test", ttl="10m")
    assert answer.lease is not None
    assert (answer.lease.ttl, answer.lease.renewable) == (600, False)
    assert (await pki.keys("certs")) == [root], "the certificate is stored with its lease, by the core"
    await pki.store.commit(answer.lease.beside)
    from strongroom_server.sdk.request import Operation, Request

    await pki.engine.revoke(answer.lease, Request(Operation.REVOKE, ""))
    serial = (answer.data or {})["serial_number"]
    assert await pki.keys("certs/revoked") == [serial]
    await role(pki, no_store=True)
    with pytest.raises(NotFound):
        await pki.data(f"cert/{(await issue(pki))['serial_number']}")


async def test_signing_takes_names_from_the_request_where_the_role_says_so() -> None:
    pki = await mounted()
    wanted = csr(x509.DNSName("bar.test"), x509.IPAddress(ipaddress.ip_address("10.1.2.3")))
    await role(pki, key_type="any")
    answer = await pki("update", "sign/r", csr=wanted, common_name="ignored.test")
    found = certificate(answer.data or {})
    assert names(found).get_values_for_type(x509.DNSName) == ["bar.test", "foo.test"]
    assert found.subject.rfc4514_string() == "CN=foo.test"
    assert answer.warnings == [
        'the common_name field was provided but the role is set with "use_csr_common_name" set to true'
    ]
    assert "private_key" not in (answer.data or {})
    await role(pki, key_type="any", use_csr_sans=False, use_csr_common_name=False)
    found = certificate((await pki("update", "sign/r", csr=wanted, common_name="c.test")).data or {})
    assert names(found).get_values_for_type(x509.DNSName) == ["c.test"]


@pytest.mark.parametrize(("fields", "made", "message"), [
    pytest.param({}, csr(x509.IPAddress(ipaddress.ip_address("10.1.2.3"))), None, id="an_address_passes"),
    pytest.param({"allow_ip_sans": False}, csr(x509.IPAddress(ipaddress.ip_address("10.1.2.3"))),
                 "was provided via CSR", id="an_address_in_the_request"),
    pytest.param({}, csr(x509.UniformResourceIdentifier("spiffe://td/x")), "via CSR", id="a_uri_in_the_request"),
    pytest.param({"key_type": "rsa"}, csr(), "role requires keys of type rsa", id="another_key"),
    pytest.param({}, csr(key=rsa.generate_private_key(65537, 1024)), "RSA keys < 2048", id="a_small_key"),
    pytest.param({"key_type": "ec", "key_bits": 384}, csr(), "a minimum of a 384-bit key", id="a_small_curve"),
    pytest.param({}, csr(key=ec.generate_private_key(ec.SECP256K1())), "unsupported elliptic curve", id="a_curve"),
    pytest.param({"allowed_user_ids": "u*"}, csr(user="u1"), None, id="a_user_in_the_request"),
    pytest.param({}, csr(user="u1"), "user_id u1 is not allowed", id="a_user_that_may_not"),
    pytest.param({"use_csr_sans": False}, csr(_IA5), None, id="an_odd_name_that_is_not_used"),
    pytest.param({}, csr(_IA5), "only utf8 other SANs", id="an_odd_name"),
    pytest.param({}, "", '"csr" is empty', id="nothing"),
    pytest.param({}, "junk", "csr contains no data", id="junk"),
    pytest.param({}, csr().replace("MI", "MJ", 1), "could not be parsed|signature", id="broken"),
])  # fmt: skip
async def test_a_request_is_checked_like_an_issue(fields: dict[str, Any], made: str, message: str | None) -> None:
    pki = await mounted()
    await role(pki, **({"key_type": "any"} | fields))
    if message is None:
        assert (await pki("update", "sign/r", csr=made)).data is not None
        return
    with pytest.raises(InvalidRequest, match=message):
        await pki("update", "sign/r", csr=made)


@pytest.mark.parametrize(("fields", "asked", "told"), [
    pytest.param({"enforce_hostnames": False}, ["a_b.test", "a b.test"], ["a_b.test", "a b.test", "foo.test"],
                 id="any_text_where_hostnames_are_not_enforced"),
    pytest.param({}, ["a_b.test"], None, id="no_underscore_else"),
    pytest.param({}, ["*.*.test"], None, id="two_wildcards"),
    pytest.param({"enforce_hostnames": False}, ["*.*.test"], None, id="two_wildcards_even_so"),
    pytest.param({}, ["foo.test", "bar.test", "foo.test"], ["foo.test", "bar.test"], id="each_once_in_their_order"),
    pytest.param({"allow_any_name": False, "allowed_domains": "foo.test", "allow_bare_domains": True,
                  "enforce_hostnames": False}, ["a_b.test"], None, id="only_names_of_the_role"),
])  # fmt: skip
async def test_no_name_of_a_request_is_left_out(
    fields: dict[str, Any], asked: list[str], told: list[str] | None
) -> None:
    pki = await mounted()
    await role(pki, **({"key_type": "any"} | fields))
    body = {"csr": csr(*(x509.DNSName(name) for name in asked))}
    if told is None:
        with pytest.raises(InvalidRequest, match=r"subject alternate name .* not allowed by this role"):
            await pki("update", "sign/r", **body)
    else:
        found = certificate((await pki("update", "sign/r", **body)).data or {})
        assert names(found).get_values_for_type(x509.DNSName) == told


async def test_of_several_common_names_of_a_request_the_last_counts() -> None:
    pki = await mounted()
    await role(pki, key_type="any")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("a.test", "b.test")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    found = certificate((await pki("update", "sign/r", csr=pem(made))).data or {})
    assert found.subject.rfc4514_string() == "CN=b.test"
    assert names(found).get_values_for_type(x509.DNSName) == ["b.test"]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(("-newkey", "rsa:2048"), id="rsa"),
        pytest.param(("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), id="ec"),
    ],
)
async def test_a_request_of_an_old_device_may_be_signed_with_sha_1(kind: tuple[str, ...], tmp_path: Path) -> None:
    pki = await mounted()
    await role(pki, key_type="any")
    old = ("-sha1", "-nodes", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "csr"))
    openssl("req", "-new", *kind, *old, "-subj", "/CN=a.test")
    made = read_csr((tmp_path / "csr").read_bytes())
    found = certificate((await pki("update", "sign/r", csr=pem(made))).data or {})
    assert isinstance(found.signature_hash_algorithm, SHA256)
    raw = made.public_bytes(Encoding.DER)
    broken = read_csr(raw.replace(b"a.test", b"b.test"))
    with pytest.raises(InvalidRequest, match="request signature invalid"):
        await pki("update", "sign/r", csr=pem(broken))


@pytest.mark.parametrize("path", ["sign/r", "sign-verbatim", "root/sign-intermediate"])
async def test_names_of_a_request_that_are_not_ascii_are_refused(path: str) -> None:
    pki = await mounted()
    await role(pki, key_type="any", enforce_hostnames=False)
    odd = x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"\x30\x04\x82\x02\xc3\xbc")
    with pytest.raises(InvalidRequest, match="an alternative name is malformed"):
        await pki("update", path, csr=csr(extensions=[odd]), common_name="foo.test")


async def test_verbatim_is_as_the_request_is_but_never_a_ca() -> None:
    pki = await mounted()
    asked = csr(x509.DNSName("bar.test"), extensions=[
        x509.BasicConstraints(ca=True, path_length=None), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),
    ])  # fmt: skip
    found = certificate((await pki("update", "sign-verbatim", csr=asked, ttl="1h")).data or {})
    assert found.subject.rfc4514_string() == "CN=foo.test,O=Acme"
    assert names(found).get_values_for_type(x509.DNSName) == ["bar.test"]
    usages = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CODE_SIGNING]
    with pytest.raises(x509.ExtensionNotFound):
        found.extensions.get_extension_for_class(x509.BasicConstraints)


async def test_the_issuer_s_end_is_respected_as_it_is_told_to_be() -> None:
    pki = await Mounted(Engine, max_lease_ttl=8760 * 3600).start()
    root = (await pki("update", "root/generate/internal", common_name="R", key_type="ec", ttl="2h")).data or {}
    await role(pki, ttl="4h")
    with pytest.raises(InvalidRequest, match="beyond the expiration of the CA certificate"):
        await issue(pki)
    await pki("update", "issuer/default", leaf_not_after_behavior="truncate")
    assert (await issue(pki))["expiration"] == root["expiration"]
    await pki("update", "issuer/default", leaf_not_after_behavior="permit")
    assert (await issue(pki))["expiration"] == pki.clock.now() + 4 * 3600


async def test_without_an_issuer_nothing_is_issued() -> None:
    pki = await Mounted(Engine).start()
    await role(pki)
    with pytest.raises(Internal, match="no default issuer currently configured"):
        await issue(pki)
    with pytest.raises(InvalidRequest, match="unknown role: none"):
        await issue(pki, "none")


class OneEntity(FakeSystem):
    async def entity(self, entity_id: str) -> Any:
        return {"id": entity_id, "name": "*" if entity_id == "evil" else "alice", "aliases": (), "metadata": {}}

    async def groups(self, entity_id: str) -> Any:
        return []


async def test_domains_by_identity() -> None:
    pki = await mounted()
    pki.engine.system = OneEntity(clock=pki.clock)
    await role(pki, allow_any_name=False, allowed_domains="{{identity.entity.name}}.test", allow_bare_domains=True,
               allow_glob_domains=True, allowed_domains_template=True)  # fmt: skip

    async def ask(name: str, entity: str) -> None:
        await pki.ask("update", "issue/r", {"common_name": name}, caller=Caller(entity_id=entity))

    await ask("alice.test", "one")
    for name, entity in (("bob.test", "one"), ("bob.test", "evil"), ("alice.test", "")):
        with pytest.raises(InvalidRequest, match="not allowed by this role"):
            await ask(name, entity)


async def test_metadata_is_kept_beside_the_certificate() -> None:
    pki = await mounted()
    await role(pki)
    serial = (await issue(pki, cert_metadata="aGVsbG8="))["serial_number"]
    assert (await pki.data(f"cert-metadata/{serial}"))["cert_metadata"] == "aGVsbG8="
    with pytest.raises(InvalidRequest, match="not Base64"):
        await issue(pki, cert_metadata="!")
    await role(pki, no_store_metadata=True)
    with pytest.raises(InvalidRequest, match="no_store_metadata"):
        await issue(pki, cert_metadata="aGVsbG8=")


def test_private_keys_do_not_show_in_a_repr() -> None:
    from strongroom_common.secret import Secret
    from strongroom_server.engines.pki.keys import Key

    text = key_pem(new_key("ec", 256), pkcs8=True)
    assert "PRIVATE" not in repr(Key("id", "ec", Secret(text)))
