"""The TLS of a listener, from its stanza."""

import ssl
from _ssl import ENCODING_DER as _DER

from strongroom_server.config import Listener
from strongroom_server.http import ciphers

_VERSIONS = {
    "tls10": ssl.TLSVersion.TLSv1, "tls11": ssl.TLSVersion.TLSv1_1, "tls12": ssl.TLSVersion.TLSv1_2,
    "tls13": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: a certificate whose time is over is refused by the auth method, which says so."""


def follows_mounts(settings: Listener) -> bool:
    """Tell whether the auth mounts say whose certificates clients may show, and not the stanza."""
    return not settings.tls_client_ca_file and not settings.tls_disable_client_certs


def trust_clients(context: ssl.SSLContext, certificates: frozenset[bytes]) -> None:
    """Ask new connections for certificates of these issuers (DER), or for none where there are none.

    What was trusted once stays so at the handshake, as OpenSSL's store only grows; who logs in is the method's to say.
    """
    if certificates:
        context.load_verify_locations(cadata=b"".join(sorted(certificates)))
    context.verify_mode = ssl.CERT_OPTIONAL if certificates else ssl.CERT_NONE


def client_certificates(connection: ssl.SSLObject) -> tuple[bytes, ...]:
    """Return what the client has shown, its own certificate first (DER); nothing where it has shown none."""
    own = connection.getpeercert(binary_form=True)
    if own is None:
        return ()
    if hasattr(connection, "get_unverified_chain"):  # Python 3.13
        return tuple(connection.get_unverified_chain())
    chain = connection._sslobj.get_unverified_chain() or ()  # type: ignore[attr-defined]  # Python 3.11 and 3.12
    return tuple(one.public_bytes(_DER) for one in chain)


def make_context(settings: Listener) -> ssl.SSLContext:
    """Return the server's context; raises OSError for files that cannot be used, ValueError for unknown suites."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.tls_min_version]
    context.maximum_version = _VERSIONS[settings.tls_max_version]
    context.load_cert_chain(settings.tls_cert_file, settings.tls_key_file)
    if suites := ciphers.of(settings.tls_cipher_suites):
        context.set_ciphers(":".join(suites))
    if follows_mounts(settings):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    if settings.tls_client_ca_file:
        context.load_verify_locations(settings.tls_client_ca_file)
        required = settings.tls_require_and_verify_client_cert
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context
