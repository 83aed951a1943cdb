"""The command line run inside the test's process, with its own home, input and environment."""

import io
from collections.abc import Mapping
from typing import NamedTuple

from strongroom_cli.__main__ import run
from strongroom_cli.session import Terminal


class Ran(NamedTuple):
    """What one run gave."""

    code: int
    out: str
    err: str


def ran(words: list[str], environ: Mapping[str, str], stdin: str = "", program: str = "strongroom") -> Ran:
    """Run the command line as ``program words`` and return its exit code and both outputs."""
    out, err = io.StringIO(), io.StringIO()
    code = run(program, words, Terminal(io.StringIO(stdin), out, err, environ))
    return Ran(code, out.getvalue(), err.getvalue())
