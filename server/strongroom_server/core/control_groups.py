"""Requests that wait until others have approved them (OpenBao docs, "Control groups").

Such a request is not served but kept behind a wrapping token; its accessor is what approvers go by. Unwrapping the
token serves the request then, as its requester's: with their token, and under the policies of that moment.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from strongroom_common.clock import rfc3339
from strongroom_common.secret import Secret
from strongroom_server.core.approvals import LASTS, Approver, Factor, met
from strongroom_server.core.builtin_policies import RESPONSE_WRAPPING
from strongroom_server.core.exchange import Exchange
from strongroom_server.core.registration import create_token
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied
from strongroom_server.sdk.request import Auth, Connection, Operation, Request, Response, WrapInfo
from strongroom_server.sdk.storage import load, put

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

_KEY = "held"
_INVALID = "wrapping token is not valid or does not exist"


@dataclass(frozen=True)
class Approval:
    """One person's yes."""

    entity_id: str
    at: float


@dataclass(frozen=True)
class Held:
    """A request that waits; ``token`` is its requester's."""

    operation: str
    path: str
    data: dict[str, Any]
    token: Secret[str]
    entity_id: str
    request_id: str
    wrap_ttl: int
    factors: tuple[Factor, ...]
    approvals: tuple[Approval, ...] = ()


def released(exchange: Exchange) -> bool:
    """Say whether a request that needs approvals has them; raises PermissionDenied where they are not enough.

    Security 1: what decides are the rules of now, not those of when the request was kept.
    """
    held, decision = exchange.held, exchange.decision
    if held is None or decision is None:
        return False
    if not met(decision.factors, _approvers(exchange.server, held), held.entity_id, exchange.server.clock.now()):
        raise PermissionDenied(rule="the approvals that the rule asks for now are not all there")
    return True


async def hold(exchange: Exchange) -> Response:
    """Keep a request behind a token; the answer names the token."""
    server, request, decision, token = exchange.server, exchange.request, exchange.decision, exchange.token
    if decision is None or token is None or request.body:
        raise PermissionDenied(rule="the request cannot be kept until it is approved")
    held = Held(
        request.operation.value, exchange.full_path, request.data, Secret(request.token), token.entity_id, request.id,
        request.wrap_ttl, decision.factors,
    )  # fmt: skip
    ttl = int(decision.waits or LASTS)
    auth = Auth(policies=(RESPONSE_WRAPPING,), display_name="control-group", ttl=ttl, renewable=False)
    record = await create_token(server, auth, exchange.full_path, mount="auth/token/")
    await server.cubbyhole(record.hash).commit([put(_KEY, held)])
    return Response(wrap=WrapInfo(auth.client_token, record.accessor, ttl, rfc3339(record.created), exchange.full_path))


async def find(server: "Server", token: Token) -> Held | None:
    """Return the request behind a token, or None."""
    return await load(server.cubbyhole(token.hash), _KEY, Held)


async def by_accessor(server: "Server", accessor: str) -> tuple[Token, Held]:
    """Return a request that waits, and its token; raises InvalidRequest."""
    if not accessor:
        raise InvalidRequest("missing accessor")
    token = await server.tokens.by_accessor(accessor)
    if token is None:
        raise InvalidRequest("invalid accessor")
    held = await find(server, token) if token.policies == (RESPONSE_WRAPPING,) else None
    if held is None:
        raise InvalidRequest("the token of this accessor is not one of a control group")
    return token, held


def is_approved(server: "Server", held: Held) -> bool:
    """Say whether all approvals are there, by the rules of when the request was kept."""
    return met(held.factors, _approvers(server, held), held.entity_id, server.clock.now())


def concerns(server: "Server", held: Held, entity_id: str) -> bool:
    """Say whether somebody has to do with a request: it is theirs, or they may approve it."""
    groups = _groups(server, entity_id)
    return bool(entity_id) and (entity_id == held.entity_id or any(one.is_of(groups) for one in held.factors))


async def approve(server: "Server", accessor: str, entity_id: str) -> bool:
    """Put somebody's yes down; returns whether all that are needed are there. Raises InvalidRequest.

    The yes of somebody whom no factor asks is not put down.
    """
    token, _ = await by_accessor(server, accessor)
    if not entity_id:
        raise InvalidRequest("empty entity ID: only people with an entity can approve")
    async with server.releasing.of(token.hash):
        _, held = await by_accessor(server, accessor)
        if any(entity_id == one.entity_id for one in held.approvals):
            raise InvalidRequest("approver has already authorized")
        groups = _groups(server, entity_id)
        asked = [factor for factor in held.factors if factor.is_of(groups)]
        if asked and entity_id == held.entity_id and not any(factor.self_authorization for factor in asked):
            raise InvalidRequest("token owner cannot be approver")
        if asked:
            held = replace(held, approvals=(*held.approvals, Approval(entity_id, server.clock.now())))
            await server.cubbyhole(token.hash).commit([put(_KEY, held)])
        return is_approved(server, held)


async def release(server: "Server", token: Token, connection: Connection) -> Response:
    """Serve the request behind a token, once; raises InvalidRequest unless it is approved."""
    async with server.releasing.of(token.hash):
        held = await find(server, token)
        if held is None or not is_approved(server, held):
            raise InvalidRequest(_INVALID)
        operation = Operation.UPDATE if held.operation == Operation.CREATE else Operation(held.operation)
        request = Request(
            operation, held.path, held.data, token=held.token.reveal(), connection=connection,
            id=held.request_id, wrap_ttl=held.wrap_ttl, namespace=server.path,
        )  # fmt: skip
        response = await server.root.handle(request, held)
        await server.revocation.end_token(token)
        return response


def _approvers(server: "Server", held: Held) -> list[Approver]:
    return [
        Approver(one.entity_id, one.at, _groups(server, one.entity_id))
        for one in held.approvals
        if server.identity.usable(one.entity_id)
    ]


def _groups(server: "Server", entity_id: str) -> dict[str, str]:
    """Return the names of somebody's groups by id, those above their own included."""
    index = server.identity.index
    entity = index.entity(entity_id)
    ids = [group_id for found in index.groups_of(entity) for group_id in found] if entity else []
    return {group_id: index.groups[group_id].name for group_id in ids}
