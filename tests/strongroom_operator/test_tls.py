"""Certificates: what is issued verifies in TLS, and each reason to replace one is found."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from strongroom_operator import tls
from strongroom_operator.tls import Held

NOW = 1_800_000_000.0
DAY = 86400.0
NAMES = ("vault.ns.svc", "vault-0.vault-internal", "localhost", "127.0.0.1")
CA = tls.issue_ca("strongroom ns/vault", NOW)
LEAF = tls.issue_server(CA, NAMES, NOW)
HELD = Held(LEAF.certificate, CA.certificate, frozenset(NAMES), NOW)
OTHER_CA = tls.issue_ca("other", NOW)


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        pytest.param(HELD, None, id="a_fresh_one_is_kept"),
        pytest.param(replace(HELD, certificate=b""), "Missing", id="none_yet"),
        pytest.param(replace(HELD, certificate=b"junk"), "Unreadable", id="no_certificate_at_all"),
        pytest.param(replace(HELD, names=frozenset([*NAMES, "more"])), "OtherNames", id="a_name_too_few"),
        pytest.param(replace(HELD, names=frozenset(NAMES[:2])), "OtherNames", id="a_name_too_many"),
        pytest.param(replace(HELD, bundle=OTHER_CA.certificate), "OtherCa", id="of_another_ca"),
        pytest.param(
            replace(HELD, bundle=OTHER_CA.certificate + CA.certificate), None, id="of_an_older_ca_of_the_bundle"
        ),
        pytest.param(replace(HELD, now=NOW + 300 * DAY), None, id="two_months_left"),
        pytest.param(replace(HELD, now=NOW + 306 * DAY), "ExpiresSoon", id="less_than_two_months_left"),
    ],
)
def test_when_a_server_certificate_is_replaced(held: Held, reason: str | None) -> None:
    verdict = tls.server_is_due(held)
    assert (verdict and verdict.reason) == reason


def test_a_ca_is_replaced_while_what_it_issued_still_lives() -> None:
    assert tls.ca_is_due(CA.certificate, NOW) is None
    due = NOW + (3650 - 729) * DAY
    verdict = tls.ca_is_due(CA.certificate, due)
    assert verdict is not None
    assert verdict.reason == "ExpiresSoon"
    newest = tls.issue_server(CA, NAMES, due - DAY)
    end = x509.load_pem_x509_certificate(newest.certificate).not_valid_after_utc
    assert end < x509.load_pem_x509_certificate(CA.certificate).not_valid_after_utc


def test_the_bundle_holds_the_newest_and_what_has_not_ended() -> None:
    newer = tls.issue_ca("strongroom ns/vault", NOW + DAY)
    both = tls.bundle(newer.certificate, CA.certificate + CA.certificate, NOW)
    assert both == newer.certificate + CA.certificate
    assert tls.bundle(newer.certificate, both, NOW + 3650.5 * DAY) == newer.certificate


def test_private_keys_are_not_in_the_repr() -> None:
    assert "PRIVATE" not in repr(CA)


def test_a_client_that_trusts_the_bundle_accepts_the_server(tmp_path: Path) -> None:
    import time

    ca = tls.issue_ca("test", time.time())
    leaf = tls.issue_server(ca, NAMES, time.time())
    (tmp_path / "tls.pem").write_bytes(leaf.certificate + leaf.key)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "tls.pem")
    client = ssl.create_default_context(cadata=ca.certificate.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(server, client, "vault.ns.svc")
    assert handshake(server, client, "vault-0.vault-internal")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client, "vault.other.svc")


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> bool:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    two = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (one, two):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return one.getpeercert() is not None
