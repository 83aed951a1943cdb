"""The definitions are fresh, structural, and take what the examples say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from strongroom_common.fields import FieldError, Seconds
from strongroom_operator import crds, schema
from strongroom_operator.spec import SecretPolicySpec, VaultClusterSpec

PROJECT = Path(__file__).parents[2]
SCHEMAS = {resource.kind: schema.openapi(resource.spec) for resource in crds.RESOURCES}


@pytest.mark.parametrize("folder", ["crds", "charts/strongroom/files/crds"])
@pytest.mark.parametrize("resource", crds.RESOURCES, ids=lambda resource: resource.kind)
def test_the_committed_files_are_what_the_code_says(resource: crds.Resource, folder: str) -> None:
    committed = (PROJECT / folder / f"{resource.plural}.yaml").read_text()
    assert committed == crds.rendered(resource), "run `make generate`"


def nodes(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if isinstance(node.get("items"), dict):
        yield from nodes(node["items"], f"{path}[]")


@pytest.mark.parametrize("resource", crds.RESOURCES, ids=lambda resource: resource.kind)
def test_every_field_has_a_type_and_a_description(resource: crds.Resource) -> None:
    for root in ("spec", "status"):
        for path, node in nodes(schema.openapi(getattr(resource, root)), root):
            assert node.get("type") or node.get("x-kubernetes-int-or-string"), f"{path} has no type"
            assert node.get("description") or path.endswith("[]"), f"{path} has no description"


def examples() -> Iterator[Any]:
    for file in sorted((PROJECT / "examples").rglob("*.yaml")):
        for body in yaml.safe_load_all(file.read_text()):
            if body and body["kind"] in SCHEMAS:
                yield pytest.param(body, id=f"{file.name}_{body['kind']}_{body['metadata']['name']}")


@pytest.mark.parametrize("body", list(examples()))
def test_examples_are_valid(body: dict[str, Any]) -> None:
    strict = closed(SCHEMAS[body["kind"]])
    jsonschema.validate(body["spec"], strict)
    spec: Any = VaultClusterSpec if body["kind"] == "VaultCluster" else SecretPolicySpec
    assert schema.read(spec, body["spec"])


def closed(node: dict[str, Any]) -> dict[str, Any]:
    """A schema that refuses unknown names, as `kubectl apply` does with field validation."""
    shut = dict(node)
    if "properties" in node:
        shut["properties"] = {name: closed(child) for name, child in node["properties"].items()}
        shut["additionalProperties"] = False
    if isinstance(node.get("items"), dict):
        shut["items"] = closed(node["items"])
    return shut


def test_a_spec_is_read_with_its_camel_case_names() -> None:
    spec = schema.read(
        SecretPolicySpec,
        {
            "serviceAccounts": {"names": ["app"]},
            "clusterRef": {"name": "vault", "namespace": "v"},
            "token": {"maxTtl": "24h", "ttl": 60},
            "secrets": [{"path": "secret/app"}],
        },
    )
    assert spec.token.max_ttl == Seconds(86400)
    assert spec.cluster_ref is not None
    assert spec.cluster_ref.namespace == "v"
    assert spec.secrets[0].access == "read"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        pytest.param({}, "missing required field .serviceAccounts.", id="a_missing_field"),
        pytest.param(
            {"serviceAccounts": {"names": ["a"]}, "token": {"maxTtl": "soon"}},
            "token: .*maxTtl.: expected a duration",
            id="a_duration_that_is_none",
        ),
        pytest.param({"serviceAccounts": ["a"]}, "serviceAccounts.: expected an object", id="a_list_for_an_object"),
    ],
)
def test_a_wrong_spec_is_told_by_the_name_its_author_wrote(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        schema.read(SecretPolicySpec, raw)


def test_an_empty_cluster_has_all_defaults() -> None:
    spec = schema.read(VaultClusterSpec, {})
    assert spec == VaultClusterSpec()
    assert (spec.replicas, spec.storage.type, spec.seal.threshold) == (1, "sqlite", 3)
    assert spec.secret_engines[0].options == {"version": "2"}
