"""Kinds of databases: one module each, found by the name of its plugin ("postgresql-database-plugin").

A module has ``Settings`` (the schema of its connection details), ``USERNAME`` (the template of names, where none is
configured; ``VARIANTS`` those of variants), ``CREDENTIALS`` (the types of credentials it can set) and
``open_database(settings, clock) -> Database``.
"""

from typing import Any

from strongroom_server.sdk.parts import UnknownPart, load_part

_SUFFIX = "-database-plugin"
SHARED = ("batches", "creation", "memfile", "pool", "protocol", "scram", "url")


def load_plugin(name: str) -> Any:
    """Return the module for a plugin's name; raises UnknownPart.

    What follows the first dash tells variants of a database apart that are served alike ("mysql-rds").
    """
    kind = name.partition("-")[0] if name.endswith(_SUFFIX) else ""
    try:
        return load_part(__name__, kind)
    except UnknownPart:
        raise UnknownPart(f"plugin not found in the catalog: {name}") from None


def username_template(name: str) -> str:
    """Return the template that a plugin makes names by where none is configured."""
    plugin = load_plugin(name)
    variant = name.removesuffix(_SUFFIX).partition("-")[2]
    template: str = getattr(plugin, "VARIANTS", {}).get(variant, plugin.USERNAME)
    return template
