"""Environment variables: one name under several prefixes, so that what is set for Vault or OpenBao counts here."""

from collections.abc import Mapping

PREFIXES = ("STRONGROOM_", "VAULT_", "BAO_")
"""The first one that has a name wins."""


def variable(environ: Mapping[str, str], name: str) -> str:
    """Return the setting ``name`` (``ADDR``) under the first prefix that has it, else ""."""
    return next((value for prefix in PREFIXES if (value := environ.get(prefix + name, ""))), "")


def spelled(environ: Mapping[str, str], name: str) -> str:
    """Return the whole name of the variable that ``variable`` takes; the first one where none is set."""
    return next((prefix + name for prefix in PREFIXES if environ.get(prefix + name, "")), PREFIXES[0] + name)
