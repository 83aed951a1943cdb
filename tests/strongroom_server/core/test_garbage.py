"""What a request held is let go when it is answered, refused ones too: nothing waits for the collector of cycles."""

import contextlib
import gc
import weakref
from typing import Any

import pytest

from strongroom_server.sdk.errors import RequestError
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.live import Live


class Body(dict[str, Any]):
    """A body whose end can be seen."""


@pytest.mark.parametrize(
    ("path", "token"),
    [
        pytest.param("secret/data/a", "root", id="an_answer"),
        pytest.param("secret/data/a", "unknown", id="a_refusal"),
        pytest.param("secret/unknown/a", "root", id="no_such_path"),
        pytest.param("secret/data/a/", "root", id="a_bad_request"),
    ],
)
async def test_a_body_goes_with_its_request(live: Live, path: str, token: str) -> None:
    gc.disable()
    try:
        body = Body(data={"a": "b"}, options=7 if path.endswith("/") else {})
        seen = weakref.ref(body)
        with contextlib.suppress(RequestError):
            await live.server.handle(Request(Operation.UPDATE, path, body, token=token, id="one"))
        del body
        assert seen() is None
    finally:
        gc.enable()
