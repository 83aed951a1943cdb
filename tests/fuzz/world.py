"""A server with everything mounted and something in every mount, and all the requests that its declarations allow."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from strongroom_server.core.identity.engine import IdentityEngine
from strongroom_server.core.sys import Sys
from strongroom_server.core.token_auth import TokenAuth
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.parts import known_parts, load_part
from strongroom_server.sdk.request import Operation
from strongroom_server.sdk.routes import VARIABLE, Route
from tests.fuzz.client import Call, Client, Reply
from tests.fuzz.recipes import recipes, seeds
from tests.fuzz.values import MARK, Values

LEFT_OUT = {
    "sys/seal": "ends the server's service", "sys/step-down": "the same",
    "sys/loggers": "would hide what the log is searched for", "sys/loggers/{name}": "the same",
    "sys/audit/{path:rest}": "writes to files and addresses that come with the request; a device that fails stops all",
    "auth/token/revoke-self": "ends the root token",
    "sys/monitor": "has an answer without an end",
    "sys/pprof/profile": "looks for half a minute", "sys/pprof/trace": "looks for a second",
}  # fmt: skip
_METHODS = {
    Operation.READ: ("GET",), Operation.LIST: ("LIST",), Operation.CREATE: ("POST", "PUT"),
    Operation.UPDATE: ("POST", "PUT"), Operation.DELETE: ("DELETE",), Operation.PATCH: ("PATCH",),
    Operation.SCAN: ("SCAN",),
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """An operation of a mount."""

    mount: str
    operation: Operation
    route: Route

    @property
    def template(self) -> str:
        return f"{self.mount}/{self.route.template}".rstrip("/")


def places() -> list[Place]:
    """Return every operation of every engine at the place where ``mount_all`` mounts it."""
    found = [place for mount, engine in engines() for place in _places(mount, engine)]
    return [place for place in found if place.template not in LEFT_OUT]


def engines() -> Iterator[tuple[str, type[Engine]]]:
    """Yield where each type is mounted, and its class."""
    yield from (("sys", Sys), ("identity", IdentityEngine), ("auth/token", TokenAuth))
    for package, prefix in (("engines", ""), ("auth", "auth/")):
        for kind in known_parts(f"strongroom_server.{package}"):
            engine = load_part(f"strongroom_server.{package}", kind).Engine
            if kind == "kv":
                yield "kv1", engine.choose({"version": "1"})
                yield "secret", engine.choose({"version": "2"})
            else:
                yield f"{prefix}{kind}", engine


def _places(mount: str, engine: type[Engine]) -> list[Place]:
    return [Place(mount, operation, route) for path in engine.paths for operation, route in path.routes.items()]


_FIRST = ("/roles/a", "/role/a", "keys/a", "config/ca", "auth/jwt/config", "auth/oidc/config", "database/config/a")
"""Ends of the paths of recipes that others build upon."""


def mount_all(client: Client, values: Values) -> None:
    """Mount each type and put something into it."""
    root = client.send(Call("GET", "auth/token/lookup-self"))
    values.forbidden |= {"root", root.body["data"]["accessor"]}
    for mount, _ in engines():
        parent, _, kind = mount.rpartition("/")
        body = {"type": "kv" if kind == "kv1" else kind}
        client.send(Call("POST", f"sys/{'auth' if parent else 'mounts'}/{kind}", body))
    for path, reply in sow(client, values):
        assert reply.status < 300, (path, reply)


def sow(client: Client, values: Values) -> list[tuple[str, Reply]]:
    """Put something into every mount; what is there already may refuse."""
    replies = []
    good = [recipe for known in recipes().values() for recipe in known if recipe[0].endswith(_FIRST)]
    for path, body in (*seeds(), *good):
        headers = {"X-Vault-Wrap-TTL": "1h"} if path == "sys/wrapping/wrap" else {}
        replies.append((path, client.send(Call("POST", path, body, headers))))
        values.remember(replies[-1][1].body)
    return replies


def make_call(place: Place, values: Values) -> Call:
    """Make a request for a place."""
    luck: random.Random = values.random
    values.begin()
    path = VARIABLE.sub(lambda match: values.name(match[1]), place.template)
    method = luck.choice(_METHODS[place.operation])
    body: Any = None
    known = recipes().get(place.template)
    if known and method != "DELETE" and luck.random() < 0.7:
        good, body = luck.choice(known)
        path = good if luck.random() < 0.8 else path
        body = values.spoil(body, place.route.body and place.route.body[1])
    elif method in {"POST", "PUT", "PATCH", "DELETE"}:
        body = values.body(place.route.body[1]) if place.route.body else _free(place.mount, values)
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    query = {}
    if luck.random() < values.oddness / 3:
        headers["X-Vault-Wrap-TTL"] = luck.choice(("60", "1h", "-1", "x", "0", "99999999h"))
    if luck.random() < values.oddness / 3:
        headers["X-Vault-Token"] = luck.choice(
            ("", "x", f"{MARK}-token", "hvs.", "hvb.AAAA", *values.seen["client_token"][:9])
        )
    if luck.random() < 0.03:
        query["help"] = 1
    if method in {"GET", "LIST"} and place.route.body:
        query |= {
            name: value for name, value in values.body(place.route.body[1]).items() if isinstance(value, str | int)
        }
    if luck.random() < values.oddness / 5:
        body = values.odd()
    return Call(method, path, body, headers, query)


def _free(mount: str, values: Values) -> dict[str, Any]:
    """Make a body where the engine takes what comes."""
    content = {values.random.choice(("a", "password", "ttl", "lease", "")): values.odd() for _ in range(2)} | {
        "b": values.secret()
    }
    if mount == "secret":
        return {"data": content, "options": {"cas": values.random.choice((0, 1, "1", -1, None, "x"))}}
    return content
