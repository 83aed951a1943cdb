"""sys/mounts, sys/auth, remount and tune."""

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Alias, FieldError, Given, Names, Object, Pairs, parse
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.lockout import METHODS
from strongroom_server.core.mounts import (
    SINGLE,
    LockoutTuning,
    Mount,
    MountConfig,
    MountEntry,
    Table,
    clear,
    copy,
    new_entry,
    shown,
    storage_prefix,
    tuned,
)
from strongroom_server.core.sys import quotas
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.parts import known_parts
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System
from strongroom_server.sdk.version import VERSION

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

MountPath = Annotated[str, "Where it is mounted."]

_OF_SINGLE = frozenset({"audit_non_hmac_request_keys", "audit_non_hmac_response_keys", "force_no_cache"})
"""What can be tuned of the mounts that the server needs."""


@dataclass(frozen=True)
class Enable:
    """What to mount, and how."""

    type: Annotated[str, "Type of the engine."] = ""
    description: Annotated[str, "For people."] = ""
    config: Annotated[Object, "Settings that can be tuned later."] = field(default_factory=lambda: Object({}))
    options: Annotated[Object | None, "The engine's options, such as version."] = None
    local: Annotated[bool, "Keep it out of replication."] = False
    seal_wrap: Annotated[bool, "Wrap its critical values by the seal."] = False
    external_entropy_access: Annotated[bool, "Let it use the seal's randomness."] = False
    plugin_name: Annotated[str, "Older name of the type."] = ""
    plugin_version: Annotated[str, "Has no effect: engines are built in."] = ""


@dataclass(frozen=True)
class Tune:
    """What may change while mounted."""

    description: Annotated[str | None, "For people."] = None
    default_lease_ttl: Annotated[str | None, 'Default lease duration; "system" takes the server\'s.'] = None
    max_lease_ttl: Annotated[str | None, 'Longest lease duration; "system" takes the server\'s.'] = None
    options: Annotated[Pairs | None, "The engine's options."] = None
    audit_non_hmac_request_keys: Annotated[Names | None, "Request keys shown in audit entries."] = None
    audit_non_hmac_response_keys: Annotated[Names | None, "Response keys shown in audit entries."] = None
    listing_visibility: Annotated[str | None, '"unauth", "hidden" or "".'] = None
    passthrough_request_headers: Annotated[Names | None, "Request headers handed to the engine."] = None
    allowed_response_headers: Annotated[Names | None, "Response headers the engine may set."] = None
    token_type: Annotated[str | None, "Type of tokens made by logins."] = None
    user_lockout_config: Annotated[Object | None, "Lockout of users after failed logins."] = None
    force_no_cache: Annotated[bool | None, "Keep entries out of the cache."] = None
    plugin_version: Annotated[str | None, "Has no effect: engines are built in."] = None


@dataclass(frozen=True)
class Remount:
    """A move."""

    from_path: Annotated[str, "The present mount point.", Alias("from")] = ""
    to: Annotated[str, "The new one."] = ""


class Mounts(Area):
    """Secrets engines and auth methods: which are mounted where."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._migrations: dict[str, dict[str, str]] = {}

    @read("mounts")
    async def list_mounts(self) -> Response:
        """List the secrets engines."""
        return self._listed("secret")

    @read("auth")
    async def list_auth(self) -> Response:
        """List the auth methods."""
        return self._listed("auth")

    def _listed(self, table: Table) -> Response:
        rows = {path: shown(mount, VERSION) for path, mount in self.server.mounts.table(table).items()}
        return Response(rows, top_level=True)

    @read("mounts/{path:rest}/tune")
    async def read_mount_tune(self, path: MountPath) -> Response:
        """Read a secrets engine's settings."""
        return self._tuning("secret", path)

    @read("auth/{path:rest}/tune", sudo=True)
    @read("mounts/auth/{path:rest}/tune")
    async def read_auth_tune(self, path: MountPath) -> Response:
        """Read an auth method's settings."""
        return self._tuning("auth", path)

    @write("mounts/{path:rest}/tune")
    async def write_mount_tune(self, path: MountPath, body: Given[Tune]) -> Response:
        """Change a secrets engine's settings."""
        return await self._tune("secret", path, body)

    @write("auth/{path:rest}/tune", sudo=True)
    @write("mounts/auth/{path:rest}/tune")
    async def write_auth_tune(self, path: MountPath, body: Given[Tune]) -> Response:
        """Change an auth method's settings."""
        return await self._tune("auth", path, body)

    @read("mounts/{path:rest}")
    async def read_mount(self, path: MountPath) -> Response:
        """Read one secrets engine's row."""
        return Response(shown(self._found("secret", path), VERSION), top_level=True)

    @read("auth/{path:rest}")
    async def read_auth(self, path: MountPath) -> Response:
        """Read one auth method's row."""
        return Response(shown(self._found("auth", path), VERSION), top_level=True)

    @write("mounts/{path:rest}", sudo=False)
    async def enable_mount(self, path: MountPath, body: Given[Enable]) -> None:
        """Mount a secrets engine."""
        await self._enable("secret", path, body)

    @write("auth/{path:rest}", sudo=True)
    async def enable_auth(self, path: MountPath, body: Given[Enable]) -> None:
        """Mount an auth method."""
        await self._enable("auth", path, body)

    @delete("mounts/{path:rest}")
    async def disable_mount(self, path: MountPath) -> None:
        """Unmount a secrets engine: its leases end, its data go."""
        await self._disable("secret", path)

    @delete("auth/{path:rest}", sudo=True)
    async def disable_auth(self, path: MountPath) -> None:
        """Unmount an auth method: its tokens end."""
        await self._disable("auth", path)

    async def _enable(self, table: Table, path: str, body: Given[Enable]) -> None:
        asked = body.value
        kind, options = _type_and_options(asked)
        if options is None and "options" not in body.sent:  # a null stays one, as clients send it
            options = {}
        if kind in SINGLE:
            raise InvalidRequest("token credential backend cannot be instantiated" if kind.endswith("token")
                                 else f'mount type of "{kind}" is not mountable')  # fmt: skip
        known = known_parts(f"strongroom_server.{'auth' if table == 'auth' else 'engines'}")
        if kind not in known:
            raise InvalidRequest(f"plugin not found in the catalog: {kind} (there are {', '.join(known)})")
        if kind != "kv" and (options or {}).get("version"):
            what = "auth method" if table == "auth" else "secrets engine"
            raise InvalidRequest(f'{what} "{kind}" does not allow setting a version')
        changes = _config_changes(asked.config)
        if table == "secret":
            changes.pop("token_type", None)
        config = tuned(MountConfig(), changes)
        if not config.max_lease_ttl and config.default_lease_ttl > self.server.max_lease_ttl:
            longest = self.server.max_lease_ttl
            raise InvalidRequest(f"given default lease TTL greater than system max lease TTL of {longest}")
        entry = new_entry(
            path, kind, table, description=asked.description, config=config, options=options, local=asked.local,
            seal_wrap=asked.seal_wrap, external_entropy_access=asked.external_entropy_access,
        )  # fmt: skip
        await self.server.mounts.add(table, entry)

    async def _disable(self, table: Table, path: str) -> None:
        point = f"auth/{path}" if table == "auth" else path
        mount = self.server.mounts.at(point.strip("/") + "/")
        if mount is None:
            return
        if mount.entry.type in SINGLE:
            raise InvalidRequest("token credential backend cannot be disabled" if mount.table == "auth"
                                 else f'cannot unmount "{mount.point}"')  # fmt: skip
        async with mount.quiet():
            await self.server.leases.revoke_many(await self.server.leases.ids(mount.point), force=mount.engine is None)
            await self.server.mounts.remove(mount)
        await quotas.carry(self.server, self.server.path + mount.point)

    def _found(self, table: Table, path: str, otherwise: str = "") -> Mount:
        """Return the mount; raises InvalidRequest, with ``otherwise`` about the path where it is given."""
        name = path.strip("/") + "/"
        point = f"auth/{name}" if table == "auth" else name
        mount = self.server.mounts.at(point)
        if mount is None:
            what = "auth engine" if table == "auth" else "secret engine mount"
            raise InvalidRequest(otherwise % f'"{point}"' if otherwise else f"No {what} at {name}")
        return mount

    def _tuning(self, table: Table, path: str) -> Response:
        mount = self._found(table, path, "cannot fetch sysview for path %s")
        config, defaults = mount.entry.config, MountConfig()
        data: dict[str, Any] = {
            "default_lease_ttl": config.default_lease_ttl or self.server.default_lease_ttl,
            "description": mount.entry.description,
            "force_no_cache": config.force_no_cache,
            "max_lease_ttl": config.max_lease_ttl or self.server.max_lease_ttl,
        }
        if table == "auth":
            data["token_type"] = config.token_type or "default-service"
        if mount.entry.options:
            data["options"] = mount.entry.options
        for row in fields(MountConfig):
            if row.name not in data and getattr(config, row.name) != getattr(defaults, row.name):
                value = getattr(config, row.name)
                data |= value.shown() if isinstance(value, LockoutTuning) else {row.name: value}
        return Response(data, top_level=True)

    async def _tune(self, table: Table, path: str, body: Given[Tune]) -> Response:
        mount = self._found(table, path, "tune of path %s failed: no mount entry found")
        warnings: list[str] = []
        asked = {name: getattr(body.value, name) for name in sorted(body.sent)}
        entry = mount.entry
        _check_tunable(mount, asked)
        if (description := asked.pop("description", None)) is not None:
            entry = replace(entry, description=description)
        if (options := asked.pop("options", None)) is not None:
            merged = {**(entry.options or {}), **options}
            entry = replace(entry, options={name: value for name, value in merged.items() if value})
            if entry.options != mount.entry.options:
                warnings = mount.running().check_options(entry.options or {})
        asked.pop("plugin_version", None)
        sent = {name: value for name, value in asked.items() if value is not None and (name, value) not in _UNSAID}
        if "user_lockout_config" in sent and (table != "auth" or entry.type not in METHODS):
            raise InvalidRequest(f'tuning of user lockout configuration for auth type "{entry.type}" not allowed')
        entry = replace(entry, config=tuned(entry.config, _config_changes(sent)))
        await self.server.mounts.change(mount, entry)
        return Response(warnings=warnings)

    @write("remount", sudo=True)
    async def remount(self, body: Given[Remount]) -> Response:
        """Move a mount to another point, also to one in a namespace below; its leases end, its quotas follow."""
        if not body.value.from_path or not body.value.to:
            raise InvalidRequest("both 'from' and 'to' path must be specified as a string")
        source, target = body.value.from_path.strip("/") + "/", body.value.to.strip("/") + "/"
        home, point = self._within(source)
        there, new_point = self._within(target)
        mount, path = self._movable(home, point), new_point
        if mount.table == "auth":
            if not new_point.startswith("auth/"):
                raise InvalidRequest(f'cannot remount auth mount to non-auth mount "{target}"')
            path = new_point.removeprefix("auth/")
        if ".." in path.split("/"):
            raise InvalidRequest(f"invalid destination mount: {target}")
        there.mounts.check_point(mount.table, path)
        async with mount.quiet():
            await home.leases.revoke_many(await home.leases.ids(mount.point))
            entry = replace(mount.entry, path=path)
            await (home.mounts.change(mount, entry) if there is home else _carry(home, there, mount, entry))
        await quotas.carry(home, home.path + mount.point, there.path + new_point)
        migration = fresh_nonce()
        self._migrations[migration] = {"source_mount": source, "target_mount": target, "status": "success"}
        warning = ("Mount move has been queued. Progress will be reported in the server's log, tagged with the "
                   "returned migration_id")  # fmt: skip
        return Response({"migration_id": migration}, top_level=True, warnings=[warning])

    def _within(self, path: str) -> "tuple[Server, str]":
        """Return the namespace that a path leads into and the path there."""
        below, rest = self.server.namespaces.below(self.server, path)
        if below.ending:
            raise InvalidRequest(f'namespace "{below.path}" is being deleted')
        return (below, rest) if rest else (self.server, path)

    def _movable(self, home: "Server", source: str) -> Mount:
        mount = home.mounts.at(source)
        if mount is None:
            raise InvalidRequest(f'no matching mount at "{source}"')
        # Security 1: whoever may move mounts must not take away those that the server needs, nor its own API.
        if mount.entry.type in SINGLE:
            raise InvalidRequest(f'cannot remount "{source}"')
        return mount

    @read("remount/status/{migration:segment}")
    async def remount_status(self, migration: Annotated[str, "Id that remount returned."]) -> dict[str, Any]:
        """Tell how far a move has come."""
        if migration not in self._migrations:
            raise NotFound
        return {"migration_id": migration, "migration_info": self._migrations[migration]}


async def _carry(home: "Server", there: "Server", mount: Mount, entry: MountEntry) -> None:
    """Move a mount to another namespace with all that it stored; it is served nowhere meanwhile."""
    storage = there.view(storage_prefix(mount.table, entry))
    if mount.engine is not None:
        await mount.engine.close()
        mount.engine, mount.broken = None, "it is being moved"
    await copy(mount.storage, storage)
    try:
        await there.mounts.add(mount.table, entry)
    except InvalidRequest:
        await clear(storage)
        await home.mounts.restart(mount)
        raise
    await home.mounts.remove(mount)


_UNSAID = (("default_lease_ttl", ""), ("max_lease_ttl", ""))


def _check_tunable(mount: Mount, asked: dict[str, Any]) -> None:
    """Raise InvalidRequest for what cannot be tuned there."""
    single = mount.entry.type in SINGLE
    wrong = [name for name in asked if name not in _OF_SINGLE] if single and mount.table == "secret" else []
    if wrong:
        raise InvalidRequest(f"cannot tune parameter {wrong[0]} of {mount.point}")
    if asked.get("token_type") is not None and mount.table != "auth":
        raise InvalidRequest("'token_type' can only be modified on auth mounts")
    if asked.get("token_type") is not None and single:
        raise InvalidRequest("'token_type' cannot be set for 'token' or 'ns_token' auth mounts")


def _type_and_options(asked: Enable) -> tuple[str, dict[str, str] | None]:
    if asked.type == "plugin" and not asked.plugin_name:
        raise InvalidRequest("plugin_name must be provided for plugin backend")
    kind = asked.type if asked.type != "plugin" else asked.plugin_name
    if not kind:
        raise InvalidRequest("backend type must be specified as a string")
    sent = asked.options
    options = None if sent is None else {name: _text(value) for name, value in sent.items()}
    if kind in {"kv-v1", "kv-v2"}:
        options = {**(options or {}), "version": kind[-1]}
        kind = "kv"
    elif kind == "generic":
        kind = "kv"
    return kind, options


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _config_changes(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the sent settings parsed; "system" as a TTL is 0, which takes the server's."""
    plain = {name: 0 if value == "system" else value for name, value in raw.items()}
    try:
        given = parse(MountConfig, plain)
    except FieldError as error:
        raise InvalidRequest(str(error)) from None
    return {name: getattr(given.value, name) for name in given.sent}
