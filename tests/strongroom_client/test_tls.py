"""Real handshakes with certificates made here."""

import datetime
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strongroom_client import Client, Settings, SettingsError, Unreachable
from strongroom_common.tls import Tls
from tests.strongroom_client.listener import json_answer, listening

OK = json_answer('{"data":{"a":1}}')


def _issue(folder, name, issuer=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / f"{name}.pem").write_bytes(pem)
    (folder / f"{name}.key").write_bytes(private)
    return certificate, key


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = _issue(folder, "ca")
    _issue(folder, "vault.internal", authority)
    _issue(folder, "client", authority)
    _issue(folder, "stranger")
    return folder


@pytest.fixture(scope="module")
def server(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "vault.internal.pem", files / "vault.internal.key")
    context.load_verify_locations(files / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    with listening(OK, context=context) as listener:
        yield listener


def _read(address, tls):
    with Client(Settings(address=address, retries=0, timeout=5, tls=tls)) as client:
        return client.read("x").data


def test_a_ca_file_and_a_name_make_a_connection(server, files):
    assert _read(server.address, Tls(ca_file=str(files / "ca.pem"), server_name="vault.internal")) == {"a": 1}


def test_a_ca_as_text_is_as_good(server, files):
    tls = Tls(ca_pem=(files / "ca.pem").read_text(), server_name="vault.internal")
    assert _read(server.address, tls) == {"a": 1}


def test_a_ca_folder_is_as_good(server, files, tmp_path):
    (tmp_path / "any-name.crt").write_bytes((files / "ca.pem").read_bytes())
    (tmp_path / "a-key.pem").write_bytes((files / "client.key").read_bytes())
    assert _read(server.address, Tls(ca_path=str(tmp_path), server_name="vault.internal")) == {"a": 1}


def test_a_client_certificate_is_shown(server, files):
    tls = Tls(
        ca_file=str(files / "ca.pem"),
        server_name="vault.internal",
        client_cert=str(files / "client.pem"),
        client_key=str(files / "client.key"),
    )
    assert _read(server.address, tls) == {"a": 1}


def test_verification_can_be_left_out(server):
    assert _read(server.address, Tls(skip_verify=True)) == {"a": 1}


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        pytest.param({"ca_file": "ca.pem"}, "not valid for 127.0.0.1", id="the_address_is_not_on_the_certificate"),
        pytest.param({"ca_file": "ca.pem", "server_name": "other"}, "not valid for other", id="another_name"),
        pytest.param(
            {"ca_file": "stranger.pem", "server_name": "vault.internal"},
            "certificate signed by unknown authority",
            id="another_ca",
        ),
    ],
)
def test_a_wrong_certificate_is_refused_with_advice(server, files, tls, message):
    tls = Tls(**{**tls, "ca_file": str(files / tls["ca_file"])})
    with pytest.raises(Unreachable, match=f"tls: failed to verify certificate: x509: .*{message}") as raised:
        _read(server.address, tls)
    assert "VAULT_CACERT" in raised.value.hint


def test_https_to_a_plain_listener_is_told():
    with listening(OK) as listener, pytest.raises(Unreachable, match="speaks HTTP, not HTTPS") as raised:
        _read(listener.address.replace("http:", "https:"), Tls(skip_verify=True))
    assert "http://" in raised.value.hint


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        pytest.param({"ca_file": "/none.pem"}, "CA certificates from /none.pem", id="no_ca_file"),
        pytest.param({"ca_pem": "no pem"}, "CA certificates from the given PEM text", id="no_pem"),
        pytest.param({"ca_path": "/none"}, "CA certificates from /none: no CA certificate found", id="no_ca_folder"),
        pytest.param({"client_cert": "/c"}, "belong together", id="a_certificate_without_its_key"),
        pytest.param(
            {"client_cert": "/c", "client_key": "/k"}, "client certificate /c with key /k", id="no_certificate"
        ),
    ],
)
def test_files_that_cannot_be_used_are_named(tls, message):
    with pytest.raises(SettingsError, match=message):
        Client(Settings(tls=Tls(**tls)))


def test_a_redirect_to_plain_http_is_refused(files):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "vault.internal.pem", files / "vault.internal.key")
    with (
        listening(OK) as plain,
        listening((307, {"Location": f"{plain.address}/v1/x"}, b""), context=context) as standby,
        pytest.raises(Unreachable, match="from https to http: refused"),
    ):
        _read(standby.address, Tls(skip_verify=True))
    assert plain.seen == []
