"""What a role lets a client have signed; nothing here reads or writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from strongroom_common.fields import Pairs, Seconds
from strongroom_server.engines.ssh.certificate import TYPES
from strongroom_server.engines.ssh.keys import PublicKey
from strongroom_server.engines.ssh.roles import Role, split_names
from strongroom_server.lib.identity_templates import fill
from strongroom_server.sdk.errors import InvalidRequest

_PLACE = re.compile(r"\{\{(token_display_name|role_name|public_key_hash)\}\}")


@dataclass(frozen=True)
class Wish:
    """What a client may ask of a certificate."""

    ttl: Annotated[Seconds, "How long it holds; 0 is as the role says."] = Seconds(0)
    valid_principals: Annotated[str, "User or host names that it is for, with commas between."] = ""
    cert_type: Annotated[str, "user or host."] = "user"
    key_id: Annotated[str, "Its key id, which SSH servers log; where the role allows to choose."] = ""
    critical_options: Annotated[Pairs, "Critical options; they replace the role's."] = field(
        default_factory=lambda: Pairs({})
    )
    extensions: Annotated[Pairs, "Extensions; they replace the role's."] = field(default_factory=lambda: Pairs({}))


@dataclass(frozen=True)
class Templates:
    """Fills in identity templates for one caller; ``values`` is None for a token without an entity."""

    values: Mapping[str, str] | None
    forbidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Mapping[str, str] | None, role: Role) -> "Templates":
        """Return the templates of a role's lists of names.

        Security 1: what is filled in may be chosen by others than the role's author, so unless the role says
        otherwise it holds neither commas, which would make several names of it, nor a star, which would mean any.
        """
        commas = "" if role.allow_commas_in_identity_templates else ","
        stars = "" if role.allow_wildcards_in_identity_templates else "*"
        return cls(values, frozenset(commas + stars))

    def text(self, text: str) -> str:
        """Return ``text`` filled in; raises InvalidRequest where a value is missing or forbidden."""
        usable = {name: value for name, value in (self.values or {}).items() if not self.forbidden & set(value)}
        filled = fill(text, usable, globs=True)
        if filled is None:
            raise InvalidRequest(f"template '{text}' could not be rendered: a value is missing, or holds a forbidden "
                                 "comma or wildcard")  # fmt: skip
        return filled

    def names(self, text: str, *, templated: bool) -> tuple[str, ...]:
        """Return the names in ``text``; a token without an entity gets those without templates."""
        if not templated:
            return split_names(text)
        if self.values is None:
            return tuple(name for name in split_names(text) if "{{" not in name)
        return split_names(self.text(text))


def check_key(role: Role, key: PublicKey) -> None:
    """Refuse keys of other types and sizes than the role's."""
    allowed = role.allowed_user_key_lengths
    if not allowed:
        return
    sizes = [size for name in (key.kind, key.type) for size in allowed.get(name, ())]
    if not sizes:
        raise InvalidRequest(f"public_key failed to meet the key requirements: key of type {key.kind} is not allowed")
    if key.kind in {"rsa", "ec"} and key.bits not in sizes:
        raise InvalidRequest(f"public_key failed to meet the key requirements: key is of an invalid size: {key.bits}")


def check_type(role: Role, cert_type: str) -> None:
    """Refuse certificates of a kind that the role does not sign."""
    if cert_type not in TYPES:
        raise InvalidRequest("cert_type must be either 'user' or 'host'")
    if not (role.allow_user_certificates if cert_type == "user" else role.allow_host_certificates):
        raise InvalidRequest(f"cert_type '{cert_type}' is not allowed by role")


def principals(role: Role, wish: Wish, templates: Templates) -> tuple[str, ...]:
    """Return the names that the certificate is for, sorted: those asked for, else the default user.

    Either must be among the allowed ones; where the role lists none, that is the default user alone.

    Security 2: a certificate without names is for everybody, so there is none unless the role's author said that it
    is meant (B121); a default user whose template has no value says the contrary.
    """
    user = wish.cert_type == "user"
    default_of = role.default_user if user else ""
    default = templates.names(default_of, templated=role.default_user_template)
    if user:
        allowed = templates.names(role.allowed_users, templated=role.allowed_users_template)
        allowed = allowed if role.allowed_users else default
    else:
        allowed = templates.names(role.allowed_domains, templated=role.allowed_domains_template)
    anyone = allowed == ("*",)
    wanted = split_names(wish.valid_principals) or default
    if not wanted:
        if default_of and not default:
            raise InvalidRequest("default_user could not be rendered, as the token has no entity: set valid_principals")
        if not anyone and not role.allow_empty_principals:
            raise InvalidRequest("refusing to issue unsafe, globally-valid certificate with no principals specified; "
                                 "set valid_principals or default_user")  # fmt: skip
        return ()
    if not allowed:
        raise InvalidRequest("role is not configured to allow any principals")
    for name in wanted:
        if not (anyone or (name in allowed if user else _below(role, name, allowed))):
            raise InvalidRequest(f"{name} is not a valid value for valid_principals")
    return tuple(sorted(set(wanted)))


def _below(role: Role, name: str, domains: tuple[str, ...]) -> bool:
    if role.allow_bare_domains and name in domains:
        return True
    return role.allow_subdomains and any(name.endswith(f".{domain}") for domain in domains)


def critical_options(role: Role, wish: Wish) -> Mapping[str, str]:
    """Return the critical options: the client's where the role allows them, else the role's own."""
    if not wish.critical_options:
        return role.default_critical_options
    allowed = split_names(role.allowed_critical_options)
    refused = [name for name in wish.critical_options if allowed and name not in allowed]
    if refused:
        raise InvalidRequest(f"critical options not on allowed list: [{' '.join(refused)}]")
    return wish.critical_options


def extensions(role: Role, wish: Wish, templates: Templates) -> Mapping[str, str]:
    """Return the extensions: the client's where the role allows them, else the role's own, filled in."""
    if wish.extensions:
        allowed = split_names(role.allowed_extensions)
        refused = [name for name in wish.extensions if allowed != ("*",) and name not in allowed]
        if refused:
            raise InvalidRequest(f"extensions [{' '.join(refused)}] are not on allowed list")
        return wish.extensions
    if not role.default_extensions_template:
        return role.default_extensions
    known = role.default_extensions.items()
    if templates.values is None:
        return {name: value for name, value in known if "{{" not in value}
    return {name: Templates(templates.values).text(value) for name, value in known}


def key_id(role: Role, role_name: str, wish: Wish, key: PublicKey, display_name: str) -> str:
    """Return the key id: the client's, the role's format filled in, or one that names the token and the key."""
    if wish.key_id:
        if not role.allow_user_key_ids:
            raise InvalidRequest("setting key_id is not allowed by role")
        return wish.key_id
    form = role.key_id_format or "-".join(
        ["vault", *(["{{token_display_name}}"] if display_name else []), "{{public_key_hash}}"]
    )
    values = {"token_display_name": display_name, "role_name": role_name, "public_key_hash": key.digest}
    return _PLACE.sub(lambda match: values[match[1]], form)


def lifetime(role: Role, asked: int, default: int, most: int) -> int:
    """Return the seconds that a certificate holds; ``default`` and ``most`` are the mount's."""
    most = role.max_ttl or most
    if asked > most:
        raise InvalidRequest(f"ttl is larger than maximum allowed {most}")
    return asked or min(role.ttl or default, most)
