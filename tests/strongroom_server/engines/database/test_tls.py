"""PostgreSQL behind TLS: it is checked by its certificate, and asks for ours."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Caller, Operation, Request
from tests.databases import PostgreSQL, postgresql
from tests.strongroom_server.fakes import Mounted

REVOKE = Request(Operation.REVOKE, "")


@dataclass
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()


def issue(name: str, by: Pair | None = None) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return Pair(builder.sign(by.key if by else key, hashes.SHA256()), key)


CREDENTIAL = {"key_type": "ec", "common_name_template": "{{.DisplayName}}-{{random 8}}"}


@pytest.fixture(scope="module")
def authority() -> Pair:
    return issue("authority")


@pytest.fixture(scope="module")
def pg(authority: Pair) -> Iterator[PostgreSQL]:
    server = issue("server", authority)
    rules = "hostssl app +bycert 127.0.0.1/32 cert\n"
    with postgresql(rules=rules) as running:
        running.sql("CREATE ROLE bycert; CREATE ROLE boss LOGIN SUPERUSER IN ROLE bycert")
        running.stop()
        for name, text in (("crt", server.certificate_pem), ("key", server.key_pem), ("ca", authority.certificate_pem)):
            file = running.home / "data" / f"server.{name}"
            file.write_text(text)
            file.chmod(0o600)
            running.give(file)
        with (running.home / "data/postgresql.conf").open("a") as settings:
            settings.write("ssl = on\nssl_ca_file = 'server.ca'\n")
        running.start()
        yield running


def config(pg: PostgreSQL, authority: Pair, mode: str = "verify-full", **more: Any) -> dict[str, Any]:
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{pg.port}/app?sslmode={mode}"
    return pg.config(connection_url=url, tls_ca=authority.certificate_pem) | more


async def test_a_server_is_known_by_its_certificate(db: Mounted, pg: PostgreSQL, authority: Pair) -> None:
    await db.ask("update", "config/pg", config(pg, authority))


async def test_a_server_of_another_authority_is_refused(db: Mounted, pg: PostgreSQL) -> None:
    with pytest.raises(InvalidRequest, match="certificate verify failed"):
        await db.ask("update", "config/pg", config(pg, issue("another")))


async def test_we_are_known_by_our_certificate(db: Mounted, pg: PostgreSQL, authority: Pair) -> None:
    boss = issue("boss", authority)
    body = config(pg, authority, username="boss", password="", tls_certificate=boss.certificate_pem,
                  private_key=boss.key_pem)  # fmt: skip
    await db.ask("update", "config/pg", body)
    shown = (await db.data("config/pg"))["connection_details"]
    assert "private_key" not in shown
    stranger = issue("stranger", authority)
    body |= {"tls_certificate": stranger.certificate_pem, "private_key": stranger.key_pem}
    with pytest.raises(InvalidRequest, match="certificate authentication failed"):
        await db.ask("update", "config/pg", body)


@pytest.mark.parametrize("key", [{"key_type": "ec"}, {"key_type": "rsa", "key_bits": 2048}], ids=["ec", "rsa"])
async def test_a_user_gets_a_certificate_in_place_of_a_password(
    db: Mounted, pg: PostgreSQL, authority: Pair, tmp_path: Path, key: dict[str, Any]
) -> None:
    await db.ask("update", "config/pg", config(pg, authority))
    credential = CREDENTIAL | {"ca_cert": authority.certificate_pem, "ca_private_key": authority.key_pem, **key}
    await db("update", "roles/r", db_name="pg", creation_statements='CREATE ROLE "{{name}}" LOGIN IN ROLE bycert',
             credential_type="client_certificate", credential_config=credential)  # fmt: skip
    assert "ca_private_key" not in (await db.data("roles/r"))["credential_config"]
    answer = await db.ask("read", "creds/r", {}, caller=Caller(display_name="token"))
    assert answer.data is not None
    assert answer.lease is not None
    assert sorted(answer.data) == ["client_certificate", "private_key", "private_key_type", "username"]
    (tmp_path / "crt").write_text(answer.data["client_certificate"])
    (tmp_path / "key").write_text(answer.data["private_key"])
    (tmp_path / "key").chmod(0o600)
    login = {"host": "127.0.0.1", "port": pg.port, "dbname": "app", "user": answer.data["username"],
             "sslmode": "require", "sslcert": str(tmp_path / "crt"), "sslkey": str(tmp_path / "key")}  # fmt: skip
    with psycopg.connect(**login) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row == (answer.data["username"],)
    await db.engine.revoke(answer.lease, REVOKE)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**login).close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"key_type": "dsa"}, "invalid key_type", id="a_type_of_key"),
        pytest.param({"key_bits": 100}, "invalid key_bits", id="a_length_of_key"),
        pytest.param({"signature_bits": 100}, "invalid signature_bits", id="a_digest"),
        pytest.param({"common_name_template": ""}, "missing required common_name_template", id="no_name"),
        pytest.param({"common_name_template": "{{"}, "unable to parse template", id="no_template"),
        pytest.param({"ca_cert": ""}, "missing required ca_cert", id="nobody_who_signs"),
        pytest.param({"ca_private_key": ""}, "missing required ca_private_key", id="nothing_to_sign_with"),
        pytest.param({"ca_cert": "x"}, "must be PEM", id="no_certificate"),
        pytest.param({"ca_private_key": "other"}, "is not the key of ca_cert", id="another_key"),
    ],
)
async def test_settings_of_certificates_are_checked(
    db: Mounted, authority: Pair, change: dict[str, Any], message: str
) -> None:
    if change.get("ca_private_key") == "other":
        change = {"ca_private_key": issue("other").key_pem}
    credential = CREDENTIAL | {"ca_cert": authority.certificate_pem, "ca_private_key": authority.key_pem}
    with pytest.raises(InvalidRequest, match=message):
        await db("update", "roles/r", db_name="pg", creation_statements="x", credential_type="client_certificate",
                 credential_config=credential | change)  # fmt: skip
    with pytest.raises(NotFound):
        await db("read", "roles/r")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param({}, {"key_bits": 256, "signature_bits": 256}, id="what_is_not_given_has_defaults"),
        pytest.param({"key_type": "ed25519", "key_bits": 7}, {"key_type": "ed25519"}, id="a_key_of_one_length_only"),
        pytest.param({"unheard_of": "x"}, {"key_type": "ec"}, id="what_is_unheard_of_is_left_out"),
    ],
)
async def test_settings_of_certificates_are_read(
    db: Mounted, authority: Pair, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    credential = CREDENTIAL | {"ca_cert": authority.certificate_pem, "ca_private_key": authority.key_pem}
    await db("update", "roles/r", db_name="pg", credential_type="client_certificate",
             credential_config=credential | given)  # fmt: skip
    read = (await db.data("roles/r"))["credential_config"]
    assert read.items() >= shown.items()
    assert not {"ca_private_key", "unheard_of"} & read.keys()
    assert "key_bits" not in read or read["key_bits"] == 256
