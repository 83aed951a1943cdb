"""The same calls to this server and to OpenBao, over the same PostgreSQL: answers have the same shape."""

from typing import Any

import pytest

from tests.bao import dev_server
from tests.databases import PostgreSQL
from tests.strongroom_server.live import Live

LOGIN = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"
ROLE = {"db_name": "pg", "creation_statements": [LOGIN, "SELECT 1;"], "default_ttl": "1h", "max_ttl": 7200}
STATIC = {"db_name": "pg", "username": "svc", "rotation_period": "1h"}
CALLS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "sys/mounts/db", {"type": "database"}),
    ("POST", "db/config/pg", None),
    ("GET", "db/config/pg", None),
    ("LIST", "db/config", None),
    ("GET", "db/config/nope", None),
    ("POST", "db/config/bad", {"plugin_name": "postgresql-database-plugin"}),
    ("POST", "db/config/bad", {"connection_url": "x"}),
    ("POST", "db/roles/r", ROLE),
    ("GET", "db/roles/r", None),
    ("POST", "db/roles/plain", {"db_name": "pg", "creation_statements": LOGIN}),
    ("GET", "db/roles/plain", None),
    ("LIST", "db/roles", None),
    ("GET", "db/roles/nope", None),
    ("POST", "db/roles/bad", {"creation_statements": LOGIN}),
    ("POST", "db/roles/bad", {"db_name": "pg", "credential_type": "nope"}),
    ("POST", "db/roles/rsa", {"db_name": "pg", "credential_type": "rsa_private_key"}),
    ("GET", "db/roles/rsa", None),
    ("GET", "db/creds/rsa", None),
    ("GET", "db/creds/r", None),
    ("GET", "db/creds/nope", None),
    ("POST", "db/static-roles/s", STATIC),
    ("GET", "db/static-roles/s", None),
    ("GET", "db/static-creds/s", None),
    ("LIST", "db/static-roles", None),
    ("GET", "db/static-creds/nope", None),
    ("POST", "db/static-roles/s", STATIC | {"username": "other"}),
    ("POST", "db/static-roles/t", STATIC | {"rotation_period": 3}),
    ("POST", "db/rotate-role/s", None),
    ("POST", "db/rotate-role/nope", None),
    ("POST", "db/reset/pg", None),
    ("DELETE", "db/static-roles/s", None),
    ("DELETE", "db/roles/r", None),
    ("DELETE", "db/config/nope", None),
)
FRESH = {"password", "username", "last_vault_rotation", "lease_id", "request_id"}


def shape(value: Any) -> Any:
    """Return an answer without what is new in each."""
    if not isinstance(value, dict):
        return value
    return {name: type(inner).__name__ if name in FRESH and inner else shape(inner) for name, inner in value.items()}


@pytest.mark.peer
@pytest.mark.slow
async def test_answers_look_alike(live: Live, pg: PostgreSQL) -> None:
    pg.sql("DROP ROLE IF EXISTS svc; CREATE ROLE svc LOGIN PASSWORD 'old'")
    with dev_server() as peer:
        for method, path, body in CALLS:
            body = pg.config() if path == "db/config/pg" and method == "POST" else body
            status, theirs = peer.call(method, path, body)
            verb = {"GET": live.get, "LIST": live.list, "DELETE": live.delete}.get(method)
            ours = await (verb(path) if verb else live.post(path, body))
            assert ours.status == status, (method, path, ours)
            if status in {200, 400}:
                assert shape(ours.body.get("data")) == shape(theirs.get("data")), (method, path)
                assert ours.body.get("errors") == theirs.get("errors"), (method, path)
                assert ours.body.get("lease_duration") == theirs.get("lease_duration"), (method, path)
