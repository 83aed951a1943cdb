"""Requests that no one would send, everywhere: an answer in time, no fault of the server's, no secret let out."""

import os
import random
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.fuzz.client import Call, Client
from tests.fuzz.faults import Faults
from tests.fuzz.values import Values
from tests.fuzz.world import make_call, mount_all, places, sow
from tests.ours import dev_server

SECONDS = float(os.environ.get("STRONGROOM_FUZZ_SECONDS") or 20)
SEED = int(os.environ.get("STRONGROOM_FUZZ_SEED") or 1)  # the same each time: a red run must mean a change
ROUND = 3000  # requests to one server, which fills up
SOWING = 300  # requests until what they deleted is put back

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


def test_no_request_makes_the_server_fail(tmp_path: Path) -> None:
    faults, deadline, rounds = Faults(), time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline:
        home = tmp_path / str(rounds)
        home.mkdir()
        with dev_server(home, "-log-level=trace") as server, closing(Client(server.address)) as client:
            _send_some(client, Values(random.Random(SEED + rounds)), faults, home / "server.log", deadline)
        faults.search(home / "server.log")
        rounds += 1
    assert not faults.found, f"seed {SEED}:\n{faults}"


def _send_some(client: Client, values: Values, faults: Faults, log: Path, deadline: float) -> None:
    where = places()
    mount_all(client, values)
    for number in range(ROUND):
        if time.monotonic() > deadline:
            break
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
