"""What a template may depend on. Two equal dependencies are one: they share a single request (and a single lease)."""

from typing import NamedTuple

Pairs = tuple[tuple[str, str], ...]


class Read(NamedTuple):
    """``secret "path"``: the answer to a GET."""

    path: str

    def __str__(self) -> str:
        return f"vault.read({self.path})"


class Write(NamedTuple):
    """``secret "path" "k=v"``: the answer to a PUT of the pairs."""

    path: str
    pairs: Pairs

    def __str__(self) -> str:
        return f"vault.write({self.path})"


class List(NamedTuple):
    """``secrets "path"``: the names below a path."""

    path: str

    def __str__(self) -> str:
        return f"vault.list({self.path})"


class Certificate(NamedTuple):
    """``pkiCert "path" "k=v"``: a certificate for one destination, kept while it is valid."""

    path: str
    pairs: Pairs
    destination: str

    def __str__(self) -> str:
        return f"vault.pki({self.path}->{self.destination})"


class File(NamedTuple):
    """``file "path"``: a file's text."""

    path: str

    def __str__(self) -> str:
        return f"file({self.path})"


def pairs_of(arguments: tuple[str, ...]) -> Pairs:
    """Read ``"key=value"`` arguments; empty ones are skipped. Raises ValueError."""
    found = {}
    for argument in filter(None, arguments):
        key, equals, value = argument.partition("=")
        if not equals:
            raise ValueError(f'not k=v pair "{argument}"')
        found[key.strip()] = value.strip()
    return tuple(sorted(found.items()))
