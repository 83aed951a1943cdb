"""sys/policies/explain: why a token may or may not do something."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from strongroom_common.fields import Given, Names, Object, Seconds
from strongroom_common.secret import Secret
from strongroom_server.core.acl import Acl
from strongroom_server.core.explain import Question, explain, left_out
from strongroom_server.core.mounts import Mount
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import Engine, write
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied, UnsupportedPath
from strongroom_server.sdk.request import Operation, Request
from strongroom_server.sdk.routes import Route


@dataclass(frozen=True)
class OwnQuestion:
    """A request of the caller's."""

    path: Annotated[str, "Path of the request, without /v1/."]
    operation: Annotated[
        Literal["read", "list", "create", "update", "write", "delete", "patch"],
        'What the request asks for; "write" is create or update, as it would be.',
    ] = "read"
    data: Annotated[Object, "The request's body, where parameters are restricted."] = field(
        default_factory=lambda: Object({}), repr=False
    )
    wrap_ttl: Annotated[Seconds, "Seconds for which the answer shall be wrapped."] = Seconds(0)


@dataclass(frozen=True)
class AnyQuestion(OwnQuestion):
    """A request, and whose: a token's, or that of whoever has these policies."""

    token: Annotated[Secret[str], "The token."] = Secret("")
    accessor: Annotated[str, "The token's accessor."] = ""
    policies: Annotated[Names, "Policies, where no token is meant."] = Names(())


class Explain(Area):
    """Decisions, with their reasons."""

    @write("policies/explain")
    async def explain(self, body: Given[AnyQuestion], request: Request) -> dict[str, Any]:
        """Tell why a token, or a set of policies, may or may not do something."""
        asked = body.value
        if sum(map(bool, (asked.token, asked.accessor, asked.policies))) > 1:
            raise InvalidRequest("expected only one of token, accessor and policies")
        if asked.policies:
            names = tuple(sorted({name.lower() for name in asked.policies}))
            known, policies = {*await self.server.policies.names()}, self.server.policies
            answer, question = await self._answer(await policies.compile(names), asked)
            answer["hints"] += left_out(await policies.load(names), question, None)
            return {**answer, "policies": names, "unknown_policies": [name for name in names if name not in known]}
        return await self._of_token(asked, asked.token.reveal() or request.token, asked.accessor)

    @write("policies/explain-self")
    async def explain_self(self, body: Given[OwnQuestion], request: Request) -> dict[str, Any]:
        """Tell why the caller may or may not do something."""
        return await self._of_token(body.value, request.token, "")

    async def _of_token(self, asked: OwnQuestion, text: str, accessor: str) -> dict[str, Any]:
        server = self.server
        holder = await (server.holder_by_accessor(accessor) if accessor else server.holder(text))
        if holder is None or holder.token.expired(server.clock.now()):
            raise InvalidRequest("the token is unknown or has expired: no policy can help it")
        if not holder.usable:
            raise InvalidRequest("the token's entity is disabled or gone: no policy can help it")
        prefix = holder.named("")
        if prefix is None:
            raise InvalidRequest("the token is of another namespace: no policy can help it here")
        try:
            answer, question = await self._answer(await holder.rules(), asked, prefix)
        except PermissionDenied as denied:  # a template that would leave out a deny refuses everything
            raise InvalidRequest(f"all requests of the token are refused: {denied.rule}") from denied
        if not holder.token.root:
            answer["hints"] += left_out(await holder.policies(), question, await holder.template_values())
        if holder.token.bound_cidrs:
            networks = ", ".join(holder.token.bound_cidrs)
            answer["hints"].append(f"the token is bound to {networks}: from elsewhere it is refused")
        return answer

    async def _answer(self, acl: Acl, asked: OwnQuestion, prefix: str = "") -> tuple[dict[str, Any], Question]:
        """Explain; ``prefix`` is what the policies put before the paths of this namespace."""
        path = asked.path.strip("/").removeprefix("v1/") + ("/" if asked.path.endswith("/") else "")
        operation = Operation.UPDATE if asked.operation == "write" else Operation(asked.operation)
        hints: list[str] = []
        found = self.server.mounts.find(path)
        route = None
        if found is None:
            hints.append("no mount serves this path: with the right policy the answer is 404")
        else:
            mount, rest = found
            hints += _kv_hints(mount, rest)
            if mount.engine is not None:
                route, operation = await _route(mount.engine, rest, operation, exact=asked.operation != "write")
        if route is not None and route.public:
            hints.append("this path needs no token at all")
        sudo = route is not None and route.sudo
        question = Question(operation.value, prefix + path, asked.data, asked.wrap_ttl, sudo)
        return {**explain(acl, question), "hints": hints}, question


async def _route(engine: Engine, rest: str, operation: Operation, *, exact: bool) -> tuple[Route | None, Operation]:
    """Return the route of a request and its operation: a write to what is not there is a create."""
    try:
        path, _ = engine.find(rest)
    except UnsupportedPath:
        return None, operation
    if operation is Operation.UPDATE and not exact and await engine.exists(Request(operation, rest)) is False:
        operation = Operation.CREATE
    return path.routes.get(operation), operation


def _kv_hints(mount: Mount, rest: str) -> list[str]:
    """Name the path that was likely meant: KV version 2 puts "data/" or "metadata/" before a secret's name."""
    first = rest.partition("/")[0]
    version = (mount.entry.options or {}).get("version")
    if mount.entry.type != "kv" or version != "2":
        return []
    if first in {"data", "metadata", "delete", "undelete", "destroy", "subkeys", "config", "detailed-metadata"}:
        return []
    return [f'{mount.point} is KV version 2: a secret\'s value is at "{mount.point}data/{rest}", '
            f'its list at "{mount.point}metadata/{rest}"']  # fmt: skip
