import copy
from typing import Any

import pytest

from strongroom_injector.admission import Surroundings, decide
from strongroom_injector.errors import Denied
from tests.strongroom_injector.pods import (
    DEFAULTS,
    NEW,
    OLD,
    P,
    V,
    config,
    container,
    env,
    injected,
    mounts,
    of_job,
    pod,
    volumes,
)

READY = "/home/vault/.ready"


def shapes(made: dict[str, Any]) -> tuple[list[str], list[str]]:
    spec = made["spec"]
    return [c["name"] for c in spec.get("initContainers", [])], [c["name"] for c in spec["containers"]]


def denied(made: dict[str, Any], around: Surroundings = NEW) -> str:
    with pytest.raises(Denied) as refused:
        decide(made, "default", around)
    return str(refused.value)


NATIVE, PAIR = (["vault-agent"], ["app"]), (["vault-agent-init"], ["app", "vault-agent"])
ONCE, BESIDE = (["vault-agent-init"], ["app"]), ([], ["app", "vault-agent"])


@pytest.mark.parametrize(
    ("made", "newer", "older"),
    [
        pytest.param(pod(), NATIVE, PAIR, id="by_default"),
        pytest.param(pod({"agent-pre-populate-only": "true"}), ONCE, ONCE, id="once"),
        pytest.param(pod({"agent-pre-populate": "false"}), NATIVE, BESIDE, id="without_waiting"),
        pytest.param(pod({"agent-native-sidecar": "false"}), PAIR, PAIR, id="native_sidecars_refused_by_the_pod"),
        pytest.param(of_job(pod()), NATIVE, ONCE, id="a_job_must_end"),
        pytest.param(of_job(pod({"agent-enable-quit": "true"})), NATIVE, PAIR, id="a_job_that_ends_the_agent_itself"),
        pytest.param(of_job(pod({"agent-pre-populate-only": "true"})), ONCE, ONCE, id="a_job_once"),
    ],
)
def test_which_containers_the_agent_runs_in(made: dict[str, Any], newer: object, older: object) -> None:
    assert shapes(injected(made, NEW)) == newer
    assert shapes(injected(made, OLD)) == older


def test_a_native_sidecar_holds_the_pod_back_until_it_has_rendered() -> None:
    agent = container(injected(pod()))
    assert agent["restartPolicy"] == "Always"
    assert agent["command"] == ["strongroom", "agent", "-config-env=VAULT_CONFIG", f"-ready-file={READY}"]
    assert agent["startupProbe"]["exec"]["command"] == ["strongroom", "agent", f"-check-ready={READY}"]
    assert config(agent)["exit_after_auth"] is False


def test_a_native_sidecar_that_nobody_waits_for_has_no_probe() -> None:
    assert "startupProbe" not in container(injected(pod({"agent-pre-populate": "false"})))


def test_an_older_cluster_sees_no_field_that_it_would_drop() -> None:
    for name in ("vault-agent-init", "vault-agent"):
        agent = container(injected(pod(), OLD), name)
        assert not {"restartPolicy", "startupProbe"} & agent.keys()
        assert agent["command"] == ["strongroom", "agent", "-config-env=VAULT_CONFIG"]


RESTRICTED = {
    "runAsUser": 100,
    "runAsGroup": 1000,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.mark.parametrize(
    ("around", "names"),
    [
        pytest.param(NEW, ["vault-agent"], id="newer"),
        pytest.param(OLD, ["vault-agent", "vault-agent-init"], id="older"),
    ],
)
def test_every_container_added_is_restricted(around: Surroundings, names: list[str]) -> None:
    everything = {"agent-cache-enable": "true", "tls-secret": "t", "agent-extra-secret": "e"}
    made = injected(pod(everything), around)
    assert [container(made, name)["securityContext"] for name in names] == [RESTRICTED] * len(names)
    allowed = {"emptyDir", "projected", "secret", "configMap", "name"}
    assert all(volume.keys() <= allowed for volume in made["spec"]["volumes"])


def test_the_token_is_the_injectors_own_and_needs_none_of_the_pods() -> None:  # defect e
    made = injected(pod(automountServiceAccountToken=False))
    token = {"path": "token", "expirationSeconds": 3600, "audience": "strongroom"}
    assert volumes(made)["strongroom-token"]["projected"] == {"sources": [{"serviceAccountToken": token}]}
    agent = container(made)
    assert mounts(agent)["strongroom-token"] == "/var/run/secrets/strongroom.dev/serviceaccount"
    login = config(agent)["auto_auth"]["method"]["config"]
    assert login == {"role": "app", "token_path": "/var/run/secrets/strongroom.dev/serviceaccount/token"}
    assert "strongroom-token" not in mounts(container(made, "app"))


def test_audience_and_expiry_can_be_set() -> None:
    given = {
        "agent-service-account-token-audience": "vault",
        "agent-service-account-token-expiration": "7200",
    }
    (source,) = volumes(injected(pod(given)))["strongroom-token"]["projected"]["sources"]
    assert source["serviceAccountToken"] == {"path": "token", "expirationSeconds": 7200, "audience": "vault"}


def test_an_empty_audience_is_the_clusters_own() -> None:
    made = injected(pod({"agent-service-account-token-audience": ""}))
    assert "audience" not in str(volumes(made)["strongroom-token"])


def test_a_volume_that_is_not_there_is_refused() -> None:
    assert denied(pod({"agent-service-account-token-volume-name": "mine"})) == (
        f'{P}agent-service-account-token-volume-name: "mine" is not valid, failed to find service account volume, '
        "expected a projected volume of this pod that has a token"
    )


@pytest.mark.parametrize(
    ("mounted", "place"),
    [
        pytest.param([], "/var/run/secrets/vault.hashicorp.com/serviceaccount", id="mounted_nowhere_else"),
        pytest.param(["/var/run/secrets/tokens"], "/var/run/secrets/tokens", id="where_the_container_has_it"),
        pytest.param(["/tokens/"], "/tokens", id="without_its_slash"),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_the_pods_own_token_volume(mounted: list[str], place: str, copied: bool) -> None:
    source = {"serviceAccountToken": {"path": "vault-token", "audience": "vault"}}
    given = {"agent-service-account-token-volume-name": "mine"}
    if copied:
        given["agent-copy-volume-mounts"] = "app"
    made = pod(given, volumes=[{"name": "mine", "projected": {"sources": [source]}}])
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "mine", "mountPath": path} for path in mounted]
    agent = container(injected(made))
    assert [m["mountPath"] for m in agent["volumeMounts"] if m["name"] == "mine"] == [place]
    assert config(agent)["auto_auth"]["method"]["config"]["token_path"] == f"{place}/vault-token"
    assert "strongroom-token" not in mounts(agent)


def test_a_token_path_in_the_pods_own_mount_brings_that_mount() -> None:
    token = {"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    made = pod({"auth-config-token-path": f"{token['mountPath']}/token"})
    made["spec"]["containers"][0]["volumeMounts"] = [token]
    agent = container(injected(made))
    assert {**token, "readOnly": True} in agent["volumeMounts"]


@pytest.mark.parametrize("around", [pytest.param(NEW, id="newer"), pytest.param(OLD, id="older")])
def test_processes_are_shared_without_pre_population_too(around: Surroundings) -> None:  # defect b
    made = injected(pod({"agent-pre-populate": "false", "agent-share-process-namespace": "true"}), around)
    assert made["spec"]["shareProcessNamespace"] is True


def test_the_pods_own_no_to_shared_processes_is_not_overruled() -> None:
    assert "agent-share-process-namespace" in denied(
        pod({"agent-share-process-namespace": "true"}, shareProcessNamespace=False)
    )


def test_revoking_on_shutdown_needs_no_shell_and_is_the_agents_own_work() -> None:  # defect c
    made = pod({"agent-revoke-on-shutdown": "true", "agent-revoke-grace": "7", "tls-skip-verify": "true"})
    agent = container(injected(made))
    assert "-revoke-on-shutdown" in agent["command"]
    assert "lifecycle" not in agent
    assert config(agent)["vault"]["tls_skip_verify"] is True
    sidecar = container(injected(made, OLD))
    assert "-revoke-on-shutdown" in sidecar["command"]
    assert sidecar["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "7"]}}}
    init = container(injected(made, OLD), "vault-agent-init")  # what it wrote must hold until the sidecar's own login
    assert "-revoke-on-shutdown" not in init["command"]


INIT = {"initContainers": [{"name": "migrate", "image": "app:1"}]}


def test_chosen_containers_are_the_only_ones_with_mounts() -> None:  # defect d
    made = injected(pod({"agent-inject-containers": "app"}, **INIT))
    assert mounts(container(made, "app")) == {"vault-secrets": "/vault/secrets"}
    assert mounts(container(made, "migrate")) == {}


def test_an_init_container_can_be_chosen() -> None:
    made = injected(pod({"agent-inject-containers": "migrate"}, **INIT))
    assert mounts(container(made, "migrate")) == {"vault-secrets": "/vault/secrets"}
    assert mounts(container(made, "app")) == {}


ISTIO = {"name": "istio-proxy", "image": "mesh:1", "restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("given", "others", "order"),
    [
        pytest.param({}, [], ["migrate", "vault-agent"], id="last_by_default"),
        pytest.param({"agent-init-first": "true"}, [], ["vault-agent", "migrate"], id="first_if_asked"),
        pytest.param(
            {"agent-init-first": "true"}, [ISTIO], ["istio-proxy", "vault-agent", "migrate"], id="but_behind_the_mesh"
        ),
    ],
)
def test_order_of_init_containers(given: dict[str, str], others: list[dict[str, Any]], order: list[str]) -> None:
    made = injected(pod(given, initContainers=[*others, *INIT["initContainers"]]))
    assert shapes(made)[0] == order


def test_memory_volumes_have_a_size_limit() -> None:  # defect j
    made = injected(pod({"agent-cache-enable": "true", "secret-volume-path-s": "/etc/s"}), OLD)
    limits = {name: v["emptyDir"] for name, v in volumes(made).items() if "emptyDir" in v}
    assert limits.keys() == {
        "home-init", "home-sidecar", "vault-secrets", "vault-secrets-custom-0", "vault-agent-cache"
    }  # fmt: skip
    assert all(each["medium"] == "Memory" and each["sizeLimit"] for each in limits.values())


def test_a_proxy_leaves_the_cluster_itself_alone() -> None:  # defect k
    variables = env(container(injected(pod({"proxy-address": "http://proxy:3128"}))))
    assert variables["HTTPS_PROXY"] == "http://proxy:3128"
    assert variables["NO_PROXY"] == "127.0.0.1,localhost,.svc,.cluster.local"


def test_no_shell_and_a_config_too_long_for_one_variable_is_refused() -> None:  # defect g
    assert "sh" not in container(injected(pod()))["command"]
    assert "too long" in denied(pod({"agent-inject-template-s": "x" * 100_000}))


def test_the_same_pod_gives_the_same_patch_whatever_the_order_of_its_annotations() -> None:  # defect h
    many = {f"agent-inject-secret-{n}": f"secret/data/{n}" for n in "zyxabc"}
    many |= {f"secret-volume-path-{n}": f"/etc/{n}" for n in "zyx"}
    made, other = pod(many), pod(many)
    other["metadata"]["annotations"] = dict(reversed(other["metadata"]["annotations"].items()))
    assert decide(made, "default", NEW) == decide(other, "default", NEW) == decide(made, "default", NEW)


@pytest.mark.parametrize(
    ("given", "resources"),
    [
        pytest.param({}, {"limits": {"memory": "64Mi"}, "requests": {"cpu": "5m", "memory": "24Mi"}}, id="measured"),
        pytest.param(
            {"agent-limits-mem": "", "agent-requests-cpu": "", "agent-requests-mem": ""}, {}, id="empty_removes_all"
        ),
        pytest.param(
            {"agent-limits-cpu": "500m", "agent-limits-ephemeral": "1Gi"},
            {
                "limits": {"cpu": "500m", "memory": "64Mi", "ephemeral-storage": "1Gi"},
                "requests": {"cpu": "5m", "memory": "24Mi"},
            },
            id="given",
        ),
        pytest.param(
            {"agent-requests-mem": "128Mi"},
            {"limits": {"memory": "128Mi"}, "requests": {"cpu": "5m", "memory": "128Mi"}},
            id="a_request_lifts_the_default_limit",
        ),
        pytest.param(
            {"agent-limits-mem": "16Mi"},
            {"limits": {"memory": "16Mi"}, "requests": {"cpu": "5m", "memory": "16Mi"}},
            id="a_limit_lowers_the_default_request",
        ),
    ],
)
def test_resources(given: dict[str, str], resources: dict[str, Any]) -> None:
    assert container(injected(pod(given)))["resources"] == resources


def test_a_request_above_its_limit_is_refused() -> None:
    assert "agent-requests-mem" in denied(pod({"agent-requests-mem": "65Mi", "agent-limits-mem": "64Mi"}))


@pytest.mark.parametrize(
    ("context", "pod_context", "outcome"),
    [
        pytest.param({"runAsUser": 7}, {}, 7, id="of_the_container"),
        pytest.param({"runAsUser": 7}, {"runAsUser": 8}, 7, id="the_container_before_the_pod"),
        pytest.param(None, {"runAsUser": 8}, 8, id="of_the_pod"),
        pytest.param(None, {}, "No SecurityContext found for Container 0", id="nowhere"),
        pytest.param({"privileged": False}, {}, "RunAsUser is nil for Container 0's SecurityContext", id="no_user"),
        pytest.param({"runAsUser": 0}, {}, "container not allowed to run as root", id="root"),
    ],
)
def test_same_user(context: dict[str, Any] | None, pod_context: dict[str, Any], outcome: int | str) -> None:
    made = pod({"agent-run-as-same-user": "true"}, securityContext=pod_context)
    if context is not None:
        made["spec"]["containers"][0]["securityContext"] = context
    if isinstance(outcome, str):
        assert outcome in denied(made)
    else:
        assert container(injected(made))["securityContext"]["runAsUser"] == outcome


@pytest.mark.parametrize(
    ("default", "given", "written"),
    [
        pytest.param(True, {}, True, id="by_default"),
        pytest.param(True, {"agent-set-security-context": "false"}, False, id="not_if_the_pod_says_so"),
        pytest.param(False, {}, False, id="not_if_the_injector_says_so"),
        pytest.param(False, {"agent-set-security-context": "true"}, True, id="the_pod_wins"),
        pytest.param(False, {"agent-run-as-user": "7"}, True, id="a_user_needs_one"),
        pytest.param(False, {"agent-run-as-group": "7"}, True, id="a_group_needs_one"),
        pytest.param(
            False,
            {"agent-run-as-user": "7", "agent-set-security-context": "false"},
            False,
            id="unless_the_pod_wants_none",
        ),
    ],
)
def test_whether_there_is_a_security_context(default: bool, given: dict[str, str], written: bool) -> None:
    around = Surroundings(defaults={**DEFAULTS, "agent_set_security_context": default})
    assert ("securityContext" in container(injected(pod(given), around))) is written


def test_given_volumes() -> None:
    given = {"tls-secret": "tls", "ca-cert": "/vault/tls/ca.crt", "agent-extra-secret": "extra"}
    made = injected(pod(given))
    assert volumes(made)["vault-tls-secrets"]["secret"] == {"secretName": "tls"}
    assert volumes(made)["extra-secrets"]["secret"] == {"secretName": "extra"}
    agent = container(made)
    assert mounts(agent)["vault-tls-secrets"] == "/vault/tls"
    assert mounts(agent)["extra-secrets"] == "/vault/custom"
    assert config(agent)["vault"]["ca_cert"] == "/vault/tls/ca.crt"


@pytest.mark.parametrize(
    ("around", "commands"),
    [
        pytest.param(
            NEW, {"vault-agent": ["-config=/vault/configs/config.hcl", f"-ready-file={READY}"]}, id="one_native_sidecar"
        ),
        pytest.param(
            OLD,
            {
                "vault-agent-init": ["-config=/vault/configs/config-init.hcl"],
                "vault-agent": ["-config=/vault/configs/config.hcl"],
            },
            id="init_and_sidecar",
        ),
    ],
)
def test_a_configmap_replaces_the_config(around: Surroundings, commands: dict[str, list[str]]) -> None:
    made = pod({"agent-configmap": "mine", "role": ""})
    new = injected(made, around)
    assert volumes(new)["vault-config"]["configMap"] == {"name": "mine"}
    for name, command in commands.items():
        agent = container(new, name)
        assert agent["command"] == ["strongroom", "agent", *command]
        assert "VAULT_CONFIG" not in env(agent)
        assert mounts(agent)["strongroom-token"] == "/var/run/secrets/kubernetes.io/serviceaccount"


def test_mounts_can_be_copied_but_tokens_stay() -> None:
    made = pod({"agent-copy-volume-mounts": "app"})
    made["spec"]["containers"][0]["volumeMounts"] = [
        {"name": "data", "mountPath": "/data"},
        {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
        {"name": "cloud", "mountPath": "/var/run/secrets/eks.amazonaws.com/serviceAccount/"},
        {"name": "own", "mountPath": "/opt/app/serviceaccount/data"},
    ]
    agent = container(injected(made))
    assert mounts(agent)["data"] == "/data"
    assert not {"token", "cloud"} & mounts(agent).keys()
    assert mounts(agent)["own"] == "/opt/app/serviceaccount/data"
    assert "expected the name of a container of this pod" in denied(pod({"agent-copy-volume-mounts": "web"}))


def test_names_of_the_pods_own_are_left_to_it() -> None:
    made = pod(volumes=[{"name": "home-sidecar", "emptyDir": {}}])
    made["spec"]["containers"].append({"name": "vault-agent", "image": "mine:1"})
    new = injected(made)
    assert shapes(new) == (["vault-agent-1"], ["app", "vault-agent"])
    assert mounts(container(new, "vault-agent-1"))["home-sidecar-1"] == "/home/vault"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"secret-volume-path": "/home/vault"}, "/home/vault is the agent's own", id="the_agents_home"),
        pytest.param(
            {"secret-volume-path-s": "/vault/tls", "tls-secret": "t"},
            "/vault/tls is the agent's own",
            id="its_tls_files",
        ),
        pytest.param({"secret-volume-path": "/data/"}, 'container "app" has "data" at /data', id="a_mount_of_the_app"),
        pytest.param({"agent-pre-populate-only": "1", "agent-pre-populate": "0"}, "leaves nothing to do", id="nothing"),
        pytest.param({"agent-image": ""}, "", id="no_problem"),
    ],
)
def test_folders_and_settings_that_clash(given: dict[str, str], message: str) -> None:
    made = pod(given)
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if message:
        assert message in denied(made)
    else:
        injected(made)


@pytest.mark.parametrize("missing", ["agent-image", "service"])
def test_what_neither_pod_nor_injector_say_is_refused(missing: str) -> None:
    defaults = {k: v for k, v in DEFAULTS.items() if k != missing.replace("-", "_")}
    assert f"{P}{missing}: is missing" in denied(pod(), Surroundings(defaults=defaults))


def test_a_role_is_needed_to_log_in_by_kubernetes() -> None:
    assert f"{P}role: is missing" in denied(pod({"role": " "}))


RENAME = '[{"op":"replace","path":"/name","value":"mine"}]'


@pytest.mark.parametrize(
    ("given", "around", "names"),
    [
        pytest.param({"agent-json-patch": RENAME}, NEW, (["mine"], ["app"]), id="native"),
        pytest.param({"agent-init-json-patch": RENAME}, NEW, (["mine"], ["app"]), id="native_with_inits_patch"),
        pytest.param({"agent-json-patch": RENAME}, OLD, (["vault-agent-init"], ["app", "mine"]), id="sidecar"),
        pytest.param({"agent-init-json-patch": RENAME}, OLD, (["mine"], ["app", "vault-agent"]), id="init"),
    ],
)
def test_json_patches(given: dict[str, str], around: Surroundings, names: object) -> None:
    assert shapes(injected(pod(given), around)) == names


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param('{"op":"replace","path":"/nothing","value":1}', id="replace_what_is_not_there"),
        pytest.param('{"op":"remove","path":"/nothing"}', id="remove_what_is_not_there"),
        pytest.param('{"op":"add","path":"/a/b/c","value":1}', id="add_below_nothing"),
        pytest.param('{"op":"jump","path":"/name"}', id="no_such_operation"),
        pytest.param('{"op":"add"}', id="no_path"),
        pytest.param('{"op":"remove","path":"/name"}', id="take_the_name_away"),
        pytest.param('{"op":"replace","path":"","value":[]}', id="replace_the_whole_by_a_list"),
        pytest.param('{"op":"replace","path":"/name","value":"app"}', id="a_name_that_is_taken"),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused(operation: str) -> None:
    said = denied(pod({"agent-json-patch": f"[{operation}]"}))
    assert "failed to apply JSON patch" in said or 'container "app" of its own' in said
    assert "VAULT_CONFIG" not in said


def test_the_original_pod_is_untouched() -> None:
    made = pod()
    before = copy.deepcopy(made)
    decide(made, "default", OLD)
    assert made == before


def test_the_status_is_written_under_the_prefix_that_was_used() -> None:
    for prefix in (P, V, "openbao.org/"):
        made = injected(pod({}, prefix))
        assert made["metadata"]["annotations"][f"{prefix}agent-inject-status"] == "injected"
        statuses = [key for key in made["metadata"]["annotations"] if key.endswith("-status")]
        assert len(statuses) == 1


def test_the_default_ca_is_handed_to_the_agent_unless_the_pod_names_one() -> None:
    around = Surroundings(defaults=DEFAULTS, ca_pem="PEM")
    assert env(container(injected(pod(), around)))["VAULT_CACERT_BYTES"] == "PEM"
    own = pod({"ca-cert": "/vault/tls/ca.crt", "tls-secret": "t"})
    assert "VAULT_CACERT_BYTES" not in env(container(injected(own, around)))
