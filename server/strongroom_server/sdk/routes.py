"""Routes: what an engine's handlers were declared for, and which of them a path matches."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from strongroom_server.sdk.request import Operation

_CAPTURES = {
    "": r"\w(?:[\w.-]*\w)?",  # Vault's framework.GenericNameRegex
    "rest": r".+",            # the rest of the path, slashes included
    "any": r".*",             # the same, or nothing
    "segment": r"[^/]+",
    "at": r"[\w@+.-]+",       # names of people: alice@example.com
    "hex": r"[0-9A-Fa-f:-]+",
}  # fmt: skip
VARIABLE = re.compile(r"{(\w+)(?::(\w+))?}")


@dataclass(frozen=True)
class Route:
    """One operation on one path template. ``public`` needs no token; ``sudo`` needs the capability of that name,
    ``when_sealed`` marks what must answer while the barrier is closed.

    ``exists`` names a method that tells, with the same captures, whether the entry is there: a write is then a
    create or an update, as policies distinguish them; without it every write is an update.
    """

    operations: tuple[Operation, ...]
    template: str
    handler: Callable[..., Awaitable[Any]]
    public: bool = False
    sudo: bool = False
    forward: bool = False
    when_sealed: bool = False
    exists: str = ""
    body: tuple[str, Any] | None = None
    wants_request: bool = False
    captures: tuple[str, ...] = ()
    schemas: tuple[Any, ...] = ()
    """The bodies of all routes of the path: what one operation takes is no stranger to the others."""

    @property
    def help(self) -> str:
        """Return the handler's first line of documentation."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]


@dataclass(frozen=True)
class Path:
    """All routes that share a template."""

    template: str
    routes: Mapping[Operation, Route]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return what the template matches. Compiled on first use: some hundreds at start would be felt."""
        return compile_template(self.template)

    @property
    def open_ended(self) -> bool:
        """Say whether it matches however many segments follow."""
        return self.template.endswith((":rest}", ":any}"))

    @property
    def specificity(self) -> tuple[int, int, int, str]:
        """Order of matching: literal text before captures, one segment before many, long before short."""
        kinds = [kind for _, kind in VARIABLE.findall(self.template)]
        many = sum(kind in {"rest", "any"} for kind in kinds)
        return many, len(kinds), -len(VARIABLE.sub("", self.template)), self.template


def compile_template(template: str) -> re.Pattern[str]:
    """Return the pattern of a path template; a trailing slash of template or path does not matter."""
    pattern, end = "", 0
    trimmed = template.rstrip("/")
    for match in VARIABLE.finditer(trimmed):
        literal = trimmed[end : match.start()]
        capture = f"(?P<{match[1]}>{_CAPTURES[match[2] or '']})"
        if match[2] == "any" and literal.endswith("/"):  # "metadata" and "metadata/" are the folder itself
            pattern += re.escape(literal[:-1]) + f"(?:/{capture})?"
        else:
            pattern += re.escape(literal) + capture
        end = match.end()
    return re.compile(pattern + re.escape(trimmed[end:]) + "/?", re.ASCII | re.DOTALL)


def group_routes(owner: str, routes: Sequence[Route]) -> tuple[Path, ...]:
    """Return routes by template, in the order of matching; raises TypeError where two serve the same operation."""
    templates: dict[str, dict[Operation, Route]] = {}
    for route in routes:
        by_operation = templates.setdefault(route.template.rstrip("/"), {})
        for operation in route.operations:
            if operation in by_operation and by_operation[operation].handler.__name__ != route.handler.__name__:
                raise TypeError(f"{owner}: two handlers for {operation} {route.template}")
            by_operation[operation] = route
    paths = [Path(template, _acquainted(routes)) for template, routes in templates.items()]
    return tuple(sorted(paths, key=lambda path: path.specificity))


def _acquainted(routes: Mapping[Operation, Route]) -> dict[Operation, Route]:
    """Return the routes of one path, each with the bodies of all."""
    schemas = tuple({route.body[1]: None for route in routes.values() if route.body})
    return {
        operation: route if route.schemas == schemas else replace(route, schemas=schemas)
        for operation, route in routes.items()
    }


def index_paths(paths: Sequence[Path]) -> tuple[dict[str, Path], dict[str, tuple[Path, ...]]]:
    """Return the paths without a capture by their text, and the others by their literal first segment.

    Those whose first segment has a capture are candidates everywhere.
    """
    plain = {path.template: path for path in paths if "{" not in path.template}
    named = [(path.template.partition("/")[0], path) for path in paths if path.template not in plain]
    anywhere = {path.template for first, path in named if "{" in first}
    return plain, {
        wanted: tuple(path for first, path in named if first == wanted or path.template in anywhere)
        for wanted in {first for first, _ in named} | {""}
    }
