"""A SecretPolicy as what the server understands: a policy and a role of the kubernetes auth method. Pure.

The policy's name is ``<namespace>.<name>``: no namespace holds a dot, so no two SecretPolicies share one, and a role
that carries it is known to be ours. The role's name is the author's (pods name it), so two may ask for one: the
oldest gets it, the others say so in their condition.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strongroom_common import hcl
from strongroom_operator.checks import Verdict, matches
from strongroom_operator.resources import Cluster
from strongroom_operator.spec import CAPABILITIES, ClusterRef, SecretEngine, SecretPolicySpec, SecretRule

OPERATOR = "strongroom-operator"
"""Name of the operator's own role and policy in a server; a SecretPolicy's policy has a dot and so never this name."""

Rule = tuple[str, tuple[str, ...]]
_KNOWN_CAPABILITIES = frozenset((*CAPABILITIES, "recover"))


@dataclass(frozen=True)
class Case:
    """A SecretPolicy and what has to be known to judge it. ``rival`` is who holds the role's name, or ""."""

    namespace: str
    name: str
    spec: SecretPolicySpec
    cluster: Cluster | None
    uid: str = ""
    generation: int = 0
    created: str = ""
    clusters: tuple[str, ...] = ()
    rival: str = ""

    @property
    def policy(self) -> str:
        """The policy's name in the server."""
        return policy_name(self.namespace, self.name)

    @property
    def role(self) -> str:
        """The role's name in the server."""
        return self.spec.role or self.name

    @property
    def engines(self) -> tuple[SecretEngine, ...]:
        """The engines that the cluster is declared to have."""
        return self.cluster.spec.secret_engines if self.cluster else ()


def policy_name(namespace: str, name: str) -> str:
    """Return the name of a SecretPolicy's policy in the server."""
    return f"{namespace}.{name}"


def choose(clusters: Sequence[Cluster], reference: ClusterRef | None, namespace: str) -> Cluster | None:
    """Return the cluster that a SecretPolicy of ``namespace`` means: the named one, or the only one."""
    if reference is None:
        return clusters[0] if len(clusters) == 1 else None
    wanted = (reference.namespace or namespace, reference.name)
    return next((cluster for cluster in clusters if (cluster.namespace, cluster.name) == wanted), None)


def rival(case: Case, others: Iterable[Case]) -> str:
    """Return who holds the role's name: the oldest SecretPolicy that asks for it in this cluster; "" is ``case``.

    Creation times sort as text; of one second the first by name wins.
    """
    rivals = [other for other in others if other.cluster == case.cluster and other.role == case.role]
    holder = min([*rivals, case], key=lambda claim: (claim.created, claim.namespace, claim.name))
    return "" if holder.uid == case.uid else f"{holder.namespace}/{holder.name}"


def cluster_is_known(case: Case) -> Verdict | None:
    """Ask for the cluster by name where it is not clear which one is meant."""
    if case.cluster:
        return None
    reference = case.spec.cluster_ref
    if reference:
        return Verdict("ClusterNotFound", f"no VaultCluster {reference.namespace or case.namespace}/{reference.name}")
    if case.clusters:
        return Verdict("ClusterAmbiguous", f"set clusterRef to one of {', '.join(sorted(case.clusters))}")
    return Verdict("ClusterNotFound", "there is no VaultCluster yet")


def namespace_is_allowed(case: Case) -> Verdict | None:
    """Keep out namespaces that the cluster does not take policies from."""
    allowed = case.cluster.spec.policy_namespaces if case.cluster else ()
    if matches(allowed, case.namespace):
        return None
    return Verdict("NamespaceNotAllowed", f"policyNamespaces of the VaultCluster does not have {case.namespace!r}")


def something_is_granted(case: Case) -> Verdict | None:
    """Ask for at least one rule."""
    if case.spec.secrets or case.spec.paths or case.spec.rules.strip():
        return None
    return Verdict("NoRules", "set at least one of secrets, paths and rules")


def no_reserved_policy_is_granted(case: Case) -> Verdict | None:
    """Refuse the policies that no pod should have: root, and the operator's own, with which one becomes root.

    The server takes names in any case, with spaces around them.
    """
    asked = {name.strip().lower() for names in case.spec.token.policies for name in names.split(",")}
    reserved = [name for name in ("root", OPERATOR) if name in asked]
    return Verdict("PolicyRefused", f"token.policies must not have {reserved[0]}") if reserved else None


def secrets_have_an_engine(case: Case) -> Verdict | None:
    """Refuse a secret below no KV engine of the cluster."""
    for secret in case.spec.secrets:
        if _engine(secret, case.engines) is None:
            known = ", ".join(engine.path for engine in case.engines if engine.type == "kv") or "none"
            return Verdict(
                "NoEngine", f"secrets: {secret.path!r} is in no KV engine of the VaultCluster (it has: {known})"
            )
    return None


def rules_can_be_read(case: Case) -> Verdict | None:
    """Say on which line of ``rules`` something is wrong."""
    text = case.spec.rules
    try:
        body = hcl.parse(text)
        if body.json and (case.spec.secrets or case.spec.paths):
            return Verdict("BadRules", "rules in JSON cannot be joined with secrets or paths: write them in HCL")
        for item in body.items:
            if item.key not in ("path", "name"):
                raise item.error(f"unknown keyword {item.key!r}: expected path")
        for block in hcl.blocks(body, "path", 1):
            _look_at(block)
    except hcl.HclError as error:
        lines = text.splitlines()
        line = lines[error.line - 1].strip() if 0 < error.line <= len(lines) else ""
        return Verdict("BadRules", f"rules, line {error.line}: {error.message}" + (f": {line}" if line else ""))
    return None


def _look_at(block: hcl.Block) -> None:
    if len(block.labels) != 1:
        raise block.item.error('expected path "…" { … }')
    given = block.body.get("capabilities")
    values = hcl.plain(given.value) if given else []
    for capability in values if isinstance(values, list) else [values]:
        if given and capability not in _KNOWN_CAPABILITIES:
            raise given.error(f"unknown capability {capability!r}: expected one of {', '.join(CAPABILITIES)}")


def role_is_free(case: Case) -> Verdict | None:
    """Leave a role's name to whoever asked first."""
    if not case.rival:
        return None
    return Verdict("RoleNameTaken", f"the role {case.role!r} belongs to SecretPolicy {case.rival}: set another role")


CHECKS = (
    cluster_is_known,
    namespace_is_allowed,
    something_is_granted,
    no_reserved_policy_is_granted,
    secrets_have_an_engine,
    rules_can_be_read,
    role_is_free,
)


def document(case: Case) -> str:
    """Return the policy as HCL: first the rules for secrets, then those for paths, then the author's own text."""
    if case.spec.rules.lstrip().startswith("{"):
        return case.spec.rules
    rules = [one for secret in case.spec.secrets for one in _secret_rules(secret, case.engines)]
    rules += [(given.path, tuple(given.capabilities)) for given in case.spec.paths]
    parts = [rule(path, capabilities) for path, capabilities in rules]
    if case.spec.rules.strip():
        parts.append(case.spec.rules.strip() + "\n")
    return "\n".join(parts)


def rule(path: str, capabilities: Sequence[str]) -> str:
    """Return one rule of a policy."""
    names = ", ".join(json.dumps(name) for name in capabilities)
    return f"path {json.dumps(path, ensure_ascii=False)} {{\n  capabilities = [{names}]\n}}\n"


def _engine(secret: SecretRule, engines: Sequence[SecretEngine]) -> SecretEngine | None:
    path = secret.path.strip("/")
    found = [e for e in engines if e.type in ("kv", "kv-v2") and path.startswith(e.path.strip("/") + "/")]
    return max(found, key=lambda engine: len(engine.path), default=None)


def _secret_rules(secret: SecretRule, engines: Sequence[SecretEngine]) -> list[Rule]:
    engine = _engine(secret, engines)
    if engine is None:
        raise ValueError(f"no KV engine for {secret.path!r}")
    mount = engine.path.strip("/")
    name = secret.path.strip("/").removeprefix(mount + "/")
    writes = secret.access == "write"
    if engine.type == "kv-v2" or engine.options.get("version") == "2":
        return _version_2(mount, name, writes=writes)
    return [(f"{mount}/{name}", ("create", "read", "update", "delete", "list") if writes else ("read", "list"))]


def _version_2(mount: str, name: str, *, writes: bool) -> list[Rule]:
    if not writes:
        return [(f"{mount}/data/{name}", ("read",)), (f"{mount}/metadata/{name}", ("read", "list"))]
    return [
        (f"{mount}/data/{name}", ("create", "read", "update", "patch", "delete")),
        (f"{mount}/metadata/{name}", ("create", "read", "update", "patch", "delete", "list")),
        *((f"{mount}/{action}/{name}", ("update",)) for action in ("delete", "undelete", "destroy")),
    ]


def role(case: Case) -> dict[str, Any]:
    """Return the body of the role (https://openbao.org/api-docs/auth/kubernetes/#createupdate-role)."""
    accounts, token = case.spec.service_accounts, case.spec.token
    return {
        "bound_service_account_names": list(accounts.names),
        "bound_service_account_namespaces": list(accounts.namespaces) or [case.namespace],
        "audience": case.spec.audience,
        "token_policies": [case.policy, *token.policies],
        "token_ttl": token.ttl,
        "token_max_ttl": token.max_ttl,
        "token_period": token.period,
        "token_num_uses": token.num_uses,
        "token_bound_cidrs": list(token.bound_cidrs),
    }


def is_ours(stored: Mapping[str, Any], policy: str) -> bool:
    """Tell whether a role in the server was made for the SecretPolicy with that policy."""
    return policy in (stored.get("token_policies") or ())
