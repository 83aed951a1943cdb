"""Gives every claim of the default storage class a folder of the node, and takes it away with the claim.

Volumes are of the kind `local`, not `hostPath`: the kubelet then honours a pod's `fsGroup`, as with a real disk.
"""

import shutil
import threading
from pathlib import Path
from typing import Any

from tools.cluster.api import Api
from tools.cluster.layout import NODE, STORAGE_CLASS, VOLUMES

PROVISIONER = "strongroom.dev/local-folder"
_BY = "pv.kubernetes.io/provisioned-by"  # keeps the cluster's own controller from deleting the volume
_VOLUMES = "/api/v1/persistentvolumes"


def waits(claim: dict[str, Any]) -> bool:
    """Whether this claim has no volume yet and is for us."""
    spec = claim["spec"]
    return spec.get("storageClassName") == STORAGE_CLASS and not spec.get("volumeName")


def volume_for(claim: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the volume that answers a claim, bound to it in advance."""
    meta, spec = claim["metadata"], claim["spec"]
    node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {_BY: PROVISIONER}},
        "spec": {
            "accessModes": spec["accessModes"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"],
            },
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": STORAGE_CLASS,
        },
    }  # fmt: skip


def serve() -> None:
    """Watch claims and volumes until ended."""
    api = Api()
    threading.Thread(target=_take_back, args=(api,), daemon=True).start()
    given: set[str] = set()
    for claims in api.follow("/api/v1/persistentvolumeclaims"):
        for claim in list(claims.values()):
            if waits(claim) and claim["metadata"]["uid"] not in given:
                given.add(claim["metadata"]["uid"])
                _give(api, claim)


def _give(api: Api, claim: dict[str, Any]) -> None:
    folder = VOLUMES / claim["metadata"]["uid"]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        api.call("POST", _VOLUMES, volume_for(claim, folder))
    except OSError as error:
        print(f"volume for {claim['metadata']['namespace']}/{claim['metadata']['name']}: {error}", flush=True)


def _take_back(api: Api) -> None:
    for volumes in api.follow(_VOLUMES):
        for volume in list(volumes.values()):
            ours = volume["metadata"].get("annotations", {}).get(_BY) == PROVISIONER
            if not ours or volume["status"].get("phase") != "Released" or "deletionTimestamp" in volume["metadata"]:
                continue
            shutil.rmtree(volume["spec"]["local"]["path"], ignore_errors=True)
            api.call("DELETE", f"{_VOLUMES}/{volume['metadata']['name']}")


if __name__ == "__main__":
    serve()
