"""Where KV version 2 stores what."""

CONFIG = "config"
METADATA = "metadata/"


def data_key(path: str, number: int) -> str:
    """Return the key of one version's value."""
    return f"data/{path}/{number}"
