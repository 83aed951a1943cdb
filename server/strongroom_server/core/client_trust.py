"""Whose certificates clients may show: auth mounts say it, listeners follow.

TLS of OpenSSL judges a client's certificate during the handshake, before any mount is asked; so each listener must know
all issuers that some mount trusts (docs/adr/0005-client-certificates.md).
"""

from collections.abc import Callable, Iterable

Watcher = Callable[[frozenset[bytes]], None]


class ClientTrust:
    """The trusted certificates (DER) of all mounts together, and who follows them."""

    def __init__(self) -> None:
        self._by_mount: dict[str, frozenset[bytes]] = {}
        self._watchers: list[Watcher] = []

    @property
    def certificates(self) -> frozenset[bytes]:
        """Return what is trusted now."""
        return frozenset().union(*self._by_mount.values())

    def trust(self, mount_uuid: str, certificates: Iterable[bytes]) -> None:
        """Replace what one mount trusts; nothing withdraws it."""
        self._by_mount.pop(mount_uuid, None)
        if trusted := frozenset(certificates):
            self._by_mount[mount_uuid] = trusted
        for watcher in self._watchers:
            watcher(self.certificates)

    def follow(self, watcher: Watcher) -> None:
        """Call ``watcher`` with what is trusted, now and after each change."""
        self._watchers.append(watcher)
        watcher(self.certificates)
