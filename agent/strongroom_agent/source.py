"""Where the agent file comes from: files, folders or an environment variable; flags have the last word."""

import base64
import binascii
import os
from collections.abc import Mapping

from strongroom_agent.config import Config, build, located
from strongroom_agent.flags import Flags
from strongroom_common.environment import PREFIXES
from strongroom_common.hcl import Body, HclError, parse

_VARIABLE = "STRONGROOM_AGENT_CONFIG"
_PATHS = tuple(f"{prefix}{role}_CONFIG_PATH" for role in ("AGENT", "PROXY") for prefix in PREFIXES)


def load(given: Flags, environment: Mapping[str, str]) -> Config:
    """Return the configuration that the flags ask for; raises OSError, or ValueError naming file and line."""
    named = given.configs or tuple(filter(None, map(environment.get, _PATHS)))[:1]
    texts = [(path, _read(path)) for name in named for path in _files(name)]
    variable = given.values.get("config-env") or ("" if texts else _VARIABLE)
    if variable and (given.values.get("config-env") or environment.get(variable)):
        texts.append((f"${variable}", _decoded(variable, environment.get(variable, ""))))
    if not texts:
        raise ValueError("no configuration: give -config=FILE (or -config-env=NAME)")
    config = _built(texts)
    return config._replace(
        exit_after_auth=given.switches.get("exit-after-auth", config.exit_after_auth),
        pid_file=given.values.get("pid-file", config.pid_file),
        log={key: given.values.get(f"log-{key.replace('_', '-')}", text) for key, text in config.log.items()},
    )


def _built(texts: list[tuple[str, str]]) -> Config:
    bodies = [_parsed(name, text) for name, text in texts]
    try:
        return build(bodies)
    except HclError as error:
        raise ValueError(located(error, ", ".join(name for name, _ in texts))) from None


def _parsed(name: str, text: str) -> Body:
    try:
        return parse(text)
    except HclError as error:
        raise ValueError(located(error, name)) from None


def _files(name: str) -> list[str]:
    if not os.path.isdir(name):
        return [name]
    inside = sorted(entry for entry in os.listdir(name) if entry.endswith((".hcl", ".json")))
    return [os.path.join(name, entry) for entry in inside]


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _decoded(variable: str, text: str) -> str:
    """Return the agent file in a variable: itself, or base64 of it."""
    if not text.strip():
        raise ValueError(f"the environment variable {variable} is empty; expected an agent file")
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text
