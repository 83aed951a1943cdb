"""Revoking by ACME (RFC 8555, section 7.6), and tidying what ACME keeps."""

from cryptography import x509

from strongroom_common.fields import Given
from strongroom_server.engines.pki.acme import jws
from strongroom_server.engines.pki.acme.config import everywhere
from strongroom_server.engines.pki.acme.orders import OrderPaths
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.records import Account
from strongroom_server.engines.pki.acme.visit import Answer, Signed, Visit
from strongroom_server.engines.pki.paths.tidy import TidyPaths
from strongroom_server.engines.pki.tidy import Plan, Status
from strongroom_server.lib.x509 import der, key_kind, load_certificate, serial_text
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.request import Request, Response

_REASONS = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10}  # RFC 5280, section 5.3.1


class AcmeRevocationPaths(OrderPaths, TidyPaths):
    """Revokes certificates for those who ordered them or have their key."""

    @everywhere(write, "revoke-cert", public=True)
    async def acme_revoke(
        self, signed: Given[Signed], request: Request, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Revoke a certificate."""
        return await self.serve(request.path, signed, role, issuer_ref, self._acme_revoke)

    async def _acme_revoke(self, visit: Visit) -> Answer:
        """Revoke a certificate.

        Security 1: the request is signed by the account that ordered it, or with the certificate's own key.
        """
        certificate = _certificate(visit)
        serial = serial_text(certificate.serial_number)
        stored = await self.certs.find(serial)
        if stored is None or der(stored) != der(certificate):
            raise malformed("there is no such certificate", 404)
        if visit.message.jwk is not None:
            allowed = jws.thumbprint(_jwk(certificate)) == jws.thumbprint(visit.message.jwk)
        else:
            allowed = await self.owner_of(serial) == visit.account.id
        if not allowed:
            raise Problem("unauthorized", "the certificate is not this account's or key's", 403)
        if serial in await self.certs.revoked():
            raise Problem("alreadyRevoked", "the certificate is revoked")
        await self.revoke_serial(serial)
        return Answer()

    async def tidy_acme(self, plan: Plan, status: Status) -> None:
        """Forget orders that are over and accounts that no one uses."""
        for account in await self.records.accounts():
            status.acme_accounts += 1
            left = await self._tidy_orders(account, plan, status)
            if left or account.last_used + plan.acme_account_safety_buffer >= self.now:
                continue
            if account.status == "valid":
                account.status, account.last_used = "revoked", self.now
                await self.records.save_account(account)
                status.acme_revoked += 1
            else:
                await self.records.remove_account(account)
                status.acme_deleted += 1

    async def _tidy_orders(self, account: Account, plan: Plan, status: Status) -> int:
        """Forget an account's orders that are over; return how many are left."""
        left = 0
        for order_id in await self.records.orders(account.id):
            order = await self.records.order(account, order_id)
            if order is None:
                continue
            certificate = await self.certs.find(order.serial) if order.serial else None
            end = certificate.not_valid_after_utc.timestamp() if certificate is not None else order.expires
            if end + plan.safety_buffer < self.now:
                await self.records.remove_order(order)
                status.acme_orders += 1
            else:
                left += 1
        return left


def _certificate(visit: Visit) -> x509.Certificate:
    payload = visit.payload
    if payload.get("reason", 0) not in _REASONS:
        raise Problem("badRevocationReason", "there is no such reason to revoke a certificate")
    try:
        return load_certificate(jws.decode(payload.get("certificate"), "certificate"))
    except ValueError:
        raise malformed("the certificate could not be parsed") from None


def _jwk(certificate: x509.Certificate) -> dict[str, str]:
    """Return a certificate's key as accounts' keys are."""
    key = certificate.public_key()
    found: dict[str, str] = jws.as_jwk(key_kind(key), key)
    return found
