"""Decisions as lists of named checks: each looks at one thing and returns a verdict or nothing; the first hit wins.

What a chain says becomes the reason and message of a condition. The checks are pure; the order is the list's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from strongroom_operator.spec import VaultClusterSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Verdict:
    """Why something cannot be, or has to be done: ``reason`` for programs, ``message`` for people."""

    reason: str
    message: str


def first(checks: Sequence[Callable[[T], Verdict | None]], case: T) -> Verdict | None:
    """Return the verdict of the first check that has one."""
    return next((verdict for check in checks if (verdict := check(case))), None)


def storage_can_be_run(spec: VaultClusterSpec) -> Verdict | None:
    """Refuse storage that this version does not run."""
    if spec.storage.type == "sqlite":
        return None
    return Verdict(
        "StorageNotSupported", f"storage.type {spec.storage.type} is not supported by this version: use sqlite"
    )


def sqlite_has_one_server(spec: VaultClusterSpec) -> Verdict | None:
    """Refuse several servers on storage that only one can open."""
    if spec.replicas == 1:
        return None
    return Verdict("TooManyReplicas", f"replicas is {spec.replicas}, but storage.type sqlite has exactly one server")


def shares_fit_threshold(spec: VaultClusterSpec) -> Verdict | None:
    """Refuse splits that the server would refuse, before anything is made."""
    shares, threshold = spec.seal.shares, spec.seal.threshold
    if not 1 <= threshold <= shares <= 255:
        return Verdict(
            "BadSeal", f"seal.threshold {threshold} has to be between 1 and seal.shares {shares} (at most 255)"
        )
    if threshold == 1 and shares > 1:
        return Verdict(
            "BadSeal", f"seal.threshold 1 with seal.shares {shares}: several shares need a threshold above 1"
        )
    return None


def mounts_are_distinct(spec: VaultClusterSpec) -> Verdict | None:
    """Refuse two engines, or two audit devices, in one place."""
    for field, paths in (
        ("secretEngines", [engine.path.strip("/") for engine in spec.secret_engines]),
        ("auditDevices", [device.path.strip("/") for device in spec.audit_devices]),
    ):
        twice = next((path for path in paths if paths.count(path) > 1), None)
        if twice is not None:
            return Verdict("BadSpec", f"{field} has the path {twice!r} twice")
    return None


VAULT_CLUSTER = (storage_can_be_run, sqlite_has_one_server, shares_fit_threshold, mounts_are_distinct)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Tell whether ``name`` is one of ``patterns``, in which ``*`` stands for any text."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
