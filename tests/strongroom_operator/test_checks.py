"""Which VaultClusters are refused, and that the first thing wrong is the one that is told."""

import pytest

from strongroom_common.fields import Pairs
from strongroom_operator.checks import VAULT_CLUSTER, first, matches
from strongroom_operator.spec import AuditDevice, Seal, SecretEngine, Storage, VaultClusterSpec

KV = SecretEngine("secret", "kv", Pairs({"version": "2"}))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        pytest.param(VaultClusterSpec(), None, id="the_defaults_are_fine"),
        pytest.param(VaultClusterSpec(storage=Storage(type="raft")), "StorageNotSupported", id="raft_is_not_run_yet"),
        pytest.param(VaultClusterSpec(replicas=3), "TooManyReplicas", id="sqlite_has_one_server"),
        pytest.param(
            VaultClusterSpec(replicas=3, storage=Storage(type="raft")), "StorageNotSupported", id="storage_comes_first"
        ),
        pytest.param(VaultClusterSpec(seal=Seal(shares=2, threshold=3)), "BadSeal", id="threshold_above_shares"),
        pytest.param(VaultClusterSpec(seal=Seal(shares=3, threshold=1)), "BadSeal", id="one_of_three_is_no_split"),
        pytest.param(VaultClusterSpec(seal=Seal(shares=1, threshold=1)), None, id="one_of_one_is_fine"),
        pytest.param(VaultClusterSpec(seal=Seal(shares=0, threshold=0)), "BadSeal", id="no_shares_at_all"),
        pytest.param(VaultClusterSpec(secret_engines=(KV, KV)), "BadSpec", id="two_engines_in_one_place"),
        pytest.param(
            VaultClusterSpec(secret_engines=(KV, SecretEngine("secret/"))), "BadSpec", id="slashes_make_no_difference"
        ),
        pytest.param(
            VaultClusterSpec(audit_devices=(AuditDevice(), AuditDevice())), "BadSpec", id="two_devices_of_one_name"
        ),
    ],
)
def test_specs_of_clusters(spec: VaultClusterSpec, reason: str | None) -> None:
    verdict = first(VAULT_CLUSTER, spec)
    assert (verdict and verdict.reason) == reason


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        pytest.param(["*"], "any", True, id="star_is_everything"),
        pytest.param(["team-*"], "team-a", True, id="a_prefix"),
        pytest.param(["team-*"], "other", False, id="another_prefix"),
        pytest.param([], "any", False, id="nothing_matches_no_pattern"),
        pytest.param(["a"], "ab", False, id="the_whole_name_counts"),
    ],
)
def test_patterns(patterns: list[str], name: str, expected: bool) -> None:
    assert matches(patterns, name) is expected
