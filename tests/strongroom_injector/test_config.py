import base64

import pytest

from strongroom_common.fields import fields
from strongroom_injector.config import PREFIX, Config, Defaults, _sources, load, overlay
from strongroom_injector.errors import ConfigError

TLS = ["-tls-auto=hook", "-tls-auto-hosts=a.b.svc,a"]


def test_flags_of_vault_k8s_are_known_by_their_names_and_variables() -> None:
    theirs = {
        "listen": "LISTEN", "log-level": "LOG_LEVEL", "log-format": "LOG_FORMAT", "vault-address": "VAULT_ADDR",
        "vault-cacert-bytes": "VAULT_CACERT_BYTES", "proxy-address": "PROXY_ADDR", "vault-image": "VAULT_IMAGE",
        "vault-auth-type": "VAULT_AUTH_TYPE", "vault-auth-path": "VAULT_AUTH_PATH",
        "vault-namespace": "VAULT_NAMESPACE", "revoke-on-shutdown": "REVOKE_ON_SHUTDOWN",
        "run-as-user": "RUN_AS_USER", "run-as-group": "RUN_AS_GROUP", "run-as-same-user": "RUN_AS_SAME_USER",
        "set-security-context": "SET_SECURITY_CONTEXT", "default-template": "DEFAULT_TEMPLATE",
        "cpu-request": "CPU_REQUEST", "cpu-limit": "CPU_LIMIT", "memory-request": "MEM_REQUEST",
        "memory-limit": "MEM_LIMIT", "ephemeral-storage-request": "EPHEMERAL_REQUEST",
        "ephemeral-storage-limit": "EPHEMERAL_LIMIT", "auth-min-backoff": "AUTH_MIN_BACKOFF",
        "auth-max-backoff": "AUTH_MAX_BACKOFF", "disable-idle-connections": "DISABLE_IDLE_CONNECTIONS",
        "disable-keep-alives": "DISABLE_KEEP_ALIVES",
        "template-config-exit-on-retry-failure": "TEMPLATE_CONFIG_EXIT_ON_RETRY_FAILURE",
        "template-static-secret-render-interval": "TEMPLATE_STATIC_SECRET_RENDER_INTERVAL",
        "template-max-connections-per-host": "TEMPLATE_MAX_CONNECTIONS_PER_HOST",
        "template-lease-renewal-threshold": "TEMPLATE_LEASE_RENEWAL_THRESHOLD", "tls-auto": "TLS_AUTO",
        "tls-auto-hosts": "TLS_AUTO_HOSTS", "tls-ca-cert-file": "TLS_CA_CERT_FILE", "tls-cert-file": "TLS_CERT_FILE",
        "tls-key-file": "TLS_KEY_FILE", "tls-min-version": "TLS_MIN_VERSION",
    }  # fmt: skip
    ours = {flag: source.variable for flag, source in _sources().items()}
    assert theirs.items() <= ours.items()


def test_every_flag_is_explained() -> None:
    assert all(field.help.endswith(".") for field in fields(Config).values())


@pytest.mark.parametrize(
    ("argv", "environ", "service"),
    [
        pytest.param([], {}, None, id="nothing"),
        pytest.param(["-vault-address=https://a"], {}, "https://a", id="flag"),
        pytest.param(["--vault-address", "https://a"], {}, "https://a", id="flag_with_two_dashes"),
        pytest.param(["-vault-address=https://a"], {PREFIX + "VAULT_ADDR": "https://b"}, "https://b", id="variable"),
        pytest.param([], {"VAULT_ADDR": "https://c"}, "https://c", id="bare_variable"),
        pytest.param(["-vault-address=https://a"], {"VAULT_ADDR": "https://c"}, "https://a", id="flag_before_bare"),
    ],
)
def test_precedence(argv: list[str], environ: dict[str, str], service: str | None) -> None:
    assert load([*TLS, *argv], environ)[1].settings.get("service") == service


def test_kinds() -> None:
    given = ["-run-as-user=7", "-template-lease-renewal-threshold=0.8", "-memory-limit=", "-native-sidecar=false"]
    config, defaults = load([*TLS, *given], {PREFIX + "WATCH_PODS": "false"})
    assert config.tls_auto_hosts == ("a.b.svc", "a")
    assert config.watch_pods is False
    assert defaults.settings == {
        "agent_run_as_user": 7,
        "template_lease_renewal_threshold": 0.8,
        "agent_limits_mem": "",
        "agent_native_sidecar": False,
    }


PEM = "-----BEGIN CERTIFICATE-----\n"


@pytest.mark.parametrize("text", [PEM, base64.b64encode(PEM.encode()).decode()])
def test_ca_as_pem_or_base64(text: str) -> None:
    assert load([*TLS, f"-vault-cacert-bytes={text}"], {})[1].ca_pem == PEM


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        pytest.param([], "expected -tls-auto", id="no_tls"),
        pytest.param(["-tls-cert-file=a"], "expected -tls-auto", id="no_key"),
        pytest.param(["-tls-auto=a"], "expected -tls-auto-hosts", id="no_hosts"),
        pytest.param(
            [*TLS, "-run-as-user=root"],
            r'-run-as-user \(AGENT_INJECT_RUN_AS_USER\): "root" is not valid, expected an integer',
            id="default_of_pods",
        ),
        pytest.param([*TLS, "-shutdown-delay=-1"], "-shutdown-delay .* expected a number of 0 or more", id="own"),
        pytest.param([*TLS, "-log-format=xml"], "-log-format .* expected standard or json", id="choice"),
        pytest.param([*TLS, "-vault-cacert-bytes=%"], "-vault-cacert-bytes .* expected PEM", id="ca"),
    ],
)
def test_mistakes_name_flag_and_variable(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(argv, {})


def test_a_config_map_wins_over_flags() -> None:
    flags = Defaults({"service": "https://a", "agent_image": "i"}, "CA")
    told, problems = overlay(
        flags, {"vault-address": "https://b", "vault-cacert-bytes": PEM, "vault-auth-path": "auth/k"}
    )
    assert problems == []
    assert told == Defaults({"service": "https://b", "agent_image": "i", "auth_path": "auth/k"}, PEM)


@pytest.mark.parametrize("flag", ["listen", "tls-auto", "vault-addres"])
def test_a_config_map_sets_defaults_of_pods_only(flag: str) -> None:
    told, problems = overlay(Defaults(), {flag: "x", "vault-address": "https://b", "run-as-user": "root"})
    assert told == Defaults({"service": "https://b"})
    assert f"{flag} is no flag that sets a default of pods" in problems
    assert any(problem.startswith("-run-as-user") for problem in problems)
