"""The seal's state as ``status`` and ``operator unseal`` print it."""

from typing import Any

from strongroom_cli import output
from strongroom_cli.gotext import text

_ORDER = (
    "type", "initialized", "sealed", "t", "n", "progress", "nonce", "version", "commit_date", "migration",
    "cluster_name", "cluster_id", "recovery_seal", "storage_type", "build_date", "warnings",
)  # fmt: skip
_LEADER = (
    "ha_enabled", "is_self", "active_time", "leader_address", "leader_cluster_address", "performance_standby",
    "performance_standby_last_remote_wal", "raft_committed_index", "raft_applied_index",
)  # fmt: skip


def document(seal: dict[str, Any], leader: dict[str, Any]) -> dict[str, Any]:
    """Return seal and leader as one object, keys in Vault's order."""
    merged = {"ha_enabled": False, "build_date": "", **leader, **seal}
    chosen = {key: merged[key] for key in (*_ORDER, *_LEADER) if key in merged}
    empty = {"is_self": False, "performance_standby": False, "performance_standby_last_remote_wal": 0}
    blank = {"active_time": "0001-01-01T00:00:00Z", "leader_address": "", "leader_cluster_address": ""}
    zero = {"raft_committed_index": 0, "raft_applied_index": 0}
    return {key: value for key, value in chosen.items() if value != {**empty, **blank, **zero}.get(key, object())}


def table(seal: dict[str, Any], leader: dict[str, Any]) -> str:
    """Return the table of ``status``."""
    return output.pairs(rows(seal) + _leader_rows(seal, leader))


def rows(seal: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what concerns the seal."""
    recovery = bool(seal.get("recovery_seal"))
    word = "Recovery " if recovery else ""
    found = [("Recovery Seal Type" if recovery else "Seal Type", text(seal.get("type")))]
    found += [("Initialized", text(seal.get("initialized"))), ("Sealed", text(seal.get("sealed")))]
    found += [(f"Total {word}Shares", text(seal.get("n"))), ("Threshold", text(seal.get("t")))]
    if seal.get("sealed"):
        progress = f"{seal.get('progress')}/{seal.get('t')}"
        found += [("Unseal Progress", progress), ("Unseal Nonce", seal.get("nonce") or "")]
    if seal.get("migration"):
        found.append(("Seal Migration in Progress", "true"))
    found.append(("Version", text(seal.get("version"))))
    if seal.get("commit_date"):
        found.append(("Commit Date", seal["commit_date"]))
    elif seal.get("build_date"):
        found.append(("Build Date", seal["build_date"]))
    found.append(("Storage Type", text(seal.get("storage_type"))))
    if seal.get("cluster_name"):
        found += [("Cluster Name", seal["cluster_name"]), ("Cluster ID", seal.get("cluster_id") or "")]
    return found


def _leader_rows(seal: dict[str, Any], leader: dict[str, Any]) -> list[tuple[str, str]]:
    found = [("HA Enabled", text(bool(leader.get("ha_enabled"))))]
    if leader.get("ha_enabled") and not seal.get("sealed"):
        found.append(("HA Cluster", leader.get("leader_cluster_address") or ""))
        if leader.get("is_self"):
            found += [("HA Mode", "active"), ("Active Since", leader.get("active_time") or "")]
        else:
            found += [("HA Mode", "standby"), ("Active Node Address", leader.get("leader_address") or "<none>")]
    for name, title in (("raft_committed_index", "Raft Committed Index"), ("raft_applied_index", "Raft Applied Index")):
        if leader.get(name):
            found.append((title, text(leader[name])))
    return found
