"""How long requests take, by kind and by mount: what every request adds to the metrics (a microsecond or so)."""

from strongroom_server.core.exchange import Exchange
from strongroom_server.core.metrics import Metrics, Summary


class RequestTimings:
    """Keeps the series at hand, so that a request need not look them up."""

    __slots__ = ("_by_mount", "_logins", "_metrics", "_requests")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._requests = metrics.summary("vault.core.handle_request")
        self._logins = metrics.summary("vault.core.handle_login_request")
        self._by_mount: dict[tuple[str, str], Summary] = {}

    def add(self, exchange: Exchange, started: float) -> None:
        """Count one served request that began at ``started``."""
        took = (exchange.server.clock.now() - started) * 1000
        mount, route = exchange.mount, exchange.route
        if mount is None:
            self._requests.observe(took)
            return
        login = mount.table == "auth" and route is not None and route.public
        (self._logins if login else self._requests).observe(took)
        key = (exchange.request.operation, mount.point)
        summary = self._by_mount.get(key)
        if summary is None:
            name = f"vault.route.{key[0]}.{mount.point.replace('/', '-')}"
            summary = self._by_mount[key] = self._metrics.summary(name)
        summary.observe(took)
