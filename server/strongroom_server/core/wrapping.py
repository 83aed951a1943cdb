"""Response wrapping: an answer kept behind a single-use token (Vault docs, "Response wrapping").

The answer lies in the token's cubbyhole as ``response``, as JSON in a text: older clients read it there.
``wrapinfo`` beside it remembers when and for which path it was made. The token may do nothing but unwrap.
"""

import logging
from typing import TYPE_CHECKING, Any

from strongroom_common.clock import rfc3339
from strongroom_server.core.builtin_policies import RESPONSE_WRAPPING
from strongroom_server.core.exchange import Exchange
from strongroom_server.core.registration import create_token
from strongroom_server.core.tokens import Token
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Auth, Lease, Response, WrapInfo
from strongroom_server.sdk.storage import load, put

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

log = logging.getLogger("core.wrapping")

_UNWRAPPABLE = frozenset({"sys/wrapping/wrap", "sys/wrapping/rewrap", "sys/wrapping/unwrap", "sys/wrapping/lookup"})


async def wrap(exchange: Exchange) -> None:
    """Replace the answer by a token that holds it."""
    response, request = exchange.response, exchange.request
    if response.wrap is not None or response.bare or response.raw is not None or exchange.full_path in _UNWRAPPABLE:
        return
    if response.data is None and (response.auth is None or response.auth.mfa_requirement):
        return  # what is still to be shown is no secret
    body = envelope(response, request.id)
    accessor = response.auth.accessor if response.auth else (response.data or {}).get("secret_id_accessor", "")
    response.wrap = await keep(exchange.server, body, request.wrap_ttl, exchange.full_path, str(accessor))
    response.data = response.auth = response.lease = None


async def keep(server: "Server", body: dict[str, Any], ttl: int, path: str, wrapped_accessor: str = "") -> WrapInfo:
    """Store ``body`` behind a fresh token of ``ttl`` seconds."""
    auth = Auth(policies=(RESPONSE_WRAPPING,), display_name="response-wrapping", ttl=ttl, num_uses=1, renewable=False)
    record = await create_token(server, auth, path, mount="auth/token/")
    info = WrapInfo(auth.client_token, record.accessor, ttl, rfc3339(record.created), path, wrapped_accessor)
    facts = {"creation_time": info.creation_time, "creation_path": path, "creation_ttl": ttl,
             "wrapped_accessor": wrapped_accessor}  # fmt: skip
    changes = [put("response", {"response": codec.encode(body).decode()}), put("wrapinfo", facts)]
    await server.cubbyhole(record.hash).commit(changes)
    return info


async def wrapped_token(server: "Server", text: str) -> Token:
    """Return the live wrapping token ``text``; raises InvalidRequest for anything else."""
    token = await server.tokens.lookup(text) if text else None
    if token is None or token.policies != (RESPONSE_WRAPPING,):
        raise InvalidRequest("wrapping token is not valid or does not exist")
    return token


async def look(server: "Server", token: Token) -> dict[str, Any]:
    """Return when, for how long and for which path a wrapping token was made."""
    facts = await load(server.cubbyhole(token.hash), "wrapinfo", dict[str, Any])
    if facts is None:
        raise InvalidRequest("wrapping token is not valid or does not exist")
    return facts


async def take(server: "Server", token: Token, *, used: bool) -> dict[str, Any]:
    """Return the wrapped body and end the token; of two at once, one gets it.

    ``used`` says that the token authenticated this very request, whose use is counted already.
    """
    if not used and await server.tokens.use(token) is None:
        raise InvalidRequest("wrapping token is not valid or does not exist")
    held = await load(server.cubbyhole(token.hash), "response", dict[str, str])
    if held is None:
        raise InvalidRequest("wrapping token is not valid or does not exist")
    body: dict[str, Any] = codec.loads(held["response"])
    if not used:
        await server.revocation.end_token(token)
    return body


def unwrapped(response: Response) -> Response:
    """Return an answer that is the text of another as that other: the record hashes its fields, not the text."""
    if response.raw is None or not isinstance(response.raw.body, bytes):
        return response
    body: dict[str, Any] = codec.loads(response.raw.body)
    given = body.get("auth") or {}
    names = ("client_token", "accessor", "metadata", "num_uses", "entity_id", "token_type")
    known = {name: given[name] for name in names if given.get(name)}
    auth = Auth(
        policies=tuple(given.get("token_policies") or ()),
        identity_policies=tuple(given.get("identity_policies") or ()),
        ttl=given.get("lease_duration", 0), **known,
    )  # fmt: skip
    lease = Lease("", {}, id=body["lease_id"]) if body.get("lease_id") else None
    return Response(body.get("data"), auth if given else None, lease, body.get("warnings") or [])


def envelope(response: Response, request_id: str) -> dict[str, Any]:
    """Return a response as the JSON envelope that every Vault client reads (HTTP API, "Responses")."""
    lease, auth, wrap_info = response.lease, response.auth, response.wrap
    return {
        "request_id": "" if wrap_info else request_id,
        "lease_id": lease.id if lease else "",
        "renewable": lease.renewable if lease else False,
        "lease_duration": lease.ttl if lease else 0,
        "data": response.data,
        "wrap_info": _wrap_info(wrap_info) if wrap_info else None,
        "warnings": response.warnings or None,
        "auth": _auth(auth) if auth else None,
    }


def _auth(auth: Auth) -> dict[str, Any]:
    policies = tuple(sorted({*auth.policies, *auth.identity_policies}))
    shown: dict[str, Any] = {
        "client_token": auth.client_token,
        "accessor": auth.accessor,
        "policies": None if auth.mfa_requirement else policies,
        "token_policies": auth.policies,
        "metadata": auth.metadata or None,
        "lease_duration": auth.ttl,
        "renewable": auth.renewable and bool(auth.ttl),
        "entity_id": auth.entity_id,
        "token_type": auth.token_type,
        "orphan": auth.orphan,
        "mfa_requirement": auth.mfa_requirement,
        "num_uses": auth.num_uses,
    }
    if not auth.policies:
        del shown["token_policies"]
    if auth.identity_policies:
        shown["identity_policies"] = auth.identity_policies
    return shown


def _wrap_info(info: WrapInfo) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "token": info.token,
        "accessor": info.accessor,
        "ttl": info.ttl,
        "creation_time": info.creation_time,
        "creation_path": info.creation_path,
    }
    if info.wrapped_accessor:
        shown["wrapped_accessor"] = info.wrapped_accessor
    return shown
