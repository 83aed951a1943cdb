"""For ``operator diagnose`` and ``validate-config``: what is wrong with a server file, or with where it would run.

Each check is one function of ``_CHECKS``; it yields what it found and never raises. Nothing is served, and what is
opened is closed again.
"""

import asyncio
import os
import resource
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from strongroom_common.clock import SystemClock
from strongroom_common.settings import SettingsError
from strongroom_server.config import Config, Listener
from strongroom_server.config_files import read_paths
from strongroom_server.config_reader import Loaded, from_environment, load
from strongroom_server.http.tls import make_context
from strongroom_server.seals import open_seal
from strongroom_server.storage import open_backend

Status = Literal["success", "warning", "failure", "skipped"]
_FEW_FILES = 1024
_FULL = 0.95


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    status: Status
    name: str
    message: str = ""

    def __str__(self) -> str:
        return f"[ {self.status} ] {self.name}" + (f": {self.message}" if self.message else "")


def validate(paths: Sequence[str]) -> list[Finding]:
    """Read the files and return one finding for the whole, or one for each warning."""
    loaded = _loaded(paths)
    if isinstance(loaded, Finding):
        return [loaded]
    return [Finding("warning", "Validate Config", text) for text in loaded.warnings] or [
        Finding("success", "Validate Config")
    ]


def diagnose(paths: Sequence[str], skipped: Sequence[str] = ()) -> list[Finding]:
    """Run all checks but those in ``skipped`` (listener, storage, autounseal)."""
    found = [*_system()]
    loaded = _loaded(paths, "Parse Configuration")
    if isinstance(loaded, Finding):
        return [*found, loaded]
    found += [Finding("warning", "Parse Configuration", text) for text in loaded.warnings] or [
        Finding("success", "Parse Configuration")
    ]
    return found + asyncio.run(_all(loaded.config, skipped))


def exit_code(found: Sequence[Finding]) -> int:
    """Return 1 where something failed, 2 where there are warnings, else 0."""
    statuses = {one.status for one in found}
    return 1 if "failure" in statuses else 2 if "warning" in statuses else 0


def _loaded(paths: Sequence[str], name: str = "Validate Config") -> Loaded | Finding:
    try:
        sources = read_paths(paths) if paths else from_environment(os.environ)
        return load(sources, os.environ)
    except SettingsError as error:
        return Finding("failure", name, str(error))


def _system() -> list[Finding]:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    usage = shutil.disk_usage("/")
    full = usage.used / usage.total if usage.total else 0.0
    return [
        Finding("warning" if files < _FEW_FILES else "success", "Check Open File Limits", f"{files} files may be open"),
        Finding("warning" if full > _FULL else "success", "Check Disk Usage", f"/ is {full:.0%} full"),
    ]


async def _all(config: Config, skipped: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for word, title, check in _CHECKS:
        if word in skipped:
            found.append(Finding("skipped", title))
        else:
            found += [finding async for finding in check(config)]
    return found


async def _storage(config: Config) -> AsyncIterator[Finding]:
    if config.storage is None:
        yield Finding("failure", "Check Storage", 'no storage block: add one, such as storage "sqlite" { path = "…" }')
        return
    try:
        backend = await open_backend(config.storage.kind, config.storage.settings, SystemClock())
        try:
            await backend.list("core/")
        finally:
            await backend.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the user wants to know
        yield Finding("failure", "Check Storage", str(error))
    else:
        yield Finding("success", "Check Storage", config.storage.kind)


async def _seals(config: Config) -> AsyncIterator[Finding]:
    seals = [seal for seal in config.seals if seal.kind != "shamir"]
    if not seals:
        yield Finding("skipped", "Check Seal", "the holders of the keys unseal it")
    for seal in seals:
        try:
            await open_seal(seal.kind, seal.settings)
        except Exception as error:  # noqa: BLE001 - the same
            yield Finding("failure", "Check Seal", str(error))
        else:
            yield Finding("success", "Check Seal", seal.kind)


async def _listeners(config: Config) -> AsyncIterator[Finding]:
    if not config.listeners:
        yield Finding("failure", "Check Listener", 'no listener block: add one, such as listener "tcp" { … }')
    for listener in config.listeners:
        yield _tls(listener)
        yield _address(listener)


def _tls(listener: Listener) -> Finding:
    name = f"Check Listener TLS {listener.address}"
    if listener.type == "unix":
        return Finding("skipped", name, "a Unix socket")
    if listener.tls_disable:
        return Finding("warning", name, "TLS is disabled")
    try:
        make_context(listener)
    except (OSError, ValueError) as error:
        return Finding("failure", name, str(error))
    return Finding("success", name)


def _address(listener: Listener) -> Finding:
    name = f"Check Listener Address {listener.address}"
    if listener.type == "unix":
        return Finding("success", name)
    host, _, port = listener.address.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, int(port)), family=family).close()
    except OSError as error:
        return Finding("failure", name, error.strerror or str(error))
    return Finding("success", name)


_CHECKS: tuple[tuple[str, str, Callable[[Config], AsyncIterator[Finding]]], ...] = (
    ("storage", "Check Storage", _storage),
    ("autounseal", "Check Seal", _seals),
    ("listener", "Check Listener", _listeners),
)
