"""The bodies and query parameters of KV version 2."""

from dataclasses import dataclass, field
from typing import Annotated

from strongroom_common.fields import Ints, Object, Seconds


@dataclass(frozen=True)
class WhichVersion:
    """Query of a read."""

    version: Annotated[int, "Version to read; 0 is the latest."] = 0


@dataclass(frozen=True)
class Subkeys:
    """Query of a read of subkeys."""

    version: Annotated[int, "Version to read; 0 is the latest."] = 0
    depth: Annotated[int, "How many levels to show; 0 is all."] = 0


@dataclass(frozen=True)
class DataInput:
    """Body of a write or patch of data."""

    data: Annotated[Object | None, "The secret: any JSON object."] = field(default=None, repr=False)
    options: Annotated[Object | None, 'Options: "cas" is the version that must be the current one.'] = None
    version: Annotated[int, "Ignored; clients send back what they read."] = 0


@dataclass(frozen=True)
class VersionsInput:
    """Body of delete, undelete and destroy."""

    versions: Annotated[Ints, "Numbers of the versions meant."] = Ints(())


@dataclass(frozen=True)
class MetadataInput:
    """Body of a write or patch of metadata."""

    custom_metadata: Annotated[Object | None, "Up to 64 texts kept beside the secret, for people and tools."] = None
    max_versions: Annotated[int, "How many versions to keep; 0 is as the mount says, else 10."] = 0
    cas_required: Annotated[bool, 'Whether every write must come with "cas".'] = False
    delete_version_after: Annotated[Seconds, "How long after it was written a version is deleted; 0 is never."] = (
        Seconds(0)
    )
    metadata_cas: Annotated[int | None, "Metadata version that must be the current one."] = None
    metadata_cas_required: Annotated[bool, 'Whether every write of metadata must come with "metadata_cas".'] = False


@dataclass(frozen=True)
class ConfigInput:
    """Body of a write of config."""

    max_versions: Annotated[int, "How many versions to keep of each secret; 0 is 10."] = 0
    cas_required: Annotated[bool, 'Whether every write must come with "cas".'] = False
    delete_version_after: Annotated[str, "Duration after which versions are deleted; negative is never, for all."] = ""
    metadata_cas_required: Annotated[bool, 'Whether every write of metadata must come with "metadata_cas".'] = False
