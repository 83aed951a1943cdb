"""The name that Vault's server files use for a store in a folder: the same store as ``sqlite``."""

from strongroom_server.storage.sqlite import open_backend

__all__ = ["open_backend"]
