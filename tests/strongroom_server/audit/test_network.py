import asyncio
import json
import socket
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from strongroom_server.audit import open_device
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError
from tests.conformance.device import LINES, DeviceConformance


async def until(found: list[bytes], count: int) -> list[bytes]:
    async with asyncio.timeout(60):
        while len(found) < count:  # noqa: ASYNC110 - what fills the list knows no event
            await asyncio.sleep(0.001)
    return found


class Listener:
    """A real listener: TCP or a Unix stream. ``cut`` closes what is connected."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while line := await reader.readline():
            self.lines.append(line.removesuffix(b"\n"))
        writer.close()

    def cut(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers.clear()


class TestTcp(DeviceConformance):
    @pytest.fixture(autouse=True)
    async def listener(self):
        self.listener_ = Listener()
        self.server = await asyncio.start_server(self.listener_.serve, "127.0.0.1", 0, limit=2**20)
        self.port = self.server.sockets[0].getsockname()[1]
        yield
        self.server.close()
        self.listener_.cut()

    async def open(self) -> Device:
        return await open_device("socket", {"address": f"127.0.0.1:{self.port}"})

    async def received(self, count: int) -> list[bytes]:
        return await until(self.listener_.lines, count)

    async def test_a_connection_that_the_other_side_closed_is_made_anew(self, device: Device):
        await device.write(b"one")
        await self.received(1)
        self.listener_.cut()
        await asyncio.sleep(0.01)
        await device.write(b"two")
        assert await self.received(2) == [b"one", b"two"]

    async def test_a_server_that_is_gone_is_an_error(self, device: Device):
        self.server.close()
        self.listener_.cut()
        await asyncio.sleep(0.01)
        with pytest.raises(AuditError, match=r"refused|Connect"):
            await device.write(b"x")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param({}, "address is required", id="no_address"),
            pytest.param({"address": "nowhere"}, "expected host:port", id="no_port"),
            pytest.param({"address": "x:1", "socket_type": "sctp"}, "'socket_type' must be one of", id="kind"),
            pytest.param({"address": "127.0.0.1:1", "write_timeout": "soon"}, "expected a duration", id="timeout"),
            pytest.param({"address": "127.0.0.1:1"}, "refused|Connect", id="nobody_listens"),
            pytest.param({"address": "/no/such", "socket_type": "unix"}, "No such file", id="no_socket"),
        ],
    )
    async def test_an_option_that_is_wrong_is_named(self, options: dict[str, str], message: str):  # type: ignore[override]
        with pytest.raises(AuditError, match=message):
            await open_device("socket", options)


class TestUnix(DeviceConformance):
    @pytest.fixture(autouse=True)
    async def listener(self, tmp_path: Path):
        self.listener_ = Listener()
        self.path = tmp_path / "s"
        self.server = await asyncio.start_unix_server(self.listener_.serve, self.path, limit=2**20)
        yield
        self.server.close()
        self.listener_.cut()

    async def open(self) -> Device:
        return await open_device("socket", {"address": str(self.path), "socket_type": "unix"})

    async def received(self, count: int) -> list[bytes]:
        return await until(self.listener_.lines, count)

    async def test_an_option_that_is_wrong_is_named(self):
        pytest.skip("the same options as TCP's")


async def test_a_reader_that_does_not_read_is_an_error_in_time():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        device = await open_device("socket", {"address": address, "write_timeout": "200ms"})
        with pytest.raises(AuditError, match=r"timed out after 0\.2 s"):
            await device.write(b"x" * 100_000_000)
        await device.close()


async def test_udp_sends_a_datagram_a_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        device = await open_device("socket", {"address": f"127.0.0.1:{server.getsockname()[1]}", "socket_type": "udp"})
        await device.write(b"one")
        await device.reopen()
        await device.write(b"two")
        assert [server.recv(100), server.recv(100)] == [b"one\n", b"two\n"]
        with pytest.raises(AuditError, match="too long"):
            await device.write(b"x" * 70_000)
        await device.close()


class TestSyslog(DeviceConformance):
    @pytest.fixture(autouse=True)
    def log(self, tmp_path: Path):
        self.path = tmp_path / "log"
        self.log = self.listen()
        yield
        self.log.close()

    def listen(self) -> socket.socket:
        self.path.unlink(missing_ok=True)
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind(str(self.path))
        log.setblocking(False)
        return log

    async def open(self) -> Device:
        return await open_device("syslog", {"path": str(self.path), "facility": "local0", "tag": "vault"})

    async def received(self, count: int) -> list[bytes]:
        lines = []
        async with asyncio.timeout(60):
            while len(lines) < count:
                message = await asyncio.get_running_loop().sock_recv(self.log, 2**20)
                start, _, line = message.partition(b"]: ")
                assert start.startswith(b"<134>vault[")  # local0 is 16, informational 6
                lines.append(line)
        return lines

    async def test_lines_written_at_once_do_not_mix(self, device: Device):
        """The system's queue takes few datagrams, so they are read meanwhile."""
        lines = [b"%d" % number for number in range(100)]
        writes = [asyncio.create_task(device.write(line)) for line in lines]
        assert await self.received(len(lines)) == lines
        await asyncio.gather(*writes)

    async def test_a_log_that_was_restarted_is_found_again(self, device: Device):
        await device.write(LINES[0])
        self.log.close()
        self.log = self.listen()
        await device.write(LINES[1])
        assert await self.received(1) == [LINES[1]]

    async def test_a_log_that_is_not_there_is_an_error(self, device: Device):
        self.log.close()
        self.path.unlink()
        with pytest.raises(AuditError, match=r"syslog at .*No such file"):
            await device.write(b"x")

    async def test_an_option_that_is_wrong_is_named(self):
        with pytest.raises(AuditError, match="facility 'nosuch': expected"):
            await open_device("syslog", {"facility": "nosuch"})


class TestHttp(DeviceConformance):
    @pytest.fixture(autouse=True)
    async def server(self):
        self.lines: list[bytes] = []
        self.requests: list[web.BaseRequest] = []
        self.status = 200
        application = web.Application(client_max_size=2**20)
        application.router.add_post("/in", self.take)
        async with TestServer(application) as server:
            self.uri = str(server.make_url("/in"))
            yield

    async def take(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.lines.append(await request.read())
        return web.Response(status=self.status)

    async def open(self) -> Device:
        return await open_device("http", {"uri": self.uri})

    async def received(self, count: int) -> list[bytes]:
        return sorted(self.lines, key=lambda line: int(line[5 : line.index(b",")]))  # connections run side by side

    @pytest.mark.parametrize("status", [302, 400, 500])
    async def test_any_answer_but_success_is_an_error(self, device: Device, status: int):
        self.status = status
        with pytest.raises(AuditError, match=str(status)):
            await device.write(b"x")

    async def test_headers_are_sent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("AUDIT_TOKEN", "t-1")
        (tmp_path / "f").write_text("from a file\n")
        many = ["a", f"file://{tmp_path}/f"]
        headers = json.dumps({"Authorization": ["env://AUDIT_TOKEN"], "X-Many": many, "X-None": []})
        device = await open_device("http", {"uri": self.uri, "headers": headers})
        await device.write(b"{}")
        await device.close()
        sent = self.requests[0].headers
        assert sent["Authorization"] == "t-1"
        assert sent.getall("X-Many") == ["a", "from a file"]
        assert sent["Content-Type"] == "application/json"
        assert "X-None" not in sent

    async def test_a_server_that_is_gone_is_an_error_without_its_address(self):
        device = await open_device("http", {"uri": "http://user:pass@127.0.0.1:1/"})
        with pytest.raises(AuditError, match="cannot be reached") as caught:
            await device.write(b"x")
        assert "pass" not in str(caught.value)
        await device.close()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            pytest.param({}, "uri is required", id="no_uri"),
            pytest.param({"uri": "ftp://x"}, "expected http", id="scheme"),
            pytest.param({"uri": "env://NO_SUCH"}, "NO_SUCH cannot be read", id="no_variable"),
            pytest.param({"uri": "http://x", "headers": "A: b"}, "headers: expected JSON", id="headers"),
        ],
    )
    async def test_an_option_that_is_wrong_is_named(self, options: dict[str, str], message: str):  # type: ignore[override]
        with pytest.raises(AuditError, match=message):
            await open_device("http", options)
