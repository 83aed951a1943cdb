"""A template from its source to its text."""

from collections.abc import Callable
from typing import Any

from strongroom_agent.template.builtins import builtins
from strongroom_agent.template.calls import Function
from strongroom_agent.template.errors import ExecutionError
from strongroom_agent.template.execute import Execution, Source
from strongroom_agent.template.parser import parse_trees
from strongroom_agent.template.values import NO_VALUE

Lookup = Callable[[str], Function | None]


class Template:
    """A parsed template; ``execute`` may be called as often as one likes."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def execute(self, data: Any = NO_VALUE) -> str:
        """Return the text; bytes that are no UTF-8 are surrogates (PEP 383). Raises ExecutionError."""
        try:
            return Execution(self._source).run(self._source.name, data)
        except RecursionError:
            raise ExecutionError(f"template: {self._source.name}: nested too deeply") from None


def parse(
    text: str, functions: Lookup, *, name: str = "", delimiters: tuple[str, str] = ("{{", "}}"), strict: bool = False
) -> Template:
    """Read a template; ``strict`` makes a missing key an error (``error_on_missing_key``). Raises ParseError.

    ``functions`` finds a function by name; Go's own are always there.
    """
    own = builtins()

    def find(word: str) -> Function | None:
        return own.get(word) or functions(word)

    left, right = delimiters[0] or "{{", delimiters[1] or "}}"
    trees = parse_trees(text, name, (left, right), lambda word: word == "executeTemplate" or find(word) is not None)
    return Template(Source(name, text, trees, find, strict=strict))
