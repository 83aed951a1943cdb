"""HCL tokens to a tree, by recursive descent; messages are worded as hcl v1's so that they can be looked up."""

from strongroom_common.hcl.scanner import Scanner, Token
from strongroom_common.hcl.tree import Body, HclError, Item, Value

_LITERALS = frozenset({"STRING", "NUMBER", "FLOAT", "BOOL", "HEREDOC"})
_DEEPEST = 100


def parse(text: str) -> Body:
    """Return the tree of an HCL text; raises HclError."""
    return _Parser(text).body("EOF")


class _Parser:
    def __init__(self, text: str) -> None:
        self._scanner = Scanner(text)
        self._tokens = iter(self._scanner)
        self._depth = 0
        self._token = next(self._tokens)

    def body(self, closing: str) -> Body:
        """Read items up to ``closing``, which is taken too. One comma may follow each item."""
        self._descend()
        items: list[Item] = []
        while self._token.kind != closing:
            if self._token.kind == "EOF":
                raise self._error(self._token, "object expected closing RBRACE got: EOF")
            items.append(self._item())
            if self._token.kind == "COMMA":
                self._next()
        if closing != "EOF":
            self._next()
        self._depth -= 1
        return Body(tuple(items))

    def _item(self) -> Item:
        keys = self._keys()
        sign = self._token
        if sign.kind == "ASSIGN" and len(keys) > 1:
            raise self._error(sign, "nested object expected: LBRACE got: ASSIGN")
        if sign.kind not in ("ASSIGN", "LBRACE"):
            names = " ".join(str(key.value) for key in keys)
            raise self._error(sign, f"key '{names}' expected start of object ('{{') or assignment ('=')")
        self._next()
        value = self._value() if sign.kind == "ASSIGN" else self.body("RBRACE")
        name, *labels = (str(key.value) for key in keys)
        return Item(name, tuple(labels), value, *self._scanner.position(keys[0].offset))

    def _keys(self) -> list[Token]:
        keys = []
        while self._token.kind in ("IDENT", "STRING"):
            keys.append(self._next())
        if self._token.kind == "ASSIGN" and not keys:
            raise self._error(self._token, "no object keys found!")
        if self._token.kind not in ("ASSIGN", "LBRACE", "EOF") and not (keys and self._token.kind == "RBRACE"):
            raise self._error(self._token, f"expected: IDENT | STRING | ASSIGN | LBRACE got: {self._token.kind}")
        if not keys:
            raise self._error(self._token, f"expected: IDENT | STRING got: {self._token.kind}")
        return keys

    def _value(self) -> Value:
        token = self._next()
        if token.kind in _LITERALS:
            return token.value
        if token.kind == "LBRACE":
            return self.body("RBRACE")
        if token.kind == "LBRACK":
            return self._list()
        # hcl v1 drops a key whose value the end of the text cut off; a rule that is only half there is refused here
        raise self._error(token, f"Unknown token: {token.kind} {token.value or ''}".rstrip())

    def _list(self) -> tuple[Value, ...]:
        """Read list elements up to the bracket. Commas may be doubled; none is needed after an inner list."""
        self._descend()
        values: list[Value] = []
        complete = False
        while self._token.kind != "RBRACK":
            token = self._token
            if token.kind == "COMMA":
                self._next()
                complete = False
                continue
            if complete:
                raise self._error(token, f"error parsing list, expected comma or list end, got: {token.kind}")
            if token.kind not in _LITERALS and token.kind not in ("LBRACE", "LBRACK"):
                raise self._error(token, f"unexpected token while parsing list: {token.kind}")
            values.append(self._value())
            complete = token.kind != "LBRACK"
        self._next()
        self._depth -= 1
        return tuple(values)

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(self._token, "nested too deeply")

    def _next(self) -> Token:
        token = self._token
        if token.kind != "EOF":
            self._token = next(self._tokens)
        return token

    def _error(self, token: Token, message: str) -> HclError:
        return self._scanner.error(token.offset, message)
