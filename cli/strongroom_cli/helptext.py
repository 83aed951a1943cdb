"""Help texts, made from the declarations of commands and flags."""

from collections.abc import Iterable, Mapping, Sequence

from strongroom_cli import table
from strongroom_cli.command import FIELD, FORMAT, HTTP_FLAGS, Command
from strongroom_cli.flags import Flag
from strongroom_cli.gotext import wrapped

_VALUES = {"int": "=<int>", "duration": "=<duration>", "ttl": "=<duration>", "bool": "", "pairs": "=<key=value>"}


def overview(program: str) -> str:
    """Return the list of all commands at the top."""
    found = table.below("")
    common = {name: found.pop(name) for name in table.COMMON}
    return "\n".join(
        [
            f"Usage: {program} <command> [args]",
            "",
            "Common commands:",
            *_lines(common, 12),
            "",
            "Other commands:",
            *_lines(found, 21),
        ]
    )


def group(program: str, name: str) -> str:
    """Return the help of a group of commands."""
    found = table.below(name)
    lines = [
        f"Usage: {program} {name} <subcommand> [options] [args]",
        "",
        f"  {table.GROUPS[name]}",
        "",
        "Subcommands:",
    ]
    return "\n".join([*lines, *_lines(found, max(map(len, found)) + 4)])


def command(program: str, name: str, spec: Command) -> str:
    """Return the help of one command."""
    text = spec.help.format(program=program)
    lines = [f"Usage: {program} {name} {spec.usage}".rstrip(), "", *(f"  {line}".rstrip() for line in text.split("\n"))]
    if not spec.local:
        lines += _section("HTTP Options", HTTP_FLAGS)
    printing = [flag for flag in spec.flags if flag is FIELD] + ([FORMAT] if spec.formats else [])
    if printing:
        lines += _section("Output Options", printing)
    if own := [flag for flag in spec.flags if flag is not FIELD]:
        lines += _section("Command Options", own)
    return "\n".join(lines)


def _section(title: str, flags: Sequence[Flag]) -> list[str]:
    lines = ["", f"{title}:"]
    for flag in sorted(flags):
        short = f", -{flag.alias}" if flag.alias else ""
        default = f" The default is {flag.default}." if flag.default not in (None, False, -1) else ""
        value = _VALUES.get(flag.kind, "=<string>")
        lines += ["", f"  -{flag.name}{value}{short}", wrapped(flag.help + default, 78, "      ")]
    return lines


def _lines(found: Mapping[str, str], width: int) -> Iterable[str]:
    return [f"    {name.ljust(width)}{about}" for name, about in found.items()]
