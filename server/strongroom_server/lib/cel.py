"""Programs in the Common Expression Language (https://cel.dev) that operators write: variables, then an expression.

The library knows the language; what is added here are the names that a program may use, checked before it is stored,
numbers compared across their kinds, and the functions of ``cel_functions``. Optional values (``.?``) are not known.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strongroom_server.lib import cel_functions

if TYPE_CHECKING:
    from celpy import Runner

LONGEST = 1 << 16  # characters of an expression
Messages = Mapping[str, frozenset[str]]
"""Names of fields by name of message: what an expression may make up, as in ``pb.Auth{policies: ["a"]}``."""

_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_TYPES = frozenset(
    {"bool", "bytes", "double", "duration", "int", "list", "map", "null_type", "string", "timestamp", "type", "uint"}
)
_KNOWN = _TYPES | {
    "contains", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear",
    "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "has", "matches", "size", "startsWith",
}  # fmt: skip


class ProgramError(ValueError):
    """A program that is none, or that fails; the text is for whoever wrote it, or logs in by it."""


@dataclass(frozen=True)
class Made:
    """A message that an expression made up: its name and its fields as plain values."""

    name: str
    fields: Mapping[str, Any]


class Program:
    """A parsed program."""

    def __init__(self, variables: Sequence[tuple[str, str]], expression: str, given: frozenset[str],
                 messages: Messages) -> None:  # fmt: skip
        """Parse; ``given`` are the names of the values that ``run`` gets. Raises ProgramError."""
        self._types = _types(messages)
        known = given
        self._steps: list[tuple[str, Runner]] = []
        for number, (name, text) in enumerate(variables):
            if name in given:
                raise ProgramError(f"variable[{number}].{name}: overlapping identifier for name '{name}'")
            if not (name.isidentifier() and name.isascii()):
                raise ProgramError(f"variable[{number}]: '{name}' is no name")
            try:
                self._steps.append((name, self._parsed(text, known, messages)))
            except ProgramError as error:
                raise ProgramError(f"variable[{number}].{name}: {error}") from None
            known |= {name}
        self._main = self._parsed(expression, known, messages)

    def _parsed(self, text: str, known: frozenset[str], messages: Messages) -> "Runner":
        import celpy
        from celpy.celparser import CELParseError

        if len(text) > LONGEST:
            raise ProgramError(f"invalid CEL syntax: more than {LONGEST} characters")
        logging.getLogger("celpy").setLevel(logging.WARNING)  # below that it logs the values
        depth = sys.getrecursionlimit()
        try:
            environment = celpy.Environment(annotations=dict(self._types))
            tree = environment.compile(text)
            for problem in _problems(tree, known | {name.partition(".")[0] for name in messages}, messages):
                raise ProgramError(problem)
            return environment.program(tree, functions=cel_functions.functions())
        except CELParseError as error:
            raise ProgramError(f"invalid CEL syntax: line {error.line or 1}, column {error.column or 1}") from None
        except RecursionError:
            raise ProgramError("invalid CEL syntax: nested too deeply") from None
        finally:
            sys.setrecursionlimit(depth)  # the library raises it for the whole process

    def run(self, values: Mapping[str, Any]) -> Any:
        """Return the outcome as plain Python, or as ``Made``; ``values`` are JSON or moments (``datetime``).

        Raises ProgramError where the program fails.
        """
        context = {name: cel_functions.to_cel(value) for name, value in values.items()} | cel_functions.spaces()
        for number, (name, runner) in enumerate(self._steps):
            try:
                context[name] = _evaluated(runner, context)
            except ProgramError as error:
                raise ProgramError(f"failed to evaluate variables: variable[{number}].{name}: {error}") from None
        return self._plain(_evaluated(self._main, context))

    def _plain(self, value: Any) -> Any:
        from celpy import celtypes

        names = [name for name, kind in self._types.items() if type(value) is kind]
        if names:
            return Made(names[0], {str(key): self._plain(inner) for key, inner in value.items()})
        match value:
            case None | celtypes.TimestampType():
                return value
            case celtypes.BoolType():
                return bool(value)
            case str():  # the library's kinds are Python's, but for the one above
                return str(value)
            case int():
                return int(value)
            case float():
                return float(value)
            case list():
                return [self._plain(inner) for inner in value]
            case dict():
                return {self._plain(key): self._plain(inner) for key, inner in value.items()}
        raise ProgramError(f"returned unexpected type: {type(value).__name__}")


def _types(messages: Messages) -> dict[str, Any]:
    from celpy import celtypes

    return {name: type(name.replace(".", "_"), (celtypes.MessageType,), {}) for name in messages}


def _evaluated(runner: "Runner", context: Mapping[str, Any]) -> Any:
    from celpy.evaluation import CELEvalError

    try:
        return runner.evaluate(dict(context))
    except CELEvalError as error:
        raise ProgramError(f"failed to evaluate expression: {_reason(error)}") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ProgramError(f"failed to evaluate expression: {type(error).__name__}") from None


def _reason(error: Exception) -> str:
    """Return why, in few words. Security 1: the library's own may show any value, a whole token's claims too."""
    said = str(error.args[0]) if error.args else ""
    before, colon, name = said.partition("no such member in mapping: ")
    if colon and not before:
        return "no such key: " + name.strip("'")
    return "division by zero" if said == "modulus or divide by zero" else "no such overload"


def _problems(tree: Any, known: frozenset[str], messages: Messages) -> Iterator[str]:
    """Yield what a tree names that is not there: values, functions, fields of messages."""
    known = known | _TYPES | cel_functions.SPACES | {"google"}
    functions = _KNOWN | cel_functions.NAMES
    todo: list[tuple[Any, frozenset[str]]] = [(tree, known)]
    while todo:
        node, names = todo.pop()
        if not hasattr(node, "children"):
            continue
        children = list(node.children)
        match node.data:
            case "ident" if str(children[0]) not in names:
                yield f"undeclared reference to '{children[0]}'"
            case "ident_arg" if str(children[0]) not in functions:
                yield f"undeclared reference to '{children[0]}'"
            case "member_dot_arg" if str(children[1]) in _MACROS and len(children) > 2:
                bound = {str(token) for ident in children[2].children[0].find_data("ident") for token in ident.children}
                if len(bound) != 1 or len(children[2].children) != 2:
                    yield f"the macro '{children[1]}' takes a name and an expression"
                    continue
                todo.append((children[2], names | bound))
                children = children[:1]
            case "member_dot_arg" if str(children[1]) not in functions:
                yield f"undeclared reference to '{children[1]}'"
            case "member_object":
                yield from _wrong_fields(node, messages)
        todo += [(child, names) for child in children]


def _wrong_fields(node: Any, messages: Messages) -> Iterator[str]:
    made = ".".join(str(token) for token in node.children[0].scan_values(lambda _: True))
    if made not in messages:
        yield f"undeclared reference to '{made}'"
        return
    inits = [child for child in node.children[1:] if child is not None]
    for field in (str(token) for init in inits for token in init.children if not hasattr(token, "children")):
        if field not in messages[made]:
            yield f"undefined field '{field}'"
