"""Key-value secrets. The mount's option ``version`` says which of the two APIs it speaks; without it, version 1."""

from collections.abc import Mapping

from strongroom_server.engines.kv import v1, v2
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.errors import InvalidRequest


class Engine(Base):
    """Stores arbitrary secrets at paths, plain (version 1) or with their history (version 2)."""

    @classmethod
    def choose(cls, options: Mapping[str, str]) -> type[Base]:
        """Return the engine of version 1 or 2; raises InvalidRequest for another version."""
        version = options.get("version") or "1"
        if version == "1":
            return v1.Engine
        if version == "2":
            return v2.Engine
        raise InvalidRequest(f"unknown kv version {version!r}: the option 'version' must be 1 or 2")
