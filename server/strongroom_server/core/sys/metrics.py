"""sys/metrics: the server's figures for Prometheus, or as JSON."""

from typing import Any

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Raw, Request, Response


class Metrics(Area):
    """Figures."""

    @read("metrics", when_sealed=True)
    async def read_metrics(self, request: Request) -> Response:
        """Print all metrics; ``format=prometheus`` for Prometheus."""
        server = self.server
        if not server.metrics_enabled:
            raise NotFound("metrics are turned off: write enable=true to sys/config/metrics")
        await server.gauges.refresh()
        form = request.data.get("format", "")
        if form not in ("", "json", "prometheus"):
            raise InvalidRequest(f'metric response format "{form}" unknown: expected prometheus or json')
        if form == "prometheus" or (not form and _wants_text(request.headers.get("Accept", ""))):
            return Response(raw=Raw(server.metrics.prometheus().encode(), "text/plain; version=0.0.4; charset=utf-8"))
        body: dict[str, Any] = server.metrics.json(server.clock.now())
        return Response(raw=Raw(codec.encode(body), "application/json"))


def _wants_text(accept: str) -> bool:
    """Say whether a scraper asks: Prometheus sends one of these."""
    return "openmetrics" in accept or "prometheus" in accept or "version=0.0.4" in accept
