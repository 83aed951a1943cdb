"""Certificates with leases, in a whole server: stored together, ended together."""

from collections.abc import Sequence

import pytest

from strongroom_server.sdk.backend import Change
from strongroom_server.sdk.errors import BackendError
from strongroom_server.storage.memory import MemoryStore
from tests.strongroom_server.live import Live, start_live


class Watched(MemoryStore):
    """A store that tells what was committed at once, and that can be made to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[list[str]] = []
        self.failing = False

    async def commit(self, changes: Sequence[Change]) -> None:
        if self.failing:
            raise BackendError("the disk is full")
        self.commits.append([change.key for change in changes])
        await super().commit(changes)


@pytest.fixture
async def store() -> Watched:
    return Watched()


async def leasing(store: Watched) -> Live:
    live = await start_live(backend=store)
    await live.post("sys/mounts/pki", {"type": "pki"})
    await live.post("pki/root/generate/internal", {"common_name": "Root", "key_type": "ec", "ttl": "700h"})
    role = {"allow_any_name": True, "key_type": "ec", "ttl": "1h", "generate_lease": True}
    assert (await live.post("pki/roles/r", role)).status == 200
    return live


async def test_a_certificate_and_its_lease_are_stored_in_one_step(store: Watched) -> None:
    live = await leasing(store)
    store.commits.clear()
    body = (await live.post("pki/issue/r", {"common_name": "a.test", "cert_metadata": "eA=="})).body
    [commit] = store.commits
    serial = body["data"]["serial_number"].replace(":", "-")
    assert sorted(key.rpartition("/")[2] for key in commit if serial in key) == [serial, serial]
    assert any("expire" in key for key in commit)
    assert (await live.get(f"pki/cert/{body['data']['serial_number']}")).status == 200
    assert (await live.post("sys/leases/revoke", {"lease_id": body["lease_id"]})).status == 204
    assert (await live.list("pki/certs/revoked")).data["keys"] == [body["data"]["serial_number"]]
    await live.server.sealing.seal()


async def test_what_cannot_be_stored_is_not_given_out(store: Watched) -> None:
    live = await leasing(store)
    known = (await live.list("pki/certs")).data["keys"]
    store.failing = True
    with pytest.raises(BackendError):
        await live.post("pki/issue/r", {"common_name": "a.test"})
    store.failing = False
    assert (await live.list("pki/certs")).data["keys"] == known
    await live.server.sealing.seal()
