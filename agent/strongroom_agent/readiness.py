"""The file that says "every template is there", and beside it, until then, the reason why not.

The probe's words become the pod's event: who looks at a pod that does not start reads what the server refused.
"""

import os

from strongroom_agent import files

_SUFFIX = ".reason"


class Readiness:
    """``path`` is the file that a probe looks for, empty for none. Reasons hold no secrets."""

    def __init__(self, path: str) -> None:
        self._path = path

    def begin(self) -> None:
        """Forget what an earlier run left."""
        if self._path:
            files.remove(self._path)
            files.remove(self._path + _SUFFIX)

    def trouble(self, reason: str) -> None:
        """Remember why it is not ready yet; after it was, it stays so."""
        if self._path and not os.path.exists(self._path):
            files.write(self._path + _SUFFIX, f"{reason}\n".encode())

    def awaited(self) -> bool:
        """Whether somebody waits for the first rendering."""
        return bool(self._path) and not os.path.exists(self._path)

    def done(self) -> None:
        """Say that all is there."""
        if self._path:
            files.write(self._path, b"rendered\n")
            files.remove(self._path + _SUFFIX)


def check(path: str) -> str:
    """Return why the agent is not ready, empty if it is."""
    if os.path.exists(path):
        return ""
    try:
        return files.read_text(path + _SUFFIX)
    except OSError:
        return "the agent is still starting"
