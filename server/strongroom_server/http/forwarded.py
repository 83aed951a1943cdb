"""Whose address and certificate a request has: the peer's, or those that a trusted proxy names in headers."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom_server.config import Listener
from strongroom_server.lib.cidr import allows
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A listener's rules; without ``proxies`` the header means nothing."""

    proxies: tuple[str, ...] = ()
    hop_skips: int = 0
    reject_not_authorized: bool = True
    reject_not_present: bool = True
    certificate_header: str = ""

    @classmethod
    def of(cls, listener: Listener) -> "Forwarding":
        """Return the rules of a stanza."""
        return cls(
            listener.x_forwarded_for_authorized_addrs, listener.x_forwarded_for_hop_skips,
            listener.x_forwarded_for_reject_not_authorized, listener.x_forwarded_for_reject_not_present,
            listener.x_forwarded_for_client_cert_header,
        )  # fmt: skip

    def address(self, peer: str, header: Sequence[str]) -> str:
        """Return the client's address; raises InvalidRequest where the rules refuse (listener docs, "tcp")."""
        if not self.proxies:
            return peer
        # Security 1: the header of anyone but a listed proxy is a claim, not a fact.
        if not allows(self.proxies, peer):
            if header and self.reject_not_authorized:
                raise InvalidRequest("client address not authorized for x-forwarded-for, rejecting connection")
            return peer
        if not header:
            if self.reject_not_present:
                raise InvalidRequest("missing x-forwarded-for header and configured to reject when not present")
            return peer
        hops = [hop.strip() for line in header for hop in line.split(",")]
        index = len(hops) - 1 - self.hop_skips
        if index < 0:
            raise InvalidRequest(f"malformed x-forwarded-for configuration or request, hops to skip ({self.hop_skips}) "
                                 f"would skip before earliest chain link (chain length {len(hops)})")  # fmt: skip
        return hops[index]

    def certificates(self, peer: str, header: str) -> tuple[bytes, ...]:
        """Return the certificates (DER) that a proxy says the client has shown to it; nothing of anyone but a proxy.

        Proxies write them as PEM, in Base64, or between colons (RFC 9440), and may percent-encode that: all are read,
        so ``x_forwarded_for_client_cert_header_decoders`` need not say which. Raises InvalidRequest for none of these.
        """
        if not header or not allows(self.proxies, peer):
            return ()
        text = unquote(header).strip()
        try:
            if "-----BEGIN" in text:
                found = x509.load_pem_x509_certificates(_PEM_SPACE.sub("\n", text).encode())
                return tuple(one.public_bytes(Encoding.DER) for one in found)
            raw = base64.b64decode(text.strip(":"), validate=True)
            return (x509.load_der_x509_certificate(raw).public_bytes(Encoding.DER),)
        except ValueError:
            raise InvalidRequest(f"{self.certificate_header}: expected a certificate in PEM or Base64") from None


_PEM_SPACE = re.compile(r"(?<!BEGIN)(?<!END)[ \t]+")
"""What stands for the line breaks of PEM, which a header cannot hold."""
