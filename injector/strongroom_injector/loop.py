"""Doing something again and again, and going on after the API server refused or did not answer."""

import logging
from collections.abc import Awaitable, Callable

from strongroom_common.clock import Clock
from strongroom_injector.errors import KubeError

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds to wait after a failure: doubled each time."""

_log = logging.getLogger(__name__)


async def repeat(clock: Clock, seconds: float, what: str, step: Callable[[], Awaitable[None]]) -> None:
    """Call ``step`` every so many seconds, for ever; a KubeError is logged as "cannot ``what``" and tried again."""
    wait = FIRST_WAIT
    while True:
        try:
            await step()
        except KubeError as error:
            _log.warning("cannot %s: %s", what, error)
            await clock.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        else:
            wait = FIRST_WAIT
            await clock.sleep(seconds)
