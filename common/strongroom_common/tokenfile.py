"""The token that ``login``, or a dev server, leaves for later commands: ``~/.vault-token``, or a token helper program.

Vault's own file is used, so that both command lines share a session. Helpers:
https://developer.hashicorp.com/vault/docs/commands/token-helper (``get`` prints, ``store`` reads, ``erase``).
"""

import os
from collections.abc import Mapping

from strongroom_common.environment import variable

_CONFIGS = (".vault", ".bao")
"""Files in the home folder that may name a helper: Vault's and OpenBao's; the first that is there counts."""


class TokenFileError(ValueError):
    """The token cannot be kept or had; the message names file or program."""


def load(environ: Mapping[str, str]) -> str:
    """Return the stored token, or "" where there is none; raises TokenFileError if it cannot be read."""
    if helper := _helper(environ):
        return _run(helper, "get").strip()
    try:
        with open(_path(environ), encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise TokenFileError(f"token file {_path(environ)}: {error.strerror}") from error


def store(environ: Mapping[str, str], token: str) -> None:
    """Keep ``token``; the file is readable by its owner alone and replaced in one step."""
    if helper := _helper(environ):
        _run(helper, "store", token)
        return
    path = _path(environ)
    part = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(token)
        os.replace(part, path)
    except OSError as error:
        raise TokenFileError(f"token file {path}: {error.strerror}") from error


def erase(environ: Mapping[str, str]) -> None:
    """Forget the stored token."""
    if helper := _helper(environ):
        _run(helper, "erase")
        return
    try:
        os.remove(_path(environ))
    except FileNotFoundError:
        return
    except OSError as error:
        raise TokenFileError(f"token file {_path(environ)}: {error.strerror}") from error


def _path(environ: Mapping[str, str]) -> str:
    return variable(environ, "TOKEN_PATH") or os.path.join(_home(environ), ".vault-token")


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def _helper(environ: Mapping[str, str]) -> str:
    """Return the program that ``token_helper`` in the configuration file names, or ""."""
    given = variable(environ, "CONFIG_PATH")
    for path in (given,) if given else (os.path.join(_home(environ), name) for name in _CONFIGS):
        if os.path.isfile(path):
            import re

            with open(path, encoding="utf-8") as file:
                found = re.search(r'^\s*token_helper\s*=\s*"([^"]*)"', file.read(), re.MULTILINE)
            return found.group(1) if found else ""
    return ""


def _run(helper: str, verb: str, given: str = "") -> str:
    import shlex
    import subprocess

    try:
        done = subprocess.run([*shlex.split(helper), verb], input=given, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise TokenFileError(f"token helper {helper!r} {verb}: {said}") from error
    return done.stdout
