"""Every request and answer goes to every audit device; one that takes it is enough, none is a refusal.

Devices are kept in ``core/audit/table``. The entries are made by ``audit/entries.py`` per device, as each hashes with
its own salt.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from strongroom_common.clock import Clock
from strongroom_server.audit import open_device
from strongroom_server.audit.entries import Event, Target, Verdict, probe_entry, request_entry, response_entry
from strongroom_server.audit.entries import Token as ShownToken
from strongroom_server.audit.redaction import Redaction
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


@dataclass(slots=True)
class OpenDevice:
    """A row with its running device and what its lines may show."""

    entry: DeviceEntry
    device: Device
    redaction: Redaction


async def _opened(entry: DeviceEntry) -> OpenDevice:
    redaction = Redaction.of(bytes.fromhex(entry.salt), entry.options)
    return OpenDevice(entry, await open_device(entry.type, entry.options), redaction)


class AuditBroker:
    """The enabled devices."""

    def __init__(self, storage: Storage, clock: Clock, metrics: Metrics | None = None) -> None:
        self._storage = storage
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
        for entry in await load(self._storage, "table", list[DeviceEntry]) or []:
            try:
                self.devices[entry.path] = await _opened(entry)
            except AuditError as error:
                log.exception("an audit device could not be opened", extra={"fields": {"device": entry.path}})
                redaction = Redaction(bytes.fromhex(entry.salt))
                self.devices[entry.path] = OpenDevice(entry, _Refusing(str(error)), redaction)

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
        if entry.path in self.devices:
            raise InvalidRequest("path already in use")
        entry = replace(entry, salt=secrets.token_hex(32))
        try:
            opened = await _opened(entry)
            await opened.device.write(probe_entry(opened.redaction, self._clock.now(), fresh_nonce()))
        except AuditError as error:
            raise InvalidRequest(f"audit device failed to take a test message: {error}") from error
        await self._store([*(other.entry for other in self.devices.values()), entry])
        self.devices[entry.path] = opened

    async def disable(self, path: str) -> None:
        """Close and forget a device; none at the path is fine."""
        opened = self.devices.get(path)
        if opened is None:
            return
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
        decision = exchange.decision
        event.error = "" if decision is not None and decision.allowed else "permission denied"
        await self._write("request", [request_entry(opened.redaction, event) for opened in self.devices.values()])
        self._requests.observe((self._clock.now() - started) * 1000)

    async def response(self, exchange: "Exchange") -> None:
        """Record an answer; raises AuditError where no device took it."""
        started = self._clock.now()
        event = _event(exchange, started)
        if exchange.error is None:
            event.response = exchange.response
        else:
            event.error = str(exchange.error)
        await self._write("response", [response_entry(opened.redaction, event) for opened in self.devices.values()])
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


def _event(exchange: "Exchange", now: float) -> Event:
    event = Event(now, exchange.request, token=_token(exchange, now), headers=exchange.server.audit.headers)
    if (mount := exchange.mount) is not None:
        config = mount.entry.config
        event.target = Target(
            mount.entry.type, mount.table, "",
            frozenset(config.audit_non_hmac_request_keys), frozenset(config.audit_non_hmac_response_keys),
        )  # fmt: skip
    if (decision := exchange.decision) is not None:
        event.verdict = Verdict(decision.allowed, decision.policies, "" if decision.allowed else decision.reason)
    return event


def _token(exchange: "Exchange", now: float) -> ShownToken | None:
    token = exchange.token
    if token is None:
        return None
    return ShownToken(
        id=exchange.request.token, accessor=token.accessor, display_name=token.display_name, policies=token.policies,
        identity_policies=tuple(sorted(exchange.server.identity.policies(token.entity_id))),
        no_default_policy=token.no_default_policy, metadata=token.meta or {}, remaining_uses=max(token.uses, 0),
        entity_id=token.entity_id, kind=token.type, ttl=max(int(token.expires - now), 0) if token.expires else 0,
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
