"""An API server on loopback, and a client of it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from strongroom_injector.kube import Kube
from tests.strongroom_injector.apiserver import ApiServer, running


@pytest.fixture
def api() -> ApiServer:
    return ApiServer()


@pytest_asyncio.fixture
async def kube(api: ApiServer) -> AsyncIterator[Kube]:
    async with running(api) as client:
        yield client
