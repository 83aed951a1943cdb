"""What ACME keeps: accounts, orders, authorizations, keys for external account binding; below ``acme/``.

Times are epoch seconds. Statuses are the words of RFC 8555, section 7.1.6.
"""

import ipaddress
import re
from typing import Any

import msgspec

from strongroom_common.secret import Secret
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.subject import to_ascii
from strongroom_server.lib.x509 import moment, zulu
from strongroom_server.sdk.errors import InvalidRequest

HTTP, DNS, TLS_ALPN = "http-01", "dns-01", "tls-alpn-01"
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII)


class Identifier(msgspec.Struct, frozen=True):
    """A name to prove: ``type`` is "dns" or "ip"; ``wildcard`` marks "*." before it."""

    type: str
    value: str
    wildcard: bool = False

    @property
    def text(self) -> str:
        """Return it as it was ordered."""
        return f"*.{self.value}" if self.wildcard else self.value

    def facts(self) -> dict[str, Any]:
        """Return it as orders show it."""
        return {"type": self.type, "value": self.text}


class Challenge(msgspec.Struct):
    """A way to prove a name."""

    type: str
    token: str
    status: str = "pending"
    validated: float = 0
    error: dict[str, Any] | None = None


class Authorization(msgspec.Struct):
    """What an account must prove for one name."""

    id: str
    account: str
    identifier: Identifier
    expires: float
    challenges: list[Challenge]
    status: str = "pending"


class Order(msgspec.Struct):
    """A wish for a certificate. ``role`` and ``issuer`` are of the directory that it came by."""

    id: str
    account: str
    identifiers: list[Identifier]
    authorizations: list[str]
    expires: float
    status: str = "pending"
    not_before: str = ""
    not_after: str = ""
    serial: str = ""
    issuer_id: str = ""
    error: dict[str, Any] | None = None


class Account(msgspec.Struct):
    """A client. ``eab`` is the id of the key it was bound with; ``directory`` the path of its directory."""

    id: str
    jwk: dict[str, Any]
    thumbprint: str
    directory: str
    created: float
    contact: list[str] = []
    terms_agreed: bool = False
    status: str = "valid"
    eab: str = ""
    last_used: float = 0


class Binding(msgspec.Struct, frozen=True):
    """A key that lets one account be made (RFC 8555, section 7.3.4)."""

    id: str
    key: Secret[str]
    directory: str
    created: float

    def facts(self) -> dict[str, Any]:
        """Return what may be told of it at any time."""
        return {"acme_directory": self.directory, "created_on": zulu(moment(self.created)), "key_type": "hs"}


def parse_identifier(raw: Any) -> Identifier:
    """Return what a client wants to prove; raises Problem."""
    if not isinstance(raw, dict) or not isinstance(raw.get("value"), str):
        raise malformed("an identifier is no object with type and value")
    kind, value = raw.get("type"), raw["value"]
    if kind == "ip":
        try:
            return Identifier("ip", str(ipaddress.ip_address(value)))
        except ValueError:
            raise malformed("an IP identifier is no address") from None
    if kind != "dns":
        raise Problem("unsupportedIdentifier", 'unsupported identifier: expected type "dns" or "ip"')
    return parse_name(value)


def parse_name(value: str) -> Identifier:
    """Return a host name, perhaps with a wildcard, as an identifier; raises Problem."""
    stem = value.removeprefix("*.").lower()
    try:
        stem = to_ascii(stem)
        ipaddress.ip_address(stem)
    except InvalidRequest:
        raise Problem("rejectedIdentifier", f"{value} is no host name") from None
    except ValueError:
        pass
    else:
        raise malformed("an address has the type ip")
    if not _NAME.fullmatch(stem):
        raise Problem("rejectedIdentifier", f"{value} is no host name")
    return Identifier("dns", stem, value.startswith("*."))


def ways(identifier: Identifier) -> tuple[str, ...]:
    """Return the challenges that can prove a name (RFC 8555, sections 7.1.4 and 8; RFC 8738)."""
    if identifier.wildcard:
        return (DNS,)
    if identifier.type == "ip":
        return (HTTP, TLS_ALPN)
    return (HTTP, DNS, TLS_ALPN)
