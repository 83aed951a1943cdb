"""Certificates put together from encoded parts are, byte for byte, those that the library's builder makes."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom_server.engines.pki import building
from strongroom_server.engines.pki.assembly import alternatives, encoded, extensions, pattern_for
from strongroom_server.engines.pki.building import Draft
from strongroom_server.engines.pki.subject import (
    Names,
    alternatives_of,
    parse_ips,
    parse_others,
    subject_der,
    subject_of,
)
from strongroom_server.lib.certificates import assemble, key_identifier
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import PrivateKey, new_key, public_part, serial_text
from strongroom_server.sdk.errors import InvalidRequest

_START, _YEAR = 1_800_000_000.0, 365 * 86400
_HOLDER = Names(common_name="a.test", fields={"organization": ("ACME", "Other"), "country": ("DE",)})
_NAMES = [(alternatives_of(Names(dns=("a.test", "*.b.test"))), False)]
_USAGE = (x509.KeyUsage(True, False, True, False, False, False, False, False, False), True)
_KEYS: dict[str, PrivateKey] = {
    "ec": new_key("ec", 256), "larger ec": new_key("ec", 521), "ed25519": new_key("ed25519", 0),
    "rsa": new_key("rsa", 2048),
}  # fmt: skip
_ISSUER = subject_of(Names(common_name="Größe", fields={"locality": ("Köln",)}))
_HOLDER_KEY = new_key("ec", 384).public_key()


def draft(**changes: Any) -> Draft:
    usual = Draft(subject_of(_HOLDER), _HOLDER_KEY, _START, _START + 3600, 2**158 + 1, [_USAGE, *_NAMES])
    return replace(usual, **changes)


@pytest.mark.parametrize("issuer", list(_KEYS))
@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(draft(), id="the_usual_one"),
        pytest.param(draft(serial=1), id="a_small_serial_number"),
        pytest.param(draft(end=_START + 40 * _YEAR), id="an_end_in_another_form"),
        pytest.param(draft(start=_START + 40 * _YEAR, end=_START + 400 * _YEAR), id="both_in_the_other_form"),
        pytest.param(draft(subject=x509.Name([])), id="no_subject"),
        pytest.param(draft(extensions=[(alternatives_of(Names(dns=("x" * 60 + ".test",) * 90)), True)]), id="long"),
        pytest.param(draft(extensions=building.encoded([_USAGE, *_NAMES])), id="extensions_that_are_encoded"),
        pytest.param(draft(key=_KEYS["rsa"].public_key()), id="an_rsa_key"),
        pytest.param(draft(key=_KEYS["ed25519"].public_key()), id="an_ed25519_key"),
    ],
)
def test_both_make_the_same(issuer: str, wanted: Draft) -> None:
    check(_KEYS[issuer], wanted, Signing())


@pytest.mark.parametrize(
    "signing",
    [
        pytest.param(Signing(512), id="another_hash"),
        pytest.param(Signing(0, pss=True), id="pss"),
        pytest.param(Signing(384, pss=True), id="pss_with_another_hash"),
    ],
)
def test_ways_of_signing(signing: Signing) -> None:
    check(_KEYS["rsa"], draft(), signing)


def check(key: PrivateKey, wanted: Draft, signing: Signing) -> None:
    pattern = pattern_for(_ISSUER, key, signing)
    built, made = building.sign(wanted, _ISSUER, key, signing), assemble(encoded(wanted), pattern).x509
    assert made.tbs_certificate_bytes == built.tbs_certificate_bytes
    assert (made.signature_algorithm_oid, made.signature_algorithm_parameters.__class__) == (
        built.signature_algorithm_oid, built.signature_algorithm_parameters.__class__,
    )  # fmt: skip
    ca = building.sign(draft(subject=_ISSUER, key=key.public_key()), _ISSUER, key, signing)
    made.verify_directly_issued_by(ca)
    other = building.sign(draft(subject=_ISSUER, key=_HOLDER_KEY), _ISSUER, key, signing)
    with pytest.raises((InvalidSignature, TypeError, ValueError)):
        made.verify_directly_issued_by(other)


def test_what_cannot_be_is_refused() -> None:
    key = _KEYS["ec"]
    pattern = pattern_for(_ISSUER, key, Signing())
    with pytest.raises(InvalidRequest, match="before 1950"):
        assemble(encoded(draft(start=-_START)), pattern)


def test_serial_numbers_are_drawn() -> None:
    key = _KEYS["ec"]
    pattern = pattern_for(_ISSUER, key, Signing())
    assert len({assemble(encoded(draft(serial=0)), pattern).x509.serial_number for _ in range(20)}) == 20


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(Names(), id="nothing"),
        pytest.param(Names(common_name="a.test"), id="a_name_alone"),
        pytest.param(Names(common_name="Größe", serial_number="7", user_ids=("u", "", "v")), id="numbers_and_users"),
        pytest.param(_HOLDER, id="fields_of_several_values"),
        pytest.param(Names(common_name="a.test", dns=("a.test", "*.b.test")), id="host_names"),
        pytest.param(Names(dns=("a.test",)), id="no_subject"),
        pytest.param(Names(common_name="a", ips=parse_ips(["10.0.0.1", "::1", "2001:db8::1"])), id="addresses"),
        pytest.param(Names(common_name="a", dns=("x" * 60 + ".test",) * 90, ips=parse_ips(["10.0.0.1"])), id="many"),
        pytest.param(Names(common_name="a", dns=("a",), emails=("me@a.test",), uris=("a:b",)), id="other_kinds"),
        pytest.param(Names(common_name="a", others=parse_others(["1.2.3;UTF8:x"])), id="names_of_their_own_kind"),
    ],
)
def test_names_in_der_are_those_of_the_library(names: Names) -> None:
    assert subject_der(names) == subject_of(names).public_bytes()
    whole = encoded(draft(extensions=building.alternatives(names))).extensions
    assert alternatives(names) == whole


@pytest.mark.parametrize("kind", list(_KEYS))
def test_a_key_has_the_librarys_identifier(kind: str) -> None:
    public = _KEYS[kind].public_key()
    expected = encoded(draft(extensions=[(building.key_identifier(public), False)])).extensions
    assert key_identifier(public_part(public)) == expected


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)
_HOSTS = st.lists(st.from_regex(r"[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,3}", fullmatch=True), max_size=40)
_ADDRESSES = st.lists(st.ip_addresses(), max_size=20)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(_TEXTS, _HOSTS, _ADDRESSES, st.integers(1, 2**159 - 1))
def test_whatever_the_names_both_make_the_same(name: str, hosts: list[str], addresses: list[Any], serial: int) -> None:
    names = Names(common_name=name, dns=tuple(hosts), ips=tuple(addresses))
    assert subject_der(names) == subject_of(names).public_bytes()
    wanted = draft(subject=subject_of(names), extensions=[_USAGE, *building.alternatives(names)], serial=serial)
    assert encoded(wanted).extensions == extensions([_USAGE]) + alternatives(names)
    built = building.sign(wanted, _ISSUER, _KEYS["ec"], Signing())
    made = assemble(encoded(wanted), pattern_for(_ISSUER, _KEYS["ec"], Signing()))
    assert made.x509.tbs_certificate_bytes == built.tbs_certificate_bytes
    assert made.serial == serial_text(built.serial_number)
