"""A SecretPolicy becomes a policy and a role, or a verdict that says what to change."""

from dataclasses import replace
from typing import Any

import pytest

from strongroom_common import hcl
from strongroom_common.fields import Names, Pairs
from strongroom_operator import checks, policies, schema
from strongroom_operator.policies import Case, choose, rival
from strongroom_operator.resources import Cluster
from strongroom_operator.spec import ClusterRef, SecretEngine, SecretPolicySpec, VaultClusterSpec

ENGINES = (
    SecretEngine("secret", "kv", Pairs({"version": "2"})),
    SecretEngine("old", "kv", Pairs({"version": "1"})),
    SecretEngine("secret/deep", "kv", Pairs({"version": "1"})),
    SecretEngine("transit", "transit"),
)
CLUSTER = Cluster("vault", "main", "u", VaultClusterSpec(secret_engines=ENGINES))
SECRETS: dict[str, Any] = {"secrets": [{"path": "secret/app"}]}


def case(cluster: Cluster | None = CLUSTER, **spec: Any) -> Case:
    read = schema.read(SecretPolicySpec, {"serviceAccounts": {"names": ["app"]}, **spec})
    return Case("team", "app", read, cluster, uid="me", created="2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("given", "reason", "message"),
    [
        pytest.param(case(**SECRETS), None, "", id="a_secret_is_enough"),
        pytest.param(case(), "NoRules", "set at least one of", id="nothing_granted"),
        pytest.param(case(rules="  \n"), "NoRules", "", id="blank_rules_grant_nothing"),
        pytest.param(case(None, **SECRETS), "ClusterNotFound", "no VaultCluster yet", id="no_cluster"),
        pytest.param(
            replace(case(None, **SECRETS), clusters=("b/x", "a/y")),
            "ClusterAmbiguous",
            "set clusterRef to one of a/y, b/x",
            id="several_clusters_and_none_named",
        ),
        pytest.param(
            case(None, clusterRef={"name": "gone"}, **SECRETS), "ClusterNotFound", "team/gone", id="a_named_one_is_gone"
        ),
        pytest.param(
            case(replace(CLUSTER, spec=VaultClusterSpec(policy_namespaces=Names(("other-*",)))), **SECRETS),
            "NamespaceNotAllowed",
            "'team'",
            id="a_namespace_that_the_cluster_does_not_take",
        ),
        pytest.param(case(token={"policies": ["root"]}, **SECRETS), "PolicyRefused", "root", id="root_is_refused"),
        pytest.param(
            case(token={"policies": [" Root "]}, **SECRETS), "PolicyRefused", "root", id="root_in_any_spelling"
        ),
        pytest.param(
            case(token={"policies": ["a,ROOT"]}, **SECRETS), "PolicyRefused", "root", id="root_behind_a_comma"
        ),
        pytest.param(
            case(token={"policies": ["strongroom-operator"]}, **SECRETS),
            "PolicyRefused",
            "",
            id="so_is_the_operators_own",
        ),
        pytest.param(
            case(secrets=[{"path": "nowhere/app"}]), "NoEngine", "'nowhere/app'.*secret, old", id="no_such_engine"
        ),
        pytest.param(case(secrets=[{"path": "transit/k"}]), "NoEngine", "", id="an_engine_of_another_type"),
        pytest.param(
            case(rules='path "a" {\n  capabilities = ["read"]\n}\npath "b" {\n  capabilities = ["reed"]\n}'),
            "BadRules",
            r'line 5: unknown capability .reed.: .*: capabilities = \["reed"\]',
            id="an_unknown_capability_with_its_line",
        ),
        pytest.param(
            case(rules='path "a" {\n  capabilities = ["read"\n'),
            "BadRules",
            "line [234]",
            id="broken_text_with_its_line",
        ),
        pytest.param(case(rules='paths "a" {\n}'), "BadRules", "line 1: unknown keyword", id="a_misspelt_keyword"),
        pytest.param(case(rules="path {\n}"), "BadRules", "line 1", id="a_path_without_a_path"),
        pytest.param(
            case(rules='{"path": {"a": {"capabilities": ["read"]}}}'), None, "", id="rules_in_json_alone_are_fine"
        ),
        pytest.param(case(rules='{"path": {}}', **SECRETS), "BadRules", "JSON", id="json_cannot_be_joined"),
        pytest.param(
            replace(case(**SECRETS), rival="old/app"), "RoleNameTaken", "SecretPolicy old/app", id="an_older_claim"
        ),
    ],
)
def test_verdicts(given: Case, reason: str | None, message: str) -> None:
    import re

    verdict = checks.first(policies.CHECKS, given)
    assert (verdict and verdict.reason) == reason
    assert not verdict or re.search(message, verdict.message), verdict.message


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(
            {"secrets": [{"path": "secret/app"}]},
            {"secret/data/app": ["read"], "secret/metadata/app": ["read", "list"]},
            id="reading_a_secret_of_version_2",
        ),
        pytest.param(
            {"secrets": [{"path": "/secret/app/*", "access": "write"}]},
            {
                "secret/data/app/*": ["create", "read", "update", "patch", "delete"],
                "secret/metadata/app/*": ["create", "read", "update", "patch", "delete", "list"],
                "secret/delete/app/*": ["update"],
                "secret/undelete/app/*": ["update"],
                "secret/destroy/app/*": ["update"],
            },
            id="writing_all_below_a_path",
        ),
        pytest.param({"secrets": [{"path": "old/app"}]}, {"old/app": ["read", "list"]}, id="version_1_has_one_path"),
        pytest.param(
            {"secrets": [{"path": "secret/deep/app"}]},
            {"secret/deep/app": ["read", "list"]},
            id="the_longest_mount_counts",
        ),
        pytest.param(
            {"paths": [{"path": 'odd"path/+/*', "capabilities": ["list", "read"]}]},
            {'odd"path/+/*': ["list", "read"]},
            id="paths_are_quoted",
        ),
        pytest.param(
            {"paths": [{"path": "a", "capabilities": ["read"]}], "rules": 'path "b" {\n  policy = "deny"\n}'},
            {"a": ["read"], "b": None},
            id="rules_follow",
        ),
    ],
)
def test_the_policy_says_what_the_spec_grants(spec: dict[str, Any], expected: dict[str, list[str] | None]) -> None:
    text = policies.document(case(**spec))
    found = {}
    for block in hcl.blocks(hcl.parse(text), "path", 1):
        given = block.body.get("capabilities")
        found[block.labels[0]] = hcl.plain(given.value) if given else None
    assert found == expected


def test_the_role_binds_the_accounts_of_the_policys_own_namespace() -> None:
    made = policies.role(case(token={"ttl": "5m", "policies": ["more"]}, **SECRETS))
    assert made["bound_service_account_names"] == ["app"]
    assert made["bound_service_account_namespaces"] == ["team"]
    assert made["token_policies"] == ["team.app", "more"]
    assert (made["token_ttl"], made["audience"]) == (300, "strongroom")


def test_names_of_policies_cannot_collide() -> None:
    assert policies.policy_name("a-b", "c") != policies.policy_name("a", "b-c")
    assert policies.policy_name("a", "b.c") == "a.b.c", "a namespace has no dot, so the first one ends it"


@pytest.mark.parametrize(
    ("others", "holder"),
    [
        pytest.param([], "", id="nobody_else"),
        pytest.param([{"created": "2026-01-01T00:00:00Z"}], "other/app", id="an_older_one_holds_it"),
        pytest.param([{"created": "2026-01-03T00:00:00Z"}], "", id="a_younger_one_does_not"),
        pytest.param([{"created": "2026-01-02T00:00:00Z"}], "other/app", id="of_one_second_the_first_by_namespace"),
        pytest.param([{"created": "2026-01-01T00:00:00Z", "cluster": None}], "", id="in_another_cluster"),
    ],
)
def test_a_role_belongs_to_who_asked_first(others: list[dict[str, Any]], holder: str) -> None:
    mine = case(**SECRETS)
    assert rival(mine, [replace(mine, uid="other", namespace="other", **other) for other in others]) == holder


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        pytest.param(None, None, id="two_clusters_and_no_name"),
        pytest.param(ClusterRef("main", "vault"), "vault", id="by_name_and_namespace"),
        pytest.param(ClusterRef("main"), "team", id="in_the_policys_own_namespace"),
        pytest.param(ClusterRef("other"), None, id="a_name_that_is_not_there"),
    ],
)
def test_which_cluster_is_meant(reference: ClusterRef | None, expected: str | None) -> None:
    clusters = [CLUSTER, replace(CLUSTER, namespace="team")]
    chosen = choose(clusters, reference, "team")
    assert (chosen and chosen.namespace) == expected
    assert choose([CLUSTER], None, "team") == CLUSTER


def test_a_role_is_ours_only_with_our_policy() -> None:
    assert policies.is_ours({"token_policies": ["team.app", "x"]}, "team.app")
    assert not policies.is_ours({"token_policies": ["x"]}, "team.app")
    assert not policies.is_ours({}, "team.app")
