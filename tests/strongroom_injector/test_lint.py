from typing import Any

import pytest

from strongroom_injector.admission import decide
from strongroom_injector.lint import misplaced
from tests.strongroom_injector.pods import NEW, OLD, P, V, of_job, pod

QUIET = {"agent-inject-template-s": "{{ secret }}"}


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        pytest.param(
            {},
            f"{P}agent-inject-secret-s: without a template a KV version 2 secret is written as data: map",
            id="map_of_kv2",
        ),
        pytest.param(QUIET, None, id="nothing_to_say"),
        pytest.param(
            {**QUIET, "agent-injct-containers": "a"},
            "did you mean strongroom.dev/agent-inject-containers?",
            id="a_letter_missing",
        ),
        pytest.param(
            {**QUIET, "agent-inject-secrets-db": "a"},
            "did you mean strongroom.dev/agent-inject-secret-db?",
            id="of_a_secret",
        ),
        pytest.param(
            {**QUIET, "agent-inject-tempalte-my-db": "a"},
            "did you mean strongroom.dev/agent-inject-template-my-db?",
            id="name_with_a_dash",
        ),
        pytest.param(
            {**QUIET, "agent-inject-vault-addr": "a"}, "did you mean strongroom.dev/service?", id="often_written"
        ),
        pytest.param(
            {**QUIET, "agent-inject-env-DATABASE_URL": "a"},
            "did you mean strongroom.dev/agent-inject-template-NAME?",
            id="variables",
        ),
        pytest.param(
            {**QUIET, "colour": "red"},
            "strongroom.dev/colour is not an annotation of the injector and is ignored",
            id="nothing_like_it",
        ),
        pytest.param(
            {**QUIET, "agent-inject-file-secret-s": "f"},
            "no strongroom.dev/agent-inject-secret-secret-s (did you mean the secret s?)",
            id="secret_that_is_none",
        ),
        pytest.param(
            {**QUIET, "agent-inject-perms-t": "0400"},
            "there is no strongroom.dev/agent-inject-secret-t",
            id="no_such_secret",
        ),
        pytest.param({"agent-inject-secret-s": " "}, "no secret is named", id="nothing_to_render"),
        pytest.param(
            {"agent-inject-secret-s": " "}, "strongroom.dev/agent-inject-secret-s is empty and is ignored", id="blank"
        ),
        pytest.param(
            {**QUIET, "agent-inject-template-t": "hello"},
            "agent-inject-template-t reads no secret",
            id="template_without_secret",
        ),
        pytest.param(
            {**QUIET, "agent-inject-template-file-s": "/t"},
            "agent-inject-template-file-s is ignored",
            id="two_templates",
        ),
        pytest.param(
            {**QUIET, "agent-inject-secret-s": "/secret/data/s"}, "begins or ends with a slash", id="leading_slash"
        ),
        pytest.param(
            {**QUIET, "agent-inject-secret-s": "secret/data/s/"}, "begins or ends with a slash", id="trailing_slash"
        ),
        pytest.param(
            {**QUIET, "agent-inject-secret-s": "secret/s"}, "the path is secret/data/s", id="kv2_path_without_data"
        ),
        pytest.param(
            {**QUIET, "agent-inject-file-s": "/etc/x"}, "the file is below /vault/secrets", id="absolute_file"
        ),
        pytest.param(
            {**QUIET, "agent-inject-containers": "app,web"}, 'the pod has no container "web"', id="no_such_container"
        ),
        pytest.param(
            {**QUIET, "ca-cert": "/vault/tls/ca.crt"}, "no strongroom.dev/tls-secret is mounted", id="ca_without_secret"
        ),
        pytest.param({**QUIET, "ca-key": "/cas"}, "is a folder of CA certificates", id="ca_key"),
        pytest.param({**QUIET, "tls-skip-verify": "true"}, "can read its secrets", id="skip_verify"),
        pytest.param({**QUIET, "agent-run-as-user": "0"}, "enforces restricted will refuse", id="root"),
        pytest.param(
            {**QUIET, "agent-set-security-context": "false"},
            "enforces restricted will refuse",
            id="no_security_context",
        ),
        pytest.param({**QUIET, "agent-configmap": "c"}, "agent-configmap holds the whole config", id="own_config"),
        pytest.param({**QUIET, "agent-json-patch": "[]", "agent-init-json-patch": "[]"}, None, id="empty_patches"),
        pytest.param(
            {**QUIET, "agent-telemetry-disable-hostnam": "true"}, "did you mean disable-hostname?", id="telemetry"
        ),
        pytest.param({**QUIET, "auth-type": "aws"}, "the agent cannot log in by aws, expected one of", id="login"),
        pytest.param({**QUIET, "auth-type": "cert"}, None, id="login_that_the_agent_knows"),
    ],
)
def test_warnings(given: dict[str, str], warning: str | None) -> None:
    said = decide(pod(given), "default", NEW).warnings
    if warning is None:
        assert [text for text in said if "json-patch" not in text] == []
    else:
        assert any(warning in text for text in said), said
    assert all(len(text) <= 256 for text in said)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"os": {"name": "windows"}}, id="by_the_pods_system"),
        pytest.param({"nodeSelector": {"kubernetes.io/os": "windows"}}, id="by_its_nodes"),
    ],
)
def test_a_pod_for_windows_is_told_that_it_will_not_start(spec: dict[str, Any]) -> None:
    assert any("Windows" in text for text in decide(pod(QUIET, **spec), "default", NEW).warnings)


def test_other_prefixes_are_ignored_with_a_warning() -> None:
    made = pod(QUIET)
    made["metadata"]["annotations"][V + "role"] = "other"
    verdict = decide(made, "default", NEW)
    assert verdict.warnings == [f"{P} is used, 1 annotation(s) under {V} are ignored: one pod has one prefix"]


def test_a_job_on_an_older_cluster_is_told_that_it_gets_init_only() -> None:
    assert "so that it can end" in decide(of_job(pod(QUIET)), "default", OLD).warnings[0]
    assert decide(of_job(pod(QUIET)), "default", NEW).warnings == []


@pytest.mark.parametrize(
    ("own", "inner", "count"),
    [
        pytest.param({V + "role": "a", P + "agent-inject": "true"}, {}, 2, id="on_the_deployment"),
        pytest.param({V + "role": "a"}, {V + "role": "a"}, 0, id="on_both"),
        pytest.param({"other": "a"}, {}, 0, id="of_others"),
        pytest.param(None, {}, 0, id="none"),
    ],
)
def test_annotations_on_the_wrong_level(own: Any, inner: dict[str, str], count: int) -> None:
    assert len(misplaced({"kind": "Deployment", "metadata": {"annotations": own}}, inner)) == count
