"""What the injector writes, the agent reads: its command line and its config, without an error or a warning."""

import json

import pytest

from strongroom_agent import config as agent_file
from strongroom_agent import flags
from strongroom_injector.admission import Surroundings
from tests.strongroom_injector.pods import NEW, OLD, config, container, injected, pod

EVERYTHING = {
    "ca-cert": "/vault/tls/ca.crt",
    "client-cert": "/vault/tls/c.crt",
    "client-key": "/vault/tls/c.key",
    "tls-server-name": "vault",
    "tls-skip-verify": "true",
    "tls-secret": "tls",
    "namespace": "ns1",
    "auth-min-backoff": "500ms",
    "auth-max-backoff": "1m",
    "agent-auto-auth-exit-on-err": "true",
    "agent-inject-token": "true",
    "agent-inject-template-t": "hello",
    "agent-inject-template-file-f": "/vault/custom/f.tmpl",
    "agent-inject-perms-s": "0440",
    "agent-inject-command-s": "sh -c 'kill -HUP $(pidof app)'",
    "error-on-missing-key-s": "true",
    "template-static-secret-render-interval": "30s",
    "template-max-connections-per-host": "4",
    "template-lease-renewal-threshold": "0.75",
    "template-config-exit-on-retry-failure": "false",
    "agent-cache-enable": "true",
    "agent-cache-use-auto-auth-token": "force",
    "agent-enable-quit": "true",
    "agent-telemetry-disable-hostname": "true",
    "agent-disable-idle-connections": "auto-auth,templating",
    "agent-disable-keep-alives": "caching",
    "agent-revoke-on-shutdown": "true",
    "log-level": "debug",
    "log-format": "json",
}


@pytest.mark.parametrize(
    ("around", "name", "once"),
    [
        pytest.param(NEW, "vault-agent", False, id="native"),
        pytest.param(OLD, "vault-agent-init", True, id="init"),
        pytest.param(OLD, "vault-agent", False, id="sidecar"),
    ],
)
@pytest.mark.parametrize("given", [pytest.param({}, id="everyday"), pytest.param(EVERYTHING, id="everything")])
def test_the_agent_reads_it(given: dict[str, str], around: Surroundings, name: str, once: bool) -> None:
    made = container(injected(pod(given), around), name)
    read = agent_file.read(json.dumps(config(made)))
    assert read.warnings == ()
    assert read.exit_after_auth is once
    assert read.server.address == "https://vault.vault.svc:8200"
    assert read.method is not None
    assert (read.method.kind, read.method.config["role"]) == ("kubernetes", "app")
    assert "/vault/secrets/s" in [template.destination for template in read.templates]
    assert made["command"][:2] == ["strongroom", "agent"]
    assert flags.parse(made["command"][2:]).values["config-env"] == "VAULT_CONFIG"
    if "startupProbe" in made:
        assert "check-ready" in flags.parse(made["startupProbe"]["exec"]["command"][2:]).values


def test_everything_arrives() -> None:
    read = agent_file.read(json.dumps(config(container(injected(pod(EVERYTHING))))))
    assert read.method is not None
    assert (read.method.min_backoff, read.method.max_backoff, read.method.exit_on_err) == (0.5, 60, True)
    assert read.server.skip_verify is True
    by_path = {template.destination: template for template in read.templates}
    assert by_path["/vault/secrets/s"].perms == 0o440
    assert by_path["/vault/secrets/s"].command == "sh -c 'kill -HUP $(pidof app)'"
    assert by_path["/vault/secrets/s"].strict is True
    assert by_path["/vault/secrets/f"].source == "/vault/custom/f.tmpl"
    assert (read.rendering.interval, read.rendering.connections, read.rendering.threshold) == (30, 4, 0.75)
    assert read.proxy_token == "force"
    assert [sink.path for sink in read.sinks] == ["/home/vault/.vault-token", "/vault/secrets/token"]
