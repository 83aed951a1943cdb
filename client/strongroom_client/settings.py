"""Where the server is and how to talk to it, from the environment.

Each setting is asked for as STRONGROOM_X, then VAULT_X, then BAO_X: what runs with Vault or OpenBao runs here.
Names: https://developer.hashicorp.com/vault/docs/commands#configure-environment-variables
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from strongroom_client.errors import SettingsError
from strongroom_common.durations import parse_duration
from strongroom_common.environment import spelled, variable
from strongroom_common.tls import Tls

if TYPE_CHECKING:
    from strongroom_client.pace import Rate

DEFAULT_ADDRESS = "https://127.0.0.1:8200"
_TRUE, _FALSE = ("1", "t", "true"), ("0", "f", "false", "")


class Settings(NamedTuple):
    """``address`` is a URL (http, https, unix); ``timeout`` seconds for one try; ``retries`` tries after the first.

    ``follow`` is whether a redirect, by which a standby node names the active one, is followed. ``rate`` bounds how
    fast requests follow each other.
    """

    address: str = DEFAULT_ADDRESS
    token: str = ""
    namespace: str = ""
    wrap_ttl: str = ""
    timeout: float = 60.0
    retries: int = 2
    tls: Tls = Tls()
    proxy: str = ""
    follow: bool = True
    rate: "Rate | None" = None

    def __repr__(self) -> str:  # the token stays out of logs
        return f"Settings(address={self.address!r}, namespace={self.namespace!r})"


def from_environ(environ: Mapping[str, str]) -> Settings:
    """Read all settings; raises SettingsError naming the variable that cannot be used."""
    address = variable(environ, "AGENT_ADDR") or variable(environ, "ADDR") or DEFAULT_ADDRESS
    return Settings(
        address=address,
        token=variable(environ, "TOKEN"),
        namespace=variable(environ, "NAMESPACE").strip("/"),
        wrap_ttl=variable(environ, "WRAP_TTL"),
        timeout=_seconds(environ, "CLIENT_TIMEOUT", 60.0),
        retries=_count(environ, "MAX_RETRIES", 2),
        tls=_tls(environ),
        proxy=variable(environ, "PROXY_ADDR") or variable(environ, "HTTP_PROXY") or standard_proxy(environ, address),
        rate=_rate(environ),
    )


def _tls(environ: Mapping[str, str]) -> Tls:
    return Tls(
        ca_file=variable(environ, "CACERT"),
        ca_path=variable(environ, "CAPATH"),
        ca_pem=variable(environ, "CACERT_BYTES"),
        client_cert=variable(environ, "CLIENT_CERT"),
        client_key=variable(environ, "CLIENT_KEY"),
        server_name=variable(environ, "TLS_SERVER_NAME"),
        skip_verify=boolean(spelled(environ, "SKIP_VERIFY"), variable(environ, "SKIP_VERIFY")),
    )


def boolean(name: str, text: str) -> bool:
    """Read a truth value as Go does; raises SettingsError naming ``name``."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise SettingsError(f"{name}: expected true or false")


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = variable(environ, name)
    try:
        return parse_duration(text) if text else default
    except ValueError as error:
        raise SettingsError(f"{spelled(environ, name)}: {error}") from error


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = variable(environ, name)
    if text.removeprefix("-").isdecimal() and text.isascii():
        return max(int(text), 0)
    if text:
        raise SettingsError(f"{spelled(environ, name)}: expected a whole number")
    return default


def _rate(environ: Mapping[str, str]) -> "Rate | None":
    text = variable(environ, "RATE_LIMIT")
    if not text:
        return None
    from strongroom_client.pace import Rate

    try:
        return Rate.parse(text)
    except ValueError as error:
        raise SettingsError(f"{spelled(environ, 'RATE_LIMIT')}: {error}") from None


def standard_proxy(environ: Mapping[str, str], address: str) -> str:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for ``address``; loopback never has one."""
    scheme, _, rest = address.partition("://")
    host = rest.partition("/")[0].rpartition("@")[2]
    host = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if scheme not in ("http", "https") or host in ("localhost", "::1") or host.startswith("127."):
        return ""
    refused = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").replace(" ", "").split(",")
    if any(_covers(rule.lstrip("."), host) for rule in refused if rule):
        return ""
    name = f"{scheme}_proxy"
    return environ.get(name.upper()) or environ.get(name) or ""


def _covers(rule: str, host: str) -> bool:
    if "/" not in rule:
        return rule in ("*", host) or host.endswith("." + rule)
    from ipaddress import ip_address, ip_network

    try:
        return ip_address(host) in ip_network(rule, strict=False)
    except ValueError:  # a name lies in no network
        return False
