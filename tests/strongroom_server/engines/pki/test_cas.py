import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom_server.engines.pki import Engine, building, usages
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import PrivateKey, key_pem, load_certificate, new_key, pem, pem_of
from strongroom_server.sdk.errors import Internal, InvalidRequest, NotFound
from tests.strongroom_server.engines.pki.mounted import certificate, issue, mounted, openssl, role
from tests.strongroom_server.fakes import Mounted


async def data(pki: Mounted, path: str, /, **body: Any) -> dict[str, Any]:
    answer = (await pki("update", path, **body)).data
    assert answer is not None
    return answer


async def chained() -> tuple[Mounted, dict[str, Any]]:
    """Return a mount with a root and an intermediate below it, and the answer to set-signed."""
    pki = await mounted(issuer_name="root", key_name="rootkey")
    request = await data(pki, "intermediate/generate/internal", common_name="Int", key_type="ec", key_name="intkey")
    signed = await data(pki, "root/sign-intermediate", csr=request["csr"], common_name="Int", ttl="1000h",
                        max_path_length=0, permitted_dns_domains=".test")  # fmt: skip
    taken = await data(pki, "intermediate/set-signed", certificate=signed["certificate"])
    assert taken["imported_issuers"] is not None
    await pki("update", f"issuer/{taken['imported_issuers'][0]}", issuer_name="int")
    return pki, taken


async def test_a_root_is_a_ca_with_its_identifiers() -> None:
    pki = await Mounted(Engine).start()
    made = await data(pki, "root/generate/exported", common_name="R", key_type="ec", organization="O1,O2",
                      max_path_length=1, issuer_name="ra", key_name="ka")  # fmt: skip
    found = certificate(made)
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 1)
    usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    found.verify_directly_issued_by(found)
    assert made["private_key"].startswith("-----BEGIN EC PRIVATE KEY-----")
    assert (made["issuer_name"], made["key_name"]) == ("ra", "ka")
    assert (await pki.data("issuer/ra"))["revocation_signature_algorithm"] == "ECDSAWithSHA256"
    again = await data(pki, "root/generate/existing", common_name="R2", key_ref="ka")
    assert again["key_id"] == made["key_id"]
    assert "private_key" not in again
    assert (await pki.data("config/issuers"))["default"] == made["issuer_id"]


@pytest.mark.parametrize(("exported", "body", "message"), [
    pytest.param("foo", {}, 'the "exported" path parameter must be', id="no_such_way"),
    pytest.param("internal", {"key_type": "foo"}, "unknown key type foo", id="no_such_key"),
    pytest.param("internal", {"signature_bits": 33, "key_type": "rsa"}, "unsupported hash", id="no_such_hash"),
    pytest.param("internal", {"issuer_name": "default"}, "reserved keyword", id="a_reserved_name"),
    pytest.param("internal", {"issuer_name": "a b"}, "invalid characters", id="no_name"),
    pytest.param("internal", {"issuer_name": "root"}, "issuer name already in use", id="a_name_that_is_taken"),
    pytest.param("internal", {"external_key_ref": "kms:k"}, 'cannot specify "external_key_ref"', id="a_key_elsewhere"),
    pytest.param("existing", {"key_ref": "none"}, "failed to lookup public key", id="no_such_existing_key"),
])  # fmt: skip
async def test_roots_that_cannot_be_are_refused(exported: str, body: dict[str, Any], message: str) -> None:
    pki = await mounted(issuer_name="root")
    kind = {} if exported == "existing" else {"key_type": "ec"}
    with pytest.raises(InvalidRequest, match=message):
        await pki("update", f"root/generate/{exported}", **({"common_name": "x"} | kind | body))
    assert len(await pki.keys("issuers")) == len(await pki.keys("keys")) == 1
    await pki.engine.close()


async def test_an_intermediate_issues_with_the_whole_chain() -> None:
    pki, taken = await chained()
    await role(pki, issuer_ref="int")
    made = await issue(pki)
    leaf, intermediate, root = (x509.load_pem_x509_certificate(text.encode())
                                for text in (made["certificate"], *made["ca_chain"]))  # fmt: skip
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    limits = intermediate.extensions.get_extension_for_class(x509.NameConstraints)
    assert (limits.critical, limits.value.permitted_subtrees) == (True, [x509.DNSName(".test")])
    assert len((await issue(pki, remove_roots_from_chain=True))["ca_chain"]) == 1
    assert (await pki.data("key/intkey"))["key_id"] == taken["mapping"][taken["imported_issuers"][0]]
    by_root = (await pki("update", "issuer/root/issue/r", common_name="x.test")).data or {}
    assert by_root["ca_chain"] == [by_root["issuing_ca"]]


async def test_a_request_does_not_make_itself_a_wider_ca() -> None:
    pki = await mounted()
    request = await data(pki, "intermediate/generate/internal", common_name="I", key_type="ec", alt_names="x.test",
                         add_basic_constraints=True)  # fmt: skip
    signed = await data(pki, "root/sign-intermediate", csr=request["csr"], use_csr_values=True, max_path_length=0)
    found = certificate(signed)
    assert found.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert found.subject.rfc4514_string() == "CN=I"


async def test_issuers_are_changed_and_deleted() -> None:
    pki, _ = await chained()
    patched = (await pki("patch", "issuer/int", leaf_not_after_behavior="permit", manual_chain="self,root")).data or {}
    assert (patched["issuer_name"], patched["leaf_not_after_behavior"]) == ("int", "permit")
    assert len(patched["manual_chain"]) == 2
    for body, message in (({"issuer_name": "root"}, "already in use"), ({"usage": "foo"}, "Unable to parse"),
                          ({"leaf_not_after_behavior": "foo"}, "Unknown value"), ({"manual_chain": "root"}, "self"),
                          ({"issuing_certificates": "foo"}, "invalid URL")):  # fmt: skip
        with pytest.raises(InvalidRequest, match=message):
            await pki("patch", "issuer/int", **body)
    with pytest.raises(Internal, match="unable to use issuer"):
        await pki("patch", "issuer/int", revocation_signature_algorithm="SHA256WithRSA")
    await role(pki, issuer_ref="int")
    assert (await pki("delete", "issuer/int")).warnings[0] == "1 roles reference int"
    assert "was configured as the default issuer" in (await pki("delete", "issuer/root")).warnings[0]
    with pytest.raises(NotFound):
        await pki.keys("issuers")


async def test_what_changes_of_issuers_counts_for_the_next_certificate() -> None:
    pki, _ = await chained()
    await role(pki)
    await data(pki, "config/issuers", default="root")
    assert certificate(await issue(pki)).issuer.rfc4514_string() == "CN=Root"
    await data(pki, "config/issuers", default="int")
    assert certificate(await issue(pki)).issuer.rfc4514_string() == "CN=Int"
    await pki("patch", "issuer/int", usage="read-only,crl-signing")
    with pytest.raises(Internal, match="requested usage issuing-certificates"):
        await issue(pki)
    await pki("patch", "issuer/int", usage="read-only,issuing-certificates", issuer_name="other")
    await pki("update", "config/urls", ocsp_servers="http://h/ocsp")
    pointers = certificate(await issue(pki)).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [one.access_location.value for one in pointers] == ["http://h/ocsp"]
    await role(pki, issuer_ref="other")
    await issue(pki)
    await pki("patch", "issuer/other", issuer_name="int")
    with pytest.raises(Internal, match="reference: other"):
        await issue(pki)


async def test_a_revoked_issuer_issues_no_more_and_is_on_its_parent_s_crl() -> None:
    pki, _ = await chained()
    await role(pki, issuer_ref="int")
    revoked = (await pki("update", "issuer/int/revoke")).data or {}
    assert revoked["revoked"] is True
    with pytest.raises(Internal, match="requested usage issuing-certificates"):
        await issue(pki)
    crl = await pki("read", "crl")
    assert crl.raw is not None
    assert len(x509.load_der_x509_crl(crl.raw.body)) == 1


async def test_what_is_imported_twice_is_there_once() -> None:
    outside = await Mounted(Engine).start()
    made = await data(outside, "root/generate/exported", common_name="O", key_type="ec")
    pki = await mounted()
    bundle = f"{made['certificate']}\n{made['private_key']}\n"
    with pytest.raises(InvalidRequest, match="private keys found"):
        await data(pki, "issuers/import/cert", pem_bundle=bundle)
    first = await data(pki, "issuers/import/cert", pem_bundle=made["certificate"])
    second = await data(pki, "issuers/import/bundle", pem_bundle=bundle)
    assert second["existing_issuers"] == first["imported_issuers"]
    assert second["imported_keys"] is not None
    issuer = await pki.data(f"issuer/{first['imported_issuers'][0]}")
    assert issuer["key_id"] == second["imported_keys"][0]
    await role(pki, issuer_ref=issuer["issuer_id"])
    assert (await issue(pki, ttl="1h"))["issuing_ca"] == made["certificate"]
    leaf = await issue(pki)
    for text, message in (("x", "too short"), ("junk" * 30, "invalid PEM data"), (leaf["certificate"], "non-CA")):
        with pytest.raises(InvalidRequest, match=message):
            await data(pki, "config/ca", pem_bundle=text)


def authority(name: x509.Name, *, usage: bool = True) -> tuple[str, PrivateKey]:
    """Return a self-signed CA from elsewhere in PEM, and its key; without ``usage`` it says nothing of its key's."""
    key = new_key("ec", 256)
    extensions: list[building.Extension] = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    if usage:
        extensions.append((usages.CA_USAGE, True))
    now = time.time()
    draft = building.Draft(name, key.public_key(), now - 60, now + 86400, extensions=extensions)
    return pem(building.sign(draft, name, key, Signing())), key


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


async def test_an_issuer_whose_certificate_is_not_for_crls_signs_none() -> None:
    pki = await Mounted(Engine).start()
    found, key = authority(named("Old"), usage=False)
    await data(pki, "issuers/import/bundle", pem_bundle=f"{found}\n{key_pem(key)}")
    usual = "issuing-certificates,ocsp-signing,read-only"
    assert (await pki.data("issuer/default"))["usage"] == usual
    assert (await data(pki, "issuer/default", issuer_name="old"))["usage"] == usual
    with pytest.raises(InvalidRequest, match="lacks the CRLSign KeyUsage"):
        await data(pki, "issuer/default", usage="read-only,crl-signing")
    await role(pki)
    assert certificate(await issue(pki, ttl="1h")).issuer == named("Old")


@pytest.mark.parametrize(
    ("follows", "default", "warnings"),
    [
        pytest.param(False, "Root", [], id="the_default_stays"),
        pytest.param(True, "Root", ["left unchanged"], id="none_can_be_the_latest"),
        pytest.param(False, "", ["should be verified"], id="the_first_is_the_default"),
        pytest.param(True, "", ["left unchanged", "should be verified"], id="the_first_is_the_default_and_followed"),
    ],
)
async def test_several_issuers_with_keys_leave_the_default_to_the_client(
    follows: bool, default: str, warnings: list[str]
) -> None:
    pki = await mounted()
    first = (await pki.data("config/issuers"))["default"]
    await data(pki, "config/issuers", default=first, default_follows_latest_issuer=follows)
    if not default:
        await pki("delete", f"issuer/{first}")
    made = [authority(named(name)) for name in ("A", "B")]
    answer = await pki("update", "issuers/import/bundle", pem_bundle="\n".join(
        text for found, key in made for text in (found, key_pem(key))
    ))  # fmt: skip
    told = [one for one in answer.warnings if "default issuer" in one.lower()]
    assert len(told) == len(warnings)
    for one, part in zip(told, warnings, strict=True):
        assert part in one
    found = x509.load_pem_x509_certificate((await pki.data("issuer/default"))["certificate"].encode())
    assert found.subject == named(default or "A")


async def test_one_issuer_with_a_key_is_followed() -> None:
    pki = await mounted()
    first = (await pki.data("config/issuers"))["default"]
    await data(pki, "config/issuers", default=first, default_follows_latest_issuer=True)
    (found, key), (other, _) = authority(named("A")), authority(named("B"))
    taken = await data(pki, "issuers/import/bundle", pem_bundle=f"{other}\n{found}\n{key_pem(key)}")
    able = [issuer for issuer, of in taken["mapping"].items() if of]
    assert [(await pki.data("config/issuers"))["default"]] == able


async def test_what_could_not_sign_is_refused_and_changes_nothing() -> None:
    pki = await mounted()
    before = await pki.keys("issuers"), await pki.keys("keys")
    found, key = authority(named("Zoe"))
    pss = openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-quiet")
    rare = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1", "-quiet")
    raw = load_certificate(found).public_bytes(Encoding.DER).replace(b"\x0c\x03Zoe", b"\x14\x03Zo\xeb")
    for text, message in ((pem_of(raw), "subject"), (pss, "RSASSA-PSS"), (rare, "secp256k1")):
        with pytest.raises(InvalidRequest, match=message):
            await data(pki, "config/ca", pem_bundle=f"{text}\n{key_pem(key)}")
    for text in (pss, rare):
        with pytest.raises(InvalidRequest, match="unsupported"):
            await data(pki, "keys/import", pem_bundle=text)
    assert (await pki.keys("issuers"), await pki.keys("keys")) == before
    await role(pki)
    assert await issue(pki)


async def test_keys_for_pss_alone_are_not_certified(tmp_path: Path) -> None:
    pki = await mounted()
    await role(pki, key_type="any")
    key, kind = str(tmp_path / "key"), ("-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-nodes")
    csr, found = (openssl("req", *how, *kind, "-subj", "/CN=a.test", "-keyout", key)
                  for how in (("-new",), ("-x509",)))  # fmt: skip
    for path in ("sign/r", "sign-verbatim", "root/sign-intermediate"):
        with pytest.raises(InvalidRequest, match="RSASSA-PSS"):
            await data(pki, path, csr=csr, common_name="a.test")
    with pytest.raises(InvalidRequest, match="RSASSA-PSS"):
        await data(pki, "issuers/import/cert", pem_bundle=found)


async def test_below_a_cross_signed_intermediate_another_one_is_signed() -> None:
    """As github.com/hashicorp/vault/issues/28749 asks: with a manual chain that leads to both roots."""
    pki = await mounted(issuer_name="one")
    await pki("update", "root/generate/internal", common_name="Two", key_type="ec", ttl="7000h", issuer_name="two")
    for kind, above, body in (("intermediate/generate/internal", "one", {"key_type": "ec", "key_name": "ik"}),
                              ("intermediate/cross-sign", "two", {"key_ref": "ik"})):  # fmt: skip
        request = await data(pki, kind, common_name="Int", **body)
        signed = await data(pki, f"issuer/{above}/sign-intermediate", csr=request["csr"], common_name="Int", ttl="9h")
        taken = await data(pki, "intermediate/set-signed", certificate=signed["certificate"])
        await data(pki, f"issuer/{taken['imported_issuers'][0]}", issuer_name=f"below-{above}")
    await data(pki, "issuer/below-one", issuer_name="below-one", manual_chain="self,one,below-two,two")
    request = await data(pki, "intermediate/generate/internal", common_name="Sub", key_type="ec")
    sub = await data(pki, "issuer/below-one/sign-intermediate", csr=request["csr"], common_name="Sub", ttl="1h")
    chain = [x509.load_pem_x509_certificate(one.encode()) for one in sub["ca_chain"]]
    assert [one.subject.rfc4514_string() for one in chain] == ["CN=Sub", "CN=Int", "CN=Root", "CN=Int", "CN=Two"]
    chain[0].verify_directly_issued_by(chain[1])
    chain[0].verify_directly_issued_by(chain[3])


async def test_a_request_for_a_ca_keeps_its_alternative_names_of_any_kind() -> None:
    pki = await mounted()
    names = x509.SubjectAlternativeName([x509.DNSName("a.test"), x509.DirectoryName(named("X")),
                                         x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))])  # fmt: skip
    builder = x509.CertificateSigningRequestBuilder(named("Int"), [x509.Extension(names.oid, False, names)])
    csr = pem(builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()))
    signed = certificate(await data(pki, "root/sign-intermediate", csr=csr, use_csr_values=True, ttl="1h"))
    assert signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value == names


async def test_keys_by_themselves() -> None:
    pki = await mounted(key_name="rootkey")
    made = await data(pki, "keys/generate/exported", key_type="ec", key_name="k")
    assert made["private_key"].startswith("-----BEGIN EC PRIVATE KEY-----")
    assert "private_key" not in await data(pki, "keys/generate/internal", key_type="ed25519")
    assert "private_key" not in await pki.data("key/k")
    assert await data(pki, "key/k", key_name="k2") == {"key_id": made["key_id"], "key_name": "k2", "key_type": "ec"}
    imported = await data(pki, "keys/import", pem_bundle=key_pem(new_key("ec", 384), pkcs8=True), key_name="i")
    assert await data(pki, "config/keys", default="i") == {"default": imported["key_id"]}
    assert "was configured as the default key" in (await pki("delete", "key/i")).warnings[0]
    assert (await pki("delete", "key/k2")).data is None
    for path, body, message in (("key/rootkey", {"key_name": "default"}, "reserved"),
                                ("keys/import", {"pem_bundle": "x"}, "too short"),
                                ("keys/generate/internal", {"key_type": "any"}, "Validation for key_type"),
                                ("keys/generate/internal", {"external_key_ref": "kms:k"}, "external_key_ref"),
                                ("config/keys", {"default": "none"}, "unable to find PKI key")):  # fmt: skip
        with pytest.raises(InvalidRequest, match=message):
            await data(pki, path, **body)


async def test_an_issuer_has_the_key_that_comes_later() -> None:
    source = await Mounted(Engine, max_lease_ttl=8760 * 3600).start()
    made = await data(source, "root/generate/exported", common_name="R", key_type="ec", ttl="8000h")
    pki = await Mounted(Engine).start()
    await pki("update", "issuers/import/cert", pem_bundle=made["certificate"])
    assert (await pki.data("config/issuers"))["default"] == ""
    key = await data(pki, "keys/import", pem_bundle=made["private_key"])
    assert (await pki.data("issuer/default"))["key_id"] == key["key_id"]
    await role(pki)
    assert certificate(await issue(pki)).issuer == certificate(made).subject


async def test_a_key_is_not_deleted_while_an_issuer_has_it() -> None:
    pki = await mounted(key_name="k")
    with pytest.raises(InvalidRequest, match="Key in Use by Issuer"):
        await pki("delete", "key/k")
    await pki("delete", "issuer/default")
    assert "was configured as the default key" in (await pki("delete", "key/k")).warnings[0]


async def test_the_root_that_shall_follow_is_called_next() -> None:
    pki = await mounted()
    names = [(await data(pki, "root/rotate/internal", common_name="R", key_type="ec"))["issuer_name"] for _ in "12"]
    assert names == ["next", ""]
    assert (await data(pki, "root/replace"))["default"] == (await pki.data("issuer/next"))["issuer_id"]
    with pytest.raises(InvalidRequest, match="issuer name already in use"):
        await data(pki, "root/rotate/internal", common_name="R", key_type="ec", issuer_name="next")


async def test_names_come_without_blanks_and_go_by_patch() -> None:
    pki = await mounted(issuer_name=" i ", key_name=" k ")
    assert (await pki.data("issuer/i"))["issuer_name"] == "i"
    assert (await pki.data("key/k"))["key_name"] == "k"
    for path, body, message in (("root/generate/internal", {"issuer_name": " "}, "expected non-empty issuer name"),
                                ("root/generate/internal", {"issuer_name": "Default"}, "reserved keyword"),
                                ("root/generate/internal", {"key_name": "i", "issuer_name": "i "}, "already in use"),
                                ("intermediate/generate/internal", {"key_name": ""}, "invalid characters"),
                                ("intermediate/generate/internal", {"key_name": "k "}, "already in use"),
                                ("issuer/i", {"issuer_name": ""}, "expected non-empty issuer name")):  # fmt: skip
        with pytest.raises(InvalidRequest, match=message):
            await data(pki, path, common_name="x", key_type="ec", **body)
    assert ((await pki("patch", "issuer/i", issuer_name="")).data or {})["issuer_name"] == ""


async def test_a_default_is_chosen_and_everything_is_deleted() -> None:
    pki, taken = await chained()
    intermediate = taken["imported_issuers"][0]
    assert (await data(pki, "config/issuers", default="int"))["default"] == intermediate
    assert (await data(pki, "root/replace", default="root"))["default"] != intermediate
    for body in ({}, {"default": "default"}, {"default": "none"}):
        with pytest.raises(InvalidRequest):
            await data(pki, "config/issuers", **body)
    await pki("delete", "root")
    with pytest.raises(NotFound):
        await pki.keys("keys")


async def test_trust_leads_from_one_ca_to_another() -> None:
    other, pki = await mounted(), await mounted()
    theirs = (await other("read", "ca/pem")).raw
    assert theirs is not None
    signed = certificate(await data(pki, "root/sign-self-issued", certificate=theirs.body.decode()))
    original = x509.load_pem_x509_certificate(theirs.body)
    assert signed.serial_number == original.serial_number
    ours = (await pki("read", "ca")).raw
    assert ours is not None
    signed.verify_directly_issued_by(x509.load_der_x509_certificate(ours.body))
    with pytest.raises(InvalidRequest, match="could not be PEM-decoded"):
        await data(pki, "root/sign-self-issued", certificate="x")


async def test_urls_with_templates() -> None:
    pki = await mounted()
    await role(pki)
    warned = await pki("update", "config/urls", issuing_certificates="{{cluster_aia_path}}/issuer/{{issuer_id}}/der",
                       enable_templating=True)  # fmt: skip
    assert "lack local cluster address information (aia_path)" in warned.warnings[0]
    with pytest.raises(Internal, match="unable to fetch AIA URL information"):
        await issue(pki)
    await pki.ask("update", "config/cluster", {"path": "http://h/v1/pki", "aia_path": "http://cdn/pki"})
    access = certificate(await issue(pki)).extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    issuer_id = (await pki.data("config/issuers"))["default"]
    assert access[0].access_location.value == f"http://cdn/pki/issuer/{issuer_id}/der"
    for url in ("nonsense", "http://h/{{issuer_id}}", "http://h\u00fc.test/", "http://h/a b"):
        with pytest.raises(InvalidRequest, match="invalid URL found"):
            await data(pki, "config/urls", issuing_certificates=url, enable_templating=False)
    with pytest.raises(Internal, match="non-URL"):
        await pki.ask("update", "config/cluster", {"path": "foo"})
