"""Every request and answer goes to every audit device; one that takes it is enough, none is a refusal.

Devices are kept in ``core/audit/table``; those that the server file declares stand there too, for their salts, and
come and go with it. The entries are made by ``audit/entries.py`` per device, as each hashes with
its own salt.
"""

import asyncio
import base64
import hashlib
import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from strongroom_common.clock import Clock
from strongroom_server.audit import open_device
from strongroom_server.audit.entries import Event, Target, Verdict, probe_entry, request_entry, response_entry
from strongroom_server.audit.entries import Token as ShownToken
from strongroom_server.audit.redaction import Redaction
from strongroom_server.config import AuditDevice, Config
from strongroom_server.core import wrapping
from strongroom_server.core.leases import fresh_nonce
from strongroom_server.core.metrics import Metrics
from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError, InvalidRequest
from strongroom_server.sdk.storage import Storage, load, save

if TYPE_CHECKING:
    from strongroom_server.core.exchange import Exchange

log = logging.getLogger("core.audit")


@dataclass(frozen=True)
class DeviceEntry:
    """One row of the table. ``path`` ends in a slash."""

    path: str
    type: str
    description: str = ""
    options: dict[str, str] = field(default_factory=dict)
    local: bool = False
    salt: str = ""
    declared: bool = False
    """By the server file."""


@dataclass(slots=True)
class OpenDevice:
    """A row with its running device and what its lines may show."""

    entry: DeviceEntry
    device: Device
    redaction: Redaction
    prefix: bytes = b""


def with_declared(stored: Mapping[str, DeviceEntry], declared: Iterable[AuditDevice]) -> dict[str, DeviceEntry]:
    """Return the table that the file asks for: devices of the API stay, those it no longer declares go, salts stay."""
    table = {path: entry for path, entry in stored.items() if not entry.declared}
    for device in declared:
        path = device.path.strip("/") + "/"
        salt = stored[path].salt if path in stored else secrets.token_hex(32)
        options = dict(device.options)
        table[path] = DeviceEntry(path, device.type, device.description, options, device.local, salt, declared=True)
    return table


class AuditBroker:
    """The enabled devices."""

    def __init__(
        self, storage: Storage, clock: Clock, metrics: Metrics | None = None, config: Config | None = None
    ) -> None:
        self._storage = storage
        self._config = config or Config()
        self._clock = clock
        self._metrics = metrics = metrics or Metrics()
        for call in ("request", "response"):
            metrics.count(f"vault.audit.log_{call}_failure", by=0)
        self._requests = metrics.summary("vault.audit.log_request")
        self._responses = metrics.summary("vault.audit.log_response")
        self.devices: dict[str, OpenDevice] = {}
        self.headers: dict[str, bool] = {}
        """Request headers that entries show: lower-case name to whether the value is hashed."""

    async def start(self) -> None:
        """Open every enabled device; one that cannot be opened leaves a device that refuses."""
        self.headers = await load(self._storage, "headers", dict[str, bool]) or {}
        stored = {entry.path: entry for entry in await load(self._storage, "table", list[DeviceEntry]) or []}
        table = with_declared(stored, self._config.audit)
        if table != stored:
            await self._store(list(table.values()))
        for path, entry in table.items():
            try:
                self.devices[path] = await self._opened(entry)
            except AuditError as error:
                log.exception("an audit device could not be opened", extra={"fields": {"device": path}})
                redaction = Redaction(bytes.fromhex(entry.salt))
                self.devices[path] = OpenDevice(entry, _Refusing(str(error)), redaction)

    async def follow(self, config: Config) -> None:
        """Have the devices that the server file now declares; one that does not open leaves what was at its path."""
        self._config = config
        stored = {path: opened.entry for path, opened in self.devices.items()}
        table = with_declared(stored, config.audit)
        for path in stored.keys() - table.keys():
            await self.devices.pop(path).device.close()
        for path, entry in table.items():
            if entry != stored.get(path):
                await self._replace(path, entry)
        await self._store([opened.entry for opened in self.devices.values()])

    async def _replace(self, path: str, entry: DeviceEntry) -> None:
        try:
            opened = await self._probed(entry)
        except AuditError:
            log.exception("a declared audit device could not be opened", extra={"fields": {"device": path}})
            return
        old = self.devices.get(path)
        self.devices[path] = opened
        if old is not None:
            await old.device.close()

    async def _opened(self, entry: DeviceEntry) -> OpenDevice:
        redaction = Redaction.of(bytes.fromhex(entry.salt), entry.options)
        prefix = entry.options.get("prefix", "")
        # Security 1: who may enable devices could otherwise write what others execute (HCSEC-2025-14).
        if prefix and not self._config.allow_audit_log_prefixing:
            raise AuditError("audit log prefixing is not allowed: set allow_audit_log_prefixing in the server file")
        device = await open_device(entry.type, entry.options)
        return OpenDevice(entry, device, redaction, prefix.encode())

    async def _probed(self, entry: DeviceEntry) -> OpenDevice:
        """Open a device that has just come, and see that it takes an entry; raises AuditError."""
        opened = await self._opened(entry)
        try:
            await opened.device.write(opened.prefix + probe_entry(opened.redaction, self._clock.now(), fresh_nonce()))
        except AuditError:
            await opened.device.close()
            raise
        return opened

    async def close(self) -> None:
        """Close all devices."""
        await self._each("close")
        self.devices.clear()

    async def reopen(self) -> None:
        """Open files anew, after a rotation."""
        await self._each("reopen")

    async def _each(self, call: str) -> None:
        """Call every device; the failure of one is logged and keeps none of the others from it."""
        for path, opened in self.devices.items():
            try:
                await getattr(opened.device, call)()
            except AuditError:
                log.exception("an audit device failed", extra={"fields": {"device": path, "call": call}})

    async def enable(self, entry: DeviceEntry) -> None:
        """Open, store and use a device; raises InvalidRequest where it cannot be."""
        if not self._config.unsafe_allow_api_audit_creation:
            raise InvalidRequest("cannot enable audit device via API; use declarative, config-based audit device "
                                 "management instead")  # fmt: skip
        if entry.path in self.devices:
            raise InvalidRequest("path already in use")
        entry = replace(entry, salt=secrets.token_hex(32))
        try:
            opened = await self._probed(entry)
        except AuditError as error:
            raise InvalidRequest(f"audit device failed to take a test message: {error}") from error
        await self._store([*(other.entry for other in self.devices.values()), entry])
        self.devices[entry.path] = opened

    async def disable(self, path: str) -> None:
        """Close and forget a device; none at the path is fine. Raises InvalidRequest for one that the file declares."""
        opened = self.devices.get(path)
        if opened is None:
            return
        if opened.entry.declared:
            raise InvalidRequest("cannot disable configuration-managed audit device")
        await self._store([other.entry for other in self.devices.values() if other is not opened])
        del self.devices[path]
        await opened.device.close()

    async def _store(self, entries: list[DeviceEntry]) -> None:
        await save(self._storage, "table", entries)

    async def show_headers(self, headers: dict[str, bool]) -> None:
        """Store and use another set of request headers that entries show."""
        await save(self._storage, "headers", headers)
        self.headers = headers

    def hash(self, path: str, text: str) -> str:
        """Return what a device writes in place of ``text``; raises InvalidRequest for an unknown device."""
        opened = self.devices.get(path)
        if opened is None:
            raise InvalidRequest(f"unknown audit backend: {path}")
        return opened.redaction.hash(text)

    async def request(self, exchange: "Exchange") -> None:
        """Record a request and the decision on it; raises AuditError where no device took it."""
        started = self._clock.now()
        event = _event(exchange, started)
        event.error = _why_not(exchange)
        await self._write("request", [d.prefix + request_entry(d.redaction, event) for d in self.devices.values()])
        self._requests.observe((self._clock.now() - started) * 1000)

    async def response(self, exchange: "Exchange") -> None:
        """Record an answer; raises AuditError where no device took it."""
        started = self._clock.now()
        event = _event(exchange, started)
        if exchange.error is None:
            opened = exchange.full_path == "sys/wrapping/unwrap"
            event.response = wrapping.unwrapped(exchange.response) if opened else exchange.response
        else:
            event.error = str(exchange.error)
        await self._write("response", [d.prefix + response_entry(d.redaction, event) for d in self.devices.values()])
        self._responses.observe((self._clock.now() - started) * 1000)

    async def _write(self, call: str, lines: list[bytes]) -> None:
        devices = [opened.device for opened in self.devices.values()]
        results = await asyncio.gather(
            *(device.write(line) for device, line in zip(devices, lines, strict=True)), return_exceptions=True
        )
        failed = [result for result in results if isinstance(result, BaseException)]
        for error in failed:
            self._metrics.count(f"vault.audit.log_{call}_failure")
            log.error("an audit device failed", extra={"fields": {"error": type(error).__name__}})
        if results and len(failed) == len(results):
            raise AuditError("no audit device took the entry")


def _why_not(exchange: "Exchange") -> str:
    """Return why a request is not served, as far as that is known before it is."""
    if exchange.error is not None:
        return str(exchange.error)
    return "" if exchange.decision is not None and exchange.decision.allowed else "permission denied"


def _event(exchange: "Exchange", now: float) -> Event:
    server = exchange.server
    event = Event(now, exchange.request, token=_token(exchange), namespace_id=server.id, home_id=exchange.home.id,
                  client_id=_client(exchange), headers=server.audit.headers)  # fmt: skip
    if (mount := exchange.mount) is not None:
        config = mount.entry.config
        event.target = Target(
            mount.entry.type, mount.table, "",
            frozenset(config.audit_non_hmac_request_keys), frozenset(config.audit_non_hmac_response_keys),
        )  # fmt: skip
    if (decision := exchange.decision) is not None:
        event.verdict = Verdict(decision.allowed, decision.policies, "" if decision.allowed else decision.reason)
    return event


def _client(exchange: "Exchange") -> str:
    """Return the entity; tokens without one that have the same policies are one client (Vault docs, "client count")."""
    token = exchange.token
    if token is None or token.entity_id:
        return "" if token is None else token.entity_id
    text = "\x7f".join(sorted(token.policies)) + "\0" + exchange.home.id
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _token(exchange: "Exchange") -> ShownToken | None:
    token, route = exchange.token, exchange.route
    if token is None:
        return None
    counted = token.uses != 0 and not (route is not None and route.public)  # this request is one of the uses
    return ShownToken(
        id=exchange.request.token, accessor=token.accessor, display_name=token.display_name, policies=token.policies,
        identity_policies=tuple(sorted(exchange.home.identity.policies(token.entity_id))),
        no_default_policy=token.no_default_policy, metadata=token.meta or {},
        remaining_uses=max(token.uses, 0) + counted, entity_id=token.entity_id, kind=token.type, ttl=token.ttl,
        issued=token.created,
    )  # fmt: skip


class _Refusing:
    """Stands for a device that could not be opened."""

    def __init__(self, why: str) -> None:
        self._why = why

    async def write(self, line: bytes) -> None:
        """Refuse."""
        del line
        raise AuditError(self._why)

    async def reopen(self) -> None:
        """Do nothing: the device must be enabled again."""

    async def close(self) -> None:
        """Do nothing."""
