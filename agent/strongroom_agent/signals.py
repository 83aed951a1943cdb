"""SIGTERM and SIGINT end the agent, SIGHUP makes it read its configuration again."""

import logging
import signal
from collections.abc import Mapping
from types import FrameType

from strongroom_agent import source
from strongroom_agent.agent import Agent
from strongroom_agent.flags import Flags
from strongroom_agent.loop import Loop

log = logging.getLogger("agent")


def install(loop: Loop, agent: Agent, given: Flags, environment: Mapping[str, str]) -> None:
    """Set the handlers; they only post to the loop. To be called from the main thread."""

    def reload() -> None:
        try:
            agent.reload(source.load(given, environment))
        except (OSError, ValueError) as error:
            log.error("configuration not reloaded: %s", error)  # noqa: TRY400 -- a mistake of its writer

    def stop(number: int, _: FrameType | None) -> None:
        log.info("received %s", signal.Signals(number).name)
        loop.post(lambda: loop.stop(0))

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, lambda *_: loop.post(reload))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
