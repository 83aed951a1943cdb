"""What an engine needs around it, in memory."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strongroom_common.clock import Clock, FakeClock
from strongroom_server.sdk.backend import Change
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.request import Caller, Connection, Operation, Request, Response
from strongroom_server.sdk.system import Places
from strongroom_server.storage.memory import MemoryStore


@dataclass
class FakeSystem:
    clock: Clock = field(default_factory=FakeClock)
    mount_point: str = "mount/"
    mount_accessor: str = "type_1234"
    mount_uuid: str = "00000000-0000-0000-0000-000000000000"
    default_lease_ttl: int = 2764800
    max_lease_ttl: int = 2764800
    options: Mapping[str, str] = field(default_factory=dict)
    local_mount: bool = False
    places: Places = field(default_factory=Places)
    trusted: frozenset[bytes] = frozenset()

    async def generate_password(self, policy: str) -> str:
        raise NotImplementedError(policy)

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        raise NotImplementedError(entity_id)

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        raise NotImplementedError(entity_id)

    def trust_clients(self, certificates: Iterable[bytes]) -> None:
        self.trusted = frozenset(certificates)

    async def run_blocking(self, function: Any, *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)


class PlainStore(MemoryStore):
    """A memory store as an engine sees storage, without the barrier between; others get a turn as they do there."""

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(0)
        return await super().get(key)

    async def commit(self, changes: Sequence[Change]) -> None:
        await asyncio.sleep(0)
        await super().commit(changes)

    async def list(self, prefix: str = "") -> list[str]:
        return await super().list(prefix)


class Mounted:
    """An engine with a plain store; ``await mounted("update", "path", key=value)`` asks it."""

    def __init__(self, kind: type[Engine], store: PlainStore | None = None, **system: Any) -> None:
        self.clock = FakeClock()
        self.system = FakeSystem(clock=self.clock, **system)
        self.store = store or PlainStore()
        self.engine = kind.choose(self.system.options)(self.store, self.system)

    async def start(self) -> "Mounted":
        await self.engine.start()
        return self

    async def ask(self, operation: str, path: str, body: dict[str, Any] | None = None, **extra: Any) -> Response:
        return await self.engine.handle(Request(Operation(operation), path, body or {}, **extra))

    async def __call__(self, operation: str, path: str, **body: Any) -> Response:
        return await self.ask(operation, path, body)

    async def data(self, path: str, **body: Any) -> Any:
        return (await self("read", path, **body)).data

    async def keys(self, path: str, **body: Any) -> Any:
        data = (await self("list", path, **body)).data
        assert data is not None
        return data["keys"]


def caller(token: str) -> Caller:
    return Caller(token_hash=token)


def client(address: str) -> Connection:
    return Connection(remote_address=address)
