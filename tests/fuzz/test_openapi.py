"""Schemathesis over our own OpenAPI document: what a tool makes of it must not make the server fail."""

import random
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.client import PATIENCE, Call, Client, Reply
from tests.fuzz.effort import EFFORT, SEED
from tests.fuzz.faults import Faults
from tests.fuzz.values import Values
from tests.fuzz.world import LEFT_OUT, mount_all
from tests.ours import dev_server

TURNS = 250 * EFFORT
EXAMPLES = 4  # of an operation, each time it has its turn
AVOIDED = {"/" + re.sub(r":\w+}", "}", template) for template in LEFT_OUT}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TURNS + 120)]


def test_nothing_that_the_document_allows_makes_the_server_fail(tmp_path: Path) -> None:
    faults, log = Faults(), tmp_path / "server.log"
    with dev_server(tmp_path, "-log-level=trace") as server, requests.Session() as session:
        session.headers["X-Vault-Token"] = server.token

        def send(case: Any) -> None:
            call = Call(case.method, case.formatted_path, case.body, {}, case.query or {})
            faults.check(call, _reply(case, f"{server.address}/v1", session), log)

        operations, luck = _operations(server.address), random.Random(SEED)
        for _ in range(TURNS):
            _try(luck.choice(operations), send, luck.random())
    faults.search(log)
    assert not faults.found, f"seed {SEED}:\n{faults}"


def _operations(address: str) -> list[Any]:
    """Mount everything and return what may be asked."""
    with closing(Client(address)) as client:
        mount_all(client, Values(random.Random(SEED)))
        document = client.send(Call("GET", "sys/internal/specs/openapi")).body
    found = [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]
    return [operation for operation in found if operation.path not in AVOIDED and "/quotas/" not in operation.path]


def _try(operation: Any, send: Callable[[Any], None], luck: float) -> None:
    limited = settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    seed(luck)(limited(given(case=operation.as_strategy())(send)))()


def _reply(case: Any, address: str, session: requests.Session) -> Reply:
    try:
        answer = case.call(base_url=address, session=session, timeout=PATIENCE)
    except requests.RequestException as error:
        return Reply(0, type(error).__name__)
    return Reply(answer.status_code, answer.content.decode(errors="replace"))
