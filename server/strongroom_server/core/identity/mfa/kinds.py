"""What kinds of methods there are, and what can be set of each (HTTP API, "Identity: MFA method").

TOTP is validated here. The others ask a vendor's service; each has a module of its name beside this one.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Annotated, Any, Protocol, Self
from urllib.parse import urlsplit

from strongroom_common.fields import Seconds, public
from strongroom_common.secret import Secret
from strongroom_server.engines.totp.keys import ALGORITHMS
from strongroom_server.sdk.errors import InvalidRequest

TOTP = "totp"


class Settings(Protocol):
    """What can be set of a method of one kind."""

    @property
    def method_name(self) -> str:
        """Another name for the method, beside its id."""
        ...

    @property
    def uses_passcode(self) -> bool:
        """Whether the user types something; else the service asks them itself."""
        ...

    def named(self, name: str) -> "Settings":
        """Return the same under this name."""
        ...

    def check(self) -> None:
        """Raise InvalidRequest for what cannot be."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return what a read shows, beside what all methods have."""
        ...


@dataclass(frozen=True)
class _Named:
    """What is set of all methods."""

    method_name: Annotated[str, "A name for the method; writing it again updates the method."] = ""

    def named(self, name: str) -> Self:
        """Return the same under this name."""
        return replace(self, method_name=name)


@dataclass(frozen=True)
class Totp(_Named):
    """Time-based one-time passwords (RFC 6238)."""

    issuer: Annotated[str, "Name of the organisation that the keys are of."] = ""
    period: Annotated[Seconds, "How long a code holds."] = Seconds(30)
    key_size: Annotated[int, "Size of a key in bytes."] = 20
    qr_size: Annotated[int, "Width and height of the QR code in pixels; 0 is none."] = 200
    algorithm: Annotated[str, "SHA1, SHA256 or SHA512."] = "SHA1"
    digits: Annotated[int, "Length of a code: 6 or 8."] = 6
    skew: Annotated[int, "How many periods before and after the present one are accepted: 0 or 1."] = 1
    max_validation_attempts: Annotated[int, "How many wrong codes there may be in one period; 0 is 5."] = 5

    @property
    def uses_passcode(self) -> bool:
        """The user types a code."""
        return True

    def check(self) -> None:
        """Raise InvalidRequest for what cannot be."""
        if not self.issuer:
            raise InvalidRequest("issuer must be set")
        if self.period <= 0:
            raise InvalidRequest("period must be greater than zero")
        if not 0 < self.key_size <= 1024:
            raise InvalidRequest("key_size must be greater than zero")
        if not 0 <= self.qr_size <= 4096:
            raise InvalidRequest("qr_size must be 0 or more, and at most 4096")
        if self.algorithm not in ALGORITHMS:
            raise InvalidRequest("unrecognized algorithm")
        if self.digits not in {6, 8}:
            raise InvalidRequest("digits can only be 6 or 8")
        if self.skew not in {0, 1}:
            raise InvalidRequest("skew must be 0 or 1")
        if self.max_validation_attempts < 0:
            raise InvalidRequest("max_validation_attempts must be greater than zero")

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        attempts = self.max_validation_attempts or 5
        return _without(public(self), "method_name") | {"max_validation_attempts": attempts}


@dataclass(frozen=True)
class Duo(_Named):
    """Duo's push notifications and passcodes."""

    username_format: Annotated[str, "How the service knows the user: a template; the entity's name if empty."] = ""
    secret_key: Annotated[Secret[str], "Secret key of the integration."] = Secret("")
    integration_key: Annotated[Secret[str], "Integration key."] = Secret("")
    api_hostname: Annotated[str, "API host of the integration."] = ""
    push_info: Annotated[str, "What a push notification says."] = ""
    use_passcode: Annotated[bool, "Whether users type passcodes."] = False

    @property
    def uses_passcode(self) -> bool:
        """Whether users type passcodes."""
        return self.use_passcode

    def check(self) -> None:
        """Raise InvalidRequest for what cannot be."""
        _filled({"secret_key": self.secret_key.reveal(), "integration_key": self.integration_key.reveal(),
                 "api_hostname": self.api_hostname}, "is empty")  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        return {"api_hostname": self.api_hostname, "mount_accessor": "", "pushinfo": self.push_info,
                "use_passcode": self.use_passcode, "username_format": self.username_format}  # fmt: skip


@dataclass(frozen=True)
class Okta(_Named):
    """Okta's push notifications."""

    username_format: Annotated[str, "How the service knows the user: a template; the entity's name if empty."] = ""
    org_name: Annotated[str, "Name of the organisation."] = ""
    api_token: Annotated[Secret[str], "API token."] = Secret("")
    base_url: Annotated[str, "Domain of the API."] = "okta.com"
    primary_email: Annotated[bool, "Whether the user name is the primary e-mail address."] = False
    production: Annotated[bool, "Older clients say false for oktapreview.com; see base_url."] = True

    @property
    def domain(self) -> str:
        """Where the organisation's API is."""
        preview = self.base_url == "okta.com" and not self.production
        return f"{self.org_name}.{'oktapreview.com' if preview else self.base_url}"

    @property
    def uses_passcode(self) -> bool:
        """The service asks."""
        return False

    def check(self) -> None:
        """Raise InvalidRequest for what cannot be."""
        _filled({"org_name": self.org_name, "api_token": self.api_token.reveal()}, "must be set")
        try:
            port = urlsplit(f"https://{self.domain}").port
        except ValueError:
            port = 0
        if port == 0:
            raise InvalidRequest("error parsing given base_url: expected a host name")

    def facts(self) -> dict[str, Any]:
        """Return what a read shows."""
        return {"base_url": self.base_url, "mount_accessor": "", "org_name": self.org_name,
                "username_format": self.username_format}  # fmt: skip


@dataclass(frozen=True)
class PingId(_Named):
    """PingID's notifications."""

    username_format: Annotated[str, "How the service knows the user: a template; the entity's name if empty."] = ""
    settings_file_base64: Annotated[Secret[str], "The settings file of the service, in base64."] = Secret("")

    @property
    def uses_passcode(self) -> bool:
        """The service asks."""
        return False

    def check(self) -> None:
        """Raise InvalidRequest for what cannot be."""
        if not self.settings_file_base64.reveal():
            raise InvalidRequest("settings_file_base64 is empty")
        self.file()

    def file(self) -> dict[str, str]:
        """Return what the settings file says; raises InvalidRequest where it is none."""
        try:
            text = base64.b64decode(self.settings_file_base64.reveal(), validate=True).decode()
        except ValueError:
            raise InvalidRequest("settings_file_base64 is no text in base64") from None
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        if any("=" not in line for line in lines):
            raise InvalidRequest(
                "pingid settings file contains a non-empty non-comment line that is not in key=value format"
            )
        pairs = (line.partition("=") for line in lines)
        return {name.strip(): value.strip() for name, _, value in pairs}

    def facts(self) -> dict[str, Any]:
        """Return what a read shows: the file without its key and its token."""
        known = self.file()
        shown: dict[str, Any] = {name: known.get(name, "") for name in _SHOWN_OF_PINGID}
        return shown | {"use_signature": known.get("use_signature") == "true"}


_SHOWN_OF_PINGID = ("admin_url", "authenticator_url", "idp_url", "org_alias")

KINDS: Mapping[str, type[Settings]] = MappingProxyType({"duo": Duo, "okta": Okta, "pingid": PingId, TOTP: Totp})


def _filled(values: Mapping[str, str], otherwise: str) -> None:
    for name, value in values.items():
        if not value:
            raise InvalidRequest(f"{name} {otherwise}")


def _without(facts: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if key != name}
