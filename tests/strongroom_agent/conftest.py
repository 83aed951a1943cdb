from collections.abc import Iterator

import pytest

from tests.strongroom_agent.vault import Vault, serving


@pytest.fixture
def vault() -> Iterator[Vault]:
    with serving() as server:
        yield server
