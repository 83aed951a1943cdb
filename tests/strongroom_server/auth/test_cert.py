"""Login by certificate: whose is taken, and what a role demands of it."""

from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom_server.auth.cert import Engine
from strongroom_server.auth.cert.names import text_of
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Auth, Connection, Operation, Request
from tests.strongroom_server.auth.authority import Holder, issue
from tests.strongroom_server.fakes import Mounted

UNKNOWN, UNFIT = "^invalid certificate or no client certificate supplied$", "^no chain matching all constraints"


class Cert:
    """The method, with an authority that the role "app" trusts."""

    def __init__(self, mounted: Mounted) -> None:
        self.mounted, self.clock = mounted, mounted.clock
        self.root = issue("root", self.clock.now(), authority=True)

    def request(self, holder: Holder | None, address: str = "127.0.0.1", **body: Any) -> Request:
        connection = Connection(address, certificates=holder.shown if holder else ())
        return Request(Operation.UPDATE, "login", body, connection=connection)

    async def login(self, holder: Holder | None, **more: Any) -> Auth:
        response = await self.mounted.engine.handle(self.request(holder, **more))
        assert response.auth is not None
        return response.auth

    async def role(self, name: str = "app", **settings: Any) -> None:
        await self.mounted("delete", f"certs/{name}")
        given = {"certificate": self.root.pem, "token_policies": "app"} | settings
        await self.mounted.ask("update", f"certs/{name}", given)

    def client(self, name: str = "client", **more: Any) -> Holder:
        return self.root.issue(name, self.clock.now(), **more)


@pytest.fixture
async def cert() -> Cert:
    cert = Cert(await Mounted(Engine).start())
    await cert.role()
    return cert


async def test_a_certificate_becomes_a_login(cert: Cert) -> None:
    await cert.role(token_ttl="5m")
    client = cert.client()
    auth = await cert.login(client)
    assert (auth.policies, auth.ttl, auth.display_name) == (("app",), 300, "app")
    assert auth.alias is not None
    assert (auth.alias.name, auth.alias.metadata) == ("client", {})
    assert auth.metadata["cert_name"] == "app"
    assert auth.metadata["serial_number"] == str(client.certificate.serial_number)
    assert len(auth.metadata["subject_key_id"]) == 59
    await cert.mounted("update", "config", enable_identity_alias_metadata=True)
    again = await cert.login(client)
    assert again.alias is not None
    assert again.alias.metadata == auth.metadata


async def test_issuers_on_the_way_may_be_shown_or_trusted(cert: Cert) -> None:
    middle = cert.client("middle", authority=True)
    await cert.login(middle.issue("client", cert.clock.now(), shows=True))
    hidden = middle.issue("client", cert.clock.now())
    with pytest.raises(InvalidRequest, match=UNKNOWN):
        await cert.login(hidden)
    await cert.role("middle", certificate=cert.root.pem + middle.pem)
    assert (await cert.login(hidden)).metadata["cert_name"] == "middle"
    await cert.role("middle", certificate=middle.pem)
    assert (await cert.login(hidden)).metadata["cert_name"] == "middle"


def stranger(cert: Cert) -> Holder:
    return issue("stranger", cert.clock.now())


def of_a_namesake(cert: Cert) -> Holder:
    return issue("root", cert.clock.now(), authority=True).issue("client", cert.clock.now(), shows=True)


def over(cert: Cert) -> Holder:
    return cert.client(lasts=-1)


def by_no_authority(cert: Cert) -> Holder:
    return cert.client("other").issue("client", cert.clock.now(), shows=True)


def too_far_below(cert: Cert) -> Holder:
    near = cert.client("near", authority=True, path_length=0)
    far = near.issue("far", cert.clock.now(), authority=True, shows=True)
    return far.issue("client", cert.clock.now(), shows=True)


def usage(*oids: Any) -> tuple[Any, ...]:
    return (x509.ExtendedKeyUsage(oids),)


def for_servers(cert: Cert) -> Holder:
    return cert.client(extensions=usage(ExtendedKeyUsageOID.SERVER_AUTH))


def by_an_authority_for_servers(cert: Cert) -> Holder:
    middle = cert.client("middle", authority=True, extensions=usage(ExtendedKeyUsageOID.SERVER_AUTH))
    return middle.issue("client", cert.clock.now(), shows=True)


def key_usage(**used: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**dict.fromkeys(names, False) | used)


def by_a_key_that_signs_none(cert: Cert) -> Holder:
    middle = cert.client("middle", authority=True, extensions=(key_usage(digital_signature=True),))
    return middle.issue("client", cert.clock.now(), shows=True)


def that_cannot_sign(cert: Cert) -> Holder:
    return cert.client(extensions=(key_usage(key_encipherment=True),))


REFUSED = (stranger, of_a_namesake, over, by_no_authority, too_far_below, for_servers, by_an_authority_for_servers,
           by_a_key_that_signs_none, that_cannot_sign)  # fmt: skip


@pytest.mark.parametrize("make", REFUSED)
async def test_certificates_that_are_not_taken(cert: Cert, make: Any) -> None:
    with pytest.raises(InvalidRequest, match=UNKNOWN):
        await cert.login(make(cert))


async def test_none_and_nonsense(cert: Cert) -> None:
    with pytest.raises(InvalidRequest, match=r"^no client certificate found$"):
        await cert.login(None)
    request = cert.request(None)
    request.connection.certificates = (b"junk",)
    with pytest.raises(InvalidRequest, match=UNKNOWN):
        await cert.mounted.engine.handle(request)
    with pytest.raises(InvalidRequest, match="no common name"):
        await cert.login(cert.client(""))


async def test_a_client_can_be_trusted_itself_and_only_itself(cert: Cert) -> None:
    client = issue("pinned", cert.clock.now(), key=ed25519.Ed25519PrivateKey.generate())
    namesake = issue("pinned", cert.clock.now())
    await cert.role("pin", certificate=client.pem)
    assert (await cert.login(client)).metadata["cert_name"] == "pin"
    for other in (namesake, client.issue("below", cert.clock.now(), shows=True)):
        with pytest.raises(InvalidRequest, match=UNKNOWN):
            await cert.login(other)
    await cert.clock.advance(3601)
    with pytest.raises(InvalidRequest, match=UNKNOWN):
        await cert.login(client)


OID = "1.3.6.1.4.1.99999.1"


def own(value: bytes) -> tuple[Any, ...]:
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier(OID), value),)


SANS = (x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.RFC822Name("u@example"),
                                     x509.UniformResourceIdentifier("spiffe://t/x")]),)  # fmt: skip


@pytest.mark.parametrize(
    ("demand", "value", "fits"),
    [
        pytest.param("allowed_names", "cli*", True, id="a_name"),
        pytest.param("allowed_names", "x,*.example", True, id="a_name_among_the_alternatives"),
        pytest.param("allowed_names", "u@*", True, id="an_address_among_them"),
        pytest.param("allowed_names", "CLIENT", False, id="case_matters"),
        pytest.param("allowed_common_names", "client", True, id="a_common_name"),
        pytest.param("allowed_common_names", "a.example", False, id="an_alternative_is_no_common_name"),
        pytest.param("allowed_dns_sans", "*.example", True, id="a_dns_name"),
        pytest.param("allowed_dns_sans", "client", False, id="a_common_name_is_no_dns_name"),
        pytest.param("allowed_email_sans", "u@example", True, id="an_address"),
        pytest.param("allowed_uri_sans", "spiffe://t/*", True, id="a_uri"),
        pytest.param("allowed_uri_sans", "spiffe://u/*", False, id="another_uri"),
        pytest.param("allowed_organizational_units", "ops", True, id="a_unit"),
        pytest.param("allowed_organizational_units", "dev", False, id="another_unit"),
        pytest.param("required_extensions", f"{OID}:b*", True, id="an_extension"),
        pytest.param("required_extensions", f"{OID}:c*", False, id="another_value"),
        pytest.param("required_extensions", [f"{OID}:b*", "1.2.3:x"], False, id="all_are_needed"),
        pytest.param("required_extensions", f"hex:{OID}:0C04*", True, id="a_value_in_hex"),
    ],
)
async def test_what_a_role_demands(cert: Cert, demand: str, value: Any, fits: bool) -> None:
    client = cert.client(units=("ops", "x"), extensions=SANS + own(b"\x0c\x04blue"))
    await cert.role(**{demand: value})
    if fits:
        await cert.login(client)
        return
    with pytest.raises(InvalidRequest, match=UNFIT):
        await cert.login(client)


async def test_extensions_can_become_metadata(cert: Cert) -> None:
    await cert.role(allowed_metadata_extensions=f"{OID},1.2.3")
    auth = await cert.login(cert.client(extensions=own(b"\x0c\x04blue")))
    assert auth.metadata["1-3-6-1-4-1-99999-1"] == "blue"
    assert "1-2-3" not in auth.metadata


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"\x0c\x02\xc3\xbc", "ü", id="utf8"),
        pytest.param(b"\x13\x81\x02ab", "ab", id="a_long_length"),
        pytest.param(b"\x0c\x05ab", "", id="too_short"),
        pytest.param(b"\x0c\x01ab", "", id="too_long"),
        pytest.param(b"\x04\x02ab", "", id="bytes_are_no_text"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_texts_in_extensions(raw: bytes, text: str) -> None:
    assert text_of(raw) == text


async def test_a_role_can_be_named(cert: Cert) -> None:
    await cert.role("other", certificate=issue("x", cert.clock.now()).pem)
    assert (await cert.login(cert.client(), name="APP")).metadata["cert_name"] == "app"
    for name in ("other", "none"):
        with pytest.raises(InvalidRequest, match=UNKNOWN):
            await cert.login(cert.client(), name=name)


async def test_networks(cert: Cert) -> None:
    await cert.role(token_bound_cidrs="10.0.0.0/8")
    with pytest.raises(PermissionDenied):
        await cert.login(cert.client())
    assert (await cert.login(cert.client(), address="10.0.0.1")).bound_cidrs == ("10.0.0.0/8",)


async def test_revoked_certificates_do_not_log_in(cert: Cert) -> None:
    good, bad = cert.client(), cert.client()
    middle = cert.client("middle", authority=True)
    below = middle.issue("client", cert.clock.now(), shows=True)
    await cert.login(bad)
    await cert.mounted("update", "crls/C", crl=cert.root.revoke(bad, middle))
    await cert.login(good)
    for revoked in (bad, below):
        with pytest.raises(InvalidRequest, match=UNFIT):
            await cert.login(revoked)
    serials = await cert.mounted.data("crls/c")
    assert set(serials["serials"]) == {str(one.certificate.serial_number) for one in (bad, middle)}
    assert await cert.mounted.keys("crls") == ["c"]
    await cert.mounted("delete", "crls/c")
    await cert.login(bad)
    for operation in ("read", "delete"):
        with pytest.raises(InvalidRequest, match="no such CRL c"):
            await cert.mounted(operation, "crls/c")


async def test_lists_are_fetched_when_their_time_is_over(cert: Cert) -> None:
    first, second = cert.client(), cert.client()
    published = [cert.root.revoke(first)]

    async def publish(_: web.BaseRequest) -> web.Response:
        return web.Response(text=published[-1]) if published else web.Response(status=503)

    runner = web.ServerRunner(web.Server(publish))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await cert.mounted("update", "crls/c", url=f"http://127.0.0.1:{runner.addresses[0][1]}/ca.crl")
    assert (await cert.mounted.data("crls/c"))["cdp"]["url"].endswith("/ca.crl")
    with pytest.raises(InvalidRequest, match=UNFIT):
        await cert.login(first)
    published.append(cert.root.revoke(first, second))
    await cert.mounted.engine.tick()
    await cert.login(second)  # the list that is there is still good
    await cert.clock.advance(1)
    await cert.mounted.engine.tick()
    with pytest.raises(InvalidRequest, match=UNFIT):
        await cert.login(second)
    published.clear()
    await cert.mounted.engine.tick()
    with pytest.raises(InvalidRequest, match=UNFIT):
        await cert.login(second)
    await runner.cleanup()


@pytest.mark.parametrize("size", [-1, 1, 100_001])
async def test_the_cache_of_answers_has_a_size_in_bounds(cert: Cert, size: int) -> None:
    with pytest.raises(InvalidRequest, match="invalid cache size"):
        await cert.mounted("update", "config", ocsp_cache_size=size)
    assert (await cert.mounted.data("config"))["ocsp_cache_size"] == 100


async def test_renewal_needs_the_certificate_of_the_login(cert: Cert) -> None:
    client, engine = cert.client(), cert.mounted.engine
    auth = await cert.login(client)
    await cert.mounted("update", "certs/app", token_ttl="1h")
    assert (await engine.renew_login(auth, cert.request(client))).ttl == 3600
    with pytest.raises(InvalidRequest, match="client identity during renewal not matching"):
        await engine.renew_login(auth, cert.request(cert.client()))
    with pytest.raises(InvalidRequest, match="no client certificate found"):
        await engine.renew_login(auth, cert.request(None))
    await cert.mounted("update", "crls/c", crl=cert.root.revoke(client))
    with pytest.raises(InvalidRequest, match=UNFIT):
        await engine.renew_login(auth, cert.request(client))
    await cert.mounted("update", "config", disable_binding=True)
    assert (await engine.renew_login(auth, cert.request(None))).ttl == 3600
    await cert.mounted("update", "certs/app", token_policies="other")
    with pytest.raises(InvalidRequest, match="policies have changed"):
        await engine.renew_login(auth, cert.request(None))
    await cert.mounted("delete", "certs/app")
    with pytest.raises(InvalidRequest, match="does not exist during renewal"):
        await engine.renew_login(auth, cert.request(None))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "failed to parse certificate", id="no_certificate"),
        pytest.param({"certificate": "junk"}, "failed to parse certificate", id="a_certificate_that_is_none"),
        pytest.param({"required_extensions": "junk"}, "required_extensions: 'junk'", id="a_demand_that_is_none"),
        pytest.param({"required_extensions": "x:y"}, "required_extensions: 'x:y'", id="an_oid_that_is_none"),
        pytest.param({"allowed_metadata_extensions": "x"}, "no object identifier", id="the_same_for_metadata"),
        pytest.param({"ocsp_ca_certificates": "x"}, "ocsp_ca_certificates: expected", id="no_certificates"),
    ],
)
async def test_roles_that_cannot_be(cert: Cert, body: dict[str, Any], message: str) -> None:
    given = body if "certificate" in body or not body else {"certificate": cert.root.pem} | body
    with pytest.raises(InvalidRequest, match=message):
        await cert.mounted.ask("update", "certs/bad", given)
    with pytest.raises(NotFound):
        await cert.mounted.data("certs/bad")


async def test_a_role_is_read_as_it_was_written(cert: Cert) -> None:
    await cert.mounted("update", "certs/APP", display_name="D", ocsp_enabled=True, allowed_names=["a", "b"])
    assert await cert.mounted.data("certs/app") == {
        "allowed_common_names": None, "allowed_dns_sans": None, "allowed_email_sans": None,
        "allowed_metadata_extensions": None, "allowed_names": ("a", "b"), "allowed_organizational_units": None,
        "allowed_uri_sans": None, "certificate": cert.root.pem, "display_name": "D", "ocsp_ca_certificates": "",
        "ocsp_enabled": True, "ocsp_fail_open": False, "ocsp_query_all_servers": False, "ocsp_servers_override": None,
        "required_extensions": None, "token_bound_cidrs": (), "token_explicit_max_ttl": 0, "token_max_ttl": 0,
        "token_no_default_policy": False, "token_num_uses": 0, "token_period": 0, "token_policies": ("app",),
        "token_strictly_bind_ip": False, "token_ttl": 0, "token_type": "default",
    }  # fmt: skip
    assert await cert.mounted.keys("certs") == ["app"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "one of 'crl' or 'url' must be provided", id="nothing"),
        pytest.param({"crl": "x", "url": "x"}, "one of 'crl' or 'url' must be provided", id="both"),
        pytest.param({"crl": "junk"}, "failed to parse CRL", id="junk"),
        pytest.param({"crl": "-----BEGIN X509 CRL-----"}, "failed to parse CRL", id="a_beginning"),
        pytest.param({"url": "http://127.0.0.1:1"}, "failed to fetch CRL", id="nobody_there"),
        pytest.param({"url": "junk"}, "failed to fetch CRL", id="no_address"),
    ],
)
async def test_lists_that_cannot_be(cert: Cert, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await cert.mounted.ask("update", "crls/c", body)


async def test_listeners_are_told_whom_to_trust(cert: Cert) -> None:
    system = cert.mounted.system
    assert system.trusted == set(cert.root.shown)
    other = issue("other", cert.clock.now(), authority=True)
    await cert.role("other", certificate=other.pem)
    assert system.trusted == {*cert.root.shown, *other.shown}
    again = await Mounted(Engine, cert.mounted.store).start()
    assert again.system.trusted == system.trusted
    await cert.mounted("delete", "certs/other")
    assert system.trusted == set(cert.root.shown)
    await cert.mounted.engine.close()
    assert system.trusted == set()
