"""Manifests as people write them, and what vault-k8s makes of each (manifests/*.yaml), on both kinds of cluster."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from strongroom_injector.admission import decide
from strongroom_injector.errors import Denied
from tests.strongroom_injector.pods import NEW, OLD, apply, config, container

CASES = {
    path.stem: yaml.safe_load(path.read_text()) for path in sorted((Path(__file__).parent / "manifests").glob("*"))
}
TOKEN = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
V = "vault.hashicorp.com/"

BETTER: dict[str, dict[str, Any]] = {
    # the injector adds a token of its own, so a pod without one can log in
    "M19-no-service-account-token": {"allowed": True, "error_contains": ""},
    # a default limit by measurement, half of vault-k8s's; a seccompProfile is there to be replaced, a lifecycle is not
    "M23-json-patch-and-resources": {
        "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "50m", "memory": "32Mi"}},
        "variants": [
            {"annotation": {"agent-limits-cpu": "5x"}, "allowed": False},
            {"annotation": {"agent-json-patch": '[{"op":"replace","path":"/lifecycle","value":{}}]'}, "allowed": False},
        ],
    },
}


def expected(name: str) -> dict[str, Any]:
    return {**CASES[name]["expect"], **BETTER.get(name, {})}


def pod_of(name: str) -> dict[str, Any]:
    """The pod that a manifest's template becomes, with the token mount that the cluster gives each container."""
    manifest = yaml.safe_load(CASES[name]["manifest"])
    template = manifest if manifest["kind"] == "Pod" else manifest["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
    if pod["spec"].get("automountServiceAccountToken") is not False:
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            container.setdefault("volumeMounts", []).append(dict(TOKEN))
    return pod


def names(pod: dict[str, Any], key: str) -> list[str]:
    return [each["name"] for each in pod["spec"].get(key, [])]


INJECTED = [n for n in CASES if expected(n).get("allowed", True) and expected(n).get("patched", True)]


@pytest.mark.parametrize("name", INJECTED)
def test_an_older_cluster_gets_what_vault_k8s_makes(name: str) -> None:
    expect, pod = expected(name), pod_of(name)
    new = apply(pod, decide(pod, "default", OLD))
    if "init_containers" in expect:
        assert names(new, "initContainers") == expect["init_containers"]
        assert names(new, "containers") == names(pod, "containers") + expect["containers_added"]
    assert new["metadata"]["annotations"][V + "agent-inject-status"] == "injected"
    if "volumes_added" in expect:
        own = set(names(pod, "volumes")) | {"strongroom-token"}
        assert sorted(set(names(new, "volumes")) - own) == sorted(expect["volumes_added"])
    for app, wanted in expect.get("mounts", {}).items():
        has = [[m["name"], m["mountPath"]] for m in container(new, app)["volumeMounts"]]
        assert [mount for mount in has if mount[0] != "kube-api-access"] == wanted
    for key, value in expect.get("pod_patch", {}).items():
        assert new["spec"][key] == value
    agents = [c for c in new["spec"]["initContainers"] + new["spec"]["containers"] if "VAULT_CONFIG" in str(c)]
    assert [config(agent)["exit_after_auth"] for agent in agents] == [True, False][: len(agents)]
    for agent in agents:
        check_agent(agent, expect)


@pytest.mark.parametrize("name", INJECTED)
def test_a_newer_cluster_gets_one_native_sidecar_unless_once_is_enough(name: str) -> None:
    expect, pod = expected(name), pod_of(name)
    new = apply(pod, decide(pod, "default", NEW))
    assert names(new, "containers") == names(pod, "containers")
    (agent,) = [c for c in new["spec"]["initContainers"] if "VAULT_CONFIG" in str(c)]
    once = expect.get("containers_added") == []
    assert agent.get("restartPolicy") == (None if once else "Always")
    assert config(agent)["exit_after_auth"] is once
    check_agent(agent, expect)


def check_agent(agent: dict[str, Any], expect: dict[str, Any]) -> None:
    made = config(agent)
    if "templates" in expect:
        templates = {template["destination"]: template for template in made.get("template", [])}
        assert templates.keys() == expect["templates"].keys()
        for path, wanted in expect["templates"].items():
            assert wanted.items() <= templates[path].items()
    if "sinks" in expect:
        assert [sink["config"]["path"] for sink in made["auto_auth"]["sink"]] == expect["sinks"]
    if "auth_config" in expect:
        assert made["auto_auth"]["method"]["config"] == expect["auth_config"]
    if "security_context" in expect:
        assert expect["security_context"].items() <= agent["securityContext"].items()
    if "agent_run_as_user" in expect:
        assert agent["securityContext"]["runAsUser"] == expect["agent_run_as_user"]
    if "resources" in expect:
        assert agent["resources"] == expect["resources"]
    for name, path in expect.get("agent_mounts_include", []):
        assert {"name": name, "mountPath": path}.items() <= next(
            mount.items() for mount in agent["volumeMounts"] if mount["name"] == name
        )


@pytest.mark.parametrize("name", [n for n in CASES if not expected(n).get("allowed", True)])
def test_a_refused_manifest_says_why(name: str) -> None:
    with pytest.raises(Denied) as refused:
        decide(pod_of(name), "default", OLD)
    assert expected(name)["error_contains"] in str(refused.value)


@pytest.mark.parametrize("name", [n for n in CASES if not expected(n).get("patched", True)])
def test_a_manifest_without_annotations_on_the_pod_is_left_alone(name: str) -> None:
    assert decide(pod_of(name), "default", OLD).patch == []


VARIANTS = [(name, variant) for name in CASES for variant in expected(name).get("variants", [])]


@pytest.mark.parametrize(("name", "variant"), [pytest.param(n, v, id=f"{n}-{v['annotation']}") for n, v in VARIANTS])
@pytest.mark.parametrize("around", [pytest.param(OLD, id="older"), pytest.param(NEW, id="newer")])
def test_variants(name: str, variant: dict[str, Any], around: Any) -> None:
    pod = pod_of(name)
    pod["metadata"]["annotations"].update({V + key: text for key, text in variant["annotation"].items()})
    if variant.get("allowed", True):
        assert bool(decide(pod, "default", around).patch) is variant["patched"]
    else:
        with pytest.raises(Denied, match=next(iter(variant["annotation"]))):
            decide(pod, "default", around)
