"""The objects that a spec becomes."""

import json
from dataclasses import replace
from typing import Any

import pytest

from strongroom_common.fields import Names, Object
from strongroom_operator import keys, resources, schema, workload
from strongroom_operator.resources import Cluster, Surroundings
from strongroom_operator.spec import VaultClusterSpec

AROUND = Surroundings("registry/server:1", (1, 29), "strongroom", "operator", "https://10.96.0.1:443")


def cluster(**spec: Any) -> Cluster:
    return Cluster("team", "vault", "uid-1", schema.read(VaultClusterSpec, spec))


def every_object(made: Cluster) -> list[dict[str, Any]]:
    policy = resources.network_policy(made, "strongroom")
    return [
        resources.service_account(made),
        *resources.services(made),
        *([policy] if policy else []),
        resources.disruption_budget(made, (1, 29)),
        workload.config_map(made),
        workload.stateful_set(made, AROUND),
    ]


def test_everything_in_the_namespace_goes_with_the_cluster() -> None:
    for body in every_object(cluster()):
        owner = body["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("VaultCluster", "uid-1", True), body["kind"]
        assert body["metadata"]["namespace"] == "team"


def test_what_must_not_be_lost_has_no_owner() -> None:
    made = cluster()
    assert "ownerReferences" not in keys.to_secret(made, None)["metadata"]
    assert "ownerReferences" not in resources.token_review_binding(made)["metadata"], "not allowed across scopes"


def test_services_tell_active_from_standby() -> None:
    made = {body["metadata"]["name"]: body["spec"] for body in resources.services(cluster())}
    assert list(made) == ["vault", "vault-active", "vault-standby", "vault-internal"]
    assert made["vault-active"]["selector"]["strongroom.dev/ha-state"] == "active"
    assert made["vault-standby"]["selector"]["strongroom.dev/ha-state"] == "standby"
    assert "strongroom.dev/ha-state" not in made["vault"]["selector"]
    assert (made["vault-internal"]["clusterIP"], made["vault-internal"]["publishNotReadyAddresses"]) == ("None", True)


def test_a_service_takes_type_and_annotations_from_the_spec() -> None:
    main = resources.services(cluster(service={"type": "LoadBalancer", "annotations": {"a": "b"}}))[0]
    assert (main["spec"]["type"], main["metadata"]["annotations"]) == ("LoadBalancer", {"a": "b"})


@pytest.mark.parametrize(
    ("version", "api"),
    [
        pytest.param((1, 20), "policy/v1beta1", id="before_1_21"),
        pytest.param((1, 21), "policy/v1", id="from_1_21_on"),
    ],
)
def test_the_budget_is_of_the_version_that_the_cluster_has(version: tuple[int, int], api: str) -> None:
    body = resources.disruption_budget(cluster(), version)
    assert body["apiVersion"] == api
    assert body["spec"]["maxUnavailable"] == 1, "a single server may be moved: its node has to be drained some day"


def test_the_network_policy_opens_the_api_and_keeps_the_cluster_port_among_servers() -> None:
    policy = resources.network_policy(cluster(), "strongroom")
    assert policy is not None
    api, own = policy["spec"]["ingress"]
    assert (api["ports"][0]["port"], api.get("from")) == (8200, None)
    assert own["ports"][0]["port"] == 8201
    assert own["from"][0]["podSelector"]["matchLabels"]["strongroom.dev/cluster"] == "vault"


def test_the_operator_is_let_in_beside_the_peers_of_the_spec() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
    policy = resources.network_policy(cluster(networkPolicy={"peers": [peer]}), "strongroom")
    assert policy is not None
    operator, given = policy["spec"]["ingress"][0]["from"]
    assert operator["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "strongroom"}
    assert given == peer
    assert resources.network_policy(cluster(networkPolicy={"enabled": False}), "strongroom") is None


def test_bindings_of_two_clusters_never_share_a_name() -> None:
    assert resources.binding_name("a-b", "c") != resources.binding_name("a", "b-c")


def test_the_certificate_names_every_way_to_the_servers_and_nothing_else() -> None:
    names = resources.server_names(cluster(tls={"extraNames": ["vault.example.com", "10.1.2.3"]}))
    for name in ("vault.team.svc", "vault-active.team.svc", "vault-0.vault-internal.team.svc.cluster.local",
                 "127.0.0.1", "vault.example.com", "10.1.2.3"):  # fmt: skip
        assert name in names
    assert "vault-1.vault-internal" not in names
    assert not any("*" in name for name in names)


def test_the_server_file_is_json_of_what_the_spec_says() -> None:
    file = json.loads(workload.config_map(cluster())["data"]["server.hcl"])
    assert file["storage"] == {"sqlite": {"path": "/strongroom/data"}}
    assert file["listener"]["tcp"]["tls_cert_file"] == "/strongroom/tls/tls.crt"
    assert file["api_addr"] == "https://vault.team.svc:8200"
    assert "seal" not in file


def test_the_users_settings_are_merged_over_it() -> None:
    made = cluster(config={"ui": True, "listener": {"tcp": {"http_idle_timeout": "1m"}}, "storage": {"inmem": {}}})
    file = workload.server_file(made)
    assert file["ui"] is True
    assert file["listener"]["tcp"]["address"] == "0.0.0.0:8200"
    assert file["listener"]["tcp"]["http_idle_timeout"] == "1m"
    assert file["storage"] == {"inmem": {}}, "there is one storage, so it replaces"


def test_plain_http_needs_no_certificate() -> None:
    made = cluster(tls={"enabled": False})
    assert workload.server_file(made)["listener"]["tcp"]["tls_disable"] is True
    pod = workload.stateful_set(made, AROUND)["spec"]["template"]["spec"]
    assert "tls" not in [volume["name"] for volume in pod["volumes"]]
    assert pod["containers"][0]["readinessProbe"]["httpGet"]["scheme"] == "HTTP"
    assert resources.services(made)[0]["spec"]["ports"][0]["name"] == "http"


def test_a_static_seal_reads_its_key_from_a_secret() -> None:
    made = cluster(seal={"type": "static", "staticKeySecret": "mine"})
    assert workload.server_file(made)["seal"]["static"]["current_key"] == "file:///strongroom/seal/key"
    volumes = {v["name"]: v for v in workload.stateful_set(made, AROUND)["spec"]["template"]["spec"]["volumes"]}
    assert volumes["seal"]["secret"]["secretName"] == "mine"


def test_pods_meet_the_restricted_profile() -> None:
    pod = workload.stateful_set(cluster(), AROUND)["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    container = pod["containers"][0]["securityContext"]
    assert container["allowPrivilegeEscalation"] is False
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["readOnlyRootFilesystem"] is True


def annotations(made: Cluster, certificate: str = "") -> dict[str, str]:
    found: dict[str, str] = workload.stateful_set(made, AROUND, certificate)["spec"]["template"]["metadata"][
        "annotations"
    ]
    return found


def test_a_new_server_file_or_certificate_replaces_the_pods() -> None:
    assert annotations(cluster(), "a") == annotations(cluster(), "a")
    assert annotations(cluster(config={"ui": True}), "a") != annotations(cluster(), "a")
    assert annotations(cluster(), "b") != annotations(cluster(), "a")


def test_image_resources_and_storage_come_from_the_spec() -> None:
    made = cluster(
        image="other:2", resources={"limits": {"cpu": "1"}}, storage={"size": "3Gi", "storageClass": "fast"},
        imagePullSecrets=["registry"],
    )  # fmt: skip
    spec = workload.stateful_set(made, AROUND)["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert (container["image"], container["resources"]) == ("other:2", {"limits": {"cpu": "1"}})
    claim = spec["volumeClaimTemplates"][0]["spec"]
    assert (claim["resources"]["requests"]["storage"], claim["storageClassName"]) == ("3Gi", "fast")
    assert spec["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    plain = workload.stateful_set(cluster(), AROUND)["spec"]
    assert plain["template"]["spec"]["containers"][0]["image"] == "registry/server:1"
    assert "storageClassName" not in plain["volumeClaimTemplates"][0]["spec"]


def test_the_pod_template_is_merged_last() -> None:
    over = {
        "metadata": {"labels": {"team": "a"}},
        "spec": {
            "priorityClassName": "high",
            "containers": [{"name": "strongroom", "env": [{"name": "A", "value": "b"}]}],
        },
    }
    template = workload.stateful_set(cluster(podTemplate=over), AROUND)["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "a"
    assert template["metadata"]["labels"]["strongroom.dev/cluster"] == "vault"
    assert template["spec"]["priorityClassName"] == "high"
    container = template["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert container["args"] == ["server", "-config=/strongroom/config/server.hcl"]


def test_keys_survive_the_way_through_a_secret() -> None:
    answer = {"keys_base64": [f"key{n}" for n in range(12)], "root_token": "s.root"}
    made = keys.from_init(answer)
    body = keys.to_secret(cluster(), made)
    assert sorted(body["data"])[:2] == ["root-token", "unseal-key-1"]
    read = keys.from_secret(body)
    assert read == made, "key 10 comes after key 9"
    assert "s.root" not in repr(read)
    assert keys.from_secret(keys.to_secret(cluster(), made.without_root_token())) == made.without_root_token()


def test_an_empty_secret_holds_no_keys() -> None:
    assert keys.from_secret(None) is None
    assert keys.from_secret(keys.to_secret(cluster(), None)) is None


def test_a_server_that_unseals_itself_gives_recovery_keys() -> None:
    made = keys.from_init({"keys_base64": [], "recovery_keys_base64": ["a"], "root_token": "r"})
    assert "recovery-key-1" in keys.to_secret(cluster(), made)["data"]


def test_a_copy_of_the_ca_says_whose_it_is() -> None:
    copy = resources.ca_copy(replace(cluster(), spec=VaultClusterSpec()), "app", "PEM")
    assert copy["metadata"]["namespace"] == "app"
    assert copy["metadata"]["annotations"] == {"strongroom.dev/copy-of": "team/vault"}
    assert Names(()) == cluster().spec.tls.ca_namespaces
    assert Object({}) == cluster().spec.config
