"""Dev mode: a server in memory that is initialised, unsealed and has KV version 2 at secret/ before it answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom_server.core.mounts import new_entry
from strongroom_server.core.sealing import InitRequest, decode_share

if TYPE_CHECKING:
    from strongroom_server.core.server import Server


@dataclass(frozen=True)
class DevSecrets:
    """What dev mode shows."""

    unseal_key: str
    root_token: str


async def prepare(server: "Server", root_token: str, kv_version: str = "2") -> DevSecrets:
    """Initialise and unseal with one share, make the root token (random where empty), mount KV (none where empty)."""
    answer = await server.sealing.initialize(
        InitRequest(secret_shares=1, secret_threshold=1), lambda: server.make_root_token(root_token)
    )
    share = answer["keys_base64"][0]
    await server.sealing.unseal(decode_share(share))
    if kv_version:
        entry = new_entry("secret", "kv", description="key/value secret storage", options={"version": kv_version})
        await server.mounts.add("secret", entry)
    return DevSecrets(share, answer["root_token"])


def banner(secrets: DevSecrets, address: str, api_version: str, product_version: str, authority: str = "") -> str:
    """Return what dev mode prints once it serves; ``authority`` is the file of the CA where it speaks TLS."""
    trusted = f"\n    $ export VAULT_CACERT='{authority}'" if authority else ""
    return f"""\
==> Strongroom {product_version} (Vault API {api_version}), dev mode

             Storage: inmem
             Api Address: {address}

Everything is kept in memory and lost when the server stops. It is unsealed and the root token is known:
never run dev mode with real secrets.

Set the address for clients:

    $ export VAULT_ADDR='{address}'{trusted}

Unseal Key: {secrets.unseal_key}
Root Token: {secrets.root_token}

Development mode should NOT be used in production installations!
"""
