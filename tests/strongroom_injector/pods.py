"""Pods and small readers of what came out, for the injector's tests."""

import base64
import copy
import json
from typing import Any

import jsonpatch

from strongroom_injector.admission import Surroundings, Verdict, decide

P = "strongroom.dev/"
V = "vault.hashicorp.com/"
DEFAULTS = {"agent_image": "strongroom:test", "service": "https://vault.vault.svc:8200"}
OLD = Surroundings(defaults=DEFAULTS, native_sidecars=False, own_namespace="strongroom")
NEW = Surroundings(defaults=DEFAULTS, native_sidecars=True, own_namespace="strongroom")

Json = dict[str, Any]


def pod(annotations: dict[str, str] | None = None, prefix: str = P, /, **spec: Any) -> Json:
    """A pod with one container that asks for one secret; ``annotations`` come on top, without prefix."""
    given = {"agent-inject": "true", "role": "app", "agent-inject-secret-s": "secret/data/s", **(annotations or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "annotations": {prefix + name: text for name, text in given.items()}},
        "spec": {"serviceAccountName": "app", "containers": [{"name": "app", "image": "app:1"}], **spec},
    }


def of_job(made: Json) -> Json:
    made = copy.deepcopy(made)
    made["metadata"]["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u"}]
    return made


def injected(made: Json, around: Surroundings = NEW) -> Json:
    """The pod after its patch."""
    return apply(made, decide(made, "default", around))


def apply(made: Json, verdict: Verdict) -> Json:
    patched: Json = jsonpatch.apply_patch(made, verdict.patch)
    return patched


def container(made: Json, name: str = "vault-agent") -> Json:
    spec = made["spec"]
    found: Json = next(c for c in [*spec.get("initContainers", []), *spec["containers"]] if c["name"] == name)
    return found


def env(agent: Json) -> dict[str, str]:
    return {each["name"]: each["value"] for each in agent["env"] if "value" in each}


def config(agent: Json) -> Json:
    made: Json = json.loads(base64.b64decode(env(agent)["VAULT_CONFIG"]))
    return made


def volumes(made: Json) -> dict[str, Json]:
    return {volume["name"]: volume for volume in made["spec"].get("volumes", [])}


def mounts(agent: Json) -> dict[str, str]:
    return {mount["name"]: mount["mountPath"] for mount in agent.get("volumeMounts", [])}
