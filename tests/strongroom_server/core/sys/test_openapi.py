"""The OpenAPI document: every path has a handler, help text and typed fields; the document itself is well-formed."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from strongroom_server.sdk.parts import known_parts
from strongroom_server.sdk.request import Operation
from tests.strongroom_server.live import Live

VERBS = {"get": (Operation.READ, Operation.LIST), "post": (Operation.UPDATE,), "delete": (Operation.DELETE,),
         "patch": (Operation.PATCH,)}  # fmt: skip
SPEC = "sys/internal/specs/openapi"


@pytest.fixture
async def spec(live: Live) -> Any:
    """The document of a server that has every type mounted."""
    for kind in known_parts("strongroom_server.auth"):
        await live.post(f"sys/auth/{kind}", {"type": kind})
    for kind in known_parts("strongroom_server.engines"):
        if kind != "cubbyhole":
            await live.post(f"sys/mounts/{kind}", {"type": kind})
    return (await live.get(SPEC)).body


def operations(spec: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in spec["paths"].items():
        for verb in VERBS:
            if verb in item:
                yield path, verb, item[verb]


async def test_every_path_has_a_handler(live: Live, spec: Any) -> None:
    for path, verb, _ in operations(spec):
        concrete = re.sub(r"{\w+}", "1", path.lstrip("/"))
        found = live.server.mounts.find(concrete)
        assert found is not None, path
        mount, rest = found
        assert mount.engine is not None
        served, _ = mount.engine.find(rest)
        assert any(operation in served.routes for operation in VERBS[verb]), (verb, path)


async def test_everything_has_help(spec: Any) -> None:
    missing = [path for path, item in spec["paths"].items() if not item["description"]]
    missing += [f"{verb} {path}" for path, verb, item in operations(spec) if not item["summary"]]
    assert not missing


def properties(spec: Any) -> Iterator[tuple[str, Any]]:
    for path, item in spec["paths"].items():
        for parameter in item.get("parameters", ()):
            yield f"{path} {parameter['name']}", parameter
    for path, verb, operation in operations(spec):
        for parameter in operation.get("parameters", ()):
            yield f"{verb} {path} {parameter['name']}", parameter
    for schema, described in spec["components"]["schemas"].items():
        for name, typed in described["properties"].items():
            yield f"{schema}.{name}", {"schema": {k: v for k, v in typed.items() if k != "description"}, **typed}


async def test_every_field_has_a_type_and_help(spec: Any) -> None:
    without = [name for name, field in properties(spec) if not field.get("description")]
    without += [name for name, field in properties(spec) if not field["schema"].keys() & {"type", "oneOf"}]
    assert not without


async def test_identifiers_and_references_are_sound(spec: Any) -> None:
    identifiers = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(set(identifiers)) == len(identifiers)
    named = set(re.findall(r"#/components/schemas/(\w+)", str(spec["paths"])))
    assert named == set(spec["components"]["schemas"])
    for path, item in spec["paths"].items():
        assert re.findall(r"{(\w+)}", path) == [parameter["name"] for parameter in item.get("parameters", ())], path


async def test_marks(spec: Any) -> None:
    paths = spec["paths"]
    assert paths["/sys/health"]["x-vault-unauthenticated"]
    assert paths["/sys/audit"]["x-vault-sudo"]
    assert paths["/secret/data/{path}"]["x-vault-createSupported"]
    keys = paths["/sys/policies/acl"]["get"]["parameters"]
    assert keys == [{"name": "list", "in": "query", "required": True, "schema": {"type": "string"},
                     "description": "Must be `true`."}]  # fmt: skip
    body = paths["/auth/userpass/login/{username}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    login = spec["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    assert login["properties"]["password"]["x-vault-displayAttrs"] == {"sensitive": True}
    assert "username" not in login["properties"]


async def test_callers_see_what_they_may_use(live: Live, spec: Any) -> None:
    assert (await live.get(SPEC, token="")).body["paths"] == {}
    await live.post("sys/policies/acl/kv", {"policy": 'path "secret/data/x" { capabilities = ["read"] }'})
    token = await live.make_token(policies=["kv"], no_default_policy=True)
    seen = (await live.get(SPEC, token=token)).body["paths"]
    assert "/secret/data/{path}" in seen
    assert not any(path.startswith("/auth/userpass") for path in seen)


async def test_mounts_may_be_variables(live: Live) -> None:
    await live.post("sys/mounts/kv-2", {"type": "kv", "options": {"version": "2"}})
    paths = (await live.get(SPEC, body={"generic_mount_paths": "true"})).body["paths"]
    data = paths["/{kv_mount_path}/data/{path}"]
    assert data["parameters"][0]["name"] == "kv_mount_path"
    assert not any(path.startswith(("/secret/", "/kv-2/")) for path in paths)
    assert "/sys/mounts" in paths


async def test_path_help_has_the_part_of_the_document(live: Live) -> None:
    answer = await live.ask(Operation.HELP, "sys/policies/acl/x")
    assert list(answer.body["openapi"]["paths"]) == ["/policies/acl/{name}"]
    answer = await live.ask(Operation.HELP, "secret/")
    assert "/data/{path}" in answer.body["openapi"]["paths"]
