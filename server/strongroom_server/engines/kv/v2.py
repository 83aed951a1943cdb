"""KV version 2: every write makes a version, old ones stay readable (api-docs/secret/kv/kv-v2).

Stored: ``config``; ``metadata/<path>``, the history; ``data/<path>/<number>``, one value, as the JSON that a read gives
out again. What changes together is one commit; read-modify-write of a secret is done under its lock.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strongroom_common.durations import parse_duration
from strongroom_common.fields import Given
from strongroom_server.engines.kv import schemas, upgrade
from strongroom_server.engines.kv.checks import check_cas, check_metadata_cas, check_path, custom_metadata
from strongroom_server.engines.kv.entries import Entries
from strongroom_server.engines.kv.history import Metadata, Settings
from strongroom_server.engines.kv.keys import CONFIG, METADATA, data_key
from strongroom_server.lib.folders import Page, below, folder, keys
from strongroom_server.lib.merge_patch import merge_patch
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk import codec
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, on, patch, read, scan, write
from strongroom_server.sdk.errors import InvalidRequest, UnsupportedOperation
from strongroom_server.sdk.request import LISTING, Operation, Request, Response
from strongroom_server.sdk.storage import Change, put, remove, save

ANY = (Operation.READ, Operation.CREATE, Operation.UPDATE, Operation.DELETE, Operation.PATCH)
_VERBS = {Operation.READ: "get", Operation.CREATE: "put", Operation.UPDATE: "put"}
_VALUES = ("custom_metadata", "max_versions", "cas_required", "delete_version_after", "metadata_cas_required")


class Engine(Base):
    """Stores arbitrary secrets at paths and keeps their versions."""

    def check_options(self, options: Mapping[str, str]) -> list[str]:
        """Refuse version 1: it has no place for versions."""
        if options.get("version") != "2":
            raise InvalidRequest("cannot downgrade mount from version 2")
        return []

    async def start(self) -> None:
        """Take over what version 1 left, where the mount was one."""
        self._entries = Entries(self.storage, self.system.clock)
        await upgrade.upgrade(self.storage, self.system.clock.now())

    async def count_secrets(self) -> int:
        """Return how many secrets there are."""
        return len(await below(self.storage, METADATA))

    def invalidate(self, key: str) -> None:
        """Read the settings anew when another server changed them."""
        if key in {"", CONFIG}:
            self._entries.forget_config()

    # -- values -------------------------------------------------------------------------------------------------

    @read("data/{path:rest}")
    async def read_data(self, path: str, which: Given[schemas.WhichVersion]) -> Response:
        """Read a secret: its latest version, or the one asked for."""
        metadata, number, value = await self._entries.read(path, which.value.version)
        facts = metadata.version_facts(number)
        return Response({"data": value, "metadata": facts}, status=404 if value is None else 200)

    @write("data/{path:rest}", exists="is_there")
    async def write_data(self, path: str, given: Given[schemas.DataInput]) -> Response:
        """Write a new version of a secret."""
        check_path(path)
        if "data" not in given.sent:
            raise InvalidRequest("no data provided")
        value = codec.encode_sorted(given.value.data)
        async with self._entries.locks.of(path):
            metadata = await self._entries.metadata(path) or self._entries.fresh()
            return await self._add_version(path, metadata, value, given.value.options)

    @patch("data/{path:rest}")
    async def patch_data(self, path: str, given: Given[schemas.DataInput]) -> Response:
        """Write a new version that is the latest one with a JSON merge patch applied (RFC 7396)."""
        check_path(path)
        if "data" not in given.sent:
            raise InvalidRequest("no data provided")
        async with self._entries.locks.of(path):
            metadata, number, value = await self._entries.look_up(path, 0)
            if value is None:
                return Response(metadata.version_facts(number), status=404)
            patched = merge_patch(codec.loads(value), given.value.data)
            return await self._add_version(path, metadata, codec.encode_sorted(patched), given.value.options)

    @delete("data/{path:rest}")
    async def delete_data(self, path: str) -> None:
        """Delete the latest version; undelete brings it back."""
        await self._mark(path, lambda metadata, now: metadata.delete([metadata.current_version], now))

    @write("delete/{path:rest}")
    async def delete_versions(self, path: str, given: Given[schemas.VersionsInput]) -> None:
        """Delete versions; undelete brings them back."""
        numbers = _numbers(given, "No version number provided")
        await self._mark(path, lambda metadata, now: metadata.delete(numbers, now))

    @write("undelete/{path:rest}")
    async def undelete_versions(self, path: str, given: Given[schemas.VersionsInput]) -> None:
        """Bring deleted versions back."""
        numbers = _numbers(given, "No version number provided")
        settings = await self._entries.config()
        await self._mark(path, lambda metadata, now: metadata.undelete(numbers, settings, now))

    @write("destroy/{path:rest}")
    async def destroy_versions(self, path: str, given: Given[schemas.VersionsInput]) -> None:
        """Remove the values of versions for good."""
        numbers = _numbers(given, "no version number provided")
        async with self._entries.locks.of(path):
            metadata = await self._entries.metadata(path)
            if metadata is None:
                return
            known = [number for number in numbers if number in metadata.versions]
            for number in known:
                metadata.versions[number].destroyed = True
            values = [remove(data_key(path, number)) for number in known]
            await self.storage.commit([put(METADATA + path, metadata), *values])

    @read("subkeys/{path:rest}")
    async def read_subkeys(self, path: str, given: Given[schemas.Subkeys]) -> Response:
        """Read the structure of a secret, without its values."""
        metadata, number, raw = await self._entries.read(path, given.value.version)
        value = None if raw is None else codec.loads(raw)
        subkeys = None if value is None else _subkeys(value, given.value.depth if given.value.depth >= 0 else 1)
        facts = metadata.version_facts(number)
        return Response({"metadata": facts, "subkeys": subkeys}, status=404 if raw is None else 200)

    # -- histories ----------------------------------------------------------------------------------------------

    @read("metadata/{path:rest}")
    async def read_metadata(self, path: str) -> dict[str, Any]:
        """Read a secret's history and settings."""
        return (await self._entries.history(path)).facts()

    @write("metadata/{path:rest}", exists="is_there")
    async def write_metadata(self, path: str, given: Given[schemas.MetadataInput]) -> Response:
        """Write a secret's settings; there need not be a version yet."""
        check_path(path)
        if not given.sent.intersection(_VALUES):
            return Response()
        texts = custom_metadata(given.value.custom_metadata or {})
        async with self._entries.locks.of(path):
            metadata = await self._entries.metadata(path) or self._entries.fresh()
            return await self._write_settings(path, metadata, given, texts)

    @patch("metadata/{path:rest}")
    async def patch_metadata(self, path: str, given: Given[schemas.MetadataInput]) -> Response:
        """Change some of a secret's settings: null resets one, and custom_metadata is merged (RFC 7396)."""
        check_path(path)
        async with self._entries.locks.of(path):
            metadata = await self._entries.history(path)
            if not given.sent.intersection(_VALUES):
                return Response()
            changes = given.value.custom_metadata
            texts = {} if changes is None else custom_metadata(merge_patch(metadata.custom_metadata, changes))
            return await self._write_settings(path, metadata, given, texts)

    @delete("metadata/{path:rest}")
    async def delete_metadata(self, path: str) -> None:
        """Remove a secret with all its versions, for good."""
        async with self._entries.locks.of(path):
            metadata = await self._entries.metadata(path)
            if metadata is not None:
                values = [remove(data_key(path, number)) for number in metadata.versions]
                await self.storage.commit([remove(METADATA + path), *values])

    @list_("metadata/{path:rest}")
    async def list_metadata(self, path: str, page: Given[Page]) -> dict[str, Any]:
        """List the names below a path."""
        return keys(page.value.cut(await self.storage.list(METADATA + folder(path))))

    @list_("metadata")
    async def list_all_metadata(self, page: Given[Page]) -> dict[str, Any]:
        """List the names at the top."""
        return await self.list_metadata("", page)

    @scan("metadata")
    @scan("metadata/{path:rest}")
    async def scan_metadata(self, page: Given[Page], path: str = "") -> dict[str, Any]:
        """List the names at any depth below a path."""
        names = page.value.cut(await below(self.storage, METADATA + folder(path)))
        return {"keys": names} if names else {}

    @list_("detailed-metadata/{path:any}")
    async def list_detailed_metadata(self, path: str | None, page: Given[Page]) -> dict[str, Any]:
        """List the names below a path with the history of each."""
        names = page.value.cut(await self.storage.list(METADATA + folder(path)))
        return keys(names) | await self._histories(folder(path), names)

    @scan("detailed-metadata/{path:any}")
    async def scan_detailed_metadata(self, path: str | None, page: Given[Page]) -> dict[str, Any]:
        """List the names at any depth below a path with the history of each."""
        names = page.value.cut(await below(self.storage, METADATA + folder(path)))
        return {"keys": names, **await self._histories(folder(path), names)} if names else {}

    async def _histories(self, folder: str, names: list[str]) -> dict[str, Any]:
        entries = [(name, await self._entries.metadata(folder + name)) for name in names]
        return {"key_info": {name: metadata.facts() if metadata else {} for name, metadata in entries}}

    # -- the mount ----------------------------------------------------------------------------------------------

    @read("config")
    async def read_config(self) -> dict[str, Any]:
        """Read the mount's settings."""
        return (await self._entries.config()).facts()

    @write("config")
    async def write_config(self, given: Given[schemas.ConfigInput]) -> None:
        """Change the mount's settings."""
        sent: dict[str, Any] = {name: getattr(given.value, name) for name in given.sent}
        if "max_versions" in sent:
            sent["max_versions"] %= 2**32  # unsigned, as Vault keeps it
        if "delete_version_after" in sent:
            sent["delete_version_after"] = _seconds(sent["delete_version_after"])
        async with self._entries.locks.of("config of the mount"):
            stored = await self._entries.config()
            names = Settings.__struct_fields__
            changed = Settings(**{name: sent.get(name, getattr(stored, name)) for name in names})
            await self._entries.save_config(changed)

    # -- wrong paths --------------------------------------------------------------------------------------------

    @on(*ANY, *LISTING, template="data")
    @on(*ANY, template="metadata")
    @on(*ANY, *LISTING, template="delete")
    @on(*ANY, *LISTING, template="undelete")
    @on(*ANY, *LISTING, template="destroy")
    async def refuse_top(self, request: Request) -> Response:
        """Say that the top of the mount can only be listed, and that by its metadata."""
        _check_written(request)
        if request.operation in LISTING:
            raise UnsupportedOperation
        return _hint("Non-listing operations on the root of a K/V v2 mount are not supported.")

    @on(*ANY, Operation.LIST, template="{path:any}")
    async def refuse_path(self, path: str, request: Request) -> Response:
        """Say that this looks like a path of version 1; tools tell the versions apart by these words."""
        del path
        _check_written(request)
        verb = _VERBS.get(request.operation, request.operation.value)
        return _hint(
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to "
            f"use. If using the Vault CLI, use 'vault kv {verb}' for this operation."
        )

    # -- entries ------------------------------------------------------------------------------------------------

    async def is_there(self, path: str) -> bool:
        """Tell whether there is a secret, be it without versions."""
        return await self.storage.get(METADATA + path) is not None

    async def _add_version(self, path: str, metadata: Metadata, value: bytes, options: Any) -> Response:
        settings = await self._entries.config()
        check_cas(options, metadata.current_version, settings.cas_required or metadata.cas_required)
        fallen = metadata.add_version(settings, self.system.clock.now())
        number = metadata.current_version
        stored = [put(METADATA + path, metadata), Change(data_key(path, number), value)]
        await self.storage.commit(stored + [remove(data_key(path, old)) for old in fallen])
        return Response(metadata.version_facts(number))

    async def _mark(self, path: str, mark: Callable[[Metadata, float], bool]) -> None:
        async with self._entries.locks.of(path):
            metadata = await self._entries.metadata(path)
            if metadata is not None and mark(metadata, self.system.clock.now()):
                await save(self.storage, METADATA + path, metadata)

    async def _write_settings(
        self, path: str, metadata: Metadata, given: Given[schemas.MetadataInput], texts: dict[str, str]
    ) -> Response:
        settings, sent = await self._entries.config(), given.value
        required = settings.metadata_cas_required or metadata.metadata_cas_required
        check_metadata_cas(sent.metadata_cas, metadata.metadata_version, required)
        new = {
            "custom_metadata": texts,
            "max_versions": sent.max_versions % 2**32,
            "cas_required": sent.cas_required,
            "delete_version_after": sent.delete_version_after,
            "metadata_cas_required": sent.metadata_cas_required,
        }
        for name in given.sent.intersection(_VALUES):
            setattr(metadata, name, new[name])
        metadata.metadata_version += 1
        metadata.updated_time = timestamp(self.system.clock.now())
        await save(self.storage, METADATA + path, metadata)
        return Response(warnings=_overruled(settings, given))


def _numbers(given: Given[schemas.VersionsInput], complaint: str) -> Sequence[int]:
    if not given.value.versions:
        raise InvalidRequest(complaint)
    return given.value.versions


def _seconds(text: str) -> int:
    try:
        return int(parse_duration(text))
    except ValueError as error:
        raise InvalidRequest(f'error converting input for field "delete_version_after": {error}') from None


def _subkeys(value: Any, depth: int) -> Any:
    """Return an object with its values taken out; ``depth`` 0 is as deep as it goes."""
    return {
        name: _subkeys(inner, depth - 1) if isinstance(inner, dict) and inner and depth != 1 else None
        for name, inner in value.items()
    }


def _overruled(settings: Settings, given: Given[schemas.MetadataInput]) -> list[str]:
    return [
        f'"{name}" set to false, but is mandated by backend config. This value will be ignored.'
        for name in ("cas_required", "metadata_cas_required")
        if name in given.sent and getattr(settings, name) and not getattr(given.value, name)
    ]


def _check_written(request: Request) -> None:
    if request.operation in {Operation.CREATE, Operation.UPDATE, Operation.PATCH}:
        check_path(request.path)


def _hint(warning: str) -> Response:
    return Response(status=404, warnings=[warning])
