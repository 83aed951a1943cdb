"""What is measured, each as a function from a running server to one figure."""

import contextlib
import json
import time
import urllib.error
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.bench.load import rate
from tests.bench.servers import Running
from tests.databases import PostgreSQL, postgresql

_SECRET = {"data": {"username": "app", "password": "P@ssw0rd!2026", "host": "postgres.internal", "port": "5432"}}

_PREPARED, _PAUSE = 100, 15
"""How many RSA keys are asked for, and for how many seconds nothing was asked before."""
_USERS = 1000
_MAKE = (
    "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; "
    'GRANT SELECT ON shared TO "{{name}}";'
)


def memory(server: Running) -> float:
    """Return the resident memory in MB."""
    return server.resident()


def kv_read(server: Running) -> float:
    """Read one secret."""
    server.call("POST", "secret/data/bench", _SECRET)
    return rate(server, "secret/data/bench")


def kv_write(server: Running) -> float:
    """Write 1,000 secrets in turn."""
    return rate(server, "", script=_posting("/v1/secret/data/k' .. (n % 1000) .. '", json.dumps(_SECRET)))


def token_create(server: Running) -> float:
    """Create tokens of one hour."""
    return rate(server, "", script=_posting("/v1/auth/token/create", '{"policies":["default"],"ttl":"1h"}'))


def approle_login(server: Running) -> float:
    """Log in by approle with a secret id of unlimited use."""
    try:
        server.call("POST", "sys/auth/approle", {"type": "approle"})
    except urllib.error.HTTPError as error:  # the second round finds it enabled
        error.close()
    server.call("POST", "auth/approle/role/bench", {"token_ttl": "1h", "token_policies": "default"})
    role = server.call("GET", "auth/approle/role/bench/role-id")["data"]["role_id"]
    secret = server.call("POST", "auth/approle/role/bench/secret-id", {})["data"]["secret_id"]
    body = json.dumps({"role_id": role, "secret_id": secret})
    return rate(server, "", script=_posting("/v1/auth/approle/login", body))


def transit_encrypt(server: Running) -> float:
    """Encrypt one short text."""
    _transit(server)
    return rate(server, "", script=_posting("/v1/transit/encrypt/bench", '{"plaintext":"aGVsbG8="}'))


def transit_batch(server: Running) -> float:
    """Encrypt 400 short texts in one request (the peer takes no more than 1,000 strings)."""
    _transit(server)
    body = json.dumps({"batch_input": [{"plaintext": "aGVsbG8="}] * 400})
    return rate(server, "", script=_posting("/v1/transit/encrypt/bench", body))


def _transit(server: Running) -> None:
    try:
        server.call("POST", "sys/mounts/transit", {"type": "transit"})
        server.call("POST", "transit/keys/bench", {})
    except urllib.error.HTTPError as error:  # the second round finds it mounted
        error.close()


def pki_ec(server: Running) -> float:
    """Issue certificates with new EC keys of 256 bits."""
    return _pki(server, "ec", 256)


def pki_rsa_prepared(server: Running) -> float:
    """Issue 100 certificates with new RSA keys of 2,048 bits after a pause, in which keys may be made ahead."""
    _pki_mount(server, "rsa", 2048)
    body = {"common_name": "web.example.com"}
    server.call("POST", "pki-rsa/issue/bench", body)
    time.sleep(_PAUSE)
    begin = time.perf_counter()
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda _: server.call("POST", "pki-rsa/issue/bench", body), range(_PREPARED)))
    return _PREPARED / (time.perf_counter() - begin)


def pki_rsa_cold(server: Running) -> float:
    """Issue certificates with new RSA keys of 2,048 bits for longer than any that were made ahead last."""
    for _ in range(2):  # the first uses up what is ready
        figure = _pki(server, "rsa", 2048)
    return figure


def _pki(server: Running, kind: str, bits: int) -> float:
    _pki_mount(server, kind, bits)
    return rate(server, "", script=_posting(f"/v1/pki-{kind}/issue/bench", '{"common_name":"web.example.com"}'))


def _pki_mount(server: Running, kind: str, bits: int) -> None:
    key, mount = {"key_type": kind, "key_bits": bits}, f"pki-{kind}"
    try:
        server.call("POST", f"sys/mounts/{mount}", {"type": "pki"})
    except urllib.error.HTTPError as error:  # the second round finds it mounted
        error.close()
        return
    server.call("POST", f"{mount}/root/generate/internal", {"common_name": "Bench", "ttl": "700h", **key})
    server.call("POST", f"{mount}/roles/bench", {"allow_any_name": True, "ttl": "1h", **key})


def database_creds(server: Running) -> float:
    """Make PostgreSQL users that may read one table, by 8 clients at once."""
    with _database(server):
        return rate(server, "db/creds/r", connections=8)


def database_revocation(server: Running) -> float:
    """Return how many of about 1,000 users are dropped a second when their leases are revoked by prefix."""
    with _database(server) as pg:
        while _users(pg) < _USERS:
            rate(server, "db/creds/r", connections=8)
        time.sleep(1)  # requests that the load was cut off from come to their end
        users, begin = _users(pg), time.perf_counter()
        server.call("PUT", "sys/leases/revoke-prefix/db/creds/r", {"sync": True})
        return (users - _users(pg)) / (time.perf_counter() - begin)


def _users(pg: PostgreSQL) -> int:
    return int(pg.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-%'"))


@contextlib.contextmanager
def _database(server: Running) -> Iterator[PostgreSQL]:
    with postgresql() as pg:
        pg.sql("CREATE TABLE shared (n int)")
        server.call("POST", "sys/mounts/db", {"type": "database"})
        server.call("POST", "db/config/pg", {**pg.config(), "password_authentication": "scram-sha-256"})
        server.call("POST", "db/roles/r", {"db_name": "pg", "creation_statements": _MAKE})
        try:
            yield pg
        finally:
            server.call("DELETE", "sys/mounts/db")


def _posting(path: str, body: str) -> str:
    return f"n = 0\nrequest = function()\n  n = n + 1\n  return wrk.format('POST', '{path}', nil, [[{body}]])\nend\n"
