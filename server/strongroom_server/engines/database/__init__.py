"""Database credentials: users made on demand, with an end, and users whose passwords are changed on a schedule."""

import asyncio
import logging

from strongroom_server.engines.database.static_roles import StaticRoles
from strongroom_server.engines.database.users import Users

log = logging.getLogger("engines.database")


class Engine(Users, StaticRoles):
    """Makes credentials of databases."""

    async def start(self) -> None:
        """Make ready; what an earlier run left behind is dropped in the background."""
        await super().start()
        self._sweeping = asyncio.ensure_future(self._sweep())

    async def close(self) -> None:
        """Close all connections."""
        self._sweeping.cancel()
        await asyncio.gather(self._sweeping, return_exceptions=True)
        await super().close()

    async def on_removed(self) -> None:
        """Drop what is on record, for the record goes with the mount."""
        await self.sweep(last=True)

    async def _sweep(self) -> None:
        try:
            await self.sweep()
        except Exception:
            log.exception("users without leases could not be looked for; the next round goes on")
