"""Finding a part by its type: a storage, a seal, an audit device, an engine, an auth method.

Adding a part is adding one module: its name is the type's name, and it is imported when it is first asked for. A
package names in ``SHARED`` those of its modules that are no types. Parts of others come through the entry-point
group ``strongroom.<package>``; they add types and never replace ours.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any


class UnknownPart(ValueError):
    """There is no part of this type. The message names those there are."""


def load_part(package: str, kind: str) -> Any:
    """Return the module of ``package`` ("strongroom_server.storage") for the type ``kind``; raises UnknownPart.

    Security 1: only names in the package's own listing are imported, so a path or a dotted name reaches nothing.
    """
    if kind in _own(package):
        return importlib.import_module(f"{package}.{kind}")
    for point in _points(package):
        if point.name == kind:
            return point.load()
    raise UnknownPart(f"unknown type {kind!r}: expected one of {', '.join(known_parts(package))}")


def known_parts(package: str) -> list[str]:
    """Return the types there are, sorted."""
    return sorted({*_own(package), *(point.name for point in _points(package))})


def _own(package: str) -> set[str]:
    home: ModuleType = importlib.import_module(package)
    shared = getattr(home, "SHARED", ())
    return {module.name for module in pkgutil.iter_modules(home.__path__)} - set(shared)


def _points(package: str) -> Iterable[Any]:
    """Return what others add to a package. The library reads every installed distribution: it is loaded when asked."""
    from importlib.metadata import entry_points

    return entry_points(group=f"strongroom.{package.rpartition('.')[2]}")
