"""Whom to trust on the other end of a TLS connection that the server opens."""

import ssl


def trusting(pem: str) -> ssl.SSLContext:
    """Return a context that trusts these CA certificates alone; raises ValueError where the text holds none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust(context, pem)
    return context


def trust(context: ssl.SSLContext, pem: str) -> None:
    """Add CA certificates to those that a context trusts; raises ValueError where the text holds none."""
    try:
        context.load_verify_locations(cadata=pem)
    except (ssl.SSLError, TypeError, ValueError) as error:  # a TypeError is what letters beyond ASCII get
        raise ValueError(f"no certificates in PEM form: {error}") from None
