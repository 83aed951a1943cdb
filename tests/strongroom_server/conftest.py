"""A fresh server for each test that asks for one."""

from collections.abc import AsyncIterator

import pytest

from tests.strongroom_server.live import Live, start_live


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    running = await start_live()
    yield running
    await running.server.sealing.seal()
