"""Our agent on our server with real engines: secrets that end are there anew before they do.

Nothing here is measured: each test waits for what must come about, however busy the machine is.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from strongroom_client import ApiError, Client, Settings
from tests.databases import PostgreSQL, postgresql
from tests.ours import dev_server
from tests.strongroom_agent.running import content, running, template, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LONG = 120  # seconds; what is waited for takes ten or twenty when nothing else runs
LIVES, AT_MOST = "12s", "20s"
POLICY = "\n".join(f'path "{path}" {{ capabilities = ["read", "update"] }}' for path in ("database/*", "pki/*"))
MAKE = """CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with dev_server(tmp_path) as server, Client(Settings(address=server.address, token="root")) as client:
        client.write("sys/policies/acl/app", {"policy": POLICY})
        yield client


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


def configuration(client: Client, folder: Path, *templates: dict[str, object]) -> dict[str, object]:
    made = client.write("auth/token/create", {"policies": ["app"], "ttl": "1h"})
    (folder / "token").write_text(made.auth["client_token"] if made.auth else "")
    method = {"type": "token_file", "config": {"token_file_path": str(folder / "token")}}
    return {
        "vault": {"address": client.settings.address},
        "auto_auth": {"method": [method]},
        "template": list(templates),
    }


def lines(path: Path) -> list[str]:
    return (content(path) or "").split()


# -- database/creds -------------------------------------------------------------------------------------------------


def renewed(client: Client, lease: str) -> bool:
    """Tell whether a lease has been renewed; one that is over has not."""
    try:
        data = client.write("sys/leases/lookup", {"lease_id": lease}).data or {}
    except ApiError:
        return False
    return bool(data["last_renewal"])


def leases(client: Client) -> list[str]:
    try:
        return list((client.list("sys/leases/lookup/database/creds/app").data or {})["keys"])
    except ApiError:
        return []


def logs_in(database: PostgreSQL, user: str, password: str) -> bool:
    try:
        return database.sql("SELECT current_user", user=user, password=password) == user
    except subprocess.CalledProcessError:
        return False


def test_credentials_are_renewed_then_made_anew_and_none_is_left(
    client: Client, database: PostgreSQL, tmp_path: Path
) -> None:
    client.write("sys/mounts/database", {"type": "database"})
    client.write("database/config/app", database.config())
    role = {"db_name": "app", "creation_statements": MAKE, "default_ttl": LIVES, "max_ttl": AT_MOST}
    client.write("database/roles/app", role)
    body = '{{ with secret "database/creds/app" }}{{ .LeaseID }} {{ .Data.username }} {{ .Data.password }}{{ end }}'
    out = tmp_path / "out"
    with running(configuration(client, tmp_path, template(tmp_path, body)), tmp_path) as agent:
        until(lambda: lines(out), LONG)
        first = lines(out)
        assert logs_in(database, *first[1:])
        until(lambda: renewed(client, lines(out)[0]), LONG)
        until(lambda: lines(out) != first, LONG)  # the lease cannot be renewed for ever
        until(lambda: logs_in(database, *lines(out)[1:]), LONG)
        until(lambda: database.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{first[1]}'") == "0", LONG)
        agent.terminate()
        agent.wait(LONG)
    # What the agent had last lives on until its end, as with Vault's: its application may still use it.
    until(lambda: not leases(client), LONG)
    until(lambda: database.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'") == "0", LONG)


# -- pki ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '{{ with secret "pki/issue/web" "common_name=app.test" "ttl=12s" }}'
            "{{ .Data.private_key }}\n{{ .Data.certificate }}\n{{ end }}",
            id="by_secret",
        ),
        pytest.param(
            '{{ with pkiCert "pki/issue/web" "common_name=app.test" "ttl=12s" }}{{ .Key }}{{ .Cert }}{{ end }}',
            id="by_pkiCert",
        ),
    ],
)
def test_a_certificate_is_replaced_before_it_ends(client: Client, tmp_path: Path, body: str) -> None:
    client.write("sys/mounts/pki", {"type": "pki"})
    client.write("pki/root/generate/internal", {"common_name": "root", "key_type": "ec", "ttl": "24h"})
    client.write("pki/roles/web", {"allow_any_name": True, "key_type": "ec", "max_ttl": "1h"})
    out = tmp_path / "out"
    with running(configuration(client, tmp_path, template(tmp_path, body)), tmp_path):
        found: dict[int, x509.Certificate] = {}
        for _ in range(2):
            until(lambda: content(out) and certificate(out).serial_number not in found, LONG)
            fresh = certificate(out)
            found[fresh.serial_number] = fresh
    first, second = found.values()
    assert first.not_valid_after_utc < second.not_valid_after_utc


def certificate(path: Path) -> x509.Certificate:
    """Return the certificate of a file, which the key there belongs to."""
    data = path.read_bytes()
    found, key = x509.load_pem_x509_certificate(data), load_pem_private_key(data, None)
    assert found.public_key() == key.public_key()
    return found
