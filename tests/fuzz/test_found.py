"""What fuzzing has found: one request of each kind that the server once failed at, and what it answers now."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom_server.lib.trust import trusting
from strongroom_server.sdk.request import Operation
from tests.fuzz.recipes import recipes
from tests.strongroom_server.live import Live, start_live


def _token(header: str) -> str:
    return base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".e30.AAAA"


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    running = await start_live()
    yield running
    await running.server.sealing.seal()


@pytest.mark.parametrize(
    ("operation", "path", "body", "status"),
    [
        pytest.param(Operation.READ, "sys/health", {"activecode": 2}, 400, id="a_status_code_that_http_does_not_have"),
        pytest.param(Operation.UPDATE, "auth/token/revoke-orphan", {}, 400, id="no_token_to_revoke_is_not_the_callers"),
        pytest.param(Operation.UPDATE, "auth/jwt/login", {"role": "a", "jwt": _token('{"a":' * 5000)}, 400,
                     id="a_token_that_is_nested_too_deeply"),
        pytest.param(Operation.UPDATE, "pki/root/generate/internal",
                     {"common_name": "R", "key_type": "ec", "not_before": "1900-01-01T00:00:00Z"}, 400,
                     id="a_time_that_certificates_cannot_hold"),
    ],
)  # fmt: skip
async def test_found(live: Live, operation: Operation, path: str, body: dict[str, Any], status: int) -> None:
    await live.post("sys/mounts/pki", {"type": "pki"})
    await live.post("sys/auth/jwt", {"type": "jwt"})
    for recipe in ("auth/jwt/config", "auth/jwt/role/{name}"):
        place, known = recipes()[recipe][0]
        assert (await live.post(place, dict(known))).status < 300
    assert (await live.ask(operation, path, body)).status == status
    assert (await live.get("auth/token/lookup-self")).status == 200


def test_certificates_beyond_ascii_are_none() -> None:
    with pytest.raises(ValueError, match="no certificates in PEM form"):
        trusting("\u202e")
