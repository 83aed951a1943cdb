"""Keys: what a client may say of one, its checks, and the otpauth URL that authenticator apps read.

The URL's form is https://github.com/google/google-authenticator/wiki/Key-Uri-Format.
"""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from strongroom_common.fields import Seconds, public
from strongroom_common.secret import Secret
from strongroom_server.sdk.errors import InvalidRequest

ALGORITHMS = ("SHA1", "SHA256", "SHA512")
_IN_PATH = "$&+,/:;=@"  # what Go leaves as it is in the path of a URL
_LONGEST = 1024  # bytes of a generated key


@dataclass(frozen=True)
class Key:
    """A stored key; ``key`` is the secret in base 32 without padding."""

    account_name: str
    algorithm: str
    digits: int
    issuer: str
    period: Seconds
    skew: int
    key: Secret[str]

    def facts(self) -> dict[str, Any]:
        """Return what a read shows; that leaves out skew, as Vault does."""
        return {name: value for name, value in public(self).items() if name != "skew"}


@dataclass(frozen=True)
class KeyInput:
    """Body of a write of a key."""

    generate: Annotated[bool, "Whether the key is made here; else it comes in key or url."] = False
    exported: Annotated[bool, "Whether a generated key is answered, as URL and QR code."] = True
    key_size: Annotated[int, "Size of a generated key in bytes."] = 20
    url: Annotated[Secret[str], "An otpauth:// URL with everything about an existing key."] = Secret("")
    key: Annotated[Secret[str], "An existing key, in base 32."] = Secret("")
    issuer: Annotated[str, "Name of the organisation that the key is of; needed to generate."] = ""
    account_name: Annotated[str, "Name of the account that the key is for; needed to generate."] = ""
    period: Annotated[Seconds, "How long a code holds."] = Seconds(30)
    algorithm: Annotated[str, "SHA1, SHA256 or SHA512."] = "SHA1"
    digits: Annotated[int, "Length of a code: 6 or 8."] = 6
    skew: Annotated[int, "How many periods before and after the present one are accepted: 0 or 1."] = 1
    qr_size: Annotated[int, "Width and height of the QR code in pixels; 0 is none."] = 200


def generated(wanted: KeyInput) -> Key:
    """Return a new key; raises InvalidRequest."""
    for name in ("account_name", "issuer"):
        if not getattr(wanted, name):
            raise InvalidRequest(f"the {name} value is required for generated keys")
    for name in ("key", "url"):
        if getattr(wanted, name).reveal():
            raise InvalidRequest(f"a {name} should not be passed if generate is true")
    if wanted.key_size <= 0:
        raise InvalidRequest("the key_size value must be greater than zero")
    if wanted.key_size > _LONGEST:
        raise InvalidRequest(f"the key_size value must be at most {_LONGEST}")
    text = base64.b32encode(secrets.token_bytes(wanted.key_size)).decode().rstrip("=")
    return _checked(wanted, text)


def existing(wanted: KeyInput) -> Key:
    """Return the key that the client sent, where the URL says more than the fields; raises InvalidRequest."""
    if wanted.url.reveal():
        wanted = _with_url(wanted)
    text = wanted.key.reveal()
    if not text:
        raise InvalidRequest("the key value is required")
    secret_bytes(text)
    return _checked(wanted, text)


def secret_bytes(text: str) -> bytes:
    """Decode base 32 with or without padding, of either case; raises InvalidRequest."""
    padded = text.upper() + "=" * (-len(text) % 8)
    try:
        return base64.b32decode(padded)
    except (binascii.Error, ValueError):
        raise InvalidRequest("invalid key value: expected base 32 (letters and the digits 2 to 7)") from None


def url(key: Key) -> str:
    """Return the otpauth URL of a key."""
    values = {
        "algorithm": key.algorithm, "digits": key.digits, "issuer": key.issuer, "period": key.period,
        "secret": key.key.reveal(),
    }  # fmt: skip
    label = quote(f"{key.issuer}:{key.account_name}", safe=_IN_PATH)
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in values.items())
    return f"otpauth://totp/{label}?{query}"


def _checked(wanted: KeyInput, text: str) -> Key:
    if wanted.qr_size < 0:
        raise InvalidRequest("the qr_size value must be greater than or equal to zero")
    if wanted.period <= 0:
        raise InvalidRequest("the period value must be greater than zero")
    if wanted.algorithm not in ALGORITHMS:
        raise InvalidRequest(f"the algorithm value is not valid: expected one of {', '.join(ALGORITHMS)}")
    if wanted.digits not in {6, 8}:
        raise InvalidRequest("the digits value can only be 6 or 8")
    if wanted.skew not in {0, 1}:
        raise InvalidRequest("the skew value must be 0 or 1")
    return Key(
        wanted.account_name, wanted.algorithm, wanted.digits, wanted.issuer, wanted.period, wanted.skew, Secret(text),
    )  # fmt: skip


def _with_url(wanted: KeyInput) -> KeyInput:
    parts = _split(wanted.url.reveal())
    pairs = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))  # of two values the first counts
    query = {name: value for name, value in pairs.items() if value}
    label = unquote(parts.path.removeprefix("/"))
    issuer, colon, account = label.partition(":")
    return replace(
        wanted,
        account_name=account if colon else label,
        issuer=query.get("issuer") or (issuer if colon else wanted.issuer),
        key=Secret(query.get("secret", "")),
        algorithm=query.get("algorithm", wanted.algorithm),
        digits=_number("digits", query, wanted.digits),
        period=Seconds(_number("period", query, wanted.period)),
    )


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
    except ValueError:
        raise InvalidRequest("an error occurred while parsing url string") from None
    if re.search("%(?![0-9A-Fa-f]{2})", parts.path):
        raise InvalidRequest("an error occurred while parsing url string: invalid URL escape")
    if not parts.scheme or not parts.netloc:
        raise InvalidRequest("an error occurred while parsing url string: expected otpauth://totp/…")
    return parts


def _number(name: str, query: dict[str, str], otherwise: int) -> int:
    text = query.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidRequest(f"an error occurred while parsing {name} value in url")
    return int(text)
