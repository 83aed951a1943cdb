"""Quotas: how many requests a client may make in a time, and how many leases there may be (Vault docs).

One quota of each kind decides about a request, the most specific: its role, its path, the longest prefix with ``*``,
its mount, all. Pure but for the counts; kept under ``core/settings/quotas/``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, TypeVar

from strongroom_common.fields import Names, Seconds
from strongroom_server.sdk.errors import TooManyRequests

_MANY = 10_000
"""Clients of one quota that are kept without looking whether their time is over."""
EXEMPT = Names((
    "sys/generate-recovery-token/attempt", "sys/generate-recovery-token/update", "sys/generate-root/attempt",
    "sys/generate-root/update", "sys/health", "sys/seal-status", "sys/unseal",
))  # fmt: skip


@dataclass(frozen=True)
class QuotaSettings:
    """What holds for all quotas."""

    rate_limit_exempt_paths: Annotated[Names, "Paths without a rate limit; * at the end is any rest."] = EXEMPT
    enable_rate_limit_audit_logging: Annotated[bool, "Put refused requests on record."] = False
    enable_rate_limit_response_headers: Annotated[bool, "Tell clients what is left."] = False


@dataclass(frozen=True)
class Scope:
    """What a quota is for: a mount ("secret/"), a path below one, one with ``*`` at its end, "" for all; a role."""

    path: Annotated[str, "Mount or path; nothing is all."] = ""
    role: Annotated[str, "Role of a login at an auth mount."] = ""
    inheritable: Annotated[bool, "Hold in namespaces below too."] = False

    def fits(self, mount: str, path: str, role: str, namespace: str = "") -> bool:
        """Say whether a request is meant. All paths are whole ones: they begin with ``namespace``."""
        if self.role and self.role != role:
            return False
        if self.path.endswith("*"):
            return path.startswith(self.path[:-1])
        if namespace and self.inheritable and self.path.endswith("/") and namespace.startswith(self.path):
            return True
        return self.path in ("", mount, path, namespace)

    @property
    def specificity(self) -> tuple[bool, bool, int]:
        """The most specific quota holds."""
        return bool(self.role), not self.path.endswith(("*", "/")) and bool(self.path), len(self.path)


@dataclass(frozen=True)
class RateLimit(Scope):
    """So many requests of one client in an interval; a client that wants more may be shut out for a while."""

    rate: Annotated[float, "Requests in an interval."] = 0.0
    interval: Annotated[Seconds, "The interval."] = Seconds(1)
    block_interval: Annotated[Seconds, "How long a client that wanted more gets nothing."] = Seconds(0)


@dataclass(frozen=True)
class LeaseCount(Scope):
    """So many leases."""

    max_leases: Annotated[int, "Leases at a time."] = 0


Kind = Literal["rate-limit", "lease-count"]


@dataclass(slots=True)
class _Window:
    """What one client has left until ``ends``."""

    left: float
    ends: float
    blocked_until: float = 0.0


@dataclass(slots=True)
class Quotas:
    """All quotas by name, and what clients have used of them."""

    settings: QuotaSettings = field(default_factory=QuotaSettings)
    rates: dict[str, RateLimit] = field(default_factory=dict)
    leases: dict[str, LeaseCount] = field(default_factory=dict)
    _windows: dict[str, dict[str, _Window]] = field(default_factory=dict)

    def put_rate(self, name: str, quota: RateLimit) -> None:
        """Take a quota; its counts begin anew."""
        self.rates[name] = quota
        self._windows.pop(name, None)

    def rate_for(self, mount: str, path: str, role: str = "", namespace: str = "") -> str:
        """Return the name of the rate limit that decides about a request; "" where none does."""
        if any(_covers(exempt, path) for exempt in self.settings.rate_limit_exempt_paths):
            return ""
        return most_specific(self.rates, mount, path, role, namespace)

    def spend(self, name: str, client: str, path: str, now: float) -> dict[str, str]:
        """Count one request of ``client``; return the headers that tell what is left, or raise TooManyRequests."""
        quota = self.rates[name]
        window = self._window(name, quota, client, now)
        allowed = window.left >= 1 and now >= window.blocked_until
        if allowed:
            window.left -= 1
        elif quota.block_interval and now >= window.blocked_until:
            window.blocked_until = now + quota.block_interval
        headers = self._headers(quota, window, now, allowed=allowed)
        if not allowed:
            raise TooManyRequests(f'request path "{path}": rate limit quota exceeded', headers=headers)
        return headers

    def _window(self, name: str, quota: RateLimit, client: str, now: float) -> _Window:
        windows = self._windows.setdefault(name, {})
        window = windows.get(client)
        if window is None or now >= window.ends:
            if len(windows) > _MANY:
                for other in [key for key, old in windows.items() if now >= max(old.ends, old.blocked_until)]:
                    del windows[other]
            blocked = window.blocked_until if window is not None else 0.0
            # A rate below one lets one request through in a longer interval.
            seconds = quota.interval if quota.rate >= 1 else quota.interval / quota.rate
            window = windows[client] = _Window(max(quota.rate, 1), now + seconds, blocked)
        return window

    def _headers(self, quota: RateLimit, window: _Window, now: float, *, allowed: bool) -> dict[str, str]:
        if not self.settings.enable_rate_limit_response_headers:
            return {}
        reset = str(max(int(max(window.ends, window.blocked_until) - now), 0))
        headers = {"X-Ratelimit-Limit": f"{quota.rate:g}", "X-Ratelimit-Remaining": f"{int(window.left)}",
                   "X-Ratelimit-Reset": reset}  # fmt: skip
        return headers if allowed else {**headers, "Retry-After": reset}

    def check_leases(self, mount: str, path: str, lease_ids: Iterable[str], namespace: str = "") -> None:
        """Raise TooManyRequests where one more lease would be too many; ``lease_ids`` are those of all namespaces."""
        name = most_specific(self.leases, mount, path, "", namespace)
        if not name:
            return
        quota = self.leases[name]
        prefix = quota.path.removesuffix("*")
        if sum(lease_id.startswith(prefix) for lease_id in lease_ids) >= quota.max_leases:
            raise TooManyRequests(f'request path "{path}": lease count quota exceeded')


def most_specific(quotas: Any, mount: str, path: str, role: str, namespace: str = "") -> str:
    """Return the name of the quota that decides about a request; "" where none does."""
    fitting = (name for name, quota in quotas.items() if quota.fits(mount, path, role, namespace))
    found: str = max(fitting, key=lambda name: quotas[name].specificity, default="")
    return found


_Scoped = TypeVar("_Scoped", bound=Scope)


def carried(quotas: dict[str, _Scoped], point: str, to: str) -> dict[str, _Scoped]:
    """Return quotas as they are once what was at ``point`` is at ``to``; with its end ("") its quotas end."""
    return {
        name: replace(quota, path=to + quota.path.removeprefix(point)) if quota.path.startswith(point) else quota
        for name, quota in quotas.items()
        if to or not quota.path.startswith(point)
    }


def _covers(exempt: str, path: str) -> bool:
    exempt = exempt.lstrip("/")
    return path.startswith(exempt[:-1]) if exempt.endswith("*") else path == exempt
