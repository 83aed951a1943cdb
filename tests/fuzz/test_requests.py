"""Requests that no one would send, everywhere: an answer in time, no fault of the server's, no secret let out."""

import random
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.client import Call, Client
from tests.fuzz.effort import EFFORT, SEED
from tests.fuzz.faults import Faults
from tests.fuzz.values import Values
from tests.fuzz.world import make_call, mount_all, places, sow
from tests.ours import dev_server

ROUNDS = 3 * EFFORT
ROUND = 3000  # requests to one server, which fills up
SOWING = 300  # requests until what they deleted is put back

pytestmark = [pytest.mark.slow, pytest.mark.timeout(ROUNDS * 60 + 60)]


def test_no_request_makes_the_server_fail(tmp_path: Path) -> None:
    faults = Faults()
    for number in range(ROUNDS):
        home = tmp_path / str(number)
        home.mkdir()
        with dev_server(home, "-log-level=trace") as server, closing(Client(server.address)) as client:
            _send_some(client, Values(random.Random(SEED + number)), faults, home / "server.log")
        faults.search(home / "server.log")
    assert not faults.found, f"seed {SEED}:\n{faults}"


def _send_some(client: Client, values: Values, faults: Faults, log: Path) -> None:
    where = places()
    mount_all(client, values)
    for number in range(ROUND):
        if number % SOWING == SOWING - 1:
            sow(client, values)
        call = make_call(values.random.choice(where), values)
        reply = client.send(call)
        values.remember(reply.body)
        faults.check(call, reply, log)
        if "sys/quotas/" in call.path:  # else nothing would be answered any more
            client.send(Call("DELETE", call.path))
    if client.send(Call("GET", "auth/token/lookup-self")).status != 200:
        faults.found["the root token does not work any more"] = ""
