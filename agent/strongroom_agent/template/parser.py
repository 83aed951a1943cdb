"""From tokens to the parse tree, by recursive descent as Go's text/template/parse does it."""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from strongroom_agent.template import nodes
from strongroom_agent.template.constants import constant
from strongroom_agent.template.errors import ParseError
from strongroom_agent.template.lexer import LexError, Token, line_of, tokens

Body = tuple[Any, ...]
_EXECUTABLE = (nodes.Word, nodes.Names, nodes.Variable, nodes.Chain, nodes.Pipe)


def parse_trees(source: str, name: str, delimiters: tuple[str, str], known: Callable[[str], bool]) -> nodes.Trees:
    """Return the bodies of all templates in ``source`` by name; ``known`` says which functions exist.

    Raises ParseError with the template's name and the line.
    """
    try:
        parser = _Parser(source, name, tokens(source, *delimiters), known)
        return parser.top()
    except LexError as error:
        raise ParseError(f"template: {name}:{line_of(source, error.position)}: {error}") from None
    except RecursionError:
        raise ParseError(f"template: {name}: nested too deeply") from None


class _Parser:
    def __init__(self, source: str, name: str, stream: Iterable[Token], known: Callable[[str], bool]) -> None:
        self.source, self.name, self.known = source, name, known
        self.stream = list(stream)
        self.index = 0
        self.variables = ["$"]
        self.loops = 0
        self.trees: dict[str, Body] = {}

    # tokens

    def peek(self) -> Token:
        return self.stream[self.index]

    def next(self) -> Token:
        token = self.stream[self.index]
        self.index += token.kind != "eof"
        return token

    def skip_space(self) -> Token:
        while self.peek().kind == "space":
            self.index += 1
        return self.peek()

    def expect(self, kind: str, context: str) -> Token:
        self.skip_space()
        token = self.next()
        if token.kind != kind:
            self.unexpected(token, context)
        return token

    def fail(self, message: str) -> NoReturn:
        position = self.stream[max(self.index - 1, 0)].start
        raise ParseError(f"template: {self.name}:{line_of(self.source, position)}: {message}")

    def unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind == "eof":
            self.fail("unexpected EOF")
        self.fail(f"unexpected {token.value or '{{end of action}}'!r} in {context}")

    # bodies

    def top(self) -> nodes.Trees:
        body: list[Any] = []
        while self.peek().kind != "eof":
            if self.skip_space().kind == "define":
                self.next()
                self.define()
                continue
            node = self.item()
            if isinstance(node, Token):
                self.fail(f"unexpected {{{{{node.kind}}}}}")
            body.append(node)
        self.add(self.name, tuple(body))
        return self.trees

    def body(self) -> tuple[Body, Token]:
        """Return the nodes up to an ``end`` or ``else``, and that token."""
        found: list[Any] = []
        while True:
            if self.peek().kind == "eof":
                self.fail("unexpected EOF")
            node = self.item()
            if isinstance(node, Token):
                return tuple(found), node
            found.append(node)

    def item(self) -> Any:
        """Return a node, or the token of an ``end`` or ``else``."""
        token = self.next()
        if token.kind == "text":
            return nodes.Text(token.value)
        self.index -= 1
        word = self.skip_space()
        parse = getattr(self, f"parse_{word.kind}", None)
        if parse is None:
            pipe = self.pipeline("command", "close")
            return nodes.Action(pipe)
        self.next()
        return parse(word)

    def define(self) -> None:
        context = "define clause"
        name = self.string(self.next_word(), context)
        self.expect("close", context)
        self.template(name, context)

    def template(self, name: str, context: str) -> Token:
        """Read a template of its own, without what is around it; return its end."""
        outer, self.variables, loops, self.loops = self.variables, ["$"], self.loops, 0
        body, end = self.body()
        if end.kind != "end":
            self.unexpected(end, context)
        self.variables, self.loops = outer, loops
        self.add(name, body)
        return end

    def add(self, name: str, body: Body) -> None:
        if _is_empty(self.trees.get(name, ())):
            self.trees[name] = body
        elif not _is_empty(body):
            self.fail(f"template: multiple definition of template {name!r}")

    def next_word(self) -> Token:
        self.skip_space()
        return self.next()

    def string(self, token: Token, context: str) -> str:
        if token.kind not in ("string", "raw"):
            self.unexpected(token, context)
        return str(self.constant(token).value)

    # actions

    def parse_end(self, token: Token) -> Token:
        self.expect("close", "end")
        return token

    def parse_else(self, token: Token) -> Token:
        if self.skip_space().kind not in ("if", "with"):
            self.expect("close", "else")
        return token

    def parse_if(self, token: Token) -> nodes.Branch:
        return self.branch(token)

    parse_with = parse_range = parse_if

    def branch(self, token: Token) -> nodes.Branch:
        kind, mark = token.kind, len(self.variables)
        pipe = self.pipeline(kind, "close")
        self.loops += kind == "range"
        body, end = self.body()
        self.loops -= kind == "range"
        otherwise: Body = ()
        if end.kind == "else":
            otherwise = self.otherwise(kind)
        del self.variables[mark:]
        return nodes.Branch(kind, pipe, body, otherwise)

    def otherwise(self, kind: str) -> Body:
        chained = self.peek()
        if chained.kind == kind and kind in ("if", "with"):
            self.next()
            return (self.branch(chained),)  # one ``end`` closes both
        if chained.kind in ("if", "with"):
            self.unexpected(chained, f"{kind} else")
        body, end = self.body()
        if end.kind != "end":
            self.fail(f"expected end; found {{{{{end.kind}}}}}")
        return body

    def parse_break(self, token: Token) -> nodes.Jump:
        self.expect("close", token.kind)
        if not self.loops:
            self.fail(f"{{{{{token.kind}}}}} outside {{{{range}}}}")
        return nodes.Jump(token.kind)

    parse_continue = parse_break

    def parse_template(self, token: Token) -> nodes.Call:
        context = "template clause"
        name = self.string(self.next_word(), context)
        pipe = None
        if self.skip_space().kind == "close":
            self.next()
        else:
            pipe = self.pipeline(context, "close")
        return nodes.Call(name, pipe, (token.start, self.stream[self.index - 1].start, token.start))

    def parse_block(self, token: Token) -> nodes.Call:
        context = "block clause"
        name = self.string(self.next_word(), context)
        pipe = self.pipeline(context, "close")
        end = self.template(name, context)
        return nodes.Call(name, pipe, (token.start, end.end, token.start))

    # pipelines

    def pipeline(self, context: str, end: str) -> nodes.Pipe:
        start = self.skip_space().start
        variables, assign = self.declarations(context)
        commands: list[Body] = []
        more = True
        while more:
            command, more = self.command(end)
            if not command:
                self.fail(f"missing value for {context}")
            if commands and not isinstance(command[0], _EXECUTABLE):
                self.fail(f"non executable command in pipeline stage {len(commands) + 1}")
            commands.append(command)
            if more and self.skip_space().kind == end:  # Go takes a last | that leads nowhere
                self.next()
                more = False
        if not assign:
            self.variables.extend(variables)
        return nodes.Pipe(variables, assign, tuple(commands), (start, self.stream[self.index - 1].start, start))

    def declarations(self, context: str) -> tuple[tuple[str, ...], bool]:
        """Read ``$x :=``, ``$x =`` or, for a range, ``$k, $v :=``; nothing if the pipeline has none."""
        mark = self.index
        names: list[str] = []
        while self.skip_space().kind == "variable":
            names.append(self.next().value)
            sign = self.skip_space().kind
            if sign in ("declare", "="):
                self.next()
                return self.declared(names, assign=sign == "=")
            if sign != "," or context != "range" or len(names) == 2:
                break
            self.next()
        if len(names) == 2 or self.stream[self.index - 1].kind == ",":
            self.fail("too many declarations in range" if context == "range" else f"too many declarations in {context}")
        self.index = mark
        return (), False

    def declared(self, names: list[str], *, assign: bool) -> tuple[tuple[str, ...], bool]:
        for name in names if assign else ():
            self.check_variable(name)
        return tuple(names), assign

    def command(self, end: str) -> tuple[Body, bool]:
        """Read operands up to a ``|`` or the pipeline's end, which is consumed; tell whether it was a ``|``."""
        operands: list[Any] = []
        while True:
            self.skip_space()
            operand = self.operand()
            if operand is not None:
                operands.append(operand)
            token = self.next()
            if token.kind in ("|", end):
                return tuple(operands), token.kind == "|"
            if token.kind != "space":
                self.unexpected(token, "operand")

    def operand(self) -> Any:
        node = self.term()
        if node is None or self.peek().kind != "field":
            return node
        names, place = [], self.peek().start  # errors name the place of the first field that follows, as Go's do
        while self.peek().kind == "field":
            names.append(self.next().value[1:])
        at = (node.at[0], self.stream[self.index - 1].end, place)
        if isinstance(node, nodes.Names | nodes.Variable):
            return node._replace(names=(*node.names, *names), at=at)
        if isinstance(node, nodes.Constant | nodes.Dot):
            self.fail(f"unexpected . after term {self.source[slice(*node.at[:2])]!r}")
        return nodes.Chain(node, tuple(names), at)

    def term(self) -> Any:
        token = self.peek()
        at = (token.start, token.end, token.start)
        if token.kind in ("string", "raw", "char", "number", "nil"):
            return self.constant(self.next())
        if token.kind == "word":
            return self.word(self.next(), at)
        if token.kind == "variable":
            self.next()
            self.check_variable(token.value)
            return nodes.Variable((token.value,), at)
        if token.kind in (".", "field"):
            self.next()
            return nodes.Dot(at) if token.kind == "." else nodes.Names((token.value[1:],), at)
        if token.kind == "(":
            self.next()
            return self.pipeline("parenthesized pipeline", ")")
        return None

    def word(self, token: Token, at: nodes.At) -> Any:
        if token.value in ("true", "false"):
            return nodes.Constant("bool", token.value == "true", at)
        if not self.known(token.value):
            self.fail(f'function "{token.value}" not defined')
        return nodes.Word(token.value, at)

    def constant(self, token: Token) -> nodes.Constant:
        try:
            return constant(token)
        except ValueError as error:
            self.fail(str(error))

    def check_variable(self, name: str) -> None:
        if name not in self.variables:
            self.fail(f'undefined variable "{name}"')


def _is_empty(body: Body) -> bool:
    return all(isinstance(node, nodes.Text) and not node.text.strip() for node in body)
