"""The client's settings: flags before the environment before the agent file, as with Vault's agent."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from strongroom_agent.config import Config, Server

if TYPE_CHECKING:
    from strongroom_client import Settings


def lighten(config: Config, given: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Keep ``ssl`` out of a process that speaks plain HTTP; ``http.client`` would import it: 3 MB for nothing.

    To be called before anything imports ``http.client``. Whoever needs ``ssl`` later can still import it.
    """
    named = [value for name, value in environment.items() if name.endswith("_ADDR")]
    addresses = [address for address in (config.server.address, given.get("address", ""), *named) if address]
    tls = not addresses or any(address.startswith("https:") for address in addresses)
    if not tls and "ssl" not in sys.modules and not any(listener.cert_file for listener in config.listeners):
        sys.modules["ssl"] = None  # type: ignore[assignment]  # importing it fails
        import http.client  # noqa: F401 -- for its effect: it goes without ssl

        del sys.modules["ssl"]


def settings_for(
    server: Server, given: Mapping[str, str], skip: bool | None, environment: Mapping[str, str]
) -> "Settings":
    """Return the client's settings; raises SettingsError naming the variable that cannot be used.

    ``given`` are the flags by name, ``skip`` is -tls-skip-verify. The agent tries again by itself: retries are 0.
    """
    from strongroom_client.settings import DEFAULT_ADDRESS, from_environ, standard_proxy
    from strongroom_common.environment import variable

    env = from_environ(environment)

    def chosen(flag: str, name: str, filed: str, default: str = "") -> str:
        return given.get(flag) or variable(environment, name) or filed or default

    address = chosen("address", "ADDR", server.address, DEFAULT_ADDRESS)
    verify_set = variable(environment, "SKIP_VERIFY") != ""
    tls = env.tls._replace(
        ca_file=chosen("ca-cert", "CACERT", server.ca_file),
        ca_path=chosen("ca-path", "CAPATH", server.ca_path),
        client_cert=chosen("client-cert", "CLIENT_CERT", server.client_cert),
        client_key=chosen("client-key", "CLIENT_KEY", server.client_key),
        server_name=chosen("tls-server-name", "TLS_SERVER_NAME", server.server_name),
        skip_verify=skip if skip is not None else env.tls.skip_verify if verify_set else bool(server.skip_verify),
    )
    return env._replace(
        address=address,
        namespace=chosen("namespace", "NAMESPACE", server.namespace).strip("/"),
        tls=tls,
        wrap_ttl="",
        retries=0,
        proxy=env.proxy or standard_proxy(environment, address),
    )
