"""sys/ in a namespace: its own where it has one, closed where it is the whole server's."""

import pytest

from strongroom_server.core.sys.within import closed
from strongroom_server.sdk.request import Operation
from tests.strongroom_server.live import Live


def test_a_path_that_nobody_has_thought_of_is_closed() -> None:
    assert closed("brand-new/thing") == "operation only available in root namespace"


@pytest.mark.parametrize(
    ("operation", "path", "message"),
    [
        pytest.param(Operation.READ, "sys/health", "operation unavailable in namespaces", id="health"),
        pytest.param(Operation.READ, "sys/init", "operation unavailable in namespaces", id="init"),
        pytest.param(Operation.UPDATE, "sys/seal", "operation unavailable in namespaces", id="seal"),
        pytest.param(Operation.UPDATE, "sys/unseal", "operation unavailable in namespaces", id="unseal"),
        pytest.param(Operation.READ, "sys/metrics", "operation unavailable in namespaces", id="metrics"),
        pytest.param(Operation.READ, "sys/rekey/init", "operation unavailable in namespaces", id="rekey"),
        pytest.param(Operation.READ, "sys/raw/core/mounts", "operation unavailable in namespaces", id="raw"),
        pytest.param(Operation.READ, "sys/audit", "operation only available in root namespace", id="audit"),
        pytest.param(Operation.READ, "sys/config/cors", "operation only available in root namespace", id="cors"),
        pytest.param(Operation.READ, "sys/host-info", "operation only available in root namespace", id="host_info"),
        pytest.param(Operation.READ, "sys/loggers", "operation only available in root namespace", id="loggers"),
        pytest.param(
            Operation.LIST, "sys/quotas/rate-limit", "operation only available in root namespace", id="quotas"
        ),
        pytest.param(Operation.READ, "sys/key-status", "namespace is not sealable", id="key_status"),
        pytest.param(Operation.UPDATE, "sys/rotate", "namespace is not sealable", id="rotate"),
    ],
)
async def test_what_is_the_whole_servers_is_refused(live: Live, operation: Operation, path: str, message: str) -> None:
    await live.post("sys/namespaces/ns")
    for namespace, asked in (("ns", path), ("", f"ns/{path}")):
        answer = await live.ask(operation, asked, namespace=namespace)
        assert (answer.status, answer.errors) == (400, [message])


async def test_the_seal_is_told_everywhere(live: Live) -> None:
    await live.post("sys/namespaces/ns")
    assert (await live.get("sys/seal-status", token="", namespace="ns")).body["sealed"] is False
    await live.server.sealing.seal()
    assert (await live.get("sys/seal-status", token="", namespace="ns")).body["sealed"] is True
    assert (await live.get("sys/mounts", namespace="ns")).status == 503
