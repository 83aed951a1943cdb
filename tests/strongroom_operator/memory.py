"""A Kubernetes API in memory behind the ``Kube`` seam: what is applied is there, nothing else happens."""

import copy
from collections.abc import Mapping
from typing import Any

from strongroom_operator.kube import Kind, KubeError, kind_of
from strongroom_operator.resources import Body


class MemoryKube:
    """``refused`` maps plural names to the status with which writes of that kind fail."""

    def __init__(self) -> None:
        self.objects: dict[str, Body] = {}
        self.refused: dict[str, int] = {}
        self.applied: list[str] = []

    async def get(self, kind: Kind, namespace: str, name: str) -> Body | None:
        return copy.deepcopy(self.objects.get(kind.path(namespace, name)))

    async def list(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Body]:
        found = [body for path, body in self.objects.items() if path.startswith(kind.path(namespace) + "/")]
        return [copy.deepcopy(body) for body in found if labels.items() <= body["metadata"].get("labels", {}).items()]

    async def apply(self, body: Mapping[str, Any], manager: str = "") -> Body:
        kind = kind_of(body)
        if kind.plural in self.refused:
            raise KubeError(self.refused[kind.plural], f"{kind.plural} are refused")
        metadata = body["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"])
        self.applied.append(path)
        held = self.objects.get(path, {})
        merged = {**held, **copy.deepcopy(dict(body))}
        if "labels" in held.get("metadata", {}):  # labels of other managers stay
            merged["metadata"] = {**held["metadata"], **merged["metadata"]}
            merged["metadata"]["labels"] = {**held["metadata"]["labels"], **metadata.get("labels", {})}
        self.objects[path] = merged
        return merged

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        self.objects.pop(kind.path(namespace, name), None)

    async def patch_status(self, kind: Kind, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        body = self.objects[kind.path(namespace, name)]
        merged = {**body.get("status", {}), **status}
        body["status"] = {key: value for key, value in merged.items() if value is not None}
