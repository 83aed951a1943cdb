import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom_server.audit import open_device
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError
from tests.conformance.device import LINES, DeviceConformance


class TestFile(DeviceConformance):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "deep" / "audit.log"

    async def open(self) -> Device:
        return await open_device("file", {"file_path": str(self.path), "log_raw": "false"})

    async def received(self, count: int) -> list[bytes]:
        return self.path.read_bytes().splitlines()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param({}, "file_path is required", id="no_path"),
            pytest.param({"file_path": "x", "mode": "rw"}, "mode 'rw': expected octal", id="mode_in_words"),
            pytest.param({"file_path": "x", "mode": "0755"}, "mode '0755': expected permissions", id="executable"),
            pytest.param({"file_path": "x", "mode": "10600"}, "mode '10600': expected permissions", id="long_mode"),
            pytest.param({"file_path": "/dev/null/x"}, "Not a directory", id="below_a_file"),
            pytest.param({"file_path": "/"}, "Is a directory", id="a_directory"),
        ],
    )
    async def test_an_option_that_is_wrong_is_named(self, options: dict[str, str], message: str):
        with pytest.raises(AuditError, match=message):
            await open_device("file", options)


class TestPipe(DeviceConformance):
    """A container's standard output is a pipe, which can be full."""

    @pytest.fixture(autouse=True)
    def pipe(self, tmp_path: Path):
        self.path = tmp_path / "pipe"
        os.mkfifo(self.path)
        self.reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        yield
        os.close(self.reader)

    async def open(self) -> Device:
        return await open_device("file", {"file_path": str(self.path)})

    async def received(self, count: int) -> list[bytes]:
        return [line async for line in self.lines(count)]

    async def lines(self, count: int):
        data = b""
        while data.count(b"\n") < count:
            try:
                data += os.read(self.reader, 65536)
            except BlockingIOError:
                await asyncio.sleep(0.001)
        for line in data.splitlines():
            yield line

    async def test_lines_arrive_whole_and_in_order(self, device: Device):
        writes = [asyncio.create_task(device.write(line)) for line in LINES]
        assert await self.received(len(LINES)) == LINES
        await asyncio.gather(*writes)

    async def test_lines_written_at_once_do_not_mix(self, device: Device):
        lines = [b"%d %s" % (number, b"y" * 5000) for number in range(40)]
        writes = [asyncio.create_task(device.write(line)) for line in lines]
        await asyncio.sleep(0.02)
        assert not all(write.done() for write in writes)  # the pipe is full, and the event loop runs
        assert await self.received(len(lines)) == lines
        await asyncio.gather(*writes)

    async def test_an_option_that_is_wrong_is_named(self):
        pytest.skip("the same options as a file's")


async def test_a_full_device_refuses():
    device = await open_device("file", {"file_path": "/dev/full"})
    with pytest.raises(AuditError, match="/dev/full: No space left on device"):
        await device.write(b"{}")
    await device.close()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("0600", 0o600), ("0640", 0o640), ("644", 0o644), ("0000", 0o604), ("0", 0o604)],
)
async def test_the_mode_is_set_even_on_an_old_file(tmp_path: Path, mode: str, expected: int):
    path = tmp_path / "old.log"
    path.write_text("old\n")
    path.chmod(0o604)
    device = await open_device("file", {"file_path": str(path), "mode": mode})
    await device.write(b"new")
    await device.close()
    assert path.read_text() == "old\nnew\n"
    assert stat.S_IMODE(path.stat().st_mode) == expected


async def test_a_new_file_is_for_the_server_alone(tmp_path: Path):
    device = await open_device("file", {"path": str(tmp_path / "new.log"), "mode": "0000"})
    await device.close()
    assert stat.S_IMODE((tmp_path / "new.log").stat().st_mode) == 0o600


async def test_a_rotated_file_is_left_when_reopened(tmp_path: Path):
    path = tmp_path / "a.log"
    device = await open_device("file", {"file_path": str(path)})
    await device.write(b"1")
    path.rename(tmp_path / "a.log.1")
    await device.write(b"2")
    await device.reopen()
    await device.write(b"3")
    await device.close()
    assert (tmp_path / "a.log.1").read_text() == "1\n2\n"
    assert path.read_text() == "3\n"


async def test_if_it_cannot_be_reopened_the_old_file_stays_in_use(tmp_path: Path):
    path = tmp_path / "a.log"
    device = await open_device("file", {"file_path": str(path)})
    path.rename(tmp_path / "moved")
    path.mkdir()
    with pytest.raises(AuditError, match="Is a directory"):
        await device.reopen()
    await device.write(b"still")
    await device.close()
    assert (tmp_path / "moved").read_text() == "still\n"


async def test_a_line_that_was_cut_off_does_not_swallow_the_next(tmp_path: Path):
    """A file-size limit stops a write in the middle, as a full disk does."""
    program = """
import asyncio, resource, signal, sys
from strongroom_server.audit import open_device
from strongroom_server.sdk.errors import AuditError
async def main():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    device = await open_device("file", {"file_path": sys.argv[1]})
    await device.write(b"one")
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, resource.RLIM_INFINITY))
    for _ in range(2):
        try:
            await device.write(b"second")
        except AuditError:
            continue
        sys.exit("taken")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await device.write(b"three")
    await device.close()
asyncio.run(main())
"""
    path = tmp_path / "a.log"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)  # noqa: ASYNC221
    assert path.read_text() == "one\nse\nthree\n"


async def test_a_closed_device_refuses(tmp_path: Path):
    device = await open_device("file", {"file_path": str(tmp_path / "a")})
    await device.close()
    with pytest.raises(AuditError, match="closed"):
        await device.write(b"x")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_standard_streams(stream: str):
    program = f"""
import asyncio
from strongroom_server.audit import open_device
async def main():
    device = await open_device("file", {{"file_path": "{stream}"}})
    await device.write(b"one")
    await device.reopen()
    await device.write(b"two")
    await device.close()
asyncio.run(main())
print("open still")
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert getattr(done, stream).startswith("one\ntwo\n")
    assert "open still" in done.stdout


async def test_discard_takes_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    device = await open_device("file", {"file_path": "discard"})
    await device.write(b"x")
    await device.reopen()
    await device.close()
    path = tmp_path / "discard"
    assert not path.exists()


@pytest.mark.parametrize("kind", ["nosuch", "entries", "redaction", ""])
async def test_an_unknown_device_is_refused_and_the_known_ones_named(kind: str):
    with pytest.raises(AuditError, match="expected one of file, http, socket, syslog"):
        await open_device(kind, {})
