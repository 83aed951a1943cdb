import ssl
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom_common.secret import Secret
from strongroom_injector.certificates import Material, distrust, expires, renewed

HOSTS = ("injector.strongroom.svc", "injector")
NOW = 1_700_000_000.0
MINUTE, DAY = 60.0, 86400.0


def cas(material: Material) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(material.ca_crt.encode())


@pytest.fixture(scope="module")
def first() -> Material:
    return renewed(None, HOSTS, NOW)


def test_what_is_made_first(first: Material) -> None:
    (ca,) = cas(first)
    serving = x509.load_pem_x509_certificate(first.tls_crt.encode())
    assert distrust(first.tls_crt, first.ca_crt, NOW) is None
    assert isinstance(serving.public_key(), ec.EllipticCurvePublicKey)
    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(names.get_values_for_type(x509.DNSName)) == HOSTS
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert ca.not_valid_after_utc - serving.not_valid_after_utc > timedelta(days=300)
    assert expires(first.tls_crt) == NOW + 30 * DAY


def test_clients_accept_it(first: Material) -> None:
    context = ssl.create_default_context(cadata=first.ca_crt)
    assert len(context.get_ca_certs()) == 1


def test_nothing_secret_shows(first: Material) -> None:
    assert "PRIVATE" not in repr(first)


@pytest.mark.parametrize("later", [0.0, MINUTE, 15 * DAY])
def test_nothing_is_done_that_is_not_due(first: Material, later: float) -> None:
    assert renewed(first, HOSTS, NOW + later) is first
    assert renewed(first, HOSTS[:1], NOW + later) is first


def test_the_certificate_is_renewed_and_the_ca_kept(first: Material) -> None:
    second = renewed(first, HOSTS, NOW + 21 * DAY)
    assert second.ca_crt == first.ca_crt
    assert second.tls_crt != first.tls_crt
    assert distrust(second.tls_crt, first.ca_crt, NOW + 21 * DAY) is None


def test_another_host_makes_another_certificate(first: Material) -> None:
    second = renewed(first, (*HOSTS, "other"), NOW)
    assert second.tls_crt != first.tls_crt
    assert second.ca_crt == first.ca_crt


def test_addresses_are_hosts_too() -> None:
    made = renewed(None, ("injector", "10.0.0.1", "fd00::1"), NOW)
    serving = x509.load_pem_x509_certificate(made.tls_crt.encode())
    names = serving.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "fd00::1"]
    assert renewed(made, ("fd00::1", "10.0.0.1"), NOW) is made


def test_a_new_ca_is_trusted_before_it_signs_and_the_old_one_as_long_as_it_lasts() -> None:
    moment, material = NOW, renewed(None, HOSTS, NOW)
    while len(cas(material)) == 1:
        moment += DAY
        before, material = material, renewed(material, HOSTS, moment)
    assert NOW + 240 * DAY < moment < NOW + 250 * DAY
    assert distrust(material.tls_crt, before.ca_crt, moment) is None  # still signed by the old one
    assert renewed(material, HOSTS, moment + 5 * MINUTE) is material
    after = renewed(material, HOSTS, moment + 11 * MINUTE)
    assert after.ca_crt == material.ca_crt
    assert distrust(after.tls_crt, before.ca_crt, moment + 11 * MINUTE) is not None  # signed by the new one
    assert distrust(after.tls_crt, after.ca_crt, moment + 11 * MINUTE) is None
    assert distrust(material.tls_crt, after.ca_crt, moment + 11 * MINUTE) is None  # a slow replica is trusted yet
    end = NOW + 366 * DAY
    while moment < end:
        moment += DAY
        after = renewed(after, HOSTS, moment)
        assert distrust(after.tls_crt, after.ca_crt, moment) is None
    assert len(cas(after)) == 1


def test_after_a_long_sleep_all_is_made_anew(first: Material) -> None:
    later = NOW + 1000 * DAY
    assert distrust(first.tls_crt, first.ca_crt, later) is not None
    second = renewed(first, HOSTS, later)
    assert distrust(second.tls_crt, second.ca_crt, later) is None


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"ca_crt": "x"}, id="ca_that_is_none"),
        pytest.param({"tls_crt": ""}, id="no_certificate"),
        pytest.param({"tls_crt": "x"}, id="certificate_that_is_none"),
        pytest.param({"tls_key": Secret("x")}, id="key_that_is_none"),
        pytest.param({"ca_key": Secret("x"), "tls_crt": ""}, id="ca_key_that_is_none"),
    ],
)
def test_what_cannot_be_read_is_made_anew(first: Material, broken: dict[str, object]) -> None:
    second = renewed(Material(**{**vars(first), **broken}), HOSTS, NOW)
    assert distrust(second.tls_crt, second.ca_crt, NOW) is None
    assert renewed(second, HOSTS, NOW) is second


def test_a_key_of_another_is_noticed(first: Material) -> None:
    other = renewed(None, HOSTS, NOW)
    mixed = Material(first.ca_crt, first.ca_key, first.tls_crt, other.tls_key)
    assert renewed(mixed, HOSTS, NOW).tls_crt != first.tls_crt


@pytest.mark.parametrize(
    ("bundle", "later", "problem"),
    [
        pytest.param("own", 0, None, id="its_own"),
        pytest.param("other", 0, "does not trust", id="of_another"),
        pytest.param("own", 31 * DAY, "valid until", id="expired"),
        pytest.param("none", 0, "cannot be read", id="empty"),
    ],
)
def test_distrust(first: Material, bundle: str, later: float, problem: str | None) -> None:
    text = {"own": first.ca_crt, "other": renewed(None, HOSTS, NOW).ca_crt, "none": ""}[bundle]
    said = distrust(first.tls_crt, text, NOW + later)
    assert said is None if problem is None else problem in str(said)
