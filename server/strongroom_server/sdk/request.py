"""The values above HTTP: a request, what the server knows of its caller, and a response."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import msgspec

from strongroom_server.sdk.backend import Change


class Operation(StrEnum):
    """What a request asks for; the values are the words of policies and audit entries."""

    READ = "read"
    LIST = "list"
    SCAN = "scan"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PATCH = "patch"
    HELP = "help"
    RENEW = "renew"
    REVOKE = "revoke"
    ROLLBACK = "rollback"


LISTING = (Operation.LIST, Operation.SCAN)
"""What addresses a folder: its path ends in a slash."""


class Shown(msgspec.Struct):
    """A value that each request makes: a struct, as it costs a third of a dataclass. ``HIDDEN`` is not in its repr."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name not in self.HIDDEN)
        return f"{type(self).__name__}({', '.join(shown)})"


class Caller(Shown):
    """Who asks, as engines may know it: never the token itself. ``token_hash`` names the token where one must.

    ``batch`` tokens are stored nowhere: nothing can be kept for one.
    """

    accessor: str = ""
    token_hash: str = ""
    entity_id: str = ""
    display_name: str = ""
    policies: tuple[str, ...] = ()
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)
    root: bool = False
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What one listener gives away or holds back, beside policies: paths without a slash at the end.

    ``public`` needs no token there, ``closed`` is not served there (each with its message), ``guarded`` are beginnings
    of paths that need a token there although they do without elsewhere. ``redacted`` names what callers without a
    token are not told: "addresses", "cluster_name", "version".
    """

    public: frozenset[str] = frozenset()
    closed: Mapping[str, str] = field(default_factory=dict)
    guarded: tuple[str, ...] = ()
    redacted: frozenset[str] = frozenset()


@dataclass(slots=True)
class Connection:
    """The transport: the client's address (after X-Forwarded-For where trusted) and its TLS certificate (DER)."""

    remote_address: str = ""
    remote_port: int = 0
    certificates: tuple[bytes, ...] = ()
    access: Access = Access()


class Request(Shown):
    """One request. ``path`` is relative to the mount, ``mount_point`` ends in a slash ("secret/", "auth/userpass/").

    ``data`` is the parsed JSON body, or the query parameters for operations without one; numbers that are not
    integers are ``jsonx.Number``. ``token`` is the client's own and only the core looks at it. ``body`` is there where
    the content is of a type that is not parsed (an OCSP request).
    """

    HIDDEN = frozenset({"data", "token", "headers", "body"})

    operation: Operation
    path: str
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    mount_point: str = ""
    mount_accessor: str = ""
    token: str = ""
    caller: Caller | None = None
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    connection: Connection = msgspec.field(default_factory=Connection)
    id: str = ""
    wrap_ttl: int = 0
    namespace: str = ""
    body: bytes = b""


@dataclass(slots=True)
class Alias:
    """An external name for the caller: the key of an identity entity. ``name`` is unique within the mount."""

    name: str
    metadata: dict[str, str] = field(default_factory=dict)


class Auth(Shown):
    """A successful login or a created token. Lists of seconds: ``ttl``, ``max_ttl``, ``explicit_max_ttl``, ``period``.

    An auth method fills it in; the core adds ``client_token`` and ``accessor`` and applies the mount's limits.
    ``internal`` is kept with the token's lease and handed to the method's ``renew_login``.
    """

    HIDDEN = frozenset({"internal", "client_token"})

    policies: tuple[str, ...] = ()
    display_name: str = ""
    alias: Alias | None = None
    group_aliases: tuple[Alias, ...] = ()
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    ttl: int = 0
    max_ttl: int = 0
    explicit_max_ttl: int = 0
    period: int = 0
    num_uses: int = 0
    renewable: bool = True
    no_default_policy: bool = False
    bound_cidrs: tuple[str, ...] = ()
    token_type: str = "default"  # noqa: S105 - a kind, not a password
    internal: dict[str, Any] = msgspec.field(default_factory=dict)
    client_token: str = ""
    accessor: str = ""
    identity_policies: tuple[str, ...] = ()
    entity_id: str = ""
    orphan: bool = True
    mfa_requirement: Any = None


@dataclass(slots=True)
class Lease:
    """A secret with an end. ``kind`` names one of the engine's lease kinds, which can renew and revoke it.

    ``internal`` is what those need (a user name, a serial number); it is stored, never shown. With an
    empty kind it is no lease at all: ``ttl`` only tells the client when to look again, and nothing is registered.
    ``beside`` are changes of the engine's own storage that are made in the very commit that stores a new lease.
    """

    kind: str
    internal: dict[str, Any] = field(repr=False)
    ttl: int = 0
    max_ttl: int = 0
    renewable: bool = True
    id: str = ""
    beside: list[Change] = field(default_factory=list, repr=False)


@dataclass(slots=True)
class WrapInfo:
    """A wrapped response: the single-use token that holds it."""

    token: str = field(repr=False)
    accessor: str
    ttl: int
    creation_time: str
    creation_path: str
    wrapped_accessor: str = ""


@dataclass(slots=True)
class Raw:
    """A body that is not Vault's JSON envelope: a CRL, a metrics page, the log as it is written (in pieces)."""

    body: bytes | AsyncIterator[bytes] = field(repr=False)
    content_type: str
    status: int = 200


class Response(Shown):
    """One answer. Empty (no data, auth, lease, wrap, warnings) is 204. ``data`` may hold ``msgspec.Raw`` values."""

    HIDDEN = frozenset({"data"})

    data: dict[str, Any] | None = None
    auth: Auth | None = None
    lease: Lease | None = None
    warnings: list[str] = msgspec.field(default_factory=list)
    wrap: WrapInfo | None = None
    raw: Raw | None = None
    status: int = 0
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    top_level: bool = False
    """Some sys/ answers repeat their data beside "data", at the top of the envelope (Vault's older clients)."""
    bare: bool = False
    """The data is the whole body, without an envelope (sys/health, sys/init, sys/seal-status)."""
