"""Command-line flags as Go's flag package reads them, because that is what Vault's command line accepts.

``-field=x``, ``-field x``, ``--field=x``, ``-force``, ``-force=false``. Other than Go we also take flags after the
arguments, where they name a flag that the command knows; after ``--`` everything is an argument. argparse differs in
too much of this (a boolean with a value, data such as ``-a=b``, the wording of errors) to be bent into it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from strongroom_cli.errors import UsageError
from strongroom_common.durations import parse_duration

_BOOLEANS = {"1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


class Flag(NamedTuple):
    """One flag. ``kind`` is string, bool, int, duration, ttl, list or pairs; list and pairs may be repeated.

    A ttl is a duration that goes to the server as it is.
    """

    name: str
    help: str
    kind: str = "string"
    default: Any = None
    alias: str = ""


class Options:
    """The values of a command's flags; a flag that was not given has its default (see ``given``)."""

    def __init__(self, flags: Sequence[Flag], values: Mapping[str, Any]) -> None:
        self._defaults = {flag.name: flag.default for flag in flags}
        self._values = values

    def knows(self, name: str) -> bool:
        """Tell whether the command has the flag."""
        return name in self._defaults

    def given(self, name: str) -> bool:
        """Tell whether the flag was on the command line."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return a string flag, "" where it has neither value nor default."""
        return str(self._value(name) or "")

    def on(self, name: str) -> bool:
        """Return a boolean flag."""
        return bool(self._value(name))

    def number(self, name: str) -> int:
        """Return an int flag, 0 where it has neither value nor default."""
        return int(self._value(name) or 0)

    def seconds(self, name: str) -> float:
        """Return a duration flag in seconds."""
        return float(self._value(name) or 0)

    def items(self, name: str) -> list[str]:
        """Return what a list flag was given, in order."""
        return list(self._value(name) or ())

    def pairs(self, name: str) -> dict[str, str]:
        """Return what a pairs flag was given."""
        return dict(self._value(name) or {})

    def _value(self, name: str) -> Any:
        default = self._defaults[name]
        return self._values.get(name, default)


def parse(flags: Sequence[Flag], words: Sequence[str]) -> tuple[Options, list[str]]:
    """Split ``words`` into options and arguments; raises UsageError for a flag that is unknown or ill-formed."""
    known = {name: flag for flag in flags for name in (flag.name, flag.alias) if name}
    values: dict[str, Any] = {}
    arguments: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        name, equals, text = word.lstrip("-").partition("=")
        if not word.startswith("-") or word == "-" or (arguments and name not in known):
            arguments.append(word)
            continue
        flag = known.get(name)
        if flag is None:
            raise UsageError(f"flag provided but not defined: -{name}{_similar(name, known)}")
        if not equals and flag.kind != "bool":
            if not rest:
                raise UsageError(f"flag needs an argument: -{name}")
            text = rest.pop(0)
        _store(flag, text if equals or flag.kind != "bool" else "true", values)
    return Options(flags, values), arguments


def _similar(name: str, known: Mapping[str, Flag]) -> str:
    from difflib import get_close_matches

    found = get_close_matches(name, known, 1, 0.75)
    return f"\nDid you mean -{found[0]}?" if found else ""


def _store(flag: Flag, text: str, values: dict[str, Any]) -> None:
    if flag.kind == "list":
        values.setdefault(flag.name, []).append(text)
    elif flag.kind == "pairs":
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f'invalid value "{text}" for flag -{flag.name}: missing = in KV pair: "{text}"')
        values.setdefault(flag.name, {})[key] = value
    else:
        values[flag.name] = _read(flag, text)


def _read(flag: Flag, text: str) -> Any:
    if flag.kind == "bool":
        if text.lower() not in _BOOLEANS:
            reason = f'strconv.ParseBool: parsing "{text}": invalid syntax'
            raise UsageError(f'invalid boolean value "{text}" for -{flag.name}: {reason}')
        return _BOOLEANS[text.lower()]
    if flag.kind == "int":
        if not (text.isascii() and text.removeprefix("-").isdecimal()):
            raise UsageError(
                f'invalid value "{text}" for flag -{flag.name}: strconv.ParseInt: parsing "{text}": invalid syntax'
            )
        return int(text)
    if flag.kind in ("duration", "ttl"):
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise UsageError(
                f'invalid value "{text}" for flag -{flag.name}: time: invalid duration "{text}"'
            ) from error
        return seconds if flag.kind == "duration" else text
    return text
