"""Walks a parse tree and writes text, following the rules of Go's text/template/exec step by step."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from strongroom_agent.template import nodes
from strongroom_agent.template.calls import MISSING, Function, constant_argument, fitted
from strongroom_agent.template.errors import ExecutionError
from strongroom_agent.template.lexer import line_of
from strongroom_agent.template.printing import text
from strongroom_agent.template.redaction import redacted
from strongroom_agent.template.values import (
    NO_VALUE,
    NilPointer,
    StringMap,
    Struct,
    is_integer,
    ordered,
    raw,
    type_name,
)

_DEEPEST = 150  # templates within templates; Go stops at 100,000, Python's stack is smaller


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class Source:
    """What a running template was made from: the trees, their text, the functions and the strictness."""

    def __init__(
        self, name: str, text: str, trees: nodes.Trees, functions: Callable[[str], Function | None], *, strict: bool
    ) -> None:
        self.name, self.text, self.trees, self.functions, self.strict = name, text, trees, functions, strict


class Execution:
    """One run. ``written`` collects the output; ``execute_template`` runs a defined template by name."""

    def __init__(self, source: Source, depth: int = 0) -> None:
        self.source, self.depth = source, depth
        self.written: list[str] = []
        self.variables: list[tuple[str, list[Any]]] = []
        self.running = source.name

    def run(self, name: str, data: Any) -> str:
        """Return the text of the template ``name`` on ``data``; raises ExecutionError."""
        self.running = name
        self.variables = [("$", [data])]
        self.body(self.source.trees[name], data)
        return "".join(self.written)

    def execute_template(self, name: str, data: Any) -> str:
        """Return the text of another template of the same source; raises ValueError if there is none."""
        if name not in self.source.trees:
            raise ValueError(f'template: no template "{name}" associated with template "{self.source.name}"')
        if self.depth >= _DEEPEST:
            raise ValueError(f"exceeded maximum template depth ({_DEEPEST})")
        return Execution(self.source, self.depth + 1).run(name, data)

    def fail(self, at: nodes.At, message: str) -> NoReturn:
        """Raise Go's error for a fault at a node."""
        start, end, place = at
        whole = self.source.text
        column = len(raw(whole[whole.rfind("\n", 0, place) + 1 : place]))
        shown = whole[start:end].strip()
        raise ExecutionError(
            f"template: {self.source.name}:{line_of(whole, place)}:{column}: "
            f'executing "{self.running}" at <{shown}>: {message}'
        )

    # bodies

    def body(self, body: tuple[Any, ...], dot: Any) -> None:
        for node in body:
            if isinstance(node, nodes.Text):
                self.written.append(node.text)
            elif isinstance(node, nodes.Action):
                self.action(node, dot)
            elif isinstance(node, nodes.Branch):
                self.branch(node, dot)
            elif isinstance(node, nodes.Call):
                self.call_template(node, dot)
            else:
                raise _Break if node.kind == "break" else _Continue

    def action(self, node: nodes.Action, dot: Any) -> None:
        value = self.pipeline(node.pipe, dot)
        if node.pipe.variables:
            return
        if isinstance(value, Function):
            self.fail(node.pipe.at, "can't print func")
        self.written.append(text(value))

    def branch(self, node: nodes.Branch, dot: Any) -> None:
        mark = len(self.variables)
        value = self.pipeline(node.pipe, dot)
        if node.kind == "range":
            self.range(node, value, dot)
        elif value:
            self.body(node.body, value if node.kind == "with" else dot)
        else:
            self.body(node.otherwise, dot)
        del self.variables[mark:]

    def range(self, node: nodes.Branch, value: Any, dot: Any) -> None:
        mark, empty = len(self.variables), True
        try:
            for key, element in self.elements(node, value):
                empty = False
                self.iteration(node.pipe, key, element)
                try:
                    self.body(node.body, element)
                except _Continue:
                    pass
                finally:
                    del self.variables[mark:]
        except _Break:
            return
        if empty:
            self.body(node.otherwise, dot)

    def iteration(self, pipe: nodes.Pipe, key: Any, element: Any) -> None:
        """Set the variables of a range; they were pushed, or found, when its pipeline ran."""
        values = (key, element) if len(pipe.variables) == 2 else (element,)
        for name, value in zip(pipe.variables, values, strict=False):
            self.cell(name)[0] = value

    def elements(self, node: nodes.Branch, value: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(value, list | bytes):
            return iter(enumerate(value))
        if isinstance(value, dict):
            return ((key, value[key]) for key in ordered(value))
        if is_integer(value):
            if len(node.pipe.variables) > 1:
                self.fail(node.pipe.at, f"can't use {text(value)} to iterate over more than one variable")
            return ((None, type(value)(number)) for number in range(value))
        if value is not NO_VALUE and value is not None:
            self.fail(node.pipe.at, f"range can't iterate over a value of type {type_name(value)}")
        return iter(())

    def call_template(self, node: nodes.Call, dot: Any) -> None:
        if node.name not in self.source.trees:
            self.fail(node.at, f'template "{node.name}" not defined')
        if self.depth >= _DEEPEST:
            self.fail(node.at, f"exceeded maximum template depth ({_DEEPEST})")
        data = self.pipeline(node.pipe, dot) if node.pipe else NO_VALUE
        inner = Execution(self.source, self.depth + 1)
        self.written.append(inner.run(node.name, data))

    # pipelines

    def pipeline(self, pipe: nodes.Pipe, dot: Any) -> Any:
        value: Any = MISSING
        for command in pipe.commands:
            value = self.command(command, dot, value)
            if value is None:
                value = NO_VALUE  # a nil interface loses its type here, as in Go
        for name in pipe.variables:
            if pipe.assign:
                self.cell(name)[0] = value
            else:
                self.variables.append((name, [value]))
        return value

    def cell(self, name: str) -> list[Any]:
        return next(cell for known, cell in reversed(self.variables) if known == name)

    def command(self, command: tuple[Any, ...], dot: Any, final: Any) -> Any:
        first, arguments = command[0], command[1:]
        if isinstance(first, nodes.Word):
            at = (first.at[0], command[-1].at[1], first.at[2])
            return self.function(first, at, arguments, dot, final)
        if isinstance(first, nodes.Names):
            return self.fields(dot, first, first.names, arguments, dot, final)
        if isinstance(first, nodes.Chain):
            return self.fields(self.value(first.start, dot), first, first.names, arguments, dot, final)
        if isinstance(first, nodes.Variable) and len(first.names) > 1:
            start = self.cell(first.names[0])[0]
            return self.fields(start, first, first.names[1:], arguments, dot, final)
        if arguments or final is not MISSING:
            shown = self.source.text[slice(*first.at[:2])].strip()
            self.fail(first.at, f"can't give argument to non-function {shown}")
        if isinstance(first, nodes.Constant) and first.kind == "nil":
            self.fail(first.at, "nil is not a command")
        return self.value(first, dot)

    def value(self, node: Any, dot: Any) -> Any:
        """Return an operand's value."""
        if isinstance(node, nodes.Constant):
            return node.value
        if isinstance(node, nodes.Dot):
            return dot
        if isinstance(node, nodes.Pipe):
            mark = len(self.variables)
            value = self.pipeline(node, dot)
            del self.variables[mark:]
            return value
        if isinstance(node, nodes.Variable) and len(node.names) == 1:
            return self.cell(node.names[0])[0]
        return self.command((node,), dot, MISSING)

    # fields and functions

    def fields(
        self, start: Any, node: Any, names: tuple[str, ...], arguments: tuple[Any, ...], dot: Any, final: Any
    ) -> Any:
        value = NO_VALUE if start is None and isinstance(node, nodes.Chain) else start
        for name in names[:-1]:
            value = self.field(value, name, node.at, has_arguments=False)
        called = bool(arguments) or final is not MISSING
        value = self.field(value, names[-1], node.at, has_arguments=called)
        if isinstance(value, Function):
            return self.call(value, names[-1], node.at, arguments, dot, final)
        return value

    def field(self, value: Any, name: str, at: nodes.At, *, has_arguments: bool) -> Any:
        if value is NO_VALUE:
            if self.source.strict:
                self.fail(at, f'nil data; no entry for key "{name}"')
            return NO_VALUE
        if isinstance(value, Function):  # a method in the middle of a chain takes no arguments
            value = self.call(value, name, at, (), NO_VALUE, MISSING)
        if value is None:
            self.fail(at, f"nil pointer evaluating interface {{}}.{name}")
        if isinstance(value, NilPointer):
            self.fail(at, f"nil pointer evaluating {value.go_type}.{name}")
        if isinstance(value, Struct):
            return self.struct_field(value, name, at, has_arguments=has_arguments)
        if not isinstance(value, dict):
            self.fail(at, f"can't evaluate field {name} in type {type_name(value)}")
        if has_arguments:
            self.fail(at, f"{name} is not a method but has arguments")
        if name in value:
            return value[name]
        if self.source.strict:
            self.fail(at, f'map has no entry for key "{name}"')
        return "" if isinstance(value, StringMap) else None

    def struct_field(self, value: Struct, name: str, at: nodes.At, *, has_arguments: bool) -> Any:
        if name in value.go_methods:
            return getattr(value, f"go_{name}")()
        if name not in value.go_fields:
            self.fail(at, f"can't evaluate field {name} in type {type_name(value)}")
        if has_arguments:
            self.fail(at, f"{name} has arguments but cannot be invoked as function")
        return getattr(value, value.go_fields[name])

    def function(self, node: nodes.Word, at: nodes.At, arguments: tuple[Any, ...], dot: Any, final: Any) -> Any:
        if node.name in ("and", "or"):
            return self.logic(node, at, arguments, dot, final)
        if node.name == "executeTemplate":
            known: Function | None = Function(self.execute_any, "string ...any")
        else:
            known = self.source.functions(node.name)
        if known is None:
            self.fail(at, f'"{node.name}" is not a defined function')
        return self.call(known, node.name, at, arguments, dot, final)

    def execute_any(self, name: str, *data: Any) -> str:
        if len(data) > 1:
            raise ValueError(f"executeTemplate: wrong number of arguments, expected 1 or 2, but got {len(data) + 1}")
        return self.execute_template(name, data[0] if data else NO_VALUE)

    def logic(self, node: nodes.Word, at: nodes.At, arguments: tuple[Any, ...], dot: Any, final: Any) -> Any:
        """``and`` and ``or`` evaluate only as many arguments as they need."""
        if not arguments and final is MISSING:
            self.fail(at, f"wrong number of args for {node.name}: want at least 1 got 0")
        value = NO_VALUE
        for argument in arguments:
            value = self.argument(argument, "value", dot)
            if bool(value) == (node.name == "or"):
                return value
        return value if final is MISSING else final

    def call(
        self, function: Function, name: str, at: nodes.At, arguments: tuple[Any, ...], dot: Any, final: Any
    ) -> Any:
        piped = final is not MISSING
        if fault := function.count_error(name, len(arguments) + piped):
            self.fail(at, fault)
        values = [self.argument(node, function.type_of(position), dot) for position, node in enumerate(arguments)]
        if piped:
            try:
                values.append(fitted(final, function.type_of(len(values))))
            except ValueError as error:
                self.fail(at, str(error))
        try:
            return function.run(*values)
        except ExecutionError:
            raise
        except (ValueError, OverflowError, ZeroDivisionError, OSError) as error:
            computed = [*values[len(arguments) :], *_computed(arguments, values)]
            self.fail(at, f"error calling {name}: {redacted(str(error), computed)}")

    def argument(self, node: Any, kind: str, dot: Any) -> Any:
        try:
            if isinstance(node, nodes.Constant):
                return constant_argument(kind, node.kind, node.value, self.source.text[slice(*node.at[:2])])
            return fitted(self.value(node, dot), kind)
        except ExecutionError:
            raise
        except ValueError as error:
            self.fail(node.at, str(error))


def _computed(arguments: tuple[Any, ...], values: list[Any]) -> list[Any]:
    """Return the values that are not written in the template itself: they may be secret."""
    pairs = zip(arguments, values, strict=False)
    return [value for node, value in pairs if not isinstance(node, nodes.Constant)]
