"""What fuzzing has found: one request of each kind that the server once failed at, and what it answers now."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom_server.lib.trust import trusting
from strongroom_server.lib.x509 import load_certificate, spki
from strongroom_server.sdk.request import Operation
from tests.fuzz.recipes import recipes
from tests.strongroom_server.live import Live, start_live


def _damaged() -> str:
    """Return a certificate with a point that is not on the curve."""
    whole = load_certificate(next(iter(recipes()["pki/intermediate/set-signed"]))[1]["certificate"])
    raw, key = whole.public_bytes(Encoding.DER), spki(whole.public_key())
    damaged = raw.replace(key, key[:-1] + bytes([key[-1] ^ 1]))
    return ssl.DER_cert_to_PEM_cert(damaged)


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
        pytest.param(Operation.UPDATE, "auth/approle/role/a/secret-id", {"metadata": '{"a":' * 50_000}, 400,
                     id="json_in_a_text_that_is_nested_too_deeply"),
        pytest.param(Operation.UPDATE, "sys/generate-root/update", {"key": "AAAA", "nonce": "é"}, 400,
                     id="a_nonce_beyond_ascii"),
        pytest.param(Operation.UPDATE, "transit/sign/a", {"input": "AAAA", "salt_length": 2**63}, 400,
                     id="a_length_that_no_library_takes"),
        pytest.param(Operation.UPDATE, "pki/intermediate/set-signed", {"certificate": _damaged()}, 400,
                     id="a_certificate_whose_key_is_none"),
        pytest.param(Operation.UPDATE, "sys/raw", {}, 404, id="a_path_whose_rest_is_empty"),
        pytest.param(Operation.UPDATE, "pki/root/generate/internal",
                     {"common_name": "R", "key_type": "ec", "not_before": "1900-01-01T00:00:00Z"}, 400,
                     id="a_time_that_certificates_cannot_hold"),
        pytest.param(Operation.UPDATE, "pki/root/generate/internal",
                     {"common_name": "R", "key_type": "ec", "permitted_dns_domains": "*.example.com"}, 400,
                     id="a_constraint_that_is_no_domain"),
    ],
)  # fmt: skip
async def test_found(live: Live, operation: Operation, path: str, body: dict[str, Any], status: int) -> None:
    await live.post("sys/mounts/pki", {"type": "pki"})
    await live.post("sys/auth/approle", {"type": "approle"})
    await live.post("auth/approle/role/a", {"token_policies": "default"})
    await live.post("sys/mounts/transit", {"type": "transit"})
    await live.post("transit/keys/a", {"type": "rsa-2048"})
    if "generate-root" in path:
        await live.post("sys/generate-root/attempt")
    assert (await live.ask(operation, path, body)).status == status
    assert (await live.get("auth/token/lookup-self")).status == 200


def test_certificates_beyond_ascii_are_none() -> None:
    with pytest.raises(ValueError, match="no certificates in PEM form"):
        trusting("\u202e")
