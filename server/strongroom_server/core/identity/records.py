"""What is stored of identities. Times are RFC 3339 text, as they are shown."""

from dataclasses import dataclass

INTERNAL, EXTERNAL = "internal", "external"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name at a mount, which stands for an entity or (an external group's) for a group: ``canonical_id``.

    ``metadata`` comes from the auth method at each login, ``custom_metadata`` from operators.
    """

    id: str
    canonical_id: str
    mount_accessor: str
    name: str
    created: str
    updated: str
    metadata: dict[str, str] | None = None
    custom_metadata: dict[str, str] | None = None
    merged_from: tuple[str, ...] = ()
    local: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Return what is unique: names differ by more than case."""
        return alias_key(self.mount_accessor, self.name)


@dataclass(frozen=True, slots=True)
class Entity:
    """One client, whatever it logs in with.

    ``groups`` are the external groups that its logins found it in: kept here, not with the groups, so that a login
    into a large group writes one small entry. ``merged_ids`` are entities that went into this one; their tokens live.
    """

    id: str
    name: str
    created: str
    updated: str
    aliases: tuple[Alias, ...] = ()
    metadata: dict[str, str] | None = None
    policies: tuple[str, ...] = ()
    disabled: bool = False
    merged_ids: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def alias_at(self, accessor: str) -> Alias | None:
        """Return its alias at a mount."""
        return next((alias for alias in self.aliases if alias.mount_accessor == accessor), None)


@dataclass(frozen=True, slots=True)
class Group:
    """Entities and groups with policies in common. Members of an external group are told by logins alone."""

    id: str
    name: str
    created: str
    updated: str
    type: str = INTERNAL
    metadata: dict[str, str] | None = None
    policies: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    alias: Alias | None = None
    modify_index: int = 1


def alias_key(accessor: str, name: str) -> tuple[str, str]:
    """Return the key of an alias in the index."""
    return accessor, name.lower()
