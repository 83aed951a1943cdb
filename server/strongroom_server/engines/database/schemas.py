"""Bodies of the database engine, which are what is stored too (api-docs/secret/databases)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from strongroom_common.fields import Names, Pairs, Seconds, Strings
from strongroom_common.secret import Secret
from strongroom_server.engines.database.plugins.url import hidden

ROLES, STATIC_ROLES = "role/", "static/"
"""Where roles of either kind are stored."""
NO_STATEMENTS = Strings(())
NO_PAIRS = Pairs({})


@dataclass(frozen=True)
class Config:
    """A connection, but for the details that its plugin understands."""

    plugin_name: Annotated[str, "Kind of database, such as postgresql-database-plugin."] = ""
    plugin_version: Annotated[str, "Version of the plugin; there is one only."] = ""
    verify_connection: Annotated[bool, "Whether to connect before anything is stored."] = True
    allowed_roles: Annotated[Names, "Roles that may use it, with globs; * is all."] = Names(())
    root_rotation_statements: Annotated[Strings, "SQL that changes the password of the configured user."] = (
        NO_STATEMENTS
    )
    password_policy: Annotated[str, "Password policy for all passwords made."] = ""


@dataclass(frozen=True)
class Connection:
    """A stored connection. ``details`` are as the client gave them.

    A password that is about to be set waits in ``next_password``, so that none is lost whenever the server stops.
    """

    config: Config
    details: Secret[dict[str, Any]]
    next_password: Secret[str] = Secret("")

    @property
    def hidden_password(self) -> bool:
        """Whether a password stands in the URL itself."""
        url = self._url
        return hidden(url) != url

    @property
    def _url(self) -> str:
        return str(self.details.reveal().get("connection_url", ""))

    def facts(self) -> dict[str, Any]:
        """Return what a read shows: nothing secret."""
        details = {name: value for name, value in sorted(self.details.reveal().items()) if name not in _SECRET}
        if "connection_url" in details:
            details["connection_url"] = hidden(self._url)
        return {
            "allowed_roles": self.config.allowed_roles,
            "connection_details": details,
            "password_policy": self.config.password_policy,
            "plugin_name": self.config.plugin_name,
            "plugin_version": self.config.plugin_version,
            "root_credentials_rotate_statements": self.config.root_rotation_statements,
        }


_SECRET = frozenset({"password", "private_key", "tls_certificate_key"})


@dataclass(frozen=True)
class Role:
    """How users are made. TTLs are in seconds; 0 takes the mount's."""

    db_name: Annotated[str, "Connection to make them with."] = ""
    creation_statements: Annotated[Strings, "SQL that makes a user."] = NO_STATEMENTS
    revocation_statements: Annotated[Strings, "SQL that drops it; the plugin has its own."] = NO_STATEMENTS
    renew_statements: Annotated[Strings, "SQL that moves its end on; the plugin has its own."] = NO_STATEMENTS
    rollback_statements: Annotated[Strings, "SQL that cleans up after a creation that failed."] = NO_STATEMENTS
    default_ttl: Annotated[Seconds, "How long a user lives."] = Seconds(0)
    max_ttl: Annotated[Seconds, "How long at most, with renewals."] = Seconds(0)
    credential_type: Annotated[str, "password, rsa_private_key or client_certificate."] = "password"
    credential_config: Annotated[Pairs, "Settings of the credential's type."] = field(default_factory=lambda: NO_PAIRS)

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        return _without_empty_config(
            {
                "creation_statements": self.creation_statements,
                "credential_config": credential_facts(self.credential_config),
                "credential_type": self.credential_type,
                "db_name": self.db_name,
                "default_ttl": self.default_ttl,
                "max_ttl": self.max_ttl,
                "renew_statements": self.renew_statements,
                "revocation_statements": self.revocation_statements,
                "rollback_statements": self.rollback_statements,
            }
        )


@dataclass(frozen=True)
class StaticRole:
    """A user that is there already, whose password is changed now and then."""

    db_name: Annotated[str, "Connection to change it with."] = ""
    username: Annotated[str, "The user."] = ""
    rotation_period: Annotated[Seconds, "Seconds between changes, 5 at least."] = Seconds(0)
    rotation_schedule: Annotated[str, "Cron schedule of changes, in UTC, in place of a period."] = ""
    rotation_window: Annotated[Seconds, "How long after a scheduled time a change may still be made."] = Seconds(0)
    rotation_statements: Annotated[Strings, "SQL that changes it; the plugin has its own."] = NO_STATEMENTS
    credential_type: Annotated[str, "password or rsa_private_key."] = "password"
    credential_config: Annotated[Pairs, "Settings of the credential's type."] = field(default_factory=lambda: NO_PAIRS)
    skip_import_rotation: Annotated[bool, "Leave the password as it is until the first rotation."] = False

    def when(self) -> dict[str, Any]:
        """Return the fields that say when it rotates, as reads show them."""
        if self.rotation_schedule:
            window = {"rotation_window": self.rotation_window} if self.rotation_window else {}
            return {"rotation_schedule": self.rotation_schedule} | window
        return {"rotation_period": self.rotation_period}


def credential_facts(config: Mapping[str, str]) -> dict[str, Any]:
    """Return what a read shows of a credential's settings: numbers as such, no private key."""
    shown = {name: int(value) if value.isdigit() else value for name, value in sorted(config.items()) if value}
    return {name: value for name, value in shown.items() if name != "ca_private_key"}


def _without_empty_config(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != "credential_config" or value}


def static_facts(role: StaticRole, rotated: str | None) -> dict[str, Any]:
    """Return what a read of a static role shows; ``rotated`` is the time of the last change."""
    return _without_empty_config(
        {
            "credential_config": credential_facts(role.credential_config),
            "credential_type": role.credential_type,
            "db_name": role.db_name,
            "last_vault_rotation": rotated,
            "rotation_statements": role.rotation_statements,
            "username": role.username,
            **role.when(),
        }
    )
