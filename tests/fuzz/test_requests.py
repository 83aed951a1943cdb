"""Requests that no one would send, everywhere: an answer in time, no fault of the server's, no secret let out."""

import os
import random
import re
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fuzz.client import Call, Client, Reply
from tests.fuzz.values import MARK, Values
from tests.fuzz.world import make_call, mount_all, places, sow
from tests.ours import dev_server

SECONDS = float(os.environ.get("STRONGROOM_FUZZ_SECONDS") or 60)
SEED = int(os.environ.get("STRONGROOM_FUZZ_SEED") or time.time())
ROUND = 3000  # requests to one server, which fills up
SOWING = 300  # requests until what they deleted is put back

pytestmark = [pytest.mark.slow, pytest.mark.timeout(SECONDS + 120)]


@dataclass
class Faults:
    """What went wrong: one example of each kind."""

    found: dict[str, str] = field(default_factory=dict)

    def check(self, call: Call, reply: Reply, log: Path) -> None:
        """Look at one answer."""
        kind = ""
        if reply.status == 0:
            kind = reply.text
        elif reply.status == 500 and "(request " in reply.text:
            kind = _raised(log)
        elif reply.status not in _STATUSES:
            kind = f"status {reply.status}"
        elif "Traceback" in reply.text or ".py" in reply.text:
            kind = f"tells of its inside: {call.path}"
        if kind:
            self.found.setdefault(kind, f"{call!r:.1500} -> {reply!r:.300}")


_STATUSES = {200, 202, 204, 301, 307, 400, 401, 403, 404, 405, 409, 412, 413, 415, 429, 472, 473, 500, 501, 502, 503}


def _raised(log: Path) -> str:
    """Return where the last exception of the log was raised, and which it was."""
    lines = log.read_text().splitlines()
    places = [line.strip() for line in lines if line.startswith("  File")]
    errors = [line for line in lines if re.match(r"[\w.]+(:|$)", line)]
    ours = [place for place in places if "strongroom" in place]
    return f"{errors[-1][:200] if errors else ''} {ours[-1] if ours else ''}"


def test_no_request_makes_the_server_fail(tmp_path: Path) -> None:
    faults, deadline, rounds = Faults(), time.monotonic() + SECONDS, 0
    while time.monotonic() < deadline:
        home = tmp_path / str(rounds)
        home.mkdir()
        with dev_server(home, "-log-level=trace") as server, closing(Client(server.address)) as client:
            _send_some(client, Values(random.Random(SEED + rounds)), faults, home / "server.log", deadline)
        _search(home / "server.log", faults)
        rounds += 1
    assert not faults.found, f"seed {SEED}:\n" + "\n".join(f"{kind}\n    {call}" for kind, call in faults.found.items())


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


def _search(log: Path, faults: Faults) -> None:
    for line in log.read_text(errors="replace").splitlines():
        if MARK in line:
            faults.found.setdefault(f"a secret in the log: {re.sub('[0-9]+', 'N', line)[:100]}", line[:1000])
