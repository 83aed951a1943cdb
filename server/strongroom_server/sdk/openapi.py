"""The API as an OpenAPI 3.0 document, from the declarations of routes and fields alone.

Paths, operation ids and the ``x-vault-…`` marks are as in Vault's own document, so that its tools read this one:
a LIST is a GET with ``list=true``, a write a POST.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, get_type_hints

from strongroom_common.fields import OBJECT, Field, fields
from strongroom_server.sdk.engine import help_of
from strongroom_server.sdk.request import Operation, Response
from strongroom_server.sdk.routes import Path, Route
from strongroom_server.sdk.version import VERSION

_VARIABLE = re.compile(r"{(\w+)(?::(\w+))?}")
_VERBS: Mapping[Operation, str] = {
    Operation.READ: "get", Operation.LIST: "get", Operation.CREATE: "post", Operation.UPDATE: "post",
    Operation.DELETE: "delete", Operation.PATCH: "patch",
}  # fmt: skip

_ANY = ({"type": "string"}, {"type": "number"}, {"type": "boolean"}, {"type": "array", "items": {}}, {"type": "object"})

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """One mount: where it is ("secret/", or "{kv_mount_path}/"), its type, its tag and its paths."""

    point: str
    kind: str
    tag: str
    paths: tuple[Path, ...]


def document(mounts: Iterable[Described]) -> Document:
    """Return the whole document."""
    schemas: dict[str, Any] = {}
    ids: set[str] = set()
    found: dict[str, Any] = {}
    for mount in mounts:
        for template, path in _spelled(mount.paths).items():
            shown = _VARIABLE.sub(r"{\1}", template)
            found[f"/{mount.point}{shown}"] = _path(mount, path, template, schemas, ids)
    return {
        "openapi": "3.0.2",
        "info": {
            "title": "Strongroom API",
            "description": "HTTP API that gives you full access to Strongroom. All paths begin with /v1/.",
            "version": VERSION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "paths": dict(sorted(found.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def _spelled(paths: Iterable[Path]) -> dict[str, Path]:
    """Return paths by template; one that ends in an optional rest is a path without it, too."""
    found = {path.template: path for path in paths}
    short = {template.rpartition("/")[0]: path for template, path in found.items() if template.endswith(":any}")}
    return {template: path for template, path in short.items() if template} | found


def _path(mount: Described, path: Path, template: str, schemas: dict[str, Any], ids: set[str]) -> dict[str, Any]:
    routes = list(path.routes.values())
    found: dict[str, Any] = {"description": routes[0].help}
    names = [name for name, _ in _VARIABLE.findall(mount.point + template)]
    if names:
        found["parameters"] = [_path_parameter(name, mount, routes) for name in names]
    if any(route.sudo for route in routes):
        found["x-vault-sudo"] = True
    if any(route.public for route in routes):
        found["x-vault-unauthenticated"] = True
    if any(route.exists for route in routes):
        found["x-vault-createSupported"] = True
    for operation, route in path.routes.items():
        verb = _VERBS.get(operation)
        if verb is None or (verb == "get" and operation is Operation.LIST and Operation.READ in path.routes):
            continue
        if verb not in found:
            listing = operation is Operation.LIST, Operation.LIST in path.routes
            found[verb] = _operation(mount, route, verb, template, listing, schemas, ids)
    return found


def _path_parameter(name: str, mount: Described, routes: list[Route]) -> dict[str, Any]:
    parameter = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    if f"{{{name}}}" in mount.point:
        default = mount.kind
        return {**parameter, "description": "Path that the mount is at.",
                "schema": {"type": "string", "default": default}}  # fmt: skip
    for route in routes:
        hint = get_type_hints(route.handler, include_extras=True).get(name)
        known = fields(route.body[1]).get(name) if route.body else None
        if text := help_of(hint) or (known.help if known else ""):
            return {**parameter, "description": text}
    return {**parameter, "description": name.replace("_", " ").capitalize() + "."}


def _operation(mount: Described, route: Route, verb: str, template: str, listing: tuple[bool, bool],
               schemas: dict[str, Any], ids: set[str]) -> dict[str, Any]:  # fmt: skip
    identifier = _identifier(mount, route, template, ids)
    found: dict[str, Any] = {"summary": route.help, "operationId": identifier, "tags": [mount.tag]}
    captured = set(route.captures)
    known = fields(route.body[1]) if route.body else {}
    body = {name: f for name, f in known.items() if name not in captured and not f.kept}
    if verb in ("get", "delete"):
        parameters = [_query_parameter(field) for field in body.values()]
        always, possible = listing
        if possible:
            parameters.append({"name": "list", "in": "query", "required": always, "schema": {"type": "string"},
                               "description": "Must be `true`." if always else "Return a list if `true`."})  # fmt: skip
        if parameters:
            found["parameters"] = parameters
    elif body:
        name = _camel(identifier) + "Request"
        schemas[name] = _object(body)
        schemas[name]["properties"] |= _older_names(body)
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        found["requestBody"] = {"required": True, "content": content}
    found["responses"] = _responses(route, identifier, schemas)
    return found


def _identifier(mount: Described, route: Route, template: str, ids: set[str]) -> str:
    words = f"{mount.kind}-{route.handler.__name__.strip('_').replace('_', '-')}"
    if words in ids:
        words += "-" + "-".join(re.findall(r"\w+", _VARIABLE.sub(r"\1", template)))
    number, found = 2, words
    while found in ids:
        found, number = f"{words}-{number}", number + 1
    ids.add(found)
    return found


def _responses(route: Route, identifier: str, schemas: dict[str, Any]) -> dict[str, Any]:
    result: Any = get_type_hints(route.handler).get("return")
    if result is type(None):
        return {"204": {"description": "empty body"}}
    if not isinstance(result, type) or not dataclasses.is_dataclass(result) or result is Response:
        return {"200": {"description": "OK"}}
    name = _camel(identifier) + "Response"
    schema: Any = result  # a class is hashable, which its type does not say
    schemas[name] = _object({f.name: f for f in fields(schema).values() if not f.sensitive and not f.kept})
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {"200": {"description": "OK", "content": content}}


def _query_parameter(field: Field) -> dict[str, Any]:
    return {"name": field.name, "in": "query", "required": field.default is MISSING, "description": field.help,
            "schema": _typed(field)}  # fmt: skip


def _object(known: Mapping[str, Field]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: {**_typed(field), "description": field.help} for name, field in sorted(known.items())},
    }
    if required := sorted(name for name, field in known.items() if field.default is MISSING):
        found["required"] = required
    return found


def _older_names(known: Mapping[str, Field]) -> dict[str, Any]:
    return {
        alias: {**field.kind.openapi, "description": f'Older name of "{field.name}".', "deprecated": True}
        for field in known.values()
        for alias in field.aliases
    }


def _typed(field: Field) -> dict[str, Any]:
    found = dict(field.kind.openapi) or {"oneOf": [*_ANY]}
    if field.nested:
        inner = _object(fields(field.nested))
        found = inner if field.kind is OBJECT else {"type": "array", "items": inner}
    if field.choices:
        found["enum"] = list(field.choices)
    if field.sensitive:
        found["x-vault-displayAttrs"] = {"sensitive": True}
    elif isinstance(field.default, str | int | float) and field.default != "":
        found["default"] = field.default
    return found


def _camel(words: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[^0-9A-Za-z]+", words))
