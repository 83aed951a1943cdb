"""Functions that reach the machine: environment, time, files, programs, addresses.

Whoever writes a template may read files and run programs with the agent's rights, as with Vault's agent.
"""

import os
from collections.abc import Callable

from strongroom_agent.files import owner
from strongroom_agent.functions import times
from strongroom_agent.functions.context import Context
from strongroom_agent.template import Function
from strongroom_agent.template.values import raw, string

_PLUGIN_SECONDS = 30


def functions(context: Context) -> dict[str, Function]:
    """Return the functions by name."""
    environment = context.environment
    return {
        "env": Function(lambda name: environment.get(name, ""), "string"),
        "envOrDefault": Function(lambda name, default: environment.get(name) or default, "string string"),
        "mustEnv": Function(_must(environment.get), "string"),
        "plugin": Function(_plugin, "string ...string"),
        "sockaddr": Function(_sockaddr, "...string"),
        "timestamp": Function(_timestamp(context.now), "...string"),
        "writeToFile": Function(_write_to_file, "string string string string ...string"),
    }


def _must(get: Callable[[str], str | None]) -> Callable[[str], str]:
    def run(name: str) -> str:
        value = get(name)
        if not value:
            raise ValueError(f"required environment variable {name} is empty")
        return value

    return run


def _timestamp(now: Callable[[], float]) -> Callable[..., str]:
    def run(*layouts: str) -> str:
        if len(layouts) > 1:
            raise ValueError(f"timestamp: wrong number of arguments, expected 0 or 1, but got {len(layouts)}")
        layout = layouts[0] if layouts else times.RFC3339
        return str(int(now())) if layout == "unix" else times.form(times.utc(now()), layout)

    return run


def _plugin(program: str, *arguments: str) -> str:
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603 -- as above
            [program, *arguments], capture_output=True, timeout=_PLUGIN_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"exec {program!r}: {error}") from error
    if done.returncode:
        raise ValueError(f"exec {program!r}: exit status {done.returncode}")
    return string(done.stdout).strip()


def _write_to_file(path: str, user: str, group: str, permissions: str, *arguments: str) -> str:
    if not arguments:
        raise ValueError("writeToFile: content is missing")
    flags, content = (arguments[0] if len(arguments) == 2 else ""), arguments[-1]
    mode = _mode(permissions)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    append = os.O_APPEND if "append" in flags else os.O_TRUNC
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | append, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw(content + "\n" * ("newline" in flags)))
    if user or group:
        os.chown(path, *owner(user, group))
    os.chmod(path, mode)
    return ""


def _mode(text: str) -> int:
    try:
        return int(text, 8)
    except ValueError:
        raise ValueError(f"invalid permissions {text!r}: expected octal digits") from None


def _sockaddr(*arguments: str) -> str:
    """Give the address that packets to the outside leave from: what GetPrivateIP means in a pod."""
    import socket

    wanted = arguments[0].strip() if arguments else "GetPrivateIP"
    if wanted not in ("", "GetPrivateIP"):
        raise ValueError(f"sockaddr: {wanted!r} is not supported; only GetPrivateIP is")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): nothing is sent
        except OSError:
            return ""
        return str(probe.getsockname()[0])
