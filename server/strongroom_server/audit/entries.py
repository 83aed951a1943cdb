"""Audit entries in Vault's form: who asked for what, whether that was allowed, and what the answer was.

Pure: the core hands in the facts, and gets the line for one device. Fields and their order are those of Vault's
audit log (https://developer.hashicorp.com/vault/docs/audit); empty ones are left out as there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom_common.clock import rfc3339
from strongroom_server.audit.redaction import Redaction
from strongroom_server.sdk import codec
from strongroom_server.sdk.request import Auth, Operation, Request, Response, WrapInfo


@dataclass(slots=True)
class Token:
    """The caller's token, as the entry shows it. ``ttl`` is in seconds, ``issued`` in seconds since the epoch."""

    id: str = field(default="", repr=False)
    accessor: str = ""
    display_name: str = ""
    policies: tuple[str, ...] = ()
    identity_policies: tuple[str, ...] = ()
    no_default_policy: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    remaining_uses: int = 0
    entity_id: str = ""
    kind: str = "default"
    ttl: int = 0
    issued: float = 0


@dataclass(slots=True)
class Verdict:
    """What was decided: the policies that allowed it, or the rule that did not (ours alone, for the reader's sake)."""

    allowed: bool
    granting: tuple[str, ...] = ()
    rule: str = ""


@dataclass(slots=True)
class Target:
    """The mount. ``clear_request`` and ``clear_response`` are its fields that are not hashed."""

    kind: str = ""
    group: str = ""
    """ "secret" or "auth"."""
    version: str = ""
    clear_request: frozenset[str] = frozenset()
    clear_response: frozenset[str] = frozenset()


@dataclass(slots=True)
class Event:
    """One request on its way. ``headers`` are those to be shown: lower-case name to whether the value is hashed."""

    time: float
    request: Request
    token: Token | None = None
    verdict: Verdict | None = None
    target: Target = field(default_factory=Target)
    client_id: str = ""
    namespace_id: str = "root"
    home_id: str = "root"
    """Of the namespace that the token and its policies belong to."""
    headers: Mapping[str, bool] = field(default_factory=dict)
    error: str = ""
    response: Response | None = None


def request_entry(redaction: Redaction, event: Event) -> bytes:
    """Return the line for a request that was decided upon and not yet served."""
    who = _auth(redaction, event)
    entry = {
        "time": rfc3339(event.time),
        "type": "request",
        "auth": who,
        "request": _request(redaction, event, who),
        "error": event.error,
    }
    return codec.encode(_filled(entry))


def response_entry(redaction: Redaction, event: Event) -> bytes:
    """Return the line for an answer that is about to be given; without a response it is the error."""
    response = event.response or Response({"error": event.error} if event.error else None)
    who = _auth(redaction, event)
    login = event.token is None and response.auth is not None
    entry = {
        "time": rfc3339(event.time),
        "type": "response",
        "auth": _issued(redaction, response.auth) if login and response.auth else who,
        "request": _request(redaction, event, who),
        "response": _Kept(_response(redaction, event, response)),
        "error": event.error,
    }
    return codec.encode(_filled(entry))


def probe_entry(redaction: Redaction, time: float, request_id: str) -> bytes:
    """Return the line that a device must take before it is enabled."""
    request = Request(Operation.UPDATE, "sys/audit/test", id=request_id)
    return request_entry(redaction, Event(time, request))


def _auth(redaction: Redaction, event: Event) -> dict[str, Any]:
    token = event.token or Token()
    return _filled(
        {
            "client_token": redaction.secret(token.id),
            "accessor": redaction.accessor(token.accessor),
            "display_name": token.display_name,
            "policies": sorted({*token.policies, *token.identity_policies}),
            "token_policies": list(token.policies),
            "identity_policies": list(token.identity_policies),
            "no_default_policy": token.no_default_policy,
            "policy_results": _verdict(event),
            "metadata": dict(token.metadata),
            "remaining_uses": token.remaining_uses,
            "entity_id": token.entity_id,
            "token_type": token.kind,
            "token_ttl": token.ttl,
            "token_issue_time": _seconds(token.issued),
        }
    )


def _verdict(event: Event) -> dict[str, Any]:
    verdict = event.verdict
    if verdict is None:
        return {}
    granting = [{"name": name, "namespace_id": event.home_id, "type": "acl"} for name in verdict.granting]
    return {"allowed": verdict.allowed, **_filled({"granting_policies": granting, "rule": verdict.rule})}


def _issued(redaction: Redaction, auth: Auth) -> dict[str, Any]:
    return _filled(
        {
            "client_token": redaction.secret(auth.client_token),
            "accessor": redaction.accessor(auth.accessor),
            "display_name": auth.display_name,
            "policies": sorted({*auth.policies, *auth.identity_policies}),
            "token_policies": list(auth.policies),
            "identity_policies": list(auth.identity_policies),
            "no_default_policy": auth.no_default_policy,
            "metadata": dict(auth.metadata),
            "num_uses": auth.num_uses,
            "entity_id": auth.entity_id,
            "token_type": auth.token_type,
            "token_ttl": auth.ttl,
        }
    )


def _request(redaction: Redaction, event: Event, who: Mapping[str, Any]) -> dict[str, Any]:
    request, target = event.request, event.target
    token = event.token or Token()
    same = token.id == request.token  # nearly always: then it is hashed already
    return _filled(
        {
            "id": request.id,
            "client_id": event.client_id,
            "operation": request.operation.value,
            **_mount(request, target),
            "mount_running_version": target.version,
            "mount_class": target.group,
            "client_token": who.get("client_token", "") if same else redaction.secret(request.token),
            "client_token_accessor": who.get("accessor", ""),
            "namespace": _filled({"id": event.namespace_id, "path": request.namespace}),
            "path": request.mount_point + request.path,
            "data": redaction.data(request.data, target.clear_request),
            "remote_address": request.connection.remote_address,
            "remote_port": request.connection.remote_port,
            "wrap_ttl": request.wrap_ttl,
            "headers": _headers(redaction, event),
        }
    )


def _mount(request: Request, target: Target) -> dict[str, str]:
    point = request.namespace + request.mount_point if request.mount_point else ""
    return {"mount_point": point, "mount_type": target.kind, "mount_accessor": request.mount_accessor}


_TOKENS = frozenset({"authorization", "x-vault-token"})


def _headers(redaction: Redaction, event: Event) -> dict[str, list[str]]:
    """Return the headers to be shown. Security 1: those that hold a token are hashed whatever was asked for."""
    if not event.headers:
        return {}
    headers = event.request.headers.items()
    sent = {name.lower(): value.encode(errors="replace").decode() for name, value in headers}  # some are no UTF-8
    return {
        name: [redaction.secret(sent[name]) if hashed or name in _TOKENS else sent[name]]
        for name, hashed in sorted(event.headers.items())
        if name in sent
    }


def _response(redaction: Redaction, event: Event, response: Response) -> dict[str, Any]:
    target = event.target
    return _filled(
        {
            "auth": _issued(redaction, response.auth) if response.auth else None,
            **_mount(event.request, target),
            "mount_running_plugin_version": target.version,
            "mount_class": target.group,
            **_lease(response),
            "data": _response_data(redaction, event, response),
            "warnings": response.warnings,
            "wrap_info": _wrap(redaction, response.wrap) if response.wrap else None,
        }
    )


def _lease(response: Response) -> dict[str, Any]:
    """Return the lease's part; one without an id (KV's) shows as an empty object, which ``_filled`` would drop."""
    if response.lease is None or response.wrap is not None:
        return {}
    return {"secret": _Kept(_filled({"lease_id": response.lease.id}))}


def _response_data(redaction: Redaction, event: Event, response: Response) -> Any:
    if response.wrap is not None:
        return None
    if response.raw is not None:  # Security 1: a body that is not JSON (a certificate, a CRL) is hashed as a whole
        raw = response.raw
        body = raw.body if isinstance(raw.body, bytes) else b""  # what comes in pieces has yet to come
        return redaction.data({
            "http_content_type": raw.content_type, "http_raw_body": body, "http_status_code": raw.status,
        })  # fmt: skip
    data = response.data
    if data and redaction.elide_list_responses and event.request.operation in (Operation.LIST, Operation.SCAN):
        data = {name: _count(value) if name in ("keys", "key_info") else value for name, value in data.items()}
    return redaction.data(data, event.target.clear_response)


def _count(value: Any) -> Any:
    plain = codec.loads(codec.encode(value))
    return len(plain) if isinstance(plain, list | dict) else value


def _wrap(redaction: Redaction, wrap: WrapInfo) -> dict[str, Any]:
    return _filled(
        {
            "ttl": wrap.ttl,
            "token": redaction.secret(wrap.token),
            "accessor": redaction.accessor(wrap.accessor),
            "creation_time": wrap.creation_time,
            "creation_path": wrap.creation_path,
            "wrapped_accessor": redaction.accessor(wrap.wrapped_accessor),
        }
    )


class _Kept(dict[str, Any]):
    """A map that is shown although it is empty."""

    def __bool__(self) -> bool:
        return True


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _seconds(moment: float) -> str:
    return rfc3339(int(moment)).replace(".000000", "") if moment else ""
