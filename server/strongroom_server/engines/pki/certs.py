"""What a mount has issued: certificates below ``certs/`` (as DER), revocations below ``revoked/``, metadata.

Keys hold serial numbers with hyphens, as a colon has another meaning to some stores.
"""

from typing import Any

import msgspec
from cryptography import x509

from strongroom_common.clock import rfc3339
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.lib.x509 import der, serial_text
from strongroom_server.sdk.storage import Change, Storage, load, put, remove


class Revoked(msgspec.Struct, frozen=True):
    """A revocation. ``issuer_id`` is empty where no issuer here signed the certificate (any more)."""

    time: float
    expires: float
    issuer_id: str = ""

    def facts(self) -> dict[str, Any]:
        """Return what is told of it."""
        return {"revocation_time": int(self.time), "revocation_time_rfc3339": timestamp(self.time)}


class Metadata(msgspec.Struct, frozen=True):
    """What a client wants to remember of a certificate; ``cert_metadata`` is its Base64 as it came."""

    cert_metadata: str
    expiration: float
    issuer_id: str
    role: str

    def facts(self, serial: str) -> dict[str, Any]:
        """Return what a read shows."""
        return {
            "cert_metadata": self.cert_metadata,
            "expiration": rfc3339(self.expiration),
            "issuer_id": self.issuer_id,
            "role": self.role,
            "serial_number": serial,
        }


def _key(folder: str, serial: str) -> str:
    return f"{folder}/{serial.replace(':', '-')}"


class Certs:
    """Issued and revoked certificates. Revocations are in memory once read: every OCSP answer asks for them."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._revoked: dict[str, Revoked] | None = None

    def forget(self) -> None:
        """Read revocations anew next time."""
        self._revoked = None

    async def serials(self, folder: str = "certs") -> list[str]:
        """Return the serial numbers of what is stored, sorted."""
        return [name.replace("-", ":") for name in await self._storage.list(f"{folder}/")]

    async def find(self, serial: str) -> x509.Certificate | None:
        """Return a stored certificate."""
        raw = await self._storage.get(_key("certs", serial))
        return None if raw is None else x509.load_der_x509_certificate(raw)

    async def add(self, certificate: x509.Certificate, *more: Change) -> None:
        """Store a certificate, and ``more`` with it."""
        await self._storage.commit([self.stored(certificate), *more])

    def stored(self, certificate: x509.Certificate) -> Change:
        """Return the change that stores a certificate."""
        return self.entry(serial_text(certificate.serial_number), der(certificate))

    def entry(self, serial: str, raw: bytes) -> Change:
        """Return the change that stores a certificate's DER."""
        return Change(_key("certs", serial), raw)

    async def remove(self, serial: str, *, revocation: bool) -> None:
        """Forget a certificate with its metadata, or (also) its revocation."""
        changes = [remove(_key("certs", serial)), remove(_key("metadata", serial))]
        await self._storage.commit([*changes, *([remove(_key("revoked", serial))] if revocation else [])])
        if revocation and self._revoked is not None:
            self._revoked.pop(serial, None)

    async def revoked(self) -> dict[str, Revoked]:
        """Return all revocations by serial number."""
        if self._revoked is None:
            found: dict[str, Revoked] = {}
            for serial in await self.serials("revoked"):
                if (entry := await load(self._storage, _key("revoked", serial), Revoked)) is not None:
                    found[serial] = entry
            self._revoked = found
        return self._revoked

    async def revoke(self, certificate: x509.Certificate, entry: Revoked) -> None:
        """Store a revocation, and the certificate with it (one that was not kept is from now on)."""
        serial = serial_text(certificate.serial_number)
        revoked = await self.revoked()
        await self._storage.commit([self.stored(certificate), put(_key("revoked", serial), entry)])
        revoked[serial] = entry

    async def change(self, serial: str, entry: Revoked) -> None:
        """Store a changed revocation."""
        revoked = await self.revoked()
        await self._storage.commit([put(_key("revoked", serial), entry)])
        revoked[serial] = entry

    async def metadata(self, serial: str) -> Metadata | None:
        """Return what was kept of a certificate beside itself."""
        return await load(self._storage, _key("metadata", serial), Metadata)

    def with_metadata(self, serial: str, metadata: Metadata) -> Change:
        """Return the change that keeps metadata."""
        return put(_key("metadata", serial), metadata)
