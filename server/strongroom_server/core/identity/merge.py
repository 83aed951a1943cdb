"""Making several entities one (HTTP API, "Merge entities"). Pure.

Where two have an alias at the same mount, the caller names the one that stays; the other is dropped, as Vault
documents it (OpenBao 2.7.2 keeps both, which leaves an entity that no request could have made).
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from strongroom_server.core.identity.facts import MountFinder
from strongroom_server.core.identity.records import Alias, Entity
from strongroom_server.sdk.errors import InvalidRequest


def merged(target: Entity, sources: Sequence[Entity], keep: Collection[str], mounts: MountFinder) -> Entity:
    """Return ``target`` with the aliases and external groups of ``sources``; policies and metadata stay its own.

    Raises InvalidRequest for aliases at one mount where ``keep`` (alias ids) does not decide.
    """
    clashes = _clashes([target, *sources])
    if clashes and not keep:
        raise _undecided(clashes, mounts)
    dropped: set[str] = set()
    for clash in clashes:
        chosen = next((alias for _, alias in clash if alias.id in keep), None)
        if chosen is None:
            ids = ", ".join(alias.id for _, alias in reversed(clash))
            raise InvalidRequest(
                "conflicting mount accessors in following alias IDs and neither were present in "
                f"conflicting_alias_ids_to_keep: {ids}"
            )
        dropped |= {alias.id for _, alias in clash if alias is not chosen}
    moved = (
        replace(alias, canonical_id=target.id, merged_from=(*alias.merged_from, source.id))
        for source in sources
        for alias in source.aliases
    )
    return replace(
        target,
        aliases=tuple(alias for alias in (*target.aliases, *moved) if alias.id not in dropped),
        merged_ids=tuple(dict.fromkeys((
            *target.merged_ids, *(entity_id for source in sources for entity_id in (*source.merged_ids, source.id)),
        ))),
        groups=tuple(sorted({*target.groups, *(group for source in sources for group in source.groups)})),
    )  # fmt: skip


Clash = list[tuple[Entity, Alias]]


def _clashes(entities: Sequence[Entity]) -> list[Clash]:
    by_mount: dict[str, Clash] = {}
    for entity in entities:
        for alias in entity.aliases:
            by_mount.setdefault(alias.mount_accessor, []).append((entity, alias))
    return [clash for clash in by_mount.values() if len(clash) > 1]


def _undecided(clashes: Sequence[Clash], mounts: MountFinder) -> InvalidRequest:
    rows: list[dict[str, Any]] = []
    for entity, alias in (pair for clash in clashes for pair in clash):
        mount = mounts.by_accessor(alias.mount_accessor)
        rows.append({
            "alias": alias.name, "entity": entity.name, "entity_id": entity.id,
            "mount": mount.entry.type if mount else "", "mount_path": mount.point if mount else "",
        })  # fmt: skip
    where = ", ".join(clash[0][1].mount_accessor for clash in clashes)
    return InvalidRequest(
        "toEntity and at least one fromEntity have aliases with the same mount accessor, repeat the merge request "
        f"specifying exactly one fromEntity, clashes: {where}; name those to keep in conflicting_alias_ids_to_keep",
        data=rows,
    )
