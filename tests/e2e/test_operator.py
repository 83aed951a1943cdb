"""What the operator promises, on a real API server: help, columns, verdicts with lines, clean deletion, silence."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest

from tools.cluster.objects import Namespace, condition
from tools.cluster.steps import StepFailed, wait_until
from tools.install import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def policy(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "strongroom.dev/v1alpha1",
        "kind": "SecretPolicy",
        "metadata": {"name": name},
        "spec": {"clusterRef": {"name": "vault"}, "serviceAccounts": {"names": ["app"]}, **spec},
    }


@pytest.fixture
def policies(quickstart: Namespace) -> Iterator[Namespace]:
    """The quickstart, without the SecretPolicies that a test leaves there."""
    yield quickstart
    quickstart.kubectl(
        "delete", "secretpolicy", "--selector=!keep", "--field-selector=metadata.name=trial", "--wait=true"
    )


def test_kubectl_explains_every_setting(quickstart: Namespace) -> None:
    assert "Shares needed to unseal" in quickstart.kubectl("explain", "vaultcluster.spec.seal")
    assert "policy language" in quickstart.kubectl("explain", "secretpolicy.spec.rules")


def test_kubectl_shows_what_matters_in_columns(quickstart: Namespace) -> None:
    head, row = quickstart.kubectl("get", "vaultcluster", "vault").splitlines()
    assert head.split() == ["NAME", "INITIALIZED", "UNSEALED", "AVAILABLE", "REASON", "VERSION", "AGE"]
    assert row.split()[1:5] == ["True", "True", "True", "Serving"]


def test_the_api_server_refuses_what_the_schema_does_not_have(quickstart: Namespace) -> None:
    with pytest.raises(StepFailed, match="reed"):
        quickstart.apply(policy("trial", paths=[{"path": "a", "capabilities": ["reed"]}]))
    with pytest.raises(StepFailed, match="serviceAccounts"):
        quickstart.apply({**policy("trial"), "spec": {"rules": ""}})


def test_a_bad_rule_is_told_with_its_line(policies: Namespace) -> None:
    policies.apply(
        policy("trial", rules='path "a" {\n  capabilities = ["read"]\n}\npath "b" {\n  capabilities = [read]\n}\n')
    )
    found = policies.until("secretpolicy/trial", lambda body: condition(body, "Ready") == "False")
    assert condition(found, "Ready", "reason") == "BadRules"
    assert "line 5" in condition(found, "Ready", "message")
    policies.until("secretpolicy/trial", lambda _: "BadRules" in policies.events())


def test_a_role_name_belongs_to_who_asked_first(policies: Namespace) -> None:
    policies.apply(policy("trial", role="editor", secrets=[{"path": "secret/app"}]))
    found = policies.until("secretpolicy/trial", lambda body: condition(body, "Ready") == "False")
    assert condition(found, "Ready", "reason") == "RoleNameTaken"
    assert "quickstart/editor" in condition(found, "Ready", "message")


def test_a_deleted_policy_takes_its_access_along(policies: Namespace) -> None:
    policies.apply(policy("trial", serviceAccounts={"names": ["trial"]}, secrets=[{"path": "secret/app"}]))
    policies.kubectl("create", "serviceaccount", "trial", "--save-config=false")
    try:
        policies.until_condition("secretpolicy/trial", "Ready")
        with Server.reach(policies, "vault", "trial") as server:
            assert server.environment["STRONGROOM_TOKEN"]
        policies.kubectl("delete", "secretpolicy", "trial", "--timeout=30s")
        with pytest.raises(StepFailed, match="invalid role name"), Server.reach(policies, "vault", "trial"):
            pass
    finally:
        policies.kubectl("delete", "serviceaccount", "trial")


def test_drift_is_repaired(policies: Namespace) -> None:
    whole = 'path "auth/kubernetes/role/*" {\n  capabilities = ["read", "delete"]\n}\n'
    policies.apply(policy("trial", serviceAccounts={"names": ["editor"]}, rules=whole))
    policies.until_condition("secretpolicy/trial", "Ready")
    with Server.reach(policies, "vault", "editor") as server:
        login = policies.kubectl("create", "token", "editor", "--audience=strongroom").strip()
        token = server.cli("write", "-field=token", "auth/kubernetes/login", "role=trial", "jwt=-", stdin=login).strip()
        strong = Server(server.address, {**server.environment, "STRONGROOM_TOKEN": token})
        strong.cli("delete", "auth/kubernetes/role/app")

        def is_back() -> bool:
            try:
                return "quickstart.app" in strong.cli("read", "auth/kubernetes/role/app")
            except StepFailed:
                return False

        wait_until("The role app, deleted by hand, is made again", is_back, 40)


def test_nothing_secret_is_told(quickstart: Namespace, strongroom: Namespace) -> None:
    held = quickstart.get("secret/vault-unseal-keys")["data"]
    assert sorted(held) == [f"unseal-key-{n}" for n in range(1, 6)], "the root token is gone"
    told = [
        quickstart.kubectl("get", "vaultcluster,secretpolicy,events,configmap,statefulset,pod", "--output=json"),
        strongroom.kubectl("logs", "deployment/strongroom-operator", "--tail=-1"),
        quickstart.kubectl("logs", "vault-0", "--tail=-1"),
    ]
    for share in held.values():
        assert not any(b64decode(share).decode() in text or share in text for text in told)
