"""The chart as Helm renders it, held against the programs that it starts."""

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from strongroom_injector import config as injector_config
from strongroom_operator import crds, resources, schema, workload
from strongroom_operator import main as operator
from strongroom_operator.kube import kind_of
from strongroom_operator.resources import Cluster, Surroundings
from strongroom_operator.spec import VaultClusterSpec
from tools.cluster.clients import client

CHART = Path(__file__).parents[2] / "charts" / "strongroom"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
Object = dict[str, Any]


def helm(*words: str) -> str:
    try:
        program = client("helm")
    except FileNotFoundError:
        pytest.skip("no helm: `make cluster-up` fetches one")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr)
    return done.stdout


@functools.cache
def rendered(*settings: str, version: str = "1.29.0") -> tuple[Object, ...]:
    flags = [word for setting in settings for word in ("--set", setting)]
    text = helm("template", "strongroom", str(CHART), "--namespace", "sr", "--kube-version", version, *flags)
    return tuple(body for body in yaml.safe_load_all(text) if body)


def one(kind: str, name: str, *settings: str, version: str = "1.29.0") -> Object:
    found = [b for b in rendered(*settings, version=version) if b["kind"] == kind and b["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)}"
    return found[0]


def pod(name: str, *settings: str) -> Object:
    found: Object = one("Deployment", name, *settings)["spec"]["template"]["spec"]
    return found


def test_helm_finds_nothing_to_complain_about() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_the_default_values_fit_their_schema() -> None:
    jsonschema.validate(VALUES, SCHEMA)


def leaves(values: Object, node: Object, path: str = "") -> Iterator[tuple[str, Object | None]]:
    for name, value in values.items():
        child = node.get("properties", {}).get(name)
        if isinstance(value, dict) and child and "properties" in child:
            yield from leaves(value, child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child


def test_every_value_is_described_in_the_schema() -> None:
    for path, node in leaves(VALUES, SCHEMA):
        assert node, f"{path} is not in values.schema.json"
        assert node.get("description"), f"{path} has no description"


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param("injector.replicas=many", id="a_word_for_a_number"),
        pytest.param("injector.replica=2", id="a_misspelt_name"),
        pytest.param("injector.webhook.failurePolicy=Maybe", id="an_unknown_choice"),
        pytest.param(r"commonLabels.app\.kubernetes\.io/name=x", id="a_label_of_the_charts_own"),
        pytest.param(r"injector.podLabels.app\.kubernetes\.io/instance=x", id="a_label_by_which_pods_are_found"),
    ],
)
def test_wrong_values_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="values don't meet the specifications"):
        rendered(setting)


def test_the_definitions_come_with_the_chart_and_stay() -> None:
    for resource in crds.RESOURCES:
        body = one("CustomResourceDefinition", f"{resource.plural}.strongroom.dev")
        assert body["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
        assert body["spec"] == crds.definition(resource)["spec"]
    assert not [b for b in rendered("crds.install=false") if b["kind"] == "CustomResourceDefinition"]


@pytest.mark.parametrize(
    ("version", "policy", "conditions", "budget"),
    [
        pytest.param("1.20.2", "Ignore", False, "policy/v1beta1", id="1_20_knows_neither"),
        pytest.param("1.27.9", "Ignore", False, "policy/v1", id="1_27_has_no_match_conditions"),
        pytest.param("1.28.0", "Fail", True, "policy/v1", id="1_28_lets_only_annotated_pods_reach_the_webhook"),
        pytest.param("1.31.1-eks-a1b2", "Fail", True, "policy/v1", id="versions_of_vendors"),
    ],
)
def test_the_webhook_fails_closed_where_that_is_safe(version: str, policy: str, conditions: bool, budget: str) -> None:
    webhook = one("MutatingWebhookConfiguration", "sr-strongroom-injector", version=version)["webhooks"][0]
    assert webhook["failurePolicy"] == policy
    assert bool(webhook.get("matchConditions")) is conditions
    assert one("PodDisruptionBudget", "strongroom-injector", version=version)["apiVersion"] == budget


def test_the_webhook_leaves_the_systems_namespaces_and_its_own_alone() -> None:
    webhook = one("MutatingWebhookConfiguration", "sr-strongroom-injector")["webhooks"][0]
    rule = webhook["namespaceSelector"]["matchExpressions"][0]
    assert (rule["operator"], set(rule["values"])) == ("NotIn", {"kube-system", "kube-public", "kube-node-lease", "sr"})
    assert "caBundle" not in webhook["clientConfig"], "the injector owns it"
    assert (webhook["reinvocationPolicy"], webhook["sideEffects"]) == ("IfNeeded", "None")


def test_the_injector_understands_its_arguments() -> None:
    arguments = pod("strongroom-injector", "injector.settings.memory-limit=96Mi", "injector.vaultAddress=http://v:1")
    config, defaults = injector_config.load(arguments["containers"][0]["args"], {})
    assert config.tls_auto == "sr-strongroom-injector"
    assert "strongroom-injector.sr.svc" in config.tls_auto_hosts
    assert config.defaults_config_map == "strongroom-injector-defaults"
    assert defaults.settings["service"] == "http://v:1"


def test_long_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    values = {
        "injector": {"settings": {"run-as-user": 1000650000, "run-as-same-user": True, "token-expiration": "900"}}
    }
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({**values, "agent": {"image": {"tag": 20260101}}}))
    bodies = yaml.safe_load_all(helm("template", "strongroom", str(CHART), "--values", str(file)))
    deployment = next(b for b in bodies if b and b["kind"] == "Deployment" and "injector" in b["metadata"]["name"])
    _, defaults = injector_config.load(deployment["spec"]["template"]["spec"]["containers"][0]["args"], {})
    given = ("agent_run_as_user", "agent_run_as_same_user", "agent_service_account_token_expiration", "agent_image")
    assert [defaults.settings[name] for name in given] == [1000650000, True, 900, "localhost/strongroom/agent:20260101"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param("injector.hostNetwork=false", {"maxUnavailable": 0, "maxSurge": 1}, id="first_the_new_one"),
        pytest.param("injector.hostNetwork=true", {"maxUnavailable": 1, "maxSurge": 0}, id="where_both_cannot_be"),
    ],
)
def test_the_order_in_which_injectors_are_replaced(setting: str, expected: Object) -> None:
    strategy = one("Deployment", "strongroom-injector", setting)["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": expected}


def test_a_single_injector_holds_up_no_drain() -> None:
    assert not [body for body in rendered("injector.replicas=1") if body["kind"] == "PodDisruptionBudget"]


def test_certificates_from_elsewhere_are_mounted() -> None:
    spec = pod("strongroom-injector", "injector.certificates.secretName=mine")
    config, _ = injector_config.load(spec["containers"][0]["args"], {})
    assert (config.tls_auto, config.tls_cert_file) == ("", "/strongroom/tls/tls.crt")
    assert spec["volumes"][0]["secret"]["secretName"] == "mine"


def test_the_operator_understands_its_environment() -> None:
    container = pod("strongroom-operator", "server.image.tag=9")["containers"][0]
    environ = {item["name"]: item.get("value", "x") for item in container["env"]}
    settings = operator.read_settings([], environ)
    assert settings.image == "localhost/strongroom/server:9"
    assert settings.injector_config_map == "strongroom-injector-defaults"
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert settings.token_file.parent == Path(mounted["token"])


def test_without_an_injector_the_operator_tells_nobody() -> None:
    container = pod("strongroom-operator", "injector.enabled=false")["containers"][0]
    assert "STRONGROOM_INJECTOR_CONFIG_MAP" not in [item["name"] for item in container["env"]]
    assert not [b for b in rendered("injector.enabled=false") if "injector" in b["metadata"]["name"]]


@pytest.mark.parametrize("name", ["strongroom-operator", "strongroom-injector"])
def test_pods_meet_the_restricted_profile(name: str) -> None:
    spec = pod(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True


def test_two_injectors_prefer_different_nodes_and_one_stays() -> None:
    spec = one("Deployment", "strongroom-injector")["spec"]
    assert spec["replicas"] == 2
    assert "preferredDuringSchedulingIgnoredDuringExecution" in spec["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert one("PodDisruptionBudget", "strongroom-injector")["spec"]["minAvailable"] == 1


def allowed(*roles: Object) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def made_by_the_operator() -> list[Object]:
    cluster = Cluster("team", "vault", "u", schema.read(VaultClusterSpec, {}))
    around = Surroundings("i", (1, 29), "sr", "operator", "https://x")
    return [
        resources.service_account(cluster),
        resources.token_review_binding(cluster),
        *resources.services(cluster),
        resources.network_policy(cluster, "sr") or {},
        resources.disruption_budget(cluster, (1, 29)),
        resources.ca_copy(cluster, "app", ""),
        workload.config_map(cluster),
        workload.stateful_set(cluster, around),
        resources.unowned(cluster, "v1", "Secret", "s"),
    ]


def test_the_operator_may_make_what_it_makes() -> None:
    may = allowed(one("ClusterRole", "sr:strongroom-operator"), one("ClusterRole", "sr:strongroom-operator-clusters"))
    for body in made_by_the_operator():
        kind = kind_of(body)
        group = kind.api_version.partition("/")[0] if "/" in kind.api_version else ""
        for verb in ("create", "patch"):
            assert (group, kind.plural, verb) in may, f"{verb} {kind.plural}"


def test_the_operator_may_bind_one_role_only_and_no_wildcard_is_granted() -> None:
    role = one("ClusterRole", "sr:strongroom-operator")
    binds = [rule for rule in role["rules"] if "bind" in rule["verbs"]]
    assert [rule["resourceNames"] for rule in binds] == [["system:auth-delegator"]]
    for body in rendered():
        for rule in body.get("rules", []) if "Role" in body["kind"] else []:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert "escalate" not in rule["verbs"]


@pytest.mark.parametrize(
    ("setting", "namespaces"),
    [
        pytest.param("operator.clusterNamespaces={a,b}", {"a", "b"}, id="those_that_are_named"),
        pytest.param("operator.clusterNamespaces={}", {"sr"}, id="else_its_own"),
    ],
)
def test_secrets_are_reached_only_in_the_namespaces_of_clusters(setting: str, namespaces: set[str]) -> None:
    bodies = rendered(setting)
    everywhere = one("ClusterRole", "sr:strongroom-operator", setting)
    assert not any("secrets" in rule["resources"] for rule in everywhere["rules"])
    clusters = "sr:strongroom-operator-clusters"
    assert not [b for b in bodies if b["kind"] == "ClusterRoleBinding" and b["metadata"]["name"] == clusters]
    bound = [b for b in bodies if b["kind"] == "RoleBinding" and b["roleRef"]["name"] == clusters]
    assert {b["metadata"]["namespace"] for b in bound} == namespaces


def test_the_injector_reaches_its_own_secret_and_nobody_elses() -> None:
    secrets = [r for r in one("Role", "strongroom-injector")["rules"] if "secrets" in r["resources"]]
    named = [rule.get("resourceNames") for rule in secrets if rule["verbs"] != ["create"]]
    assert named == [["strongroom-injector-certs"]]
    config, _ = injector_config.load(pod("strongroom-injector")["containers"][0]["args"], {})
    assert config.tls_secret == "strongroom-injector-certs"


def test_names_follow_the_release() -> None:
    text = helm("template", "prod", str(CHART), "--namespace", "sr")
    names = [body["metadata"]["name"] for body in yaml.safe_load_all(text) if body and body["kind"] == "Deployment"]
    assert names == ["prod-strongroom-injector", "prod-strongroom-operator"]


def test_the_notes_tell_of_the_webhooks_policy_on_old_clusters() -> None:
    words = helm("install", "strongroom", str(CHART), "--dry-run=client", "--namespace", "sr")
    assert "kubectl wait --for=condition=Available" in words
