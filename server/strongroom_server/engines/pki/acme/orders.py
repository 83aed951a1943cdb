"""Orders, authorizations, challenges, certificates (RFC 8555, sections 7.4 to 7.6; RFC 9773)."""

import uuid
from dataclasses import replace

from cryptography import x509

from strongroom_common.fields import Given
from strongroom_server.engines.pki import leaves
from strongroom_server.engines.pki.acme import jws, wishes
from strongroom_server.engines.pki.acme.config import everywhere
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.proofs import ProofPaths
from strongroom_server.engines.pki.acme.records import Account, Order, parse_identifier
from strongroom_server.engines.pki.acme.shown import order_answer
from strongroom_server.engines.pki.acme.visit import Answer, Directory, Signed, Visit
from strongroom_server.engines.pki.leaves import Allowed
from strongroom_server.engines.pki.paths.issue import IssuePaths
from strongroom_server.engines.pki.schemas import LeafInput
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import moment, pem, public_part, serial_text, zulu
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.errors import InvalidRequest, RequestError
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import load, put

_LIFE = 7 * 86400.0  # seconds that an order may take
_MAX_IDENTIFIERS = 100
_CHAIN = "application/pem-certificate-chain"
_RETRY_RENEWAL = 6 * 3600  # seconds


class OrderPaths(ProofPaths, IssuePaths):
    """From a wish to a certificate."""

    @everywhere(write, "new-order", public=True)
    async def new_order(
        self, signed: Given[Signed], request: Request, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Order a certificate."""
        return await self.serve(request.path, signed, role, issuer_ref, self._new_order)

    @everywhere(write, "orders", public=True)
    async def orders(self, signed: Given[Signed], request: Request, role: str = "", issuer_ref: str = "") -> Response:
        """List the account's orders."""

        async def work(visit: Visit) -> Answer:
            ids = await self.records.orders(visit.account.id)
            return Answer({"orders": [visit.directory.url("order", one) for one in ids]})

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(write, "order/{order_id}", public=True)
    async def order(
        self, signed: Given[Signed], request: Request, order_id: str, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Read an order."""

        async def work(visit: Visit) -> Answer:
            return order_answer(visit.directory, await self._order(visit.account, order_id))

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(write, "order/{order_id}/finalize", public=True)
    async def finalize(
        self, signed: Given[Signed], request: Request, order_id: str, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Hand in the CSR of an order whose names are proven."""

        async def work(visit: Visit) -> Answer:
            async with self.records.locks.of(order_id):
                order = await self._order(visit.account, order_id)
                return order_answer(visit.directory, await self._finalize(visit, order))

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(write, "order/{order_id}/cert", public=True)
    async def order_certificate(self, signed: Given[Signed], request: Request, order_id: str, role: str = "",
                                issuer_ref: str = "") -> Response:  # fmt: skip
        """Fetch the certificate of an order with its chain."""

        async def work(visit: Visit) -> Answer:
            return await self._certificate(await self._order(visit.account, order_id))

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(read, "renewal-info/{cert_id:segment}", public=True)
    async def renewal_info(self, cert_id: str, role: str = "", issuer_ref: str = "") -> Response:
        """Read when a certificate should be renewed (RFC 9773)."""

        async def work(directory: Directory) -> Answer:
            del directory
            return await self._renewal_info(cert_id)

        return await self.open(role, issuer_ref, work)

    async def _new_order(self, visit: Visit) -> Answer:
        account, payload = visit.account, visit.payload
        raw = payload.get("identifiers")
        if not isinstance(raw, list) or not 0 < len(raw) <= _MAX_IDENTIFIERS:
            raise malformed(f"identifiers is no list of 1 to {_MAX_IDENTIFIERS}")
        wanted = list(dict.fromkeys(parse_identifier(one) for one in raw))
        wishes.check_allowed(visit.directory.role, wanted)
        not_before, not_after = (str(payload.get(name) or "") for name in ("notBefore", "notAfter"))
        wishes.check_span(not_before, not_after, self.now)
        expires = self.now + _LIFE
        authorizations = [self.to_prove(account, one, expires) for one in wanted]
        order = Order(str(uuid.uuid4()), account.id, wanted, [one.id for one in authorizations], expires,
                      not_before=not_before, not_after=not_after)  # fmt: skip
        account.last_used = self.now
        await self.records.add_order(order, authorizations)
        await self.records.save_account(account)
        return replace(order_answer(visit.directory, order), status=201)

    async def _order(self, account: Account, order_id: str) -> Order:
        """Return an order with the status that its authorizations give it (RFC 8555, section 7.1.6)."""
        order = await self.records.order(account, order_id)
        if order is None:
            raise malformed("there is no such order", 404)
        if order.status in {"pending", "ready"}:
            statuses = {(await self.known_authorization(account, one)).status for one in order.authorizations}
            if order.expires <= self.now or statuses & {"invalid", "deactivated", "expired", "revoked"}:
                order.status = "invalid"
            else:
                order.status = "ready" if statuses == {"valid"} else "pending"
        return order

    async def _finalize(self, visit: Visit, order: Order) -> Order:
        if order.status != "ready":
            raise Problem("orderNotReady", f"the order is {order.status}")
        csr = wishes.load_csr(visit.payload)
        wishes.check_csr(csr, order.identifiers)
        try:
            certificate, issuer_id = await self._issue_for(visit.directory, csr, order)
        except InvalidRequest as error:
            raise Problem("badCSR", str(error)) from None
        except RequestError as error:
            raise Problem("serverInternal", str(error)) from None
        order.status, order.serial, order.issuer_id = "valid", serial_text(certificate.serial_number), issuer_id
        owner = put(f"acme/certificate/{order.serial.replace(':', '-')}", order.account)
        await self.certs.add(certificate, owner)
        await self.records.save_order(order)
        return order

    async def _issue_for(self, directory: Directory, csr: x509.CertificateSigningRequest,
                         order: Order) -> tuple[x509.Certificate, str]:  # fmt: skip
        role = directory.role
        signer = await self.signers.find(directory.issuer_ref)
        key = leaves.csr_key(csr, role.key_type, role.key_bits)
        body = LeafInput(not_after=order.not_after, not_before=order.not_before)
        found = leaves.leaf_names(body, role, csr, Allowed(role.allowed_domains, role.allowed_uri_sans))
        span = leaves.span_of(body, role, self.frame(signer)._replace(behavior="truncate"))
        content = leaves.template(found, span, role, signer).of(public_part(key))
        signed = await self.signed(signer, content, Signing(role.signature_bits, role.use_pss))
        return signed.x509, signer.issuer.id

    async def _certificate(self, order: Order) -> Answer:
        certificate = await self.certs.find(order.serial) if order.serial else None
        if certificate is None:
            raise Problem("orderNotReady", f"the order is {order.status} and has no certificate")
        chain = (await self.signers.find(order.issuer_id)).chain
        text = "\n".join([pem(certificate), *(issuer.certificate for issuer in chain)]) + "\n"
        return Answer(raw=(text.encode(), _CHAIN))

    async def _renewal_info(self, cert_id: str) -> Answer:
        """Suggest the last third of a certificate's life; now, for one that is revoked."""
        authority, _, number = cert_id.partition(".")
        raw, serial_raw = jws.decode(authority, "certificate id"), jws.decode(number, "certificate id")
        serial = serial_text(int.from_bytes(serial_raw))
        certificate = await self.certs.find(serial) if serial_raw else None
        if certificate is None or _authority(certificate) != raw:
            raise malformed("there is no such certificate", 404)
        start, end = (when.timestamp() for when in (certificate.not_valid_before_utc, certificate.not_valid_after_utc))
        window = (start + (end - start) * 2 / 3, start + (end - start) * 5 / 6)
        if serial in await self.certs.revoked():
            window = (start, min(self.now, start + 60))
        shown = {"start": zulu(moment(window[0])), "end": zulu(moment(window[1]))}
        return Answer({"suggestedWindow": shown}, retry_after=_RETRY_RENEWAL)

    async def owner_of(self, serial: str) -> str:
        """Return the id of the account that ordered a certificate, or nothing."""
        return await load(self.storage, f"acme/certificate/{serial.replace(':', '-')}", str) or ""


def _authority(certificate: x509.Certificate) -> bytes | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return None
