"""sys/metrics: the server's figures for Prometheus, or as JSON."""

from typing import Any

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import NotFound
from strongroom_server.sdk.request import Raw, Request, Response


class Metrics(Area):
    """Figures."""

    @read("metrics")
    async def read_metrics(self, request: Request) -> Response:
        """Print all metrics; ``format=prometheus`` for Prometheus."""
        server = self.server
        if not server.metrics_enabled:
            raise NotFound("metrics are turned off: write enable=true to sys/config/metrics")
        server.refresh_metrics()
        if request.data.get("format") == "prometheus" or "openmetrics" in request.headers.get("Accept", ""):
            return Response(raw=Raw(server.metrics.prometheus().encode(), "text/plain; version=0.0.4; charset=utf-8"))
        body: dict[str, Any] = server.metrics.json()
        return Response(raw=Raw(codec.encode(body), "application/json"))
