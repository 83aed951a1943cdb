"""The name that Vault's server files use for ``memory``."""

from strongroom_server.storage.memory import open_backend

__all__ = ["open_backend"]
