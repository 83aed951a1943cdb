"""The mount tables: which engine serves which path.

Two tables, ``secret`` and ``auth``, are stored whole (``core/mounts``, ``core/auth``), each change in one step. Routing
looks for the longest mount point that begins a path; points never nest, so one look-up per path segment finds it.
A mount whose engine does not start stays listed as broken, answering 503; the rest serves.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

from strongroom_common.fields import Names, Seconds
from strongroom_server.config import UserLockout
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import InvalidRequest, Unavailable
from strongroom_server.sdk.storage import Change, Storage, load, put

log = logging.getLogger("core.mounts")

Table = Literal["secret", "auth"]
_KEYS: Mapping[Table, str] = {"secret": "mounts", "auth": "auth"}
_PROTECTED = {"secret": ("sys", "cubbyhole", "identity", "audit", "auth"), "auth": ("token",)}
_ACCESSORS = {"sys": "system"}
_NEEDED = ("system", "cubbyhole", "identity", "token")
SINGLE = frozenset((*_NEEDED, *(f"ns_{kind}" for kind in _NEEDED)))
"""Types of the mounts that the server and each namespace need: there is one of each."""


@dataclass(frozen=True)
class LockoutTuning:
    """One mount's own rules of lockout; what is not given is the server file's."""

    lockout_threshold: Annotated[int | None, "Failed logins until a user is locked out."] = None
    lockout_duration: Annotated[Seconds | None, "How long that lasts."] = None
    lockout_counter_reset_duration: Annotated[Seconds | None, "When failed logins are forgotten."] = None
    lockout_disable: Annotated[bool | None, "Lock nobody out."] = None

    def over(self, base: UserLockout) -> UserLockout:
        """Return the server file's rules with these in their place."""
        return replace(base, **self._told) if self._told else base

    @cached_property
    def _told(self) -> dict[str, Any]:
        own: dict[str, Any] = {
            "lockout_threshold": self.lockout_threshold, "lockout_duration": self.lockout_duration,
            "lockout_counter_reset": self.lockout_counter_reset_duration, "disable_lockout": self.lockout_disable,
        }  # fmt: skip
        return {name: value for name, value in own.items() if value is not None}

    def merged(self, later: "LockoutTuning") -> "LockoutTuning":
        """Return these with what a later tuning says."""
        return replace(self, **{name: value for name, value in asdict(later).items() if value is not None})

    def shown(self) -> dict[str, Any]:
        """Return the rules by the names that reads have, what is not set as nothing; {} where none is set."""
        if self == LockoutTuning():
            return {}
        plain = {"lockout_disable": False}
        return {f"user_{name}": plain.get(name, 0) if value is None else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class MountConfig:
    """What can be tuned."""

    default_lease_ttl: Annotated[Seconds, "Default lease duration; 0 takes the server's."] = Seconds(0)
    max_lease_ttl: Annotated[Seconds, "Longest lease duration; 0 takes the server's."] = Seconds(0)
    force_no_cache: Annotated[bool, "Keep entries of this mount out of the cache."] = False
    audit_non_hmac_request_keys: Annotated[Names, "Request keys that audit devices show as they are."] = Names(())
    audit_non_hmac_response_keys: Annotated[Names, "Response keys that audit devices show as they are."] = Names(())
    listing_visibility: Annotated[Literal["", "hidden", "unauth"], "Whether the UI lists the mount before login."] = ""
    passthrough_request_headers: Annotated[Names, "Request headers handed to the engine."] = Names(())
    allowed_response_headers: Annotated[Names, "Response headers the engine may set."] = Names(())
    token_type: Annotated[
        Literal["", "default-service", "default-batch", "service", "batch", "default"], "Type of tokens made by logins."
    ] = ""
    user_lockout_config: Annotated[LockoutTuning, "Lockout of users after failed logins."] = LockoutTuning()


@dataclass(frozen=True)
class MountEntry:
    """One row of a mount table. ``path`` ends in a slash and has no "auth/" before it."""

    path: str
    type: str
    uuid: str
    accessor: str
    description: str = ""
    config: MountConfig = field(default_factory=MountConfig)
    options: dict[str, str] | None = None
    local: bool = False
    seal_wrap: bool = False
    external_entropy_access: bool = False
    tainted: bool = False


@dataclass(slots=True)
class Mount:
    """A mounted engine: its row, where it is reached ("secret/", "auth/userpass/"), and its running engine.

    ``prefix`` is where below the barrier the engine's storage lies. A row that is moved gets a mount of its own.
    ``busy`` counts the requests that it serves; one that is ``ending`` serves no further ones.
    """

    table: Table
    entry: MountEntry
    engine: Engine | None
    storage: Storage
    broken: str = ""
    point: str = field(init=False)
    prefix: str = field(init=False)
    busy: int = field(default=0, init=False)
    ending: asyncio.Event | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.point = f"auth/{self.entry.path}" if self.table == "auth" else self.entry.path
        self.prefix = storage_prefix(self.table, self.entry)

    def running(self) -> Engine:
        """Return the engine; raises Unavailable where it did not start."""
        if self.engine is None:
            raise Unavailable(f"mount {self.point} did not start: {self.broken}")
        return self.engine

    def served(self) -> None:
        """Count one request less."""
        self.busy -= 1
        if self.ending is not None and not self.busy:
            self.ending.set()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Serve nothing more, once what is under way is done: a secret made meanwhile would be ended by nobody.

        Raises InvalidRequest where that is under way already.
        """
        if self.ending is not None:
            raise InvalidRequest(f"{self.point} is being unmounted or moved")
        self.ending = asyncio.Event()
        try:
            if self.busy:
                await self.ending.wait()
            yield
        finally:
            self.ending = None


def storage_prefix(table: Table, entry: MountEntry) -> str:
    """Return where below the barrier the storage of a row's engine lies."""
    return f"{'auth' if table == 'auth' else 'logical'}/{entry.uuid}/"


class Starter(Protocol):
    """Makes and starts the engine of a row (the server does: it knows the types and hands in storage and system)."""

    async def __call__(self, table: Table, entry: MountEntry) -> Mount:
        """Return the started mount, or a broken one."""
        ...


def new_entry(path: str, kind: str, table: Table = "secret", **rest: Any) -> MountEntry:
    """Return a fresh row of ``table`` with its own uuid and accessor."""
    plain = kind.removeprefix("ns_")  # what the default mounts of a namespace begin with
    word = f"auth_{kind}" if table == "auth" else _ACCESSORS.get(plain, plain)
    accessor = f"{word}_{secrets.token_hex(4)}"
    return MountEntry(path=path.strip("/") + "/", type=kind, uuid=fresh_nonce(), accessor=accessor, **rest)


class Mounts:
    """Both tables, and the way from a path to its mount."""

    def __init__(self, storage: Storage, starter: Starter, namespaces: Container[str] = ()) -> None:
        """``namespaces`` are the names of those below this one: no secrets engine is mounted there."""
        self._storage = storage
        self._starter = starter
        self._points: dict[str, Mount] = {}
        self._namespaces = namespaces
        self._by_accessor: dict[str, Mount] = {}

    def __iter__(self) -> Iterator[Mount]:
        return iter(sorted(self._points.values(), key=lambda mount: mount.point))

    def table(self, table: Table) -> dict[str, Mount]:
        """Return one table's mounts by path, in order."""
        return {mount.entry.path: mount for mount in self if mount.table == table}

    async def start(self, defaults: Mapping[Table, tuple[MountEntry, ...]]) -> None:
        """Load both tables and start every engine; those of ``defaults`` that are missing are added."""
        for table, key in _KEYS.items():
            rows = await load(self._storage, key, list[MountEntry]) or []
            paths = {row.path for row in rows}
            if missing := [row for row in defaults[table] if row.path not in paths]:
                rows = [*rows, *missing]
                await self._storage.commit([put(key, rows)])
            for entry in rows:
                self._take(await self._starter(table, entry))

    async def close(self) -> None:
        """Close every engine."""
        for mount in self._points.values():
            if mount.engine is not None:
                await mount.engine.close()
        self._points.clear()
        self._by_accessor.clear()

    def _take(self, mount: Mount) -> None:
        self._points[mount.point] = mount
        self._by_accessor[mount.entry.accessor] = mount

    def by_accessor(self, accessor: str) -> Mount | None:
        """Return the mount of an accessor."""
        return self._by_accessor.get(accessor)

    def at(self, point: str) -> Mount | None:
        """Return the mount at exactly this point."""
        return self._points.get(point)

    def find(self, path: str) -> tuple[Mount, str] | None:
        """Return the mount that serves ``path`` and the path within it."""
        end = path.find("/")
        while end >= 0:
            mount = self._points.get(path[: end + 1])
            if mount is not None:
                return mount, path[end + 1 :]
            end = path.find("/", end + 1)
        mount = self._points.get(path + "/")  # "secret" is the mount itself
        return None if mount is None else (mount, "")

    async def _store(self, table: Table, rows: list[MountEntry]) -> None:
        await self._storage.commit([put(_KEYS[table], rows)])

    def _rows(self, table: Table) -> list[MountEntry]:
        return [mount.entry for mount in self if mount.table == table]

    async def add(self, table: Table, entry: MountEntry) -> Mount:
        """Mount an engine; raises InvalidRequest for a point that is taken, nested or kept by the server."""
        self.check_point(table, entry.path)
        mount = await self._starter(table, entry)
        if mount.engine is None:
            raise InvalidRequest(mount.broken)
        await self._store(table, [*self._rows(table), entry])
        self._take(mount)
        return mount

    def check_point(self, table: Table, path: str) -> None:
        """Raise InvalidRequest unless something can be mounted at ``path``."""
        if not path.strip("/") or not path.isprintable() or "//" in path:
            raise InvalidRequest(f"path {path!r} is not a valid mount point")
        first = path.split("/", maxsplit=1)[0]
        if first in _PROTECTED[table]:
            raise InvalidRequest(f"{path} is kept by the server: nothing can be mounted there")
        point = f"auth/{path}" if table == "auth" else path
        if table == "secret" and first in self._namespaces:
            raise InvalidRequest(f"existing mount at {first}/: it is a namespace")
        if point in self._points:
            raise InvalidRequest(f"path is already in use at {path}")
        for taken in self._points:
            if taken.startswith(point) or point.startswith(taken):
                raise InvalidRequest(f"path is already in use at {taken.removeprefix('auth/')}")

    async def remove(self, mount: Mount) -> None:
        """Take a mount away with all that it stored. Its leases are the caller's to end first."""
        if mount.engine is not None:
            await mount.engine.on_removed()
            await mount.engine.close()
        await self._store(mount.table, [row for row in self._rows(mount.table) if row.uuid != mount.entry.uuid])
        self._points.pop(mount.point, None)
        self._by_accessor.pop(mount.entry.accessor, None)
        await clear(mount.storage)

    async def change(self, mount: Mount, entry: MountEntry) -> Mount:
        """Store a changed row. A new path moves the mount; new options start the engine anew."""
        rows = [entry if row.uuid == entry.uuid else row for row in self._rows(mount.table)]
        await self._store(mount.table, rows)
        if entry.path == mount.entry.path and entry.options == mount.entry.options:
            mount.entry = entry
            return mount
        if mount.engine is not None:
            await mount.engine.close()
        self._points.pop(mount.point, None)
        moved = await self._starter(mount.table, entry)
        self._take(moved)
        return moved

    async def restart(self, mount: Mount) -> None:
        """Start a mount's engine anew over what it stored."""
        if mount.engine is not None:
            await mount.engine.close()
        fresh = await self._starter(mount.table, mount.entry)
        mount.engine, mount.broken = fresh.engine, fresh.broken


async def copy(source: Storage, target: Storage, prefix: str = "") -> None:
    """Write everything below a prefix of ``source`` to ``target``, a folder at a time."""
    names = await source.list(prefix)
    leaves = [prefix + name for name in names if not name.endswith("/")]
    await target.commit([Change(name, await source.get(name)) for name in leaves])
    for name in names:
        if name.endswith("/"):
            await copy(source, target, prefix + name)


async def clear(storage: Storage, prefix: str = "") -> None:
    """Remove everything below a prefix, a folder at a time."""
    names = await storage.list(prefix)
    await storage.commit([Change(prefix + name, None) for name in names if not name.endswith("/")])
    for name in names:
        if name.endswith("/"):
            await clear(storage, prefix + name)


def tuned(config: MountConfig, changes: Mapping[str, Any]) -> MountConfig:
    """Return ``config`` with the parsed ``changes``; raises InvalidRequest where the TTLs contradict each other."""
    if "user_lockout_config" in changes:
        lockout = config.user_lockout_config.merged(changes["user_lockout_config"])
        if (lockout.lockout_threshold or 0) < 0:
            raise InvalidRequest("user_lockout_config: lockout_threshold: expected a number that is not negative")
        changes = {**changes, "user_lockout_config": lockout}
    config = replace(config, **changes)
    if 0 < config.max_lease_ttl < config.default_lease_ttl:
        raise InvalidRequest(f"backend max lease TTL of {config.max_lease_ttl} would be less than backend default "
                             f"lease TTL of {config.default_lease_ttl}")  # fmt: skip
    return config


def shown(mount: Mount, version: str) -> dict[str, Any]:
    """Return a mount as the mount tables show it."""
    entry = mount.entry
    config: dict[str, Any] = {
        "default_lease_ttl": entry.config.default_lease_ttl,
        "force_no_cache": entry.config.force_no_cache,
        "max_lease_ttl": entry.config.max_lease_ttl,
    }
    defaults = MountConfig()
    for name in MountConfig.__dataclass_fields__:
        value = getattr(entry.config, name)
        if name not in config and value != getattr(defaults, name):
            config[name] = value.shown() if isinstance(value, LockoutTuning) else value
    if mount.table == "auth":
        config.setdefault("token_type", "default-service")
    data: dict[str, Any] = {
        "accessor": entry.accessor,
        "config": config,
        "description": entry.description,
        "external_entropy_access": entry.external_entropy_access,
        "local": entry.local,
        "options": entry.options,
        "plugin_version": "",
        "running_plugin_version": f"v{version}+builtin.strongroom",
        "running_sha256": "",
        "seal_wrap": entry.seal_wrap,
        "type": entry.type,
        "uuid": entry.uuid,
    }
    if entry.type not in SINGLE:
        data["deprecation_status"] = "supported"
    return data
