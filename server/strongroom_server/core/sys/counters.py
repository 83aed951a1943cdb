"""sys/internal/counters, as far as others count: requests and clients over time."""

from typing import Any

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import NotFound


class Counters(Area):
    """What is not counted here."""

    @read("internal/counters/requests")
    async def requests(self) -> None:
        """Refuse: requests are counted in sys/metrics."""
        raise NotFound("The functionality has been removed on this path")

    @read("internal/counters/activity")
    async def activity(self) -> None:
        """Answer nothing: clients are not counted over time."""

    @read("internal/counters/config")
    async def activity_settings(self) -> dict[str, Any]:
        """Tell that clients are not counted over time."""
        return {"enabled": "default-disabled", "queries_available": False, "retention_months": 0,
                "reporting_enabled": False}  # fmt: skip
