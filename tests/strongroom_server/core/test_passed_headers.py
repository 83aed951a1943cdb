"""An engine sees those headers of a request that its mount passes through."""

import pytest

from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.live import Live

LATER = "Fri, 01 Jan 2038 00:00:00 GMT"


async def crl(live: Live, **headers: str) -> int:
    """Ask for a list of revoked certificates, and return the status."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await live.server.handle(Request(Operation.READ, "pki/crl", headers=sent))
    assert answer.raw is not None
    return answer.raw.status


@pytest.mark.parametrize("names", [["If-Modified-Since"], ["x", "if-modified-since"]], ids=["as_written", "in_lower"])
async def test_a_header_reaches_the_engine_where_the_mount_says_so(live: Live, names: list[str]) -> None:
    assert (await live.post("sys/mounts/pki", {"type": "pki"})).status == 204
    root = {"common_name": "ca.example", "key_type": "ec"}
    assert (await live.post("pki/root/generate/internal", root)).status == 200
    assert await crl(live, If_Modified_Since=LATER) == 200
    assert (await live.post("sys/mounts/pki/tune", {"passthrough_request_headers": names})).status == 204
    assert await crl(live, If_Modified_Since=LATER) == 304
    assert await crl(live, **{"if-modified-since": LATER}) == 304
    assert await crl(live) == 200
    assert (await live.post("sys/mounts/pki/tune", {"passthrough_request_headers": ["other"]})).status == 204
    assert await crl(live, If_Modified_Since=LATER) == 200
