"""From a client's certificate to one that a role trusts (RFC 5280, section 6): pure.

Paths are built and checked by cryptography's verifier, with policies that private authorities meet: what the web's
rules demand beyond RFC 5280 (names in certificates of clients, some extensions of authorities) is left out.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from strongroom_server.auth.cert.names import extension

LONGEST = 10  # certificates that a client may show
_USAGES = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})
Chain = Sequence[x509.Certificate]


def chain_to(trusted: Chain, shown: Chain, now: float) -> Chain | None:
    """Return the path from the client's certificate, the first that it has shown, to a trusted one; None without one.

    Security 1: a trusted certificate that is the client's own is good by itself, and only to the last bit. Security 2:
    each certificate must be of now; of an authority, allowed to issue; signed by the next (6.1.3). Security 3: a
    certificate whose use is limited must be for clients (4.2.1.12), and be able to sign (4.2.1.3).
    """
    own = shown[0]
    if own in trusted:
        chain: Chain | None = [own] if _of_now(own, now) else None
    else:
        chain = _verified(trusted, shown, now)
    return chain if chain and _for_clients(chain) else None


def _verified(trusted: Chain, shown: Chain, now: float) -> Chain | None:
    builder = PolicyBuilder().store(Store(list(trusted))).time(datetime.fromtimestamp(now, UTC))
    verifier = builder.extension_policies(ca_policy=_AUTHORITY, ee_policy=_CLIENT).build_client_verifier()
    try:
        return verifier.verify(shown[0], list(shown[1:LONGEST])).chain
    except (VerificationError, ValueError):
        return None


def _is_authority(_: Policy, __: x509.Certificate, constraints: x509.BasicConstraints | None) -> None:
    if constraints is None or not constraints.ca:
        raise ValueError("not an authority")


def _may_sign(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("its key may not sign certificates")


_CLIENT = ExtensionPolicy.permit_all()
_AUTHORITY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _is_authority)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
)


def _of_now(certificate: x509.Certificate, now: float) -> bool:
    moment = datetime.fromtimestamp(now, UTC)
    return certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc


def _for_clients(chain: Chain) -> bool:
    usage = extension(chain[0], x509.KeyUsage)
    if usage is not None and not (usage.digital_signature or usage.key_agreement):
        return False
    uses = [extension(one, x509.ExtendedKeyUsage) for one in (chain[:-1] or chain)]  # an anchor's do not matter
    return all(use is None or _USAGES.intersection(use) for use in uses)
