"""What every audit device must do. Subclass ``DeviceConformance``: open one, and say what arrived."""

import asyncio

import pytest

from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError

LINES = [b'{"n":%d,"text":"%s"}' % (number, b"x" * size) for number, size in enumerate([0, 10, 1000, 50_000])]


class DeviceConformance:
    async def open(self) -> Device:
        raise NotImplementedError

    async def received(self, count: int) -> list[bytes]:
        """Return the entries that arrived, without newlines, once there are ``count`` of them."""
        raise NotImplementedError

    @pytest.fixture
    async def device(self):
        device = await self.open()
        yield device
        await device.close()

    async def test_lines_arrive_whole_and_in_order(self, device: Device):
        for line in LINES:
            await device.write(line)
        assert await self.received(len(LINES)) == LINES

    async def test_lines_written_at_once_do_not_mix(self, device: Device):
        lines = [b'{"n":%d,"pad":"%s"}' % (number, b"y" * (number * 37 % 3000)) for number in range(100)]
        await asyncio.gather(*[device.write(line) for line in lines])
        assert await self.received(len(lines)) == lines

    async def test_nothing_is_lost_when_it_is_reopened(self, device: Device):
        await device.write(LINES[0])
        await device.reopen()
        await device.write(LINES[1])
        assert await self.received(2) == LINES[:2]

    async def test_it_can_be_closed_twice(self, device: Device):
        await device.close()
        await device.close()

    async def test_an_option_that_is_wrong_is_named(self):
        raise NotImplementedError


__all__ = ["LINES", "AuditError", "DeviceConformance"]
