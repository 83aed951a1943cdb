"""Shell completion by the COMP_LINE protocol: the shell runs this program with its line and gets words back."""

import os
from importlib import import_module

from strongroom_cli import table
from strongroom_cli.command import Command, all_flags
from strongroom_cli.session import Terminal

_LINE = "complete -C {path} {program}"
_FILES = {".bashrc": "", ".zshrc": "autoload -U +X bashcompinit && bashcompinit && "}


def words(line: str) -> list[str]:
    """Return what may stand where the cursor is at the end of ``line``."""
    parts = line.split(" ")
    typed, before = parts[-1], [part for part in parts[1:-1] if part]
    name, rest = table.resolve([part for part in before if not part.startswith("-")])
    if name not in table.COMMANDS:
        return [] if rest else [word for word in table.below(name) if word.startswith(typed)]
    if not typed.startswith("-"):
        return []
    module, _ = table.COMMANDS[name]
    spec: Command = import_module(f"strongroom_cli.commands.{module}").COMMANDS[name]
    flags = [f"-{flag.name}" + ("" if flag.kind == "bool" else "=") for flag in all_flags(spec)]
    return sorted(flag for flag in flags if flag.startswith(typed))


def answer(terminal: Terminal) -> int:
    """Print the words for the line in the environment, one a line."""
    line = terminal.environ["COMP_LINE"]
    point = terminal.environ.get("COMP_POINT", "")
    for word in words(line[: int(point)] if point.isdecimal() else line):
        print(word, file=terminal.out)
    return 0


def install(program: str, terminal: Terminal, *, remove: bool) -> int:
    """Add completion to the start files of the user's shells, or take it away; twice is the same as once."""
    import shutil

    line = _LINE.format(path=shutil.which(program) or program, program=program)
    home = terminal.environ.get("HOME", "")
    found = {path: _FILES[name] + line for name in _FILES if os.path.isfile(path := os.path.join(home, name))}
    if not found:
        print(f"No .bashrc or .zshrc found. For completion in bash run: {line}", file=terminal.err)
        return 1
    for path, line in found.items():
        with open(path, encoding="utf-8") as file:
            kept = [old for old in file.read().splitlines() if old.strip() != line]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(kept if remove else [*kept, line]) + "\n")
    return 0
