"""The composition root: command line, files, environment and signals around the agent.

Exit codes: 0 after the work or an orderly stop, 1 for a wrong configuration or work that failed.
"""

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from strongroom_agent import flags

if TYPE_CHECKING:
    from strongroom_agent.config import Config
    from strongroom_agent.flags import Flags
    from strongroom_client import Settings
    from strongroom_common.logfile import RotatingFile
    from strongroom_common.logs import Form


_NO_GENERATOR = """\
generate-config makes files with env_template and exec, by which an agent starts a program; this agent starts none.
Render the secrets to a file instead, with a template.
"""


def main(arguments: list[str]) -> int:
    """Run ``strongroom agent`` with these arguments and return its exit code."""
    if arguments[:1] == ["generate-config"]:
        return _complain(_NO_GENERATOR)
    try:
        given = flags.parse(arguments)
    except ValueError as error:
        return _complain(f"{error}\n\n{flags.USAGE}")
    if given.switches.get("help") or given.switches.get("h"):
        sys.stdout.write(flags.USAGE)
        return 0
    if path := given.values.get("check-ready"):
        from strongroom_agent.readiness import check

        reason = check(path)
        return _complain(f"not ready: {reason}\n") if reason else 0
    return run(given, os.environ)


def run(given: "Flags", environment: Mapping[str, str]) -> int:
    """Read the configuration, run the agent, clean up."""
    from strongroom_agent import source
    from strongroom_common import logs

    try:
        config = source.load(given, environment)
        form: Form = "json" if config.log["format"] == "json" else "standard"
        logs.configure(config.log["level"] or "info", form, file=_log_file(config.log))
    except (OSError, ValueError) as error:
        return _complain(f"error loading configuration: {error}\n")
    return _run(config, given, environment)


def _log_file(log: dict[str, str]) -> "RotatingFile | None":
    """Return what writes the log's file, None for none; raises OSError, ValueError."""
    if not log["file"]:
        return None
    from strongroom_common.durations import parse_duration
    from strongroom_common.logfile import LogFile

    size, keep = (int(log[name] or 0) for name in ("rotate_bytes", "rotate_max_files"))
    return LogFile(log["file"], int(parse_duration(log["rotate_duration"] or "24h")), size, keep).handler("agent")


def _run(config: "Config", given: "Flags", environment: Mapping[str, str]) -> int:
    import logging

    from strongroom_agent import files
    from strongroom_agent.connection import lighten, settings_for

    lighten(config, given.values, environment)
    from strongroom_client import ClientError

    log = logging.getLogger("agent")
    for warning in config.warnings:
        log.warning(warning)
    try:
        settings = settings_for(config.server, given.values, given.switches.get("tls-skip-verify"), environment)
        code = _serve(config, given, settings, environment)
    except (ClientError, OSError, ValueError) as error:
        log.error("%s", error)  # noqa: TRY400 -- a mistake of the configuration, not of the program
        code = 1
    finally:
        if config.pid_file:
            files.remove(config.pid_file)
    log.info("stopped")
    return code


def _serve(config: "Config", given: "Flags", settings: "Settings", environment: Mapping[str, str]) -> int:
    import gc
    import random

    from strongroom_agent import files, signals
    from strongroom_agent.agent import Agent
    from strongroom_agent.loop import Loop
    from strongroom_client import Client
    from strongroom_common.clock import SystemClock

    loop = Loop(SystemClock(), config.rendering.connections)
    agent = Agent(config, Client(settings), loop, environment, random.random, ready=given.values.get("ready-file", ""))
    if config.pid_file:
        files.write(config.pid_file, f"{os.getpid()}\n".encode())
    signals.install(loop, agent, given, environment)
    if config.listeners:
        from strongroom_agent.listener import Proxy, start

        proxy = Proxy(config, settings, agent.token, lambda: loop.post(lambda: loop.stop(0)), loop.clock.now)
        start(config.listeners, proxy)
    agent.begin()
    gc.collect()
    gc.freeze()
    code = loop.run()
    if given.switches.get("revoke-on-shutdown") and code == 0 and agent.session and not config.exit_after_auth:
        agent.session.revoke()
    return code


def _complain(message: str) -> int:
    sys.stderr.write(message)
    return 1
