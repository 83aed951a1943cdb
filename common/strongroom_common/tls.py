"""TLS settings of a client, and the one place that turns them into a context.

``ssl`` is imported on first use: a program that speaks to a loopback or unix address never pays for it.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl


class TlsError(ValueError):
    """A certificate, key or CA file cannot be used. The message names the file."""


class Tls(NamedTuple):
    """Files are PEM; ``ca_pem`` is PEM text itself; with no CA at all the system's own are trusted.

    ``server_name`` is what the certificate must be issued for, where that is not the host of the address.
    """

    ca_file: str = ""
    ca_path: str = ""
    ca_pem: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    skip_verify: bool = False


def client_context(tls: Tls) -> "ssl.SSLContext":
    """Return a context for connections to a server: TLS 1.2 or newer, certificate and name checked.

    Raises TlsError for files that are missing or no PEM, and for a certificate without its key.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust(context, tls)
    if bool(tls.client_cert) != bool(tls.client_key):
        raise TlsError("a client certificate and its key belong together; only one of them is set")
    if tls.client_cert:
        try:
            context.load_cert_chain(tls.client_cert, tls.client_key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"client certificate {tls.client_cert} with key {tls.client_key}: {error}") from error
    return context


def _trust(context: "ssl.SSLContext", tls: Tls) -> None:
    # one source, the first that is set, as Vault's clients do
    source = tls.ca_file or ("the given PEM text" if tls.ca_pem else tls.ca_path)
    try:
        if tls.ca_file:
            context.load_verify_locations(cafile=tls.ca_file)
        elif tls.ca_pem:
            context.load_verify_locations(cadata=tls.ca_pem)
        elif tls.ca_path:
            _trust_folder(context, tls.ca_path)
        else:
            context.set_default_verify_paths()
    except (OSError, TypeError, ValueError) as error:  # letters beyond ASCII get a TypeError
        raise TlsError(f"CA certificates from {source}: {error}") from error


def _trust_folder(context: "ssl.SSLContext", folder: str) -> None:
    """Load the certificates of every file below ``folder``; OpenSSL itself would find only those with hashed names."""
    import os
    import ssl
    from contextlib import suppress

    for place, _, names in os.walk(folder):
        for name in sorted(names):
            with suppress(ssl.SSLError):  # keys and notes beside certificates
                context.load_verify_locations(cafile=os.path.join(place, name))  # noqa: PTH118 pathlib costs start-up time
    if not context.cert_store_stats()["x509_ca"]:
        raise ValueError("no CA certificate found")
