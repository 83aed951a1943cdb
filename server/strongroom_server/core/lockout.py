"""User lockout: after some wrong passwords a user is refused for a while, the right password included (Vault docs).

Which methods, and what they take for a user, the method says (``Engine.login_name``); only users that are there are
counted, so that guessed names cost no memory. A lock outlives a restart: it is kept as ``locked/<accessor>/<user>``.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom_common.clock import Clock
from strongroom_server.config import UserLockout
from strongroom_server.core.mounts import Mount
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.storage import Storage, load, put, remove

log = logging.getLogger("core.lockout")

METHODS = ("approle", "ldap", "userpass")
_MANY = 100_000
_USUAL = UserLockout()

User = tuple[str, str]
"""Mount accessor and name."""


@dataclass(frozen=True, slots=True)
class _Lock:
    accessor: str
    name: str
    until: float


@dataclass(slots=True)
class _Failures:
    count: int = 0
    forgotten: float = 0.0


@dataclass(slots=True)
class Lockouts:
    """Failed logins and locked users. ``settings`` are the server file's, by method or "all"."""

    storage: Storage
    clock: Clock
    settings: Mapping[str, UserLockout]
    _failures: dict[User, _Failures] = field(default_factory=dict)
    _locks: dict[User, float] = field(default_factory=dict)

    async def start(self) -> None:
        """Load the locks that hold still."""
        for accessor in await self.storage.list("locked/"):
            for name in await self.storage.list(f"locked/{accessor}"):
                lock = await load(self.storage, f"locked/{accessor}{name}", _Lock)
                if lock is not None:
                    self._locks[lock.accessor, lock.name] = lock.until

    def rules(self, mount: Mount) -> UserLockout:
        """Return what holds at a mount: its own settings, over the method's, over those of all."""
        base = self.settings.get(mount.entry.type) or self.settings.get("all") or _USUAL
        return mount.entry.config.user_lockout_config.over(base)

    def check(self, user: User) -> None:
        """Raise PermissionDenied for a locked user."""
        until = self._locks.get(user)
        if until is not None and self.clock.now() < until:
            raise PermissionDenied(rule="the user is locked out after failed logins")

    async def failed(self, user: User, rules: UserLockout) -> None:
        """Count a wrong password; the last of them locks the user out."""
        now = self.clock.now()
        if len(self._failures) > _MANY:
            self._failures = {who: known for who, known in self._failures.items() if now < known.forgotten}
        known = self._failures.setdefault(user, _Failures())
        known.count = known.count + 1 if now < known.forgotten else 1
        known.forgotten = now + rules.lockout_counter_reset
        if known.count >= rules.lockout_threshold:
            self._locks[user] = now + rules.lockout_duration
            del self._failures[user]
            log.warning("a user is locked out", extra={"fields": {"mount_accessor": user[0], "user": user[1]}})
            await self.storage.commit([put(_key(user), _Lock(*user, now + rules.lockout_duration))])

    async def succeeded(self, user: User) -> None:
        """Forget the failures of a user who is in."""
        self._failures.pop(user, None)
        if user in self._locks:
            await self.unlock(user)

    async def unlock(self, user: User) -> None:
        """Let a user in again; one who is not locked is fine."""
        self._failures.pop(user, None)
        if self._locks.pop(user, None) is not None:
            await self.storage.commit([remove(_key(user))])

    def locked(self) -> list[User]:
        """Return the locked users, sorted."""
        now = self.clock.now()
        return sorted(user for user, until in self._locks.items() if now < until)


def _key(user: User) -> str:
    accessor, name = user
    return f"locked/{accessor}/{hashlib.sha256(name.encode()).hexdigest()}"
