"""Tidying: by hand, and by itself."""

import asyncio
import logging
from typing import Any

import msgspec
from cryptography import x509

from strongroom_common.durations import parse_duration
from strongroom_common.fields import Given
from strongroom_server.engines.pki import tidy
from strongroom_server.engines.pki.issuers import signed_by
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.tidy import AutoTidy, AutoTidyInput, Plan, Status, TidyInput
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.storage import Storage, load, save
from strongroom_server.sdk.system import System

log = logging.getLogger("engines.pki")

_STARTED = (
    "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs."
)
_RUNNING = "Tidy operation already in progress."
_CANCELLED = "Requested tidy operation was cancelled; this may take some time to complete."
_NOT_RUNNING = "Tidy operation cannot be cancelled as none is currently running."


class TidyPaths(Mount):
    """Forgets what is long over."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._status = Status()
        self._tidying: asyncio.Task[None] | None = None
        self._last_auto_tidy = self.now

    @write("tidy")
    async def tidy(self, given: Given[TidyInput]) -> Response:
        """Tidy in the background."""
        plan = tidy.planned(given, Plan())
        if not self._begin(plan):
            return Response(status=202, warnings=[_RUNNING])
        return Response(status=202, warnings=[tidy.NOTHING if plan.empty else _STARTED])

    @write("tidy-cancel")
    async def cancel_tidy(self) -> Response:
        """Stop tidying."""
        if self._tidying is None or self._tidying.done():
            return Response(status=200, warnings=[_NOT_RUNNING])
        self._tidying.cancel()
        await asyncio.gather(self._tidying, return_exceptions=True)
        return Response(await self._status_facts(), warnings=[_CANCELLED])

    @read("tidy-status")
    async def read_tidy_status(self) -> dict[str, Any]:
        """Read how the newest round goes."""
        return await self._status_facts()

    @read("config/auto-tidy")
    async def read_auto_tidy(self) -> dict[str, Any]:
        """Read how the mount tidies by itself."""
        return (await self._auto_tidy()).facts()

    @write("config/auto-tidy")
    async def write_auto_tidy(self, given: Given[AutoTidyInput]) -> dict[str, Any]:
        """Change how the mount tidies by itself."""
        stored = await self._auto_tidy()
        own = {name: getattr(given.value, name) for name in {*AutoTidy.__struct_fields__} & given.sent}
        changed = msgspec.structs.replace(stored, **own, plan=tidy.planned(given, stored.plan))
        if changed.enabled and changed.plan.empty:
            raise InvalidRequest(tidy.AUTO_NOTHING)
        if changed.plan.page_size < tidy.SMALLEST_PAGE:
            raise InvalidRequest(f"page_size must be at least {tidy.SMALLEST_PAGE}")
        if changed.interval_duration < 1:
            raise InvalidRequest(f"interval_duration must be positive; got {changed.interval_duration}")
        if changed.publish_stored_certificate_count_metrics and not changed.maintain_stored_certificate_counts:
            raise InvalidRequest("Can not publish a running storage metrics count to metrics without first maintaining "
                                 "that count.  Enable `maintain_stored_certificate_counts` to enable "
                                 "`publish_stored_certificate_count_metrics`.")  # fmt: skip
        await save(self.storage, "config/auto-tidy", changed)
        return changed.facts()

    async def auto_tidy(self) -> None:
        """Tidy if it is time."""
        config = await self._auto_tidy()
        if config.enabled and self.now >= self._last_auto_tidy + config.interval_duration:
            self._begin(config.plan)

    async def stop_tidying(self) -> None:
        """Stop what goes on in the background."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)

    async def tidy_acme(self, plan: Plan, status: Status) -> None:
        """Forget unused accounts and finished orders; ``acme/`` does it."""
        del plan, status

    async def _auto_tidy(self) -> AutoTidy:
        return await load(self.storage, "config/auto-tidy", AutoTidy) or AutoTidy()

    def _begin(self, plan: Plan) -> bool:
        if self._tidying is not None and not self._tidying.done():
            return False
        self._status = Status(plan, "Running", self.now)
        self._tidying = asyncio.ensure_future(self._run(plan, self._status))
        return True

    async def _run(self, plan: Plan, status: Status) -> None:
        try:
            if plan.tidy_cert_store or plan.tidy_invalid_certs:
                await self._tidy_certs(plan, status)
            if plan.tidy_revoked_certs or plan.tidy_revoked_cert_issuer_associations:
                await self._tidy_revoked(plan, status)
            if plan.tidy_expired_issuers:
                await self._tidy_issuers(plan)
            if plan.tidy_acme:
                await self.tidy_acme(plan, status)
            status.state = "Finished"
        except asyncio.CancelledError:
            status.state = "Cancelled"
            raise
        except Exception as error:
            log.exception("tidying failed", extra={"fields": {"mount": self.system.mount_point}})
            status.state, status.error = "Error", type(error).__name__
        finally:
            status.finished = self._last_auto_tidy = self.now
            status.message = None

    async def _tidy_certs(self, plan: Plan, status: Status) -> None:
        revoked = await self.certs.revoked()
        for number, serial in enumerate(await self.certs.serials()):
            status.message = f"Tidying certificate store: checking entry {number}"
            await self._rest(plan, number)
            try:
                certificate = await self.certs.find(serial)
            except ValueError:
                if plan.tidy_invalid_certs:
                    await self.certs.remove(serial, revocation=False)
                    status.cert_store_deleted += 1
                continue
            buffer = plan.revoked_buffer if serial in revoked else plan.safety_buffer
            if plan.tidy_cert_store and certificate is not None and _end(certificate) + buffer < self.now:
                await self.certs.remove(serial, revocation=False)
                status.cert_store_deleted += 1

    async def _tidy_revoked(self, plan: Plan, status: Status) -> None:
        removed = 0
        for number, (serial, entry) in enumerate(list((await self.certs.revoked()).items())):
            status.message = f"Tidying revoked certificates: checking certificate {number}"
            await self._rest(plan, number)
            if plan.tidy_revoked_cert_issuer_associations and not entry.issuer_id:
                await self._find_issuer(serial, status)
            if plan.tidy_revoked_certs and entry.expires + plan.revoked_buffer < self.now:
                await self.certs.remove(serial, revocation=True)
                removed += 1
        status.revoked_deleted += removed
        if removed and not (await self.crls.config()).auto_rebuild:
            await self.rebuild_crls()

    async def _find_issuer(self, serial: str, status: Status) -> None:
        certificate = await self.certs.find(serial)
        issuers = (await self.issuers.all()).values()
        found = next((one for one in issuers if certificate is not None and signed_by(certificate, one.x509)), None)
        if found is None:
            status.missing_issuer += 1
            return
        entry = (await self.certs.revoked())[serial]
        await self.certs.change(serial, msgspec.structs.replace(entry, issuer_id=found.id))

    async def _tidy_issuers(self, plan: Plan) -> None:
        """Forget expired issuers; their keys stay, and so does the default one."""
        async with self.changing:
            default = (await self.issuers.config()).default
            for issuer in list((await self.issuers.all()).values()):
                if issuer.id != default and _end(issuer.x509) + plan.issuer_safety_buffer < self.now:
                    await self.issuers.delete(issuer)

    async def _rest(self, plan: Plan, number: int) -> None:
        """Let others have their turn, and pause after each page."""
        await asyncio.sleep(0)
        if number and number % max(plan.page_size, 1) == 0:
            await self.system.clock.sleep(parse_duration(plan.pause_duration))

    async def _status_facts(self) -> dict[str, Any]:
        status, plan = self._status, self._status.plan
        ran = plan is not None
        counts = {
            "acme_account_deleted_count": status.acme_deleted, "acme_account_revoked_count": status.acme_revoked,
            "acme_orders_deleted_count": status.acme_orders, "cert_store_deleted_count": status.cert_store_deleted,
            "missing_issuer_cert_count": status.missing_issuer, "revoked_cert_deleted_count": status.revoked_deleted,
            "total_acme_account_count": status.acme_accounts,
        }  # fmt: skip
        shown = (plan or Plan()).facts()
        facts = {name: value if ran else None for name, value in (counts | shown).items()}
        kept = await self._stored_counts()
        facts |= {
            "current_cert_store_count": kept[0], "current_revoked_cert_count": kept[1], "error": status.error,
            "internal_backend_uuid": self.system.mount_uuid, "message": status.message, "state": status.state,
            "time_started": timestamp(status.started) if ran else None,
            "time_finished": timestamp(status.finished) if status.finished else None,
        }  # fmt: skip
        return facts | ({"last_auto_tidy_finished": timestamp(status.finished)} if status.finished else {})

    async def _stored_counts(self) -> tuple[int | None, int | None]:
        if not (await self._auto_tidy()).maintain_stored_certificate_counts:
            return None, None
        return len(await self.certs.serials()), len(await self.certs.revoked())


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
