"""sys/monitor and sys/pprof: what the server is doing, for those who may know."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from strongroom_server.core.sys.pprof import PROFILES
from strongroom_server.sdk.request import Access, Connection, Operation, Raw, Request
from tests.strongroom_server.live import Live

log = logging.getLogger("core.test")


async def _raw(live: Live, path: str, access: Access | None = None, token: str = "root", **data: Any) -> Raw:
    connection = Connection(access=access or Access())
    request = Request(Operation.READ, f"sys/{path}", data, token=token, connection=connection, id="r")
    raw = (await live.server.handle(request)).raw
    assert raw is not None
    return raw


@contextlib.asynccontextmanager
async def _watching(live: Live, **data: Any) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the lines of a watch that is under way: the first is its own, logged until it comes through."""
    lines = (await _raw(live, "monitor", **data)).body
    assert not isinstance(lines, bytes)
    first = asyncio.ensure_future(anext(lines))
    while not first.done():
        log.error("begun")
        await asyncio.sleep(0.01)
    yield lines
    await lines.aclose()  # type: ignore[attr-defined]  # it is a generator


async def _until(lines: AsyncIterator[bytes], text: str) -> str:
    async for line in lines:
        if text in line.decode():
            return line.decode()
    raise AssertionError(text)


async def test_the_log_is_streamed(live: Live) -> None:
    async with asyncio.timeout(30), _watching(live) as lines:
        log.debug("too little")
        log.info("hello", extra={"fields": {"mount": "secret/"}})
        line = await _until(lines, "o")
        while "begun" in line:
            line = await _until(lines, "o")
        assert line.endswith("core.test: hello mount=secret/\n")


async def test_a_lower_level_and_json(live: Live) -> None:
    root = logging.getLogger()
    before = [root.level, *((handler, handler.level) for handler in root.handlers)]
    async with asyncio.timeout(30), _watching(live, log_level="debug", log_format="json") as lines:
        log.debug("finer")
        assert json.loads(await _until(lines, "finer"))["@message"] == "finer"
        assert all(handler.level >= before[0] for handler, _ in before[1:])
    assert before == [root.level, *((handler, handler.level) for handler in root.handlers)]


async def test_the_stream_ends_when_the_server_is_sealed(live: Live) -> None:
    async with asyncio.timeout(30), _watching(live) as lines:
        await live.server.sealing.seal()
        while await anext(lines, None) is not None:
            pass


@pytest.mark.parametrize(
    ("query", "error"),
    [
        pytest.param({"log_level": "loud"}, "unknown log level", id="no_level"),
        pytest.param({"log_format": "xml"}, "unknown log format", id="no_format"),
    ],
)
async def test_wrong_questions(live: Live, query: dict[str, str], error: str) -> None:
    answer = await live.get("sys/monitor", body=query)
    assert (answer.status, error in answer.errors[0]) == (400, True)


@pytest.mark.parametrize("path", [pytest.param(name, id=name) for name in ("monitor", "pprof", "pprof/goroutine")])
async def test_sudo_is_needed(live: Live, path: str) -> None:
    await live.post("sys/policies/acl/plain", {"policy": 'path "sys/*" { capabilities = ["read"] }'})
    token = await live.make_token(policies=["plain"])
    assert (await live.get(f"sys/{path}", token=token)).status == 403


async def test_the_stream_ends_when_the_server_stops(live: Live) -> None:
    async with asyncio.timeout(30), _watching(live, log_level="error") as lines:
        live.server.stopping = True
        async for line in lines:
            assert line == b"\n" or b"begun" in line


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("goroutine", "tasks: total", id="tasks"),
        pytest.param("threadcreate", "MainThread", id="threads"),
        pytest.param("heap", "builtins.dict", id="objects"),
        pytest.param("allocs", "allocated blocks", id="allocations"),
        pytest.param("block", "tasks that wait", id="what_waits"),
        pytest.param("mutex", "tasks that wait", id="what_waits_by_its_other_name"),
        pytest.param("symbol", "num_symbols", id="symbols"),
        pytest.param("cmdline", "\0", id="command_line"),
    ],
)
async def test_profiles(live: Live, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setattr("sys.argv", ["strongroom", "-dev", "-dev-root-token-id=hvs.secret"])
    raw = await _raw(live, f"pprof/{name}", debug=1)
    assert isinstance(raw.body, bytes)
    assert text in raw.body.decode()
    assert b"hvs.secret" not in raw.body
    assert raw.content_type == "text/plain; charset=utf-8"


async def test_the_index_names_every_profile(live: Live) -> None:
    page = (await _raw(live, "pprof")).body
    assert isinstance(page, bytes)
    assert all(f'href="{name}"' in page.decode() for name in PROFILES)


@pytest.mark.parametrize(
    ("name", "start"), [pytest.param("profile", "", id="profile"), pytest.param("trace", "0.0", id="trace")]
)
async def test_samples(live: Live, name: str, start: str) -> None:
    raw = await _raw(live, f"pprof/{name}", seconds=1)
    assert isinstance(raw.body, bytes)
    assert raw.body.decode().startswith(start)
    assert "run_forever" in raw.body.decode()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("profile?0", 400, id="no_time"),
        pytest.param("trace?61", 400, id="too_long"),
        pytest.param("trace?x", 400, id="no_number"),
        pytest.param("other?1", 404, id="no_profile"),
    ],
)
async def test_wrong_profiles(live: Live, path: str, status: int) -> None:
    name, _, seconds = path.partition("?")
    assert (await live.get(f"sys/pprof/{name}", body={"seconds": seconds})).status == status


async def test_a_listener_may_open_profiles(live: Live) -> None:
    access = Access(public=frozenset({"sys/pprof/symbol"}))
    assert (await _raw(live, "pprof/symbol", access, token="")).body == b"num_symbols: 0\n"
