"""The HTTP side of a listener where finished requests are logged (``log_requests_level`` of the server file)."""

import logging

from strongroom_common.clock import rfc3339
from strongroom_common.logs import LEVELS
from strongroom_server.config import Config, Listener
from strongroom_server.core.server import Server
from strongroom_server.http.app import App
from strongroom_server.http.messages import Answer, Message

log = logging.getLogger("core")


class LoggedApp(App):
    """Answers as ``App`` does, and logs each request with its status and how long it took."""

    level = logging.DEBUG

    async def handle(self, message: Message) -> Answer:
        """Answer one HTTP message."""
        started = self._server.clock.now()
        answer = await super().handle(message)
        facts = {
            "client_address": f"{message.origin.remote_address}:{message.origin.remote_port}",
            "status_code": answer.status,
            "request_path": message.target.partition("?")[0],
            "request_method": message.method,
            "start_time": rfc3339(started),
            "duration": f"{int((self._server.clock.now() - started) * 1000)}ms",
        }
        log.log(self.level, "completed_request", extra={"fields": facts})
        return answer


def make_app(server: Server, listener: Listener, headers: dict[str, str], config: Config) -> App:
    """Return the HTTP side of a listener, one that logs requests if the server file asks for that."""
    level = LEVELS.get(config.log_requests_level.lower())
    if level is None:
        return App(server, listener, headers)
    app = LoggedApp(server, listener, headers)
    app.level = level
    return app
