from typing import Any

import pytest

from strongroom_injector.admission import Surroundings, decide
from strongroom_injector.errors import Denied
from tests.strongroom_injector.pods import DEFAULTS, NEW, OLD, P, config, container, env, injected, pod


def made(given: dict[str, str], around: Surroundings = NEW, name: str = "vault-agent") -> dict[str, Any]:
    return config(container(injected(pod(given), around), name))


def denied(given: dict[str, str]) -> str:
    with pytest.raises(Denied) as refused:
        decide(pod(given), "default", NEW)
    return str(refused.value)


def test_the_everyday_config_is_short() -> None:
    token = "/var/run/secrets/strongroom.dev/serviceaccount/token"
    body = '{{ with secret "secret/data/s" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}'
    assert made({}) == {
        "vault": {"address": "https://vault.vault.svc:8200"},
        "auto_auth": {
            "method": {
                "type": "kubernetes",
                "mount_path": "auth/kubernetes",
                "config": {"role": "app", "token_path": token},
            },
            "sink": [{"type": "file", "config": {"path": "/home/vault/.vault-token"}}],
        },
        "exit_after_auth": False,
        "pid_file": "/home/vault/.pid",
        "template": [
            {"destination": "/vault/secrets/s", "contents": body, "left_delimiter": "{{", "right_delimiter": "}}"}
        ],
        "template_config": {"exit_on_retry_failure": True},
    }


@pytest.mark.parametrize(
    ("given", "path", "value"),
    [
        pytest.param({"service": "http://v:8200"}, ("vault", "address"), "http://v:8200", id="service"),
        pytest.param({"ca-key": "/cas"}, ("vault", "ca_path"), "/cas", id="ca_key_is_a_folder"),  # defect o
        pytest.param({"client-cert": "/c"}, ("vault", "client_cert"), "/c", id="client_cert"),
        pytest.param({"client-key": "/k"}, ("vault", "client_key"), "/k", id="client_key"),
        pytest.param({"tls-server-name": "v"}, ("vault", "tls_server_name"), "v", id="server_name"),
        pytest.param({"tls-skip-verify": "true"}, ("vault", "tls_skip_verify"), True, id="skip_verify"),
        pytest.param({"namespace": "ns1"}, ("auto_auth", "method", "namespace"), "ns1", id="namespace"),
        pytest.param({"auth-path": "auth/k2"}, ("auto_auth", "method", "mount_path"), "auth/k2", id="auth_path"),
        pytest.param({"auth-min-backoff": "500ms"}, ("auto_auth", "method", "min_backoff"), "500ms", id="min_backoff"),
        pytest.param({"auth-max-backoff": "1m"}, ("auto_auth", "method", "max_backoff"), "1m", id="max_backoff"),
        pytest.param(
            {"agent-auto-auth-exit-on-err": "1"}, ("auto_auth", "method", "exit_on_err"), True, id="exit_on_err"
        ),
        pytest.param(
            {"template-static-secret-render-interval": "30s"},
            ("template_config", "static_secret_render_interval"), "30s", id="render_interval",
        ),
        pytest.param(
            {"template-config-exit-on-retry-failure": "false"},
            ("template_config", "exit_on_retry_failure"), False, id="exit_on_retry_failure",
        ),
        pytest.param(
            {"template-max-connections-per-host": "4"},
            ("template_config", "max_connections_per_host"), 4, id="connections",
        ),
        pytest.param(
            {"template-lease-renewal-threshold": "0.8"},
            ("template_config", "lease_renewal_threshold"), 0.8, id="threshold",
        ),
        pytest.param({"agent-disable-keep-alives": "caching"}, ("disable_keep_alives",), ["caching"], id="keep_alives"),
        pytest.param(
            {"agent-telemetry-disable-hostname": "true", "agent-telemetry-prefix-filter": "+a,-b"},
            ("telemetry",), {"disable_hostname": True, "prefix_filter": ["+a", "-b"]}, id="telemetry_by_its_types",
        ),
        pytest.param(
            {"auth-type": "jwt"}, ("auto_auth", "method", "config", "path"),
            "/var/run/secrets/strongroom.dev/serviceaccount/token", id="jwt",
        ),
        pytest.param(
            {"auth-config-role": "other"}, ("auto_auth", "method", "config", "role"), "app", id="role_wins_over_config"
        ),
        pytest.param(
            {"auth-type": "approle", "role": "", "auth-config-role-id-file-path": "/r"},
            ("auto_auth", "method", "config"), {"role_id_file_path": "/r"}, id="approle_needs_no_role",
        ),
        pytest.param(
            {"agent-inject-default-template": "json"}, ("template", 0, "contents"),
            '{{ with secret "secret/data/s" }}{{ .Data | toJSON }}\n{{ end }}', id="json_by_default",
        ),
        pytest.param(
            {"agent-inject-command-s": "date"}, ("template", 0, "command"), "date", id="command"
        ),
        pytest.param(
            {"agent-inject-file-s": "/a//b/c"}, ("template", 0, "destination"), "/vault/secrets/a/b/c", id="sub_folders"
        ),
        pytest.param(
            {"agent-cache-enable": "true"}, ("cache",), {"use_auto_auth_token": True}, id="cache"
        ),
        pytest.param(
            {"agent-cache-enable": "true",
             "agent-cache-use-auto-auth-token": "force", "agent-cache-listener-port": "81"},
            ("listener",), [{"type": "tcp", "address": "127.0.0.1:81", "tls_disable": True}], id="listener",
        ),
        pytest.param(
            {"agent-enable-quit": "true"}, ("listener", 0, "agent_api"), {"enable_quit": True}, id="quit"
        ),
    ],
)  # fmt: skip
def test_an_annotation_becomes_a_key(given: dict[str, str], path: tuple[Any, ...], value: object) -> None:
    found: Any = made(given)
    for step in path:
        found = found[step]
    assert found == value


def test_init_and_sidecar_share_a_cache() -> None:
    given = {"agent-cache-enable": "true", "agent-cache-exit-on-err": "true"}
    token = "/var/run/secrets/strongroom.dev/serviceaccount/token"
    persist = {"type": "kubernetes", "path": "/vault/agent-cache", "exit_on_err": True}
    for name, keep in (("vault-agent-init", True), ("vault-agent", False)):
        assert made(given, OLD, name)["cache"]["persist"] == {
            **persist, "keep_after_import": keep, "service_account_token_file": token
        }  # fmt: skip


def test_init_alone_needs_no_listener() -> None:
    both = {"agent-cache-enable": "true", "agent-enable-quit": "true", "agent-pre-populate-only": "true"}
    assert "listener" not in made(both, name="vault-agent-init")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"agent-inject-secret-Foo": "a", "agent-inject-secret-foo": "b"}, id="names_that_differ_by_case"),
        pytest.param({"agent-inject-secret-a": "a", "agent-inject-file-a": "s"}, id="file_of_another"),
        pytest.param({"agent-inject-token": "true", "agent-inject-secret-token": "t"}, id="file_of_the_token"),
    ],
)
def test_two_files_of_one_name_are_refused(given: dict[str, str]) -> None:  # defect m
    assert " is the file of " in denied(given)


def test_names_that_differ_by_case_are_two_where_case_is_kept() -> None:
    given = {"agent-inject-secret-Foo": "a", "agent-inject-secret-foo": "b", "preserve-secret-case": "true"}
    assert [t["destination"] for t in made(given)["template"]][:2] == ["/vault/secrets/Foo", "/vault/secrets/foo"]


def test_telemetry_of_the_wrong_type_is_refused_and_not_lost() -> None:  # defect n
    assert f'{P}agent-telemetry-disable-hostname: "maybe" is not valid' in denied(
        {"agent-telemetry-disable-hostname": "maybe"}
    )


def test_delimiters_are_those_of_the_body() -> None:
    given = {"agent-template-left-delim-s": "<%", "agent-template-right-delim-s": "%>"}
    assert made(given)["template"][0]["left_delimiter"] == "{{"
    own = made({**given, "agent-inject-template-s": "<% 1 %>"})["template"][0]
    assert (own["left_delimiter"], own["right_delimiter"]) == ("<%", "%>")


def test_the_threshold_of_the_injector_reaches_the_agent() -> None:  # defect a
    around = Surroundings(defaults={**DEFAULTS, "template_lease_renewal_threshold": 0.7})
    assert made({}, around)["template_config"]["lease_renewal_threshold"] == 0.7


@pytest.mark.parametrize(
    ("given", "variable", "value"),
    [
        pytest.param({"client-timeout": "10s"}, "VAULT_CLIENT_TIMEOUT", "10s", id="timeout"),
        pytest.param({"client-max-retries": "0"}, "VAULT_MAX_RETRIES", "0", id="no_retries_is_a_number_too"),
        pytest.param({"go-max-procs": "2"}, "GOMAXPROCS", "2", id="for_vaults_agent"),
    ],
)
def test_an_annotation_becomes_a_variable(given: dict[str, str], variable: str, value: str) -> None:
    assert env(container(injected(pod(given))))[variable] == value
