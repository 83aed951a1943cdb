"""Kinds of databases: one module each, found by the name of its plugin ("postgresql-database-plugin").

A module has ``Settings`` (the schema of its connection details), ``USERNAME`` (the template of names, where none is
configured), ``CREDENTIALS`` (the types of credentials it can set) and ``open_database(settings, clock) -> Database``.
"""

from typing import Any

from strongroom_server.sdk.parts import UnknownPart, load_part

SHARED = ("batches", "creation", "memfile", "pool", "protocol", "scram", "url")


def load_plugin(name: str) -> Any:
    """Return the module for a plugin's name; raises UnknownPart.

    What follows the first dash tells variants of a database apart that are served alike ("mysql-rds").
    """
    kind, suffix = name.removesuffix("-database-plugin"), "-database-plugin"
    if not name.endswith(suffix):
        raise UnknownPart(f"plugin not found in the catalog: {name}")
    try:
        return load_part(__name__, kind.partition("-")[0])
    except UnknownPart:
        raise UnknownPart(f"plugin not found in the catalog: {name}") from None
