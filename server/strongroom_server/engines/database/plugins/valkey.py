"""Valkey: what is said of Redis holds here too."""

from strongroom_server.engines.database.plugins.redis import CREDENTIALS, USERNAME, Settings, open_database

__all__ = ["CREDENTIALS", "USERNAME", "Settings", "open_database"]
