import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from strongroom_server.lib.child_process import running
from tests.waiting import gone, until

_PROGRAM = "tests.strongroom_server.echoing"


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let children find the program, which is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


async def test_answers_come_in_the_order_of_the_questions_whatever_their_size() -> None:
    sizes = [1, 100_000, 3, 0, 4_000_000, 2]
    async with running(_PROGRAM) as child:
        answers = await asyncio.gather(*(child.ask(b"x" * size) for size in sizes))
    assert [len(answer) for answer in answers] == sizes


async def test_an_answer_that_nobody_waits_for_is_left_out() -> None:
    async with running(_PROGRAM) as child:
        os.kill(child.pid, signal.SIGSTOP)
        first, second = (asyncio.ensure_future(child.ask(question)) for question in (b"first", b"second"))
        await asyncio.sleep(0)
        first.cancel()
        os.kill(child.pid, signal.SIGCONT)
        assert await second == b"second"


async def test_what_is_asked_of_a_child_that_ends_is_told_so() -> None:
    async with running(_PROGRAM) as child:
        os.kill(child.pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(child.ask(b"question"))
        await asyncio.sleep(0)
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(OSError, match="the child process ended"):
            await waiting
        with pytest.raises(OSError, match="the child process ended"):
            await child.ask(b"another")


async def test_a_program_that_does_not_start_is_told_of(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="the child process ended"):
        async with running("tests.strongroom_server.there_is_no_such_program"):
            pytest.fail("it started")
    assert "No module named" in capfd.readouterr().err


async def test_a_child_takes_no_module_from_the_folder_it_is_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resource.py").write_text("raise SystemExit('taken from here')")
    monkeypatch.chdir(tmp_path)
    async with running(_PROGRAM) as child:
        assert await child.ask(b"question") == b"question"


async def test_a_child_serves_as_long_as_its_server_whoever_else_is_told_to_end() -> None:
    async with running(_PROGRAM) as child:
        os.kill(child.pid, signal.SIGTERM)
        assert await child.ask(b"question") == b"question"


async def test_none_is_left_when_its_time_is_over() -> None:
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(running(_PROGRAM)) for _ in range(2)]
        os.kill(children[0].pid, signal.SIGSTOP)
        pids = [child.pid for child in children]
    for pid in pids:
        assert gone(pid)


async def test_a_child_ends_with_its_server() -> None:
    program = (
        "import asyncio, os\n"
        "from strongroom_server.lib.child_process import running\n"
        "async def main():\n"
        f"    async with running({_PROGRAM!r}) as child:\n"
        "        print(child.pid, flush=True)\n"
        "        await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    server = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert server.stdout
    child = int(await server.stdout.readline())
    server.kill()
    await server.wait()
    await until(lambda: gone(child))
