"""Engines: mountable types, secrets engines and auth methods alike, made of routes declared on their handlers.

    class Engine(Base):
        "Generates time-based one-time passwords."

        @read("keys/{name}")
        async def read_key(self, name: Name) -> Key: ...

        @write("keys/{name}")
        async def write_key(self, name: Name, key: Given[Key]) -> None: ...

From that line come routing, parsing, "ignored parameter" warnings, path help and OpenAPI. A handler's parameters are
the template's captures (by name), one ``Given[Schema]`` for the body, and ``request: Request`` where it needs more.
It returns a dataclass (its public fields are the answer), a dict, a ``Response``, or None (204).

A module of ``strongroom_server.engines`` or ``strongroom_server.auth`` is a type of that name; its class is ``Engine``.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, TypeVar, get_args, get_origin, get_type_hints

from strongroom_common.fields import FieldError, Given, fields, names_of, parse, public
from strongroom_server.sdk.errors import InvalidRequest, UnsupportedOperation, UnsupportedPath
from strongroom_server.sdk.request import Auth, Lease, Operation, Request, Response
from strongroom_server.sdk.routes import VARIABLE, Path, Route, group_routes, index_paths
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])

_WRITES = frozenset({Operation.CREATE, Operation.UPDATE, Operation.PATCH})


def on(
    *operations: Operation, template: str, public: bool = False, sudo: bool = False, forward: bool = False,
    when_sealed: bool = False, exists: str = "",
) -> Callable[[Handler], Handler]:  # fmt: skip
    """Declare the decorated method as the handler of ``operations`` on ``template``; may be stacked."""

    def decorate(handler: Handler) -> Handler:
        hints = _hints(handler)
        bodies = [(name, get_args(hint)[0]) for name, hint in hints.items() if get_origin(hint) is Given]
        route = Route(
            operations, template, handler, public, sudo, forward, when_sealed, exists,
            body=bodies[0] if bodies else None,
            wants_request=hints.get("request") is Request,
            captures=tuple(name for name, _ in VARIABLE.findall(template)),
        )  # fmt: skip
        handler.__dict__.setdefault("routes", []).append(route)
        return handler

    return decorate


def _hints(handler: Callable[..., Any]) -> Mapping[str, Any]:
    """Return a handler's annotations. Evaluating quoted ones takes time that some hundreds of routes would feel."""
    plain: dict[str, Any] = handler.__annotations__
    quoted = any(isinstance(hint, str) for hint in plain.values())
    return get_type_hints(handler, include_extras=True) if quoted else plain


def _on(*operations: Operation, template: str, **flags: Any) -> Callable[[Handler], Handler]:
    return on(*operations, template=template, **flags)


def read(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a GET."""
    return _on(Operation.READ, template=template, **flags)


def list_(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a LIST (or GET with ``list=true``)."""
    return _on(Operation.LIST, template=template, **flags)


def scan(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a SCAN (or GET with ``scan=true``): a list of all that is below."""
    return _on(Operation.SCAN, template=template, **flags)


def write(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a POST or PUT, creating or updating."""
    return _on(Operation.CREATE, Operation.UPDATE, template=template, **flags)


def delete(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a DELETE."""
    return _on(Operation.DELETE, template=template, **flags)


def patch(template: str, **flags: Any) -> Callable[[Handler], Handler]:
    """Declare a PATCH."""
    return _on(Operation.PATCH, template=template, **flags)


def renews(kind: str) -> Callable[[Handler], Handler]:
    """Declare the method that renews leases of ``kind``: ``(self, lease: Lease, request) -> Lease``."""
    return partial(_mark, "renews", kind)


def revokes(kind: str) -> Callable[[Handler], Handler]:
    """Declare the method that takes secrets of ``kind`` back: ``(self, lease: Lease, request) -> None``.

    It must succeed when there is nothing left to take back, and raise when it could not: it is tried again.
    """
    return partial(_mark, "revokes", kind)


def _mark(name: str, kind: str, handler: Handler) -> Handler:
    handler.__dict__[name] = kind
    return handler


def help_of(hint: Any) -> str:
    """Return the help text of an ``Annotated`` hint."""
    if get_origin(hint) is Annotated:
        return next((str(note) for note in get_args(hint)[1:] if isinstance(note, str)), "")
    return ""


class Engine:
    """One mountable type. Everything here denies: what a subclass does not declare is refused."""

    paths: ClassVar[Sequence[Path]] = ()
    renewals: ClassVar[Mapping[str, str]] = {}
    revocations: ClassVar[Mapping[str, str]] = {}
    _by_first: ClassVar[Mapping[str, Sequence[Path]]] = {}
    _by_text: ClassVar[Mapping[str, Path]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        members = {name: member for base in reversed(cls.__mro__) for name, member in vars(base).items()}
        routes = [route for member in members.values() for route in getattr(member, "routes", ())]
        if "paths" not in vars(cls):
            cls.paths = group_routes(cls.__qualname__, routes)
            cls._by_text, cls._by_first = index_paths(cls.paths)
        cls.renewals = {m.renews: n for n, m in members.items() if hasattr(m, "renews")}
        cls.revocations = {m.revokes: n for n, m in members.items() if hasattr(m, "revokes")}

    @classmethod
    def choose(cls, options: Mapping[str, str]) -> "type[Engine]":
        """Return the class for a mount with these options; raises InvalidRequest for options it cannot have."""
        del options
        return cls

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        """Return warnings about a running mount's getting these options; raises InvalidRequest where it cannot."""
        del options
        return []

    def __init__(self, storage: Storage, system: System) -> None:
        self.storage = storage
        self.system = system

    async def start(self) -> None:
        """Make ready; what is raised here leaves the mount listed, answering 503."""

    async def tick(self) -> None:
        """Do what is due; called about once a minute on the active server."""

    async def count_secrets(self) -> int | None:
        """Return how many secrets are kept, for figures; None where that is no question."""
        return None

    def invalidate(self, key: str) -> None:
        """Forget what is cached of ``key``: another server changed it."""

    async def close(self) -> None:
        """Release connections and the like."""

    async def on_removed(self) -> None:
        """Clean up outside the server before the mount and its storage go."""

    def find(self, path: str) -> tuple[Path, dict[str, Any]]:
        """Return the path that serves ``path``, with its captures; raises UnsupportedPath."""
        plain = self._by_text.get(path.removesuffix("/"))
        if plain is not None:
            return plain, {}
        for candidate in self._by_first.get(path.partition("/")[0], self._by_first[""]):
            if match := candidate.pattern.fullmatch(path):
                return candidate, match.groupdict("")
        raise UnsupportedPath

    def is_open_below(self, path: str) -> bool:
        """Tell whether ``path``, which nothing serves, is like one that needs no token: a login with an odd name."""
        return any(
            path.startswith(known.template.partition("{")[0])
            for known in self.paths
            if "/{" in known.template and any(route.public for route in known.routes.values())
        )

    def route(self, request: Request) -> tuple[Route, dict[str, Any]]:
        """Return the route for a request, with its captures; raises UnsupportedPath or UnsupportedOperation."""
        path, captures = self.find(request.path)
        route = path.routes.get(request.operation)
        if route is None:
            raise UnsupportedOperation
        return route, captures

    async def exists(self, request: Request, found: tuple[Path, dict[str, Any]] | None = None) -> bool | None:
        """Tell whether what a write addresses is there; None where the path does not distinguish.

        ``found`` is what ``find`` returns for it, where that is known.
        """
        path, captures = found or self.find(request.path)
        route = path.routes.get(Operation.CREATE)
        if route is None or not route.exists:
            return None
        return bool(await getattr(self, route.exists)(**captures))

    async def handle(self, request: Request) -> Response:
        """Find the route of a request and serve it; raises RequestError."""
        return await self.call(*self.route(request), request)

    async def call(self, route: Route, captures: dict[str, Any], request: Request) -> Response:
        """Serve a request whose route is known; raises RequestError."""
        data, warnings = request.data, []
        if route.body:
            name, schema = route.body
            given = _parsed(schema, data, captures)
            if data and (given.ignored or captures):
                warnings = _warnings(route, given.ignored, captures.keys() & data.keys())
            captures[name] = given
        elif data and not (route.wants_request and request.operation in _WRITES):  # those take all there is
            warnings = _warnings(route, data, captures.keys() & data.keys())
        if route.wants_request:
            captures["request"] = request
        result = await route.handler(self, **captures)
        response = result if isinstance(result, Response) else Response(_data(result))
        if warnings and response != Response():  # an empty answer stays empty, as the peer's
            response.warnings.extend(warnings)
        return response

    async def renew(self, lease: Lease, request: Request) -> Lease:
        """Move a lease's end on; raises InvalidRequest where its kind cannot."""
        if (name := self.renewals.get(lease.kind)) is None:
            raise InvalidRequest("lease is not renewable")
        renewed: Lease = await getattr(self, name)(lease, request)
        return renewed

    async def revoke(self, lease: Lease, request: Request) -> None:
        """Take a secret back; raises where it could not, and is then tried again."""
        if (name := self.revocations.get(lease.kind)) is None:
            raise InvalidRequest(f"no way to revoke a lease of kind {lease.kind!r}")
        await getattr(self, name)(lease, request)

    def login_name(self, request: Request) -> str:
        """Return whom a login names, as lockouts count them; "" where it is no login, or the method names nobody."""
        del request
        return ""

    async def login_role(self, request: Request) -> str:
        """Return the role that a login asks for, as quotas name it; "" where there is none."""
        return str(request.data.get("role", ""))

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Say whether and how a login of this method may go on; raises RequestError to end it."""
        del auth, request
        raise InvalidRequest("this method's logins cannot be renewed")


def _parsed(schema: Any, data: Mapping[str, Any], captures: Mapping[str, Any]) -> Given[Any]:
    if captures:
        known = fields(schema)
        named = {name: value for name, value in captures.items() if name in known and value is not None}
        if named or not captures.keys().isdisjoint(data):
            data = {name: value for name, value in data.items() if name not in captures} | named
    try:
        return parse(schema, data)
    except FieldError as error:
        raise InvalidRequest(f"Field validation failed: {error}") from None


def _strange(route: Route, names: Iterable[str]) -> list[str]:
    """Return those of ``names`` that no operation of the path knows."""
    known = {name for schema in route.schemas for name in names_of(schema)}
    return sorted(name for name in names if name not in known and name not in route.captures)


def _warnings(route: Route, unused: Iterable[str], replaced: Iterable[str]) -> list[str]:
    warnings = []
    if unused and (strange := _strange(route, unused)):
        warnings.append(f"Endpoint ignored these unrecognized parameters: [{' '.join(strange)}]")
    if replaced:
        warnings.append("Endpoint replaced the value of these parameters with the values captured from the endpoint's "
                        f"path: [{' '.join(sorted(replaced))}]")  # fmt: skip
    return warnings


def _data(result: Any) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(result):
        return public(result)
    data: dict[str, Any] | None = result
    return data


def join_paths(owner: str, parts: Iterable[type[Engine]]) -> tuple[Path, ...]:
    """Return the paths of several engines as one engine's; raises TypeError where two declare the same route."""
    return group_routes(owner, [route for part in parts for path in part.paths for route in _each(path)])


def _each(path: Path) -> list[Route]:
    return list({(route.handler, route.operations): route for route in path.routes.values()}.values())
