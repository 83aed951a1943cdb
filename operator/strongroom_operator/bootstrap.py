"""From an empty server to one that the operator can look after with a narrow role of its own.

The root token lives from initialisation to the end of ``set_up``. Later the operator logs in by the kubernetes auth
method, like any pod; only where that fails is a fresh root token made from the keys, used, and revoked again.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom_client import ApiError, BadRequest, NotFound, PermissionDenied
from strongroom_common.secret import Secret
from strongroom_operator import keys as stored
from strongroom_operator.errors import GiveUp
from strongroom_operator.keys import Keys
from strongroom_operator.policies import OPERATOR, rule
from strongroom_operator.spec import DEFAULT_AUDIENCE, Seal, VaultClusterSpec
from strongroom_operator.vault import Server, find

ROLE = POLICY = OPERATOR
TOKEN_TTL = 1200  # seconds; a new login costs one TokenReview


@dataclass(frozen=True)
class Wanted:
    """How a server is to be set up, and who the operator is."""

    spec: VaultClusterSpec
    api_server: str
    service_account: str
    namespace: str

    @property
    def auth(self) -> str:
        """Mount path of the kubernetes auth method, below ``auth/``."""
        return self.spec.kubernetes_auth.path.strip("/")


async def initialise(server: Server, seal: Seal) -> Keys:
    """Initialise an empty server."""
    prefix = "secret" if seal.type == "shamir" else "recovery"
    request = {f"{prefix}_shares": seal.shares, f"{prefix}_threshold": seal.threshold}
    return stored.from_init((await server.call("write", "sys/init", request)).body)


async def unseal(server: Server, keys: Keys) -> None:
    """Unseal a server; raises GiveUp when all shares were not enough."""
    for share in keys.shares:
        try:
            answer = (await server.call("write", "sys/unseal", {"key": share.reveal()})).body
        except BadRequest:
            raise GiveUp("WrongKeys", "the server refuses the key shares: they belong to other data") from None
        if not answer["sealed"]:
            return
    raise GiveUp("TooFewKeys", f"{len(keys.shares)} key shares do not reach the threshold")


async def generate_root(server: Server, keys: Keys) -> Secret[str]:
    """Make a root token from the key shares (https://openbao.org/api-docs/system/generate-root/)."""
    try:
        await server.call("delete", "sys/generate-root/attempt")
    except ApiError as error:
        if error.status in (404, 405):
            raise GiveUp("NoRootToken", "the server does not let key holders make a root token") from None
        raise
    attempt = (await server.call("write", "sys/generate-root/attempt", {})).body
    for share in keys.shares:
        answer = (
            await server.call("write", "sys/generate-root/update", {"key": share.reveal(), "nonce": attempt["nonce"]})
        ).body
        if answer["complete"]:
            return Secret(_unmask(answer.get("encoded_token") or answer["encoded_root_token"], attempt["otp"]))
    raise GiveUp("TooFewKeys", f"{len(keys.shares)} key shares do not reach the threshold")


def _unmask(encoded: str, pad: str) -> str:
    masked = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(masked, pad.encode(), strict=True)).decode()


async def log_in(server: Server, wanted: Wanted, token: str) -> bool:
    """Log in with a service-account token; False where the server does not let this operator in."""
    server.token = ""
    try:
        answer = await server.call("write", f"auth/{wanted.auth}/login", {"role": ROLE, "jwt": token})
    except (BadRequest, PermissionDenied, NotFound):
        return False
    server.token = (answer.auth or {})["client_token"]
    return True


async def is_valid(server: Server, token: Secret[str]) -> bool:
    """Tell whether a token still works, and leave it set if so."""
    server.token = token.reveal()
    try:
        await server.call("read", "auth/token/lookup-self")
    except PermissionDenied:
        server.token = ""
        return False
    return True


async def revoke(server: Server) -> None:
    """Revoke the token that ``server`` uses."""
    await server.call("write", "auth/token/revoke-self")
    server.token = ""


async def set_up(server: Server, wanted: Wanted) -> list[str]:
    """Make everything as wanted that is not; returns what was changed, in words. Repeating it changes nothing."""
    changes: list[str] = []
    for step in (_audit_devices, _auth_method, _auth_config, _operator_policy, _operator_role, _secret_engines):
        changes += await step(server, wanted)
    return changes


async def _audit_devices(server: Server, wanted: Wanted) -> list[str]:
    found = await find(server, "sys/audit") or {}
    changes = []
    for device in wanted.spec.audit_devices:
        path = device.path.strip("/")
        if f"{path}/" not in found:
            body = {"type": device.type, "options": dict(device.options)}
            await server.call("write", f"sys/audit/{path}", body)
            changes.append(f"enabled audit device {path}")
    return changes


async def _auth_method(server: Server, wanted: Wanted) -> list[str]:
    found = (await find(server, "sys/auth") or {}).get(f"{wanted.auth}/")
    if found is None:
        await server.call("write", f"sys/auth/{wanted.auth}", {"type": "kubernetes"})
        return [f"enabled auth method {wanted.auth}"]
    if found["type"] != "kubernetes":
        raise GiveUp("MountConflict", f"auth/{wanted.auth} is of type {found['type']}, not kubernetes")
    return []


async def _auth_config(server: Server, wanted: Wanted) -> list[str]:
    body = {"kubernetes_host": wanted.api_server, **wanted.spec.kubernetes_auth.config}
    return await _keep(server, f"auth/{wanted.auth}/config", body, "configured")


async def _operator_policy(server: Server, wanted: Wanted) -> list[str]:
    return await keep_policy(server, POLICY, operator_policy(wanted.auth))


async def _operator_role(server: Server, wanted: Wanted) -> list[str]:
    body = {
        "bound_service_account_names": [wanted.service_account],
        "bound_service_account_namespaces": [wanted.namespace],
        "audience": DEFAULT_AUDIENCE,
        "token_policies": [POLICY],
        "token_ttl": TOKEN_TTL,
        "token_max_ttl": TOKEN_TTL,
    }
    return await keep_role(server, wanted.auth, ROLE, body)


async def _secret_engines(server: Server, wanted: Wanted) -> list[str]:
    found = await find(server, "sys/mounts") or {}
    changes = []
    for engine in wanted.spec.secret_engines:
        path = engine.path.strip("/")
        there = found.get(f"{path}/")
        if there is None:
            body = {"type": engine.type, "description": engine.description, "options": dict(engine.options)}
            await server.call("write", f"sys/mounts/{path}", body)
            changes.append(f"enabled secrets engine {path}")
        elif there["type"] != engine.type.removesuffix("-v2"):
            raise GiveUp("MountConflict", f"{path} is of type {there['type']}, not {engine.type}")
    return changes


async def keep_policy(server: Server, name: str, text: str) -> list[str]:
    """Write an ACL policy unless it is already so."""
    found = await find(server, f"sys/policies/acl/{name}")
    if found is not None and found.get("policy") == text:
        return []
    await server.call("write", f"sys/policies/acl/{name}", {"policy": text})
    return [f"{'repaired' if found else 'wrote'} policy {name}"]


async def keep_role(server: Server, auth: str, name: str, body: Mapping[str, Any]) -> list[str]:
    """Write a role of the kubernetes auth method unless it is already so."""
    return await _keep(server, f"auth/{auth}/role/{name}", body, "wrote role")


async def _keep(server: Server, path: str, body: Mapping[str, Any], verb: str) -> list[str]:
    found = await find(server, path)
    if found is not None and not _differs(found, body):
        return []
    await server.call("write", path, dict(body))
    return [f"repaired {path}" if found else f"{verb} {path}"]


def _differs(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Compare what a read shows; what it leaves out (a key, an empty default) counts as equal."""
    for name, value in wanted.items():
        if name in found and (found[name] or None) != (value or None):
            return True
        if name not in found and value and not name.endswith(("_jwt", "_key")):
            return True
    return False


async def remove(server: Server, path: str) -> None:
    """Delete ``path``; what is gone already is fine."""
    try:
        await server.call("delete", path)
    except NotFound:
        return


def operator_policy(auth: str) -> str:
    """Return the operator's own policy: it looks after mounts, policies and roles, and reads no secret.

    Security 1: who may write policies and roles can give themselves anything, so this narrows what a leaked token
    shows by itself, not what its holder could do (https://openbao.org/docs/concepts/policies/).
    """
    rules = (
        ("sys/audit", ("read", "sudo")),
        ("sys/audit/*", ("create", "update", "sudo")),
        ("sys/auth", ("read",)),
        ("sys/auth/*", ("create", "update", "sudo")),
        ("sys/mounts", ("read",)),
        ("sys/mounts/*", ("create", "read", "update")),
        ("sys/policies/acl/*", ("create", "read", "update", "delete")),
        (f"auth/{auth}/config", ("create", "read", "update")),
        (f"auth/{auth}/role/*", ("create", "read", "update", "delete")),
    )
    return "\n".join(rule(path, capabilities) for path, capabilities in rules)
