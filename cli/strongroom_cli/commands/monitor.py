"""monitor: the server's log as it is written, whatever the server itself writes down."""

from strongroom_cli.command import Command
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import handle

_FORMS = ("standard", "json")
_LEVELS = ("trace", "debug", "info", "warn", "error")


def monitor(session: Session) -> int:
    """Print the log until the server or the user ends it."""
    level = session.options.text("log-level").lower()
    if level not in _LEVELS:
        raise UsageError(f"{level} is an unknown log level. Valid log levels are: {' '.join(_LEVELS)}")
    form = session.options.text("log-format").lower()
    if form not in _FORMS:
        raise UsageError(f"{form} is an unknown log format. Valid log formats are: {' '.join(_FORMS)}")
    query = {"log_level": level, "log_format": form}
    request = session.client.prepare("read", "sys/monitor", query=query)
    with trouble("Error starting monitor"), session.stream(request) as response:
        if response.status != 200:
            handle(response.status, response.read(), method=request.method, url=session.client.url(request))
        while line := response.readline():
            if line.strip():
                session.say(line.decode("utf-8", "replace").rstrip("\n"))
                session.terminal.out.flush()
    return 0


COMMANDS = {
    "monitor": Command(
        monitor, "[options]", "Prints the server's log as it is written, until it is interrupted.",
        (Flag("log-level", "Lowest level: trace, debug, info, warn or error.", default="info"),
         Flag("log-format", "standard or json.", default="standard")), formats=(),
    ),
}  # fmt: skip
