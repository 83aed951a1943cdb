"""Find the command, read its flags, run it, turn errors into messages and exit codes.

Only the module of the command that runs is imported: start-up time is what a user of ``kv get`` waits for.
"""

from importlib import import_module

from strongroom_cli import table
from strongroom_cli.command import Command, all_flags
from strongroom_cli.errors import CommandError, Instead, UsageError, describe
from strongroom_cli.flags import parse
from strongroom_cli.session import Session, Terminal
from strongroom_client import ClientError, SettingsError
from strongroom_common.tokenfile import TokenFileError

_HELP = ("-h", "-help", "--help")
_KNOWN_FORMATS = ("table", "json", "yaml", "yml", "raw", "pretty")


def run(program: str, words: list[str], terminal: Terminal) -> int:
    """Run the command that ``words`` spell and return its exit code."""
    if terminal.environ.get("COMP_LINE"):
        from strongroom_cli import completion

        return completion.answer(terminal)
    if words and words[0].lstrip("-") in ("autocomplete-install", "autocomplete-uninstall") and words[0][0] == "-":
        from strongroom_cli import completion

        return completion.install(program, terminal, remove="uninstall" in words[0])
    if words and words[0] in ("-v", "-version", "--version"):
        words = ["version"]
    name, rest = table.resolve(words)
    if name not in table.COMMANDS:
        return _no_command(program, name, rest, terminal)
    module, _ = table.COMMANDS[name]
    spec: Command = import_module(f"strongroom_cli.commands.{module}").COMMANDS[name]
    if any(word in _HELP for word in rest):
        from strongroom_cli import helptext

        print(helptext.command(program, name, spec), file=terminal.out)
        return 0
    return _run(program, spec, rest, terminal)


def _run(program: str, spec: Command, words: list[str], terminal: Terminal) -> int:
    session = None
    try:
        options, arguments = parse(all_flags(spec), words)
        session = Session(program, options, arguments, terminal)
        _check(spec, session)
        return spec.run(session)
    except Instead as text:
        print(text, file=terminal.out)
        return 0
    except CommandError as error:
        return _failed(terminal, str(error), error.hint, error.code)
    except SettingsError as error:
        return _failed(terminal, str(error), error.hint, 1)
    except TokenFileError as error:
        return _failed(terminal, str(error), "", 1)
    except ClientError as error:
        return _failed(terminal, describe(error), error.hint, 2)
    finally:
        if session is not None:
            session.close()


def _failed(terminal: Terminal, message: str, hint: str, code: int) -> int:
    print(message, file=terminal.err)
    if hint:
        print(f"\nHint: {hint}", file=terminal.err)
    return code


def _check(spec: Command, session: Session) -> None:
    count, least, most = len(session.arguments), spec.least, spec.most
    expected = str(least) if most in (None, least) else f"{least}-{most}"
    if count < least:
        raise UsageError(f"Not enough arguments (expected {expected}, got {count})")
    if most is not None and count > most:
        raise UsageError(f"Too many arguments (expected {expected}, got {count})")
    if spec.formats and session.format not in _KNOWN_FORMATS:
        raise UsageError(f"Invalid output format: {session.format}")
    if spec.formats and session.format == "raw" and "raw" not in spec.formats:
        raise UsageError("This command does not support the -format=raw option.")


def _no_command(program: str, name: str, rest: list[str], terminal: Terminal) -> int:
    from strongroom_cli import helptext

    text = helptext.group(program, name) if name else helptext.overview(program)
    if rest and rest[0] in _HELP:
        print(text, file=terminal.out)
        return 0
    print(text, file=terminal.err)
    if rest and not rest[0].startswith("-"):
        from difflib import get_close_matches

        whole = f"{program} {name}".strip()
        found = get_close_matches(rest[0], table.below(name), 1)
        guess = f" Did you mean {whole} {found[0]}?" if found else ""
        print(f'\nThere is no command "{whole} {rest[0]}".{guess}', file=terminal.err)
    if name:
        return 1
    return 127
