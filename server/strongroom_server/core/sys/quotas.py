"""sys/quotas: limits on requests and leases."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Annotated, Any

from strongroom_common.fields import Given, Seconds, public
from strongroom_server.core.mounts import SINGLE
from strongroom_server.core.quotas import LeaseCount, Quotas, QuotaSettings, RateLimit, Scope, carried
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.storage import Storage, load, put, remove

if TYPE_CHECKING:
    from strongroom_server.core.server import Server

Name = Annotated[str, "Name of the quota."]


async def load_quotas(storage: Storage) -> Quotas:
    """Return the stored quotas."""
    quotas = Quotas(await load(storage, "quotas/settings", QuotaSettings) or QuotaSettings())
    quotas.rates = await load(storage, "quotas/rate-limit", dict[str, RateLimit]) or {}
    quotas.leases = await load(storage, "quotas/lease-count", dict[str, LeaseCount]) or {}
    return quotas


async def carry(server: "Server", point: str, to: str = "") -> None:
    """Let the quotas of a mount or namespace, named by its whole path, follow it to ``to``; without that they end."""
    quotas = server.quotas
    rates, leases = carried(quotas.rates, point, to), carried(quotas.leases, point, to)
    if (rates, leases) == (quotas.rates, quotas.leases):
        return
    kept = {"quotas/rate-limit": rates, "quotas/lease-count": leases}
    await server.root.settings.commit([put(key, rows) if rows else remove(key) for key, rows in kept.items()])
    quotas.rates, quotas.leases = rates, leases


class QuotaArea(Area):
    """Limits on requests and leases."""

    @read("quotas/config")
    async def read_settings(self) -> dict[str, Any]:
        """Read what holds for all quotas."""
        return public(self.server.quotas.settings)

    @write("quotas/config")
    async def write_settings(self, body: Given[QuotaSettings]) -> None:
        """Set what holds for all quotas."""
        await self.server.settings.commit([put("quotas/settings", body.value)])
        self.server.quotas.settings = body.value

    @list_("quotas/rate-limit")
    async def list_rates(self) -> dict[str, Any]:
        """List the limits on requests."""
        return _names(self.server.quotas.rates)

    @read("quotas/rate-limit/{name}")
    async def read_rate(self, name: Name) -> dict[str, Any]:
        """Read a limit on requests."""
        return _shown("rate-limit", name, self.server.quotas.rates.get(name))

    @write("quotas/rate-limit/{name}")
    async def write_rate(self, name: Name, body: Given[RateLimit]) -> None:
        """Set a limit on requests."""
        quotas = self.server.quotas
        quota = replace(body.value, interval=body.value.interval or Seconds(1))
        if not quota.rate > 0:
            raise InvalidRequest("'rate' is invalid: expected more than 0")
        quota = replace(quota, **self._scope(name, quota, quotas.rates))
        await self._store("quotas/rate-limit", {**quotas.rates, name: quota})
        quotas.put_rate(name, quota)

    @delete("quotas/rate-limit/{name}")
    async def delete_rate(self, name: Name) -> None:
        """Delete a limit on requests."""
        await self._drop("quotas/rate-limit", self.server.quotas.rates, name)

    @list_("quotas/lease-count")
    async def list_lease_counts(self) -> dict[str, Any]:
        """List the limits on leases."""
        return _names(self.server.quotas.leases)

    @read("quotas/lease-count/{name}")
    async def read_lease_count(self, name: Name) -> dict[str, Any]:
        """Read a limit on leases."""
        quota = self.server.quotas.leases.get(name)
        shown = _shown("lease-count", name, quota)
        if quota is not None:
            prefix = quota.path.removesuffix("*")
            shown["counter"] = sum(lease_id.startswith(prefix) for lease_id in self.server.leases.ending())
        return shown

    @write("quotas/lease-count/{name}")
    async def write_lease_count(self, name: Name, body: Given[LeaseCount]) -> None:
        """Set a limit on leases."""
        quotas = self.server.quotas
        quota = body.value
        if quota.max_leases < 1:
            raise InvalidRequest("'max_leases' is invalid: expected 1 or more")
        if quota.role:
            raise InvalidRequest("'role' is for limits on requests only")
        quota = replace(quota, **self._scope(name, quota, quotas.leases))
        await self._store("quotas/lease-count", {**quotas.leases, name: quota})
        quotas.leases[name] = quota

    @delete("quotas/lease-count/{name}")
    async def delete_lease_count(self, name: Name) -> None:
        """Delete a limit on leases."""
        await self._drop("quotas/lease-count", self.server.quotas.leases, name)

    def _scope(self, name: str, asked: Scope, known: dict[str, Any]) -> dict[str, Any]:
        """Return path and ``inheritable`` as they are kept; raises InvalidRequest where nothing is there."""
        path = asked.path.strip("/") + "/" if asked.path.strip("/") else ""
        below, within = self.server.namespaces.below(self.server, path)
        if within:
            path = asked.path.strip("/")
            found = below.mounts.find(within)
            if found is None:
                raise InvalidRequest(f'invalid mount path "{path}/"')
            mount, rest = found
            path = path if rest else below.path + mount.point
            if asked.role and (mount.table != "auth" or rest or mount.entry.type in SINGLE):
                raise InvalidRequest("'role' is for auth mounts with roles only")
        elif asked.role:
            raise InvalidRequest("'role' is for auth mounts only: expected a path")
        for other, quota in known.items():
            if other != name and (quota.path, quota.role) == (path, asked.role):
                raise InvalidRequest(f'quota rule with similar properties exists under the name "{other}"')
        return {"path": path, "inheritable": asked.inheritable or not path}

    async def _store(self, key: str, quotas: dict[str, Any]) -> None:
        await self.server.settings.commit([put(key, quotas) if quotas else remove(key)])

    async def _drop(self, key: str, quotas: dict[str, Any], name: str) -> None:
        await self._store(key, {other: quota for other, quota in quotas.items() if other != name})
        quotas.pop(name, None)


def _names(quotas: dict[str, Any]) -> dict[str, Any]:
    if not quotas:
        raise NotFound
    return {"keys": sorted(quotas)}


def _shown(kind: str, name: str, quota: Scope | None) -> dict[str, Any]:
    if quota is None:
        raise NotFound
    shown = {row.name: getattr(quota, row.name) for row in fields(quota)}
    if "rate" in shown and shown["rate"] == int(shown["rate"]):
        shown["rate"] = int(shown["rate"])
    return {"name": name, "type": kind, **shown}
