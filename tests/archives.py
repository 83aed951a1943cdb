"""Taking archives apart, with the filter for what comes from elsewhere where Python has it (from 3.11.4 on)."""

import tarfile
from pathlib import Path


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the files of an archive below a folder."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        archive.extractall(folder)
