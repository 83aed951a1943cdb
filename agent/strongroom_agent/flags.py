"""The command line, in the form of Vault's: ``-name=value``, ``-name value`` or ``--name=value``."""

from typing import NamedTuple

_SWITCHES = ("exit-after-auth", "revoke-on-shutdown", "help", "h")
_VALUES = ("config", "config-env", "ready-file", "check-ready", "log-level", "log-format", "log-file",
           "log-rotate-bytes", "log-rotate-duration", "log-rotate-max-files", "address", "ca-cert", "ca-path",
           "client-cert", "client-key", "tls-server-name", "namespace", "pid-file")  # fmt: skip
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false")

USAGE = """\
Usage: strongroom agent -config=FILE [options]

  Logs in, keeps the token and its leases alive, and renders templates to files.
  FILE is Vault's agent file, in HCL or JSON; -config may be repeated, or name a folder.

  -config=PATH            the agent file, or a folder of .hcl and .json files; also VAULT_AGENT_CONFIG_PATH
  -config-env=NAME        take the agent file from an environment variable, as text or in base64
  -exit-after-auth        end once the token and all templates are written: 0 if all is there, 1 if not
  -ready-file=PATH        make this file once every template is rendered
  -check-ready=PATH       do nothing but tell whether that file is there: exit code 0 or 1
  -revoke-on-shutdown     revoke the token when stopped by SIGTERM
  -address=URL            the server's address; also -namespace, -ca-cert, -ca-path, -client-cert,
                          -client-key, -tls-server-name, -tls-skip-verify
  -log-level=LEVEL        trace, debug, info, warn or error
  -log-format=FORM        standard or json
  -log-file=PATH          write the log to a file too; -log-rotate-bytes, -log-rotate-duration and
                          -log-rotate-max-files begin a new one when it is full
  -pid-file=PATH          write the process's number here

  SIGHUP reads the file again and takes its templates; SIGTERM ends the agent.
"""


class Flags(NamedTuple):
    """What was asked for: paths of agent files, values and switches by name."""

    configs: tuple[str, ...]
    values: dict[str, str]
    switches: dict[str, bool]


def parse(arguments: list[str]) -> Flags:
    """Read the command line; raises ValueError with a message for its writer."""
    configs: list[str] = []
    values: dict[str, str] = {}
    switches: dict[str, bool] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or not name:
            raise ValueError(f"unexpected argument {word!r}")
        if name in (*_SWITCHES, "tls-skip-verify"):
            switches[name] = _switch(name, value) if equals else True
            continue
        if name not in _VALUES:
            raise ValueError(f"flag provided but not defined: -{name}")
        if not equals:
            if not rest:
                raise ValueError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        if name == "config":
            configs.append(value)
        else:
            values[name] = value
    return Flags(tuple(configs), values, switches)


def _switch(name: str, text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise ValueError(f"invalid boolean value {text!r} for -{name}: expected true or false")
    return text.lower() in _TRUE
