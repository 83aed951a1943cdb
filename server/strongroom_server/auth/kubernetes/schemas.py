"""Configuration and roles of the kubernetes method (api-docs/auth/kubernetes)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from strongroom_common.fields import Names
from strongroom_common.secret import Secret
from strongroom_server.auth.kubernetes import selectors
from strongroom_server.auth.kubernetes.keys import public_key
from strongroom_server.lib.tokenparams import TokenParams, shown
from strongroom_server.lib.trust import trusting
from strongroom_server.sdk.errors import InvalidRequest

UID, NAME = "serviceaccount_uid", "serviceaccount_name"
REVIEW, KEYS = "token_review", "issuer_keys"


@dataclass(frozen=True)
class Config:
    """How to reach the cluster and how to know its tokens. A write replaces all of it."""

    kubernetes_host: Annotated[str, "URL of the API server: https://kubernetes.default.svc."] = ""
    kubernetes_ca_cert: Annotated[str, "PEM certificates that the API server's is issued by; else the pod's own."] = ""
    token_reviewer_jwt: Annotated[Secret[str], "Service account token that reviews others; else the pod's own."] = (
        Secret("")
    )
    pem_keys: Annotated[Names, "PEM public keys or certificates that tokens must be signed by."] = Names(())
    issuer: Annotated[str, "Issuer that tokens must name, where that is checked."] = ""
    disable_iss_validation: Annotated[bool, "Whether any issuer will do; the API server checks it anyway."] = True
    disable_local_ca_jwt: Annotated[bool, "Whether the pod's own certificates and token are left alone."] = False
    use_annotations_as_alias_metadata: Annotated[
        bool, "Whether annotations of service accounts (vault.hashicorp.com/alias-metadata-...) go to the identity."
    ] = False
    verification: Annotated[
        Literal["token_review", "issuer_keys"],
        '"token_review" asks the API server about each token; "issuer_keys" checks signatures here, with pem_keys or '
        "the keys that the API server publishes, and does not notice deleted pods before their tokens end.",
    ] = "token_review"

    def facts(self) -> dict[str, Any]:
        """Return what a read of config shows."""
        return {
            "disable_iss_validation": self.disable_iss_validation,
            "disable_local_ca_jwt": self.disable_local_ca_jwt,
            "issuer": self.issuer,
            "kubernetes_ca_cert": self.kubernetes_ca_cert,
            "kubernetes_host": self.kubernetes_host,
            "pem_keys": self.pem_keys,
            "token_reviewer_jwt_set": bool(self.token_reviewer_jwt),
            "use_annotations_as_alias_metadata": self.use_annotations_as_alias_metadata,
            "verification": self.verification,
        }


def check_config(config: Config) -> list[str]:
    """Refuse what cannot work, in Vault's words where it has some; return warnings where Vault lets it pass."""
    if not config.kubernetes_host:
        raise InvalidRequest("no host provided")
    if not config.kubernetes_host.startswith(("https://", "http://")):
        raise InvalidRequest("kubernetes_host must be a URL that begins with https://")
    secure = config.kubernetes_host.startswith("https://")
    if secure and config.disable_local_ca_jwt and not config.kubernetes_ca_cert:
        raise InvalidRequest("kubernetes_ca_cert must be given when disable_local_ca_jwt is true")
    for number, pem in enumerate(config.pem_keys, 1):
        try:
            public_key(pem)
        except ValueError:
            raise InvalidRequest(f"pem_keys: number {number} is no public key or certificate in PEM form") from None
    if not config.kubernetes_ca_cert:
        return []
    try:
        trusting(config.kubernetes_ca_cert)
    except ValueError:
        return ["kubernetes_ca_cert holds no certificates in PEM form: no login will succeed"]
    return []


@dataclass(frozen=True)
class Role(TokenParams):
    """Which service accounts may log in, and what they get."""

    bound_service_account_names: Annotated[Names, 'Names that may log in; "*" stands for any text.'] = Names(())
    bound_service_account_namespaces: Annotated[Names, 'Their namespaces; "*" stands for any text.'] = Names(())
    bound_service_account_namespace_selector: Annotated[
        str, "Label selector (JSON or YAML) of namespaces that are allowed too."
    ] = ""
    audience: Annotated[str, "Audience that a token must be made for."] = ""
    alias_name_source: Annotated[str, f'What an identity is named by: "{UID}" or "{NAME}" (namespace/name).'] = UID


def check_role(role: Role) -> None:
    """Refuse a role that binds nothing, in Vault's words."""
    if not role.bound_service_account_names:
        raise InvalidRequest('"bound_service_account_names" can not be empty')
    if not role.bound_service_account_namespaces and not role.bound_service_account_namespace_selector:
        raise InvalidRequest(
            '"bound_service_account_namespaces" can not be empty if '
            '"bound_service_account_namespace_selector" is not set'
        )
    for names in (role.bound_service_account_names, role.bound_service_account_namespaces):
        if "*" in names and len(names) > 1:
            raise InvalidRequest('can not mix "*" with values')
    if role.alias_name_source not in {"", UID, NAME}:
        raise InvalidRequest(f"invalid alias_name_source, must be one of: {UID}, {NAME}")
    selector_of(role)


def selector_of(role: Role) -> Mapping[str, Any] | None:
    """Return the namespace selector, or None; raises InvalidRequest where it is none."""
    if not role.bound_service_account_namespace_selector:
        return None
    try:
        selector: Mapping[str, Any] = _parsed(role.bound_service_account_namespace_selector)
        selectors.check(selector)
    except ValueError:
        raise InvalidRequest('invalid "bound_service_account_namespace_selector" configured') from None
    return selector


def _parsed(text: str) -> Any:
    """Return what a text in JSON or YAML says; raises ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        import yaml  # on first use: JSON is the rule

        try:
            return yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError):
            raise ValueError("neither JSON nor YAML") from None


def role_facts(role: Role) -> dict[str, Any]:
    """Return what a read of a role shows."""
    facts = shown(role)
    return facts if role.audience else {name: value for name, value in facts.items() if name != "audience"}


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    role: Annotated[str, "Role to log in with."] = ""
    jwt: Annotated[Secret[str], "Token of a service account."] = Secret("")
