"""Server files on disk: a path is a file, or a folder whose ``*.hcl`` and ``*.json`` are read in alphabetical order."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from strongroom_common.settings import SettingsError
from strongroom_server.config_reader import Source


def read_paths(paths: Iterable[str]) -> list[Source]:
    """Return the texts of ``-config`` paths in order; raises SettingsError for one that cannot be read."""
    return [_read(file) for path in paths for file in _files(Path(path))]


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        return (file for file in sorted(path.iterdir()) if file.suffix in (".hcl", ".json"))
    return iter((path,))


def _read(file: Path) -> Source:
    try:
        return Source(str(file), file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: expected text in UTF-8") from None
