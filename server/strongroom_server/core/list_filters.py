"""Lists that show only what their reader may read (OpenBao docs, "list_scan_response_keys_filter_path").

A rule says which path a key stands for, ``secret/data/{{ .key }}``: a key stays in the answer where the same policies
let that path be read, a folder where it may be listed.
"""

from collections.abc import Awaitable
from typing import Any

from strongroom_server.core.acl import Acl
from strongroom_server.core.exchange import Exchange
from strongroom_server.core.policy_templates import path_of_key
from strongroom_server.sdk.errors import NotFound


def shown(acl: Acl, template: str, path: str, keys: list[str]) -> list[str]:
    """Return the keys of a list that may be told."""
    path = path.rstrip("/") + "/"
    return [key for key in keys if _may(acl, path_of_key(template, path, key))]


def _may(acl: Acl, path: str) -> bool:
    return acl.decide("list" if path.endswith("/") else "read", path, {}).allowed


def filter_keys(exchange: Exchange) -> Awaitable[None] | None:
    """Leave out of a list what the rule that let it through says (a step of the pipeline)."""
    grant = exchange.decision.grant if exchange.decision else None
    return _filter(exchange, grant.keys_filter) if grant is not None and grant.keys_filter else None


async def _filter(exchange: Exchange, template: str) -> None:
    data: dict[str, Any] | None = exchange.response.data
    if exchange.request.operation not in ("list", "scan") or not data or exchange.token is None:
        return
    acl = await exchange.home.policies.rules(exchange.token)
    keys = shown(acl, template, exchange.acl_path, list(data.get("keys") or ()))
    if not keys:
        raise NotFound
    exchange.response.data = data | {"keys": keys}
    if isinstance(info := data.get("key_info"), dict):
        exchange.response.data["key_info"] = {key: info[key] for key in keys if key in info}
