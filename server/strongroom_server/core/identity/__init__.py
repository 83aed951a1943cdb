"""Who stands behind a token: entities, their aliases at auth mounts, their groups (HTTP API, "Identity").

``index.py`` knows them all in memory, ``store.py`` keeps them, ``logins.py`` finds or makes the entity of a login; the
other modules are the areas of the ``identity/`` mount. It is part of the core, as every request asks for it.
"""
