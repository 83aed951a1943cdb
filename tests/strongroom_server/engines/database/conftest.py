"""Database servers, one of each kind for all tests here, and an engine to ask."""

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from strongroom_server.engines.database import Engine
from tests import databases
from tests.strongroom_server.fakes import Mounted


@pytest.fixture(scope="session")
def pg() -> Iterator[databases.PostgreSQL]:
    with databases.postgresql() as server:
        yield server


@pytest.fixture(scope="session")
def maria() -> Iterator[databases.MariaDB]:
    with databases.mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def valkey() -> Iterator[databases.Redis]:
    with databases.redis() as server:
        yield server


@pytest.fixture
async def db() -> AsyncIterator[Mounted]:
    mounted = await Mounted(Engine).start()
    mounted.clock.time = float(int(time.time()))  # databases have their own clock, which is right
    yield mounted
    await mounted.engine.close()
