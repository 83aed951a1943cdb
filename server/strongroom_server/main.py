"""The composition root: flags and server file in, a running server out; everything is put together here alone."""

import argparse
import asyncio
import gc
import logging
import os
import platform
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom_common import logs, tokenfile
from strongroom_common.clock import Clock, SystemClock
from strongroom_common.logfile import LogFile, RotatingFile
from strongroom_common.settings import SettingsError
from strongroom_server import flags
from strongroom_server.addresses import with_addresses
from strongroom_server.barrier.cache import ENTRIES
from strongroom_server.config import Config, Listener, Stanza
from strongroom_server.config_files import read_paths
from strongroom_server.config_reader import from_environment, load
from strongroom_server.core import dev
from strongroom_server.core.server import Options, Server
from strongroom_server.http.app import App
from strongroom_server.http.listeners import Bound, bind_tcp, bind_unix, close_all
from strongroom_server.http.request_log import make_app
from strongroom_server.http.tls import follows_mounts, make_context, trust_clients
from strongroom_server.lib import memory
from strongroom_server.migrate import check_finished
from strongroom_server.sdk.errors import BackendError, SealError
from strongroom_server.sdk.seal import Seal
from strongroom_server.sdk.version import PRODUCT_VERSION, VERSION
from strongroom_server.seals import open_seal
from strongroom_server.storage import open_backend

if TYPE_CHECKING:
    from strongroom_server import dev_certificates

log = logging.getLogger("server")

_YOUNG_OBJECTS = 20_000
"""Objects made before the collector looks for cycles: at the usual 700 it would at each batch, and nearly in vain."""
_SWITCH_INTERVAL = 0.0005
"""Seconds between chances of the store's writer thread to run; Python's 5 ms would add them to each durable write."""


_LOG_FLAGS = ("log_level", "log_format", "log_file", "log_rotate_bytes", "log_rotate_duration", "log_rotate_max_files")
Reread = Callable[[], Config]


class StartError(Exception):
    """The server cannot start; the message says why and what to change."""


def main(argv: Sequence[str]) -> int:
    """Run ``strongroom server``; returns the exit status: 0 after a signal, 1 where it could not start."""
    options = flags.parse(argv, os.environ)
    try:
        config, warnings = _settings(options)
        logs.configure(config.log_level, config.log_format, file=_log_file(config))
    except (SettingsError, ValueError) as error:
        print(f"error loading configuration: {error}", file=sys.stderr)
        return 1
    for warning in warnings:
        log.warning(warning)
    _harden(config, dev_mode=options.dev)
    try:
        reread = lambda: _settings(options)[0]  # noqa: E731 - the files are read again at SIGHUP
        return _run(_serve_dev(options, config, reread) if options.dev else _serve(config, reread))
    except (StartError, BackendError, SealError, OSError) as error:
        print(f"Error starting the server: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _run(work: Awaitable[int]) -> int:
    async def wait() -> int:
        return await work

    try:
        import uvloop
    except ImportError:
        return asyncio.run(wait())
    return uvloop.run(wait())


def _settings(options: argparse.Namespace) -> tuple[Config, tuple[str, ...]]:
    sources = read_paths(options.config) if options.config else from_environment(os.environ)
    if not sources and not options.dev:
        raise SettingsError("no server file: give -config=PATH, or -dev for a trial")
    flagged = {f"STRONGROOM_{name.upper()}": value for name in _LOG_FLAGS if (value := getattr(options, name))}
    loaded = load(sources, os.environ | flagged)
    return with_addresses(loaded.config), loaded.warnings


def _log_file(config: Config) -> RotatingFile | None:
    if not config.log_file:
        return None
    rules = LogFile(config.log_file, config.log_rotate_duration, config.log_rotate_bytes, config.log_rotate_max_files)
    try:
        return rules.handler("strongroom")
    except OSError as error:
        raise SettingsError(f"log_file {config.log_file}: {error.strerror or error}") from None


def _harden(config: Config, *, dev_mode: bool) -> None:
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(_YOUNG_OBJECTS)
    if dev_mode:
        return
    memory.forbid_dumps()
    if not config.disable_mlock:
        try:
            memory.lock()
        except OSError as error:
            log.warning("memory may be swapped out: %s", error.strerror)


# -- a server from its file ------------------------------------------------------------------------------------------


async def _serve(config: Config, reread: Reread) -> int:
    if config.storage is None:
        raise StartError('the server file has no storage: add one, such as storage "sqlite" { path = "…" }')
    if not config.listeners:
        raise StartError('the server file has no listener: add one, such as listener "tcp" { … }')
    contexts = [_context(listener) for listener in config.listeners]
    clock = SystemClock()
    backend = await open_backend(config.storage.kind, config.storage.settings, clock)
    await check_finished(backend)
    server = Server(backend, clock, _core_options(config, config.storage), await _seal(config))
    bound: list[Bound] = []
    try:
        for listener, context in zip(config.listeners, contexts, strict=True):
            bound.append(await _bind(server, listener, context, config))
        await server.start()
        _write_pid(config.pid_file)
        addresses = ",".join(one.address for one in config.listeners)
        log.info("serving", extra={"fields": {"version": PRODUCT_VERSION, "listeners": addresses}})
        await _until_told(server, bound, reread)
    finally:
        await close_all(bound)
        await server.stop()
        if config.pid_file:
            Path(config.pid_file).unlink(missing_ok=True)  # noqa: ASYNC240 - nothing is served any more
    return 0


def _core_options(config: Config, storage: Stanza) -> Options:
    return Options(
        storage_kind=storage.kind,
        cluster_name=config.cluster_name,
        api_addr=config.api_addr,
        default_lease_ttl=config.default_lease_ttl,
        max_lease_ttl=config.max_lease_ttl,
        cache_entries=0 if config.disable_cache else max(config.cache_size, 0) or ENTRIES,
        raw_storage_endpoint=config.raw_storage_endpoint,
        introspection_endpoint=config.introspection_endpoint,
        config=config,
    )


async def _seal(config: Config) -> Seal | None:
    active = [stanza for stanza in config.seals if stanza.settings.get("disabled") not in (True, 1, "1", "true")]
    if len(active) > 1:
        raise StartError(f"two seals, {active[0].kind} and {active[1].kind}: set disabled = true in the one to leave")
    if not active or active[0].kind == "shamir":
        return None
    return await open_seal(active[0].kind, active[0].settings)


def _context(listener: Listener) -> ssl.SSLContext | None:
    if listener.tls_disable or listener.type == "unix":
        return None
    if not listener.tls_cert_file or not listener.tls_key_file:
        raise StartError(
            f"listener {listener.address} speaks TLS and has no certificate: set tls_cert_file and tls_key_file, "
            "or tls_disable = true where another layer encrypts"
        )
    try:
        return make_context(listener)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise StartError(f"listener {listener.address}: tls_cert_file, tls_key_file: {error}") from error


async def _bind(server: Server, listener: Listener, context: ssl.SSLContext | None, config: Config) -> Bound:
    hostname = {"X-Vault-Hostname": platform.node()} if config.enable_response_header_hostname else {}
    app = make_app(server, listener, hostname, config)
    if listener.type == "unix":
        return await _bind_unix(app, listener)
    host, _, port = listener.address.rpartition(":")
    files = (listener.tls_cert_file, listener.tls_key_file)
    if context is not None and follows_mounts(listener):
        server.client_trust.follow(partial(trust_clients, context))
    try:
        return await bind_tcp(app, host.strip("[]"), int(port), context, files)
    except OSError as error:
        raise StartError(f"listener {listener.address}: {error.strerror or error}") from error


async def _bind_unix(app: App, listener: Listener) -> Bound:
    mode = int(listener.socket_mode, 8) if listener.socket_mode else None
    try:
        return await bind_unix(app, listener.address, mode, (listener.socket_user, listener.socket_group))
    except (OSError, LookupError) as error:
        raise StartError(f"listener {listener.address}: {error}") from error


def _write_pid(path: str) -> None:
    if not path:
        return
    try:
        Path(path).write_text(f"{os.getpid()}\n")
    except OSError as error:
        raise StartError(f"pid_file {path}: {error.strerror or error}") from error


# -- dev mode --------------------------------------------------------------------------------------------------------


def _dev_options(config: Config, url: str) -> Options:
    """Return what the server file says, but that the store is in memory and what helps to look inside is on."""
    core = _core_options(config, Stanza("inmem"))
    return replace(core, api_addr=config.api_addr or url, raw_storage_endpoint=True, introspection_endpoint=True)


def _dev_files(options: argparse.Namespace, clock: Clock) -> "dev_certificates.Files":
    from strongroom_server import dev_certificates

    names = dev_certificates.names_here(options.dev_listen_address, options.dev_tls_san)
    try:
        return dev_certificates.make(options.dev_tls_cert_dir, names, clock.now())
    except OSError as error:
        raise StartError(f"-dev-tls-cert-dir={options.dev_tls_cert_dir}: {error.strerror or error}") from error


def _dev_listener(address: str, files: "dev_certificates.Files | None") -> Listener:
    if files is None:
        return Listener(address=address, tls_disable=True)
    return Listener(address=address, tls_cert_file=str(files.certificate), tls_key_file=str(files.key))


def _scheme(options: argparse.Namespace) -> str:
    return "https" if options.dev_tls else "http"


async def _serve_dev(options: argparse.Namespace, config: Config, reread: Reread) -> int:
    clock = SystemClock()
    address = options.dev_listen_address
    url = f"{_scheme(options)}://{address}"
    server = Server(await open_backend("inmem", {}, clock), clock, _dev_options(config, url))
    await server.start()
    kv_version = "" if options.dev_no_kv else "1" if options.dev_kv_v1 else "2"
    secrets = await dev.prepare(server, options.dev_root_token_id, kv_version)
    files = _dev_files(options, clock) if options.dev_tls else None
    listeners = (_dev_listener(address, files), *config.listeners)
    bound = [await _bind(server, one, _context(one), config) for one in listeners]
    shown = f"{_scheme(options)}://{address.rpartition(':')[0]}:{bound[0].port}"
    authority = str(files.authority) if files else ""
    if not options.dev_no_store_token:
        _store_token(secrets.root_token)
    print(dev.banner(secrets, shown, VERSION, PRODUCT_VERSION, authority), flush=True)
    await _until_told(server, bound, reread)
    await close_all(bound)
    await server.stop()
    return 0


def _store_token(token: str) -> None:
    """Keep the root token where the command line finds it, as ``login`` does."""
    try:
        tokenfile.store(os.environ, token)
    except tokenfile.TokenFileError as error:
        log.warning("the root token is not kept for the command line: %s", error)


# -- until the end ---------------------------------------------------------------------------------------------------


async def _until_told(server: Server, bound: Sequence[Bound], reread: Reread) -> None:
    """Wait for SIGTERM or SIGINT; at SIGHUP read settings and certificates anew and open audit and log files anew."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server.reload = lambda: _reload(server, bound, reread)
    loop.add_signal_handler(signal.SIGHUP, _spawner(server.reload))
    await stop.wait()
    server.stopping = True
    log.info("stopping")


def _spawner(work: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    running: set[asyncio.Future[None]] = set()

    def spawn() -> None:
        task = asyncio.ensure_future(work())
        running.add(task)
        task.add_done_callback(running.discard)

    return spawn


async def _reload(server: Server, bound: Sequence[Bound], reread: Reread) -> None:
    for one in bound:
        try:
            one.reload()
        except OSError:
            log.exception("a certificate could not be read anew; the old one stays")
    try:
        config = reread()
    except (SettingsError, ValueError) as error:
        log.error("the server file could not be read anew; the old settings stay: %s", error)  # noqa: TRY400 - it says all
    else:
        logs.set_level(config.log_level)
        await server.follow(config)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, RotatingFile):
            handler.reopen()
    await server.audit.reopen()
    log.info("reloaded")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
