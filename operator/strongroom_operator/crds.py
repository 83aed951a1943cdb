"""The definitions of the custom resources, generated from ``spec.py``.

``python -m strongroom_operator.crds FOLDER`` writes them; a test proves ``crds/`` and the chart's copy fresh.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom_operator.schema import openapi
from strongroom_operator.spec import SecretPolicySpec, SecretPolicyStatus, VaultClusterSpec, VaultClusterStatus

GROUP, VERSION = "strongroom.dev", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
HEADER = "# Generated from operator/strongroom_operator/spec.py; run `make generate` after a change there."


@dataclass(frozen=True)
class Resource:
    """A kind of custom resource."""

    kind: str
    plural: str
    short: str
    spec: Any
    status: Any
    columns: tuple[tuple[str, str, str], ...]
    """Printer columns: name, type, JSON path."""


def _condition(kind: str, part: str = "status") -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


_AGE = ("Age", "date", ".metadata.creationTimestamp")
VAULT_CLUSTER = Resource(
    "VaultCluster",
    "vaultclusters",
    "vc",
    VaultClusterSpec,
    VaultClusterStatus,
    (
        ("Initialized", "string", _condition("Initialized")),
        ("Unsealed", "string", _condition("Unsealed")),
        ("Available", "string", _condition("Available")),
        ("Reason", "string", _condition("Available", "reason")),
        ("Version", "string", ".status.version"),
        _AGE,
    ),
)
SECRET_POLICY = Resource(
    "SecretPolicy",
    "secretpolicies",
    "secpol",
    SecretPolicySpec,
    SecretPolicyStatus,
    (
        ("Ready", "string", _condition("Ready")),
        ("Reason", "string", _condition("Ready", "reason")),
        ("Role", "string", ".status.role"),
        ("Policy", "string", ".status.policy"),
        ("Cluster", "string", ".status.cluster"),
        _AGE,
    ),
)
RESOURCES = (VAULT_CLUSTER, SECRET_POLICY)


def definition(resource: Resource) -> dict[str, Any]:
    """Return the CustomResourceDefinition of ``resource``."""
    schema = {
        "type": "object",
        "description": resource.spec.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": openapi(resource.spec),
            "status": openapi(resource.status),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [dict(zip(("name", "type", "jsonPath"), c, strict=True)) for c in resource.columns],
    }
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [resource.short],
        "categories": ["strongroom"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def rendered(resource: Resource) -> str:
    """Return the definition as a YAML file."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    return f"{HEADER}\n{yaml.dump(definition(resource), Dumper=Plain, sort_keys=False, width=120)}"


def main(argv: Sequence[str]) -> int:
    """Write one file a definition into the folder that ``argv`` names."""
    for resource in RESOURCES:
        Path(argv[0], f"{resource.plural}.yaml").write_text(rendered(resource))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
