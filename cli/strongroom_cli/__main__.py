"""The entry point: start one of the project's programs, or run a command.

A program that is started, the agent above all, must not carry what the commands need: memory in every pod.
"""

import gc
import os
import sys
from importlib import import_module
from io import TextIOWrapper

from strongroom_cli import table


def main() -> None:
    """Run the command line of this process."""
    program = os.path.basename(sys.argv[0]) or "strongroom"
    program = "strongroom" if program == "__main__.py" else program
    words = sys.argv[1:]
    try:
        code = start(words) if words and words[0] in table.PROGRAMS else _command(program, words)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, grep -q) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code)


def start(words: list[str]) -> int:
    """Start the program that the first word names with the rest of them, and return its exit code."""
    package, extra, _ = table.PROGRAMS[words[0]]
    try:
        gc.disable()  # what is imported stays: looking for cycles among it costs a tenth of the start
        program = import_module(f"{package}.main")
        gc.enable()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("strongroom_"):
            raise
        what = f"{words[0]} needs the module {error.name}, which is not installed"
        print(f"{what}\n\nHint: Install it with: pip install 'strongroom[{extra}]'", file=sys.stderr)
        return 1
    code: int | None = program.main(words[1:])
    return code or 0


def _command(program: str, words: list[str]) -> int:
    from strongroom_cli.dispatch import run
    from strongroom_cli.session import Terminal

    _set_encodings()
    return run(program, words, Terminal(sys.stdin, sys.stdout, sys.stderr, os.environ))


def _set_encodings() -> None:
    """Speak UTF-8 whatever the locale, and take standard input as it is, carriage returns included."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict", newline="")


if __name__ == "__main__":
    main()
