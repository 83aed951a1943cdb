"""The life of a request is a list.

Login and ordinary requests run the same one. The decision is taken, recorded, then enforced, so that refusals are
audited too; an answer that no audit device took is not given. A step that must wait returns an awaitable, the others
return None: nothing waits on the warm path of a read but the engine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from strongroom_server.core import control_groups, passed_headers, registration, wrapping
from strongroom_server.core.acl import Decision
from strongroom_server.core.exchange import Exchange
from strongroom_server.core.help import help_of_mount, help_of_path
from strongroom_server.core.list_filters import filter_keys
from strongroom_server.core.mounts import Mount
from strongroom_server.core.tokens import BATCH, Token
from strongroom_server.lib.cidr import allows
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import (
    AuditError,
    Internal,
    InvalidCredentials,
    InvalidRequest,
    NotFound,
    Overdue,
    PermissionDenied,
    RequestError,
    Sealed,
    TooManyRequests,
    UnsupportedOperation,
    UnsupportedPath,
)
from strongroom_server.sdk.request import LISTING, Caller, Operation, Request, Response
from strongroom_server.sdk.routes import Route

if TYPE_CHECKING:
    from strongroom_server.core.control_groups import Held
    from strongroom_server.core.server import Server

Step = Callable[[Exchange], Awaitable[None] | None]

OPENING = frozenset({"sys/wrapping/unwrap", "sys/wrapping/rewrap"})
"""Where the client's token is most often the wrapping token itself: one that is spent is a bad request, as in Vault."""

_ALLOWED = Decision(allowed=True)
_BY_ROOT = Decision(allowed=True, root=True)
_NO_TOKEN = Decision(allowed=False, reason="no valid token")
_UNRECORDED = frozenset({"sys/health", "sys/init", "sys/leader", "sys/seal-status"})
"""What probes ask all the time, and anyone may know: Vault keeps these out of its audit log, too (docs, "Audit")."""


async def serve(server: "Server", request: Request, held: "Held | None" = None) -> Response:
    """Return the answer to a request; raises RequestError, and whatever a fault of ours raises, on record too.

    ``held`` is what it was kept as where it waited for approvals (``control_groups``).
    """
    if request.namespace or server.children:
        server = server.namespaces.find(request)
    exchange = Exchange(server, request, server, request.path, request.path, held)
    started = server.clock.now()
    try:
        fault = await _walk(exchange)
    finally:
        if exchange.mount is not None:
            exchange.mount.served()
    if exchange.recorded and server.audit.devices:
        try:
            await server.audit.response(exchange)
        except AuditError as error:
            raise Internal("internal error: no audit device took the answer") from error
    server.timings.add(exchange, started)
    if exchange.spent and exchange.token is not None:
        await exchange.home.revocation.end_token(exchange.token)
    if server.root.seal_asked:
        await server.root.seal_if_asked()
    failure, exchange.error = fault or exchange.error, None
    if failure is not None:
        try:
            raise failure
        finally:  # an error holds the frames that it passed; they must not hold it, and with it the request's body
            del failure, fault
    if exchange.headers:
        exchange.response.headers |= exchange.headers
    return exchange.response


async def _walk(exchange: Exchange) -> Exception | None:
    """Take the steps in order. What stops them becomes the exchange's error; a fault of ours is returned as it is."""
    try:
        for step in STEPS:
            if (pending := step(exchange)) is not None:
                await pending
    except RequestError as error:
        exchange.error = error
    except RecursionError as error:  # JSON within a field, a token's claims: readers have no bounds of their own
        exchange.error = InvalidRequest("the request holds something that is nested too deeply")
        exchange.error.__cause__ = error
    except asyncio.CancelledError:
        flight = exchange.server.in_flight.get(exchange.request.id)
        if flight is None or not flight.forgive():
            raise
        exchange.error = Overdue()
    except Exception as error:  # noqa: BLE001 - the record says that it failed; the mapper to HTTP takes it from there
        exchange.error = Internal("internal error")
        return error
    return None


def resolve_mount(exchange: Exchange) -> None:
    """Find the mount, its engine and the route within it. What does not exist is told after the decision only."""
    request, server = exchange.request, exchange.server
    exchange.sealed = server.barrier.sealed
    if exchange.sealed:
        _resolve_sealed(exchange)
        return
    if request.operation is Operation.UPDATE and request.path.endswith("/"):
        raise InvalidRequest("cannot write to a path ending in '/'")
    found = server.mounts.find(request.path)
    if found is None or found[0].ending is not None:
        return
    mount, request.path = found
    exchange.mount = mount
    mount.busy += 1
    request.mount_point, request.mount_accessor = mount.point, mount.entry.accessor
    engine = exchange.engine = mount.engine
    if engine is None:
        return
    try:
        exchange.path, exchange.captures = engine.find(request.path)
    except UnsupportedPath:
        return
    operation = Operation.READ if request.operation is Operation.HELP else request.operation
    exchange.route = exchange.path.routes.get(operation)


def _resolve_sealed(exchange: Exchange) -> None:
    """While sealed, only the routes of sys/ that say so are there."""
    request = exchange.request
    engine = exchange.server.sealed_sys
    if not request.path.startswith("sys/"):
        raise Sealed
    request.path = request.path[4:]
    try:
        exchange.path, exchange.captures = engine.find(request.path)
    except UnsupportedPath:
        raise Sealed from None
    open_here = exchange.full_path in request.connection.access.public
    if not any(route.when_sealed and (route.public or open_here) for route in exchange.path.routes.values()):
        raise Sealed
    exchange.engine = engine
    exchange.route = exchange.path.routes.get(request.operation)
    request.mount_point = "sys/"


def apply_quotas(exchange: Exchange) -> Awaitable[None] | None:
    """Refuse a client that asks too often."""
    return _apply_quotas(exchange) if exchange.server.quotas.rates and not exchange.sealed else None


async def _apply_quotas(exchange: Exchange) -> None:
    request, quotas, mount = exchange.request, exchange.server.quotas, exchange.mount
    namespace = exchange.server.path
    role = ""
    if mount is not None and exchange.engine is not None and any(quota.role for quota in quotas.rates.values()):
        role = await exchange.engine.login_role(request) if mount.table == "auth" else ""
    name = quotas.rate_for(namespace + request.mount_point, namespace + exchange.full_path, role, namespace)
    if not name:
        return
    client, now = request.connection.remote_address, exchange.server.clock.now()
    try:
        exchange.headers = quotas.spend(name, client, exchange.full_path, now)
    except TooManyRequests as error:
        exchange.server.metrics.count("vault.quota.rate_limit.violation", (("name", name),))
        if quotas.settings.enable_rate_limit_audit_logging:
            exchange.error = error
            await _record(exchange)
        raise


def authenticate(exchange: Exchange) -> Awaitable[None] | None:
    """Find the token's record. A token that is not valid leaves none, and the decision says no."""
    text = exchange.request.token
    if not text or exchange.sealed:
        return None
    token = exchange.server.tokens.at_hand(text)
    if token is None or token.uses:
        return _authenticate(exchange, text)
    _accept(exchange, token)
    return None


async def _authenticate(exchange: Exchange, text: str) -> None:
    server = exchange.server
    home = server.home_of(text)
    # Security 1: a token is one in the namespace it was made in and below, never above or beside it.
    if not server.path.startswith(home.path):
        return
    exchange.home, exchange.acl_path = home, server.path[len(home.path) :] + exchange.full_path
    token = await home.tokens.lookup(text)
    if token is None:
        return
    if home is not server:
        server.visitors.add(token.parent if token.type == BATCH else token.hash)  # leases hang from it
    if token.uses and not (exchange.route is not None and exchange.route.public):
        token = await home.tokens.use(token)
        if token is None:
            return
        exchange.spent = token.uses < 0
    _accept(exchange, token)


def _accept(exchange: Exchange, token: Token) -> None:
    request = exchange.request
    # The token is bound to networks: one that comes from elsewhere is no token at all (Vault docs, token_bound_cidrs).
    if token.bound_cidrs and not allows(token.bound_cidrs, request.connection.remote_address):
        return
    # Nor is one whose entity is disabled or gone (Vault docs, Identity).
    if token.entity_id and not exchange.home.identity.usable(token.entity_id):
        return
    exchange.token = token
    request.caller = Caller(
        accessor=token.accessor,
        token_hash=token.hash,
        entity_id=token.entity_id,
        display_name=token.display_name,
        policies=token.policies,
        metadata=token.meta or {},
        root=token.root,
        batch=token.type == BATCH,
    )


def decide(exchange: Exchange) -> Awaitable[None] | None:
    """Take the decision; ``enforce`` acts on it once it is on record."""
    route, token, request = exchange.route, exchange.token, exchange.request
    if route is not None:
        access = request.connection.access
        if access.closed and (message := access.closed.get(exchange.full_path)):
            raise PermissionDenied(message)
        if (route.public and not exchange.full_path.startswith(access.guarded)) or exchange.full_path in access.public:
            exchange.decision = _ALLOWED
            return None
        if route.exists and request.operation is Operation.UPDATE:
            return _decide_write(exchange)
    elif exchange.path is not None and any(other.public for other in exchange.path.routes.values()):
        exchange.decision = _ALLOWED  # a public path with no such operation: the answer is 405, token or not
        return None
    elif exchange.path is None and exchange.engine is not None and exchange.engine.is_open_below(request.path):
        exchange.decision = _ALLOWED  # the answer is 404, as it is of a path that wants a token
        return None
    if token is None:
        exchange.decision = _NO_TOKEN
        return None
    if token.root:
        exchange.decision = _BY_ROOT
        return None
    rules = exchange.home.policies.known(token)
    if rules is None:
        return _decide_later(exchange, token)
    exchange.decision = rules.decide(request.operation, exchange.acl_path, request.data, request.wrap_ttl,
                                     sudo=route is not None and route.sudo)  # fmt: skip
    return None


async def _decide_write(exchange: Exchange) -> None:
    """Tell create from update, then decide. A caller without a token learns nothing of what exists."""
    request, engine, path, token = exchange.request, exchange.engine, exchange.path, exchange.token
    if token is None or engine is None or path is None:
        exchange.decision = _NO_TOKEN
        return
    if not await engine.exists(request, (path, exchange.captures)):
        request.operation = Operation.CREATE
    if token.root:
        exchange.decision = _BY_ROOT
    else:
        await _decide_later(exchange, token)


async def _decide_later(exchange: Exchange, token: Token) -> None:
    request, route = exchange.request, exchange.route
    rules = await exchange.home.policies.rules(token)
    exchange.decision = rules.decide(request.operation, exchange.acl_path, request.data, request.wrap_ttl,
                                     sudo=route is not None and route.sudo)  # fmt: skip


def record_request(exchange: Exchange) -> Awaitable[None] | None:
    """Put the request and the decision on record; no record, no service."""
    exchange.recorded = True
    return _record(exchange) if exchange.server.audit.devices else None


async def _record(exchange: Exchange) -> None:
    if exchange.full_path in _UNRECORDED:
        exchange.recorded = False
        return
    try:
        await exchange.server.audit.request(exchange)
    except AuditError as error:
        exchange.recorded = False
        raise Internal("internal error: no audit device took the request") from error


def enforce(exchange: Exchange) -> None:
    """Stop what was refused."""
    if exchange.token is None and exchange.request.token and exchange.full_path in OPENING:
        raise InvalidRequest("wrapping token is not valid or does not exist")
    if exchange.decision is None or not exchange.decision.allowed:
        rule = exchange.decision.reason if exchange.decision else ""
        raise PermissionDenied(rule=rule, counted=exchange.token is not None)


async def call_engine(exchange: Exchange) -> None:
    """Let the engine answer."""
    request, engine, route, mount = exchange.request, exchange.engine, exchange.route, exchange.mount
    if engine is None or route is None or request.operation is Operation.HELP:
        exchange.response = _without_engine(exchange)
        return
    if exchange.decision is not None and exchange.decision.factors and not control_groups.released(exchange):
        exchange.response = await control_groups.hold(exchange)
        return
    headers, user = request.headers, engine.login_name(request) if route.public else ""
    request.headers = passed_headers.passed(exchange)
    try:
        if user and mount is not None and mount.table == "auth":
            await _call_login(exchange, mount, engine, route, user)
        else:
            exchange.response = await engine.call(route, exchange.captures, request)
    finally:
        request.headers = headers


def _without_engine(exchange: Exchange) -> Response:
    """Return the help that was asked for, or raise what stands for an answer where there is no route."""
    request, engine, path, mount = exchange.request, exchange.engine, exchange.path, exchange.mount
    if engine is None:
        if mount is None:
            raise NotFound(f'no handler for route "{exchange.full_path}". route entry not found.')
        engine = mount.running()
    kind = mount.entry.type if mount else ""
    if request.operation is Operation.HELP and not request.path:
        return help_of_mount(engine, kind)
    if path is None:
        raise UnsupportedPath
    if request.operation is Operation.HELP:
        return help_of_path(engine, path, request.path, kind)
    if request.operation in LISTING and not path.open_ended:
        raise UnsupportedPath  # a folder is another path than what it is listed for
    raise UnsupportedOperation


async def _call_login(exchange: Exchange, mount: Mount, engine: Engine, route: Route, name: str) -> None:
    """Let a user log in who is not locked out, and count where that fails."""
    lockouts, user = exchange.server.lockouts, (mount.entry.accessor, name)
    rules = lockouts.rules(mount)
    if rules.disable_lockout:
        exchange.response = await engine.call(route, exchange.captures, exchange.request)
        return
    lockouts.check(user)
    try:
        exchange.response = await engine.call(route, exchange.captures, exchange.request)
    except InvalidCredentials:
        await lockouts.failed(user, rules)
        raise
    await lockouts.succeeded(user)


def register(exchange: Exchange) -> Awaitable[None] | None:
    """Give a login its token and a secret its lease."""
    response = exchange.response
    # A login's token is yet to be made. A renewal by accessor has one already, whose text stays untold.
    if response.auth is not None and not response.auth.client_token and not response.auth.accessor:
        return registration.register_login(exchange, response.auth)
    lease = response.lease
    if lease is not None and lease.kind and not lease.id:  # neither a mere duration (KV) nor one that was renewed
        return registration.register_lease(exchange, lease)
    return None


def wrap_if_asked(exchange: Exchange) -> Awaitable[None] | None:
    """Put the answer behind a single-use token where the client asked for that."""
    return wrapping.wrap(exchange) if exchange.request.wrap_ttl else None


STEPS: tuple[Step, ...] = (
    resolve_mount,
    apply_quotas,
    authenticate,
    decide,
    record_request,
    enforce,
    call_engine,
    filter_keys,
    register,
    wrap_if_asked,
)
