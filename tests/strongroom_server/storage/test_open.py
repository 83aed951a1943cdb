import pytest

from strongroom_server.sdk.backend import Backend, Change, Lockable
from strongroom_server.sdk.errors import BackendError
from strongroom_server.sdk.parts import UnknownPart, known_parts, load_part
from strongroom_server.storage import open_backend
from strongroom_server.storage.layers import Boundary, Faults, power
from strongroom_server.storage.memory import MemoryStore


@pytest.mark.parametrize("kind", ["nosuch", "", "layers", "..", "memory.x", "__init__", "../storage/memory"])
async def test_an_unknown_type_is_refused_and_the_known_ones_named(kind: str):
    with pytest.raises(BackendError, match="expected one of file, inmem, memory, sqlite"):
        await open_backend(kind, {})


def test_a_package_lists_its_types():
    assert "sqlite" in known_parts("strongroom_server.storage")
    assert "layers" not in known_parts("strongroom_server.storage")
    with pytest.raises(UnknownPart):
        load_part("strongroom_server.seals", "nosuch")


async def test_the_boundary_lets_only_backend_errors_out():
    class Broken(MemoryStore):
        async def get(self, key: str) -> bytes | None:
            raise OSError(5, "Input/output error")

    with pytest.raises(BackendError, match=r"could not get: .*Input/output error") as caught:
        await Boundary(Broken()).get("a")
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("late", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_faults_happen_before_or_after_the_change(late: bool):
    store = MemoryStore()
    with pytest.raises(BackendError, match="injected"):
        await Faults(store, "commit", late=late).commit([Change("a", b"1")])
    assert await store.get("a") == (b"1" if late else None)


def test_a_store_is_found_below_its_layers_by_what_it_can_do():
    class WithLock(MemoryStore):
        async def acquire(self, key: str, value: bytes) -> None: ...
        async def holder(self, key: str) -> bytes | None: ...

    lockable = WithLock()
    layered: Backend = Boundary(lockable)
    assert power(layered, Lockable) is lockable
    assert power(Boundary(MemoryStore()), Lockable) is None
