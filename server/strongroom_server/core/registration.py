"""What a fresh login or secret gets before the client sees it: a token, a lease, their limits."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from strongroom_server.core.exchange import Exchange
from strongroom_server.core.identity.logins import attach
from strongroom_server.core.identity.mfa import validation
from strongroom_server.core.identity.mfa.logins import Login
from strongroom_server.core.leases import LeaseEntry
from strongroom_server.core.metrics import Labels
from strongroom_server.core.mounts import Mount
from strongroom_server.core.tokens import BATCH, Token
from strongroom_server.core.ttl import Limits, grant
from strongroom_server.core.usage_gauges import lifetime
from strongroom_server.sdk.backend import Change
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied, TooManyRequests
from strongroom_server.sdk.request import Auth, Lease

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

log = logging.getLogger("core.registration")


def normal_policies(names: tuple[str, ...], *, default: bool) -> tuple[str, ...]:
    """Return policy names trimmed, in lower case, sorted, once each, with "default" where it belongs."""
    tidy = {name.strip().lower() for name in names} - {""}
    if "root" in tidy:
        return ("root",)
    if default:
        tidy.add("default")
    return tuple(sorted(tidy))


async def register_login(exchange: Exchange, auth: Auth) -> None:
    """Turn a method's successful login into a token within the mount's limits, or into a demand for a second factor."""
    mount, server = exchange.mount, exchange.server
    if mount is None:
        raise PermissionDenied
    request = exchange.request
    check_lease_quota(exchange)
    auth.policies = normal_policies(auth.policies, default=not auth.no_default_policy)
    # A login never gives root: it would be a root token whose holder no one has seen (Vault docs, root tokens).
    if "root" in auth.policies:
        raise InvalidRequest("auth methods cannot create root tokens")
    auth.metadata = {**auth.metadata}
    await attach(server.identity, auth, mount)
    kind = token_kind(auth.token_type, mount)
    if kind == BATCH:
        # A role's own type allows neither; where the mount makes batch tokens of all, what they lack falls away.
        auth.num_uses, auth.period, auth.renewable = 0, 0, False
    now = server.clock.now()
    limits = mount_limits(server, mount, ttl=auth.ttl, max_ttl=auth.max_ttl, explicit_max=auth.explicit_max_ttl,
                          period=auth.period)  # fmt: skip
    auth.ttl, warnings = grant(limits, asked=0, now=now, issued=now)
    exchange.response.warnings.extend(warnings)
    mount_name = (f"{server.path}{mount.point}" if server.path else mount.entry.path).rstrip("/").replace("/", "-")
    auth.display_name = f"{mount_name}-{auth.display_name}" if auth.display_name else mount_name
    path = f"{mount.point}{request.path}"
    login = Login(auth, mount.point, path, kind)
    if not await _waits(exchange, login, mount):
        await finish_login(server, login)


async def _waits(exchange: Exchange, login: Login, mount: Mount) -> bool:
    """Say whether a login must show a second factor in a request of its own; the answer then says which.

    Raises PermissionDenied where the client has shown a wrong one (X-Vault-MFA).
    """
    server, request = exchange.server, exchange.request
    store, auth = server.identity.mfa, login.auth
    enforcements = await validation.due(server.identity, auth, mount)
    if not enforcements:
        return False
    if lines := [line for name, line in request.headers.items() if name.lower() == "x-vault-mfa" and line]:
        try:
            claimant = validation.Claimant(auth.entity_id, request.connection.remote_address)
            await validation.validate(server.identity, claimant, enforcements, validation.from_headers(lines))
        except PermissionDenied as denied:
            raise PermissionDenied(rule=str(denied)) from denied  # the reasons are for the record
        return False
    wanted = await validation.requirement(store, store.waiting.keep(login), enforcements)
    exchange.response.auth = Auth(mfa_requirement=wanted, orphan=False, renewable=False)
    exchange.response.warnings = [_SECOND_FACTOR]
    return True


_SECOND_FACTOR = (
    "A login request was issued that is subject to MFA validation. Please make sure to validate the login by sending "
    "another request to mfa/validate endpoint."
)


async def finish_login(server: "Server", login: Login) -> None:
    """Make the token of a login that is through."""
    await create_token(server, login.auth, login.path, mount=login.mount, kind=login.kind)


def token_kind(asked: str, mount: Mount) -> str:
    """Return "service" or "batch": what the role asks for, within what the mount says."""
    tuned = mount.entry.config.token_type or "default-service"
    if tuned in {"service", "batch"}:
        return tuned
    if asked in {"service", "batch"}:
        return asked
    if asked in {"default-batch", "default-service"}:
        return asked.removeprefix("default-")
    return BATCH if tuned == "default-batch" else "service"


def mount_limits(server: "Server", mount: Mount | None, **beside: int) -> Limits:
    """Return the default and maximum TTL of a mount, and what other limits there are ``beside``, by their names."""
    default = maximum = 0
    if mount is not None:
        default, maximum = mount.entry.config.default_lease_ttl, mount.entry.config.max_lease_ttl
    return Limits(default or server.default_lease_ttl, maximum or server.max_lease_ttl, **beside)


async def create_token(server: "Server", auth: Auth, path: str, *, mount: str, kind: str = "service",
                       token: str = "", parent: str = "", role: str = "") -> Token:  # fmt: skip
    """Make and store a token from ``auth`` (its TTL granted), fill in its text and accessor, watch its end."""
    auth.token_type = kind
    auth.orphan = not parent
    server.metrics.count("vault.token.creation", _creation_labels(server, mount, kind, lifetime(auth.ttl)))
    if "root" in auth.policies:
        server.metrics.count("vault.token.create_root")
    if auth.entity_id:
        auth.identity_policies = tuple(sorted(server.identity.policies(auth.entity_id)))
    if kind == BATCH:
        auth.client_token, record = server.tokens.issue_batch(auth, path, parent=parent, role=role)
        return record
    auth.client_token, record = server.tokens.issue(auth, path, token=token, parent=parent, role=role)
    auth.accessor = record.accessor
    await server.store_token(record)
    # Security 1: a token made while its parent was ended is ended too: the parent's end may not have seen it.
    if parent and not await server.tokens.holds(parent):
        await server.revocation.end_token(record)
        raise PermissionDenied
    return record


def _creation_labels(server: "Server", mount: str, kind: str, span: str) -> Labels:
    found = server.mounts.at(mount)
    return (
        ("auth_method", found.entry.type if found else "token"), ("cluster", server.cluster_name),
        ("creation_ttl", span), ("mount_point", mount), ("namespace", server.path.strip("/") or "root"),
        ("token_type", kind),
    )  # fmt: skip


async def register_lease(exchange: Exchange, lease: Lease) -> None:
    """Store the lease of a fresh secret, and what its engine wants to be stored with it, in one step.

    If that fails the secret is taken back at once: none goes unaccounted for. So is one whose token has ended
    meanwhile, for the token's end may not have seen this lease: raises PermissionDenied. And so is one whose token
    ends with this request: raises InvalidRequest.
    """
    server, mount, request = exchange.server, exchange.mount, exchange.request
    engine = exchange.engine
    if mount is None or engine is None:
        return
    now = server.clock.now()
    limits = mount_limits(server, mount, ttl=lease.ttl, max_ttl=lease.max_ttl)
    lease.ttl, warnings = grant(limits, asked=0, now=now, issued=now)
    exchange.response.warnings.extend(warnings)
    latest = _latest(exchange.token)
    lease.ttl = within(lease.ttl, latest, now)
    path = f"{mount.point}{request.path}"
    lease.id = server.leases.new_id(path)
    entry = LeaseEntry(
        id=lease.id, mount=mount.point, path=path, kind=lease.kind, issued=now, expires=now + lease.ttl,
        renewable=lease.renewable, ttl=lease.ttl, max_ttl=lease.max_ttl, internal=lease.internal,
        token=_lease_holder(exchange.token), latest=latest,
    )  # fmt: skip
    changes = [Change(f"sys/expire/{c.key}", c.value) for c in server.leases.changes(entry)]
    changes += [Change(f"{mount.prefix}{c.key}", c.value) for c in lease.beside]
    try:
        check_lease_quota(exchange)
        await server.view("").commit(changes)
        server.leases.track(entry.id, entry.expires)
        mount_labels = (("mount_point", mount.point), ("secret_engine", mount.entry.type))
        server.metrics.count("vault.secret.lease.creation", (*mount_labels, ("creation_ttl", lifetime(lease.ttl))))
    except TooManyRequests:
        await engine.revoke(lease, request)
        raise
    except Exception:
        log.exception("a lease could not be stored; its secret is taken back")
        await engine.revoke(lease, request)
        raise
    if entry.token and not await exchange.home.tokens.holds(entry.token):
        await server.leases.revoke_or_retry(entry.id)
        raise PermissionDenied
    if exchange.spent:
        await server.leases.revoke_or_retry(entry.id)
        raise InvalidRequest(_SPENT)


_SPENT = "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked."


def within(ttl: int, latest: float, now: float) -> int:
    """Return seconds that do not reach beyond ``latest``, where that is said."""
    return max(min(ttl, int(latest - now)), 0) if latest else ttl


def _latest(token: Token | None) -> float:
    """Return when leases held by a token must end: a batch token cannot be revoked, so its end is theirs at once."""
    return token.expires if token is not None and token.type == BATCH else 0


def check_lease_quota(exchange: Exchange) -> None:
    """Raise TooManyRequests where one more lease would be too many."""
    server, mount = exchange.server, exchange.mount
    if server.quotas.leases and mount is not None:
        within, path = server.path + mount.point, server.path + exchange.full_path
        server.quotas.check_leases(within, path, all_leases(server), server.path)


def all_leases(server: "Server") -> Iterator[str]:
    """Yield the ids of all leases of all namespaces, each with the path of its own before it."""
    for namespace in server.root.tree():
        yield from (namespace.path + lease_id for lease_id in namespace.leases.ending())


def _lease_holder(token: Token | None) -> str:
    """Return whose end is the lease's end: a batch token's leases belong to its parent (Vault docs, batch tokens)."""
    if token is None:
        return ""
    return token.parent if token.type == BATCH else token.hash
