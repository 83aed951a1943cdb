"""Certificates and keys for libraries that want files: in memory, never on a disk (memfd_create(2))."""

import os


class MemoryFile:
    """A text under a path, until it is closed; an empty text has no path."""

    def __init__(self, text: str) -> None:
        self._handle = -1
        self.path = ""
        if not text:
            return
        self._handle = os.memfd_create("strongroom")
        os.fchmod(self._handle, 0o600)  # libpq refuses a key that others may read
        os.write(self._handle, text.encode())
        self.path = f"/proc/self/fd/{self._handle}"

    def close(self) -> None:
        """Let the text go."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
