"""What KV version 2 keeps beside the values: settings, and a secret's versions. Pure; times are given.

Time stamps are texts of ``lib.timestamps``; an empty deletion time is none. One in the future is announced, not past.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from strongroom_common.durations import go_duration
from strongroom_server.lib.timestamps import timestamp

_KEPT = 10  # versions, where neither the mount nor the secret says how many


class Settings(msgspec.Struct, frozen=True):
    """The mount's own. ``delete_version_after`` is in seconds; negative switches it off for all secrets."""

    max_versions: int = 0
    cas_required: bool = False
    delete_version_after: int = 0
    metadata_cas_required: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what a read of config shows."""
        return {
            "cas_required": self.cas_required,
            "delete_version_after": go_duration(self.delete_version_after),
            "max_versions": self.max_versions,
            "metadata_cas_required": self.metadata_cas_required,
        }


class Version(msgspec.Struct, array_like=True, omit_defaults=True):
    """One version of a secret; its value lies elsewhere and is gone where ``destroyed``."""

    created_time: str
    deletion_time: str = ""
    destroyed: bool = False

    def gone(self, now: float) -> bool:
        """Tell whether its value may not be read (any more)."""
        return self.destroyed or (self.deletion_time != "" and self.deletion_time <= timestamp(now))

    def facts(self) -> dict[str, Any]:
        """Return what is shown of it among its siblings."""
        return {
            "created_time": self.created_time,
            "deletion_time": self.deletion_time,
            "destroyed": self.destroyed,
        }


class Metadata(msgspec.Struct, omit_defaults=True):
    """A secret's history and settings."""

    created_time: str
    updated_time: str
    current_version: int = 0
    oldest_version: int = 0
    versions: dict[int, Version] = {}
    max_versions: int = 0
    cas_required: bool = False
    delete_version_after: int = 0
    custom_metadata: dict[str, str] = {}
    metadata_version: int = 0
    metadata_cas_required: bool = False

    def facts(self) -> dict[str, Any]:
        """Return what a read of metadata shows."""
        return {
            "cas_required": self.cas_required,
            "created_time": self.created_time,
            "current_metadata_version": self.metadata_version,
            "current_version": self.current_version,
            "custom_metadata": self.custom_metadata or None,
            "delete_version_after": go_duration(self.delete_version_after),
            "max_versions": self.max_versions,
            "metadata_cas_required": self.metadata_cas_required,
            "oldest_version": self.oldest_version,
            "updated_time": self.updated_time,
            "versions": {str(number): version.facts() for number, version in self.versions.items()},
        }

    def version_facts(self, number: int) -> dict[str, Any]:
        """Return what is shown of one version beside its value."""
        version = self.versions[number]
        return {
            "created_time": version.created_time,
            "custom_metadata": self.custom_metadata or None,
            "deletion_time": version.deletion_time,
            "destroyed": version.destroyed,
            "version": number,
        }

    def add_version(self, settings: Settings, now: float) -> list[int]:
        """Append a version; return the numbers of the old ones that fell out and whose values must go."""
        created = timestamp(now)
        self.current_version += 1
        self.versions[self.current_version] = Version(created, self.deletion_time(settings, now))
        self.updated_time = created
        kept = max(settings.max_versions, self.max_versions) or _KEPT
        fallen = [number for number in self.versions if number <= self.current_version - kept]
        for number in fallen:
            del self.versions[number]
        if self.current_version - self.oldest_version >= kept:
            self.oldest_version = self.current_version - kept + 1
        return fallen

    def deletion_time(self, settings: Settings, now: float) -> str:
        """Return when a version that lives from now on ends: the sooner of the mount's and the secret's setting."""
        if settings.delete_version_after < 0:
            return ""
        seconds = [after for after in (settings.delete_version_after, self.delete_version_after) if after > 0]
        return timestamp(now + min(seconds)) if seconds else ""

    def delete(self, numbers: Sequence[int], now: float) -> bool:
        """Mark versions as deleted; tell whether that changed anything."""
        live = [self.versions[number] for number in numbers if number in self.versions]
        live = [version for version in live if not version.gone(now)]
        for version in live:
            version.deletion_time = timestamp(now)
        return bool(live)

    def undelete(self, numbers: Sequence[int], settings: Settings, now: float) -> bool:
        """Bring versions back, except destroyed ones; tell whether that changed anything."""
        kept = [self.versions[number] for number in numbers if number in self.versions]
        kept = [version for version in kept if not version.destroyed]
        for version in kept:
            version.deletion_time = self.deletion_time(settings, now)
        return bool(kept)
