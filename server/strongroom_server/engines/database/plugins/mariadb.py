"""MariaDB: what is said of MySQL holds here too."""

from strongroom_server.engines.database.plugins.mysql import CREDENTIALS, USERNAME, Settings, open_database

__all__ = ["CREDENTIALS", "USERNAME", "Settings", "open_database"]
