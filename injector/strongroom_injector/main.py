"""Puts the injector together and runs it until SIGTERM."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from strongroom_common.clock import Clock, SystemClock
from strongroom_common.logs import configure
from strongroom_injector import serving, surroundings
from strongroom_injector.config import Config, Defaults, load
from strongroom_injector.errors import ConfigError
from strongroom_injector.failing import Failing
from strongroom_injector.kube import Access, Kube, from_kubeconfig, in_cluster
from strongroom_injector.loop import repeat
from strongroom_injector.metrics import Metrics
from strongroom_injector.missed import Missed
from strongroom_injector.serving import GivenCertificates, OwnCertificates, SecretAndWebhook, Serving, server_context
from strongroom_injector.surroundings import Known
from strongroom_injector.webhook import Webhook

_log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the injector; returns 1 if its configuration cannot be used."""
    try:
        config, defaults = load(sys.argv[1:] if argv is None else argv, os.environ)
        configure(config.log_level, config.log_format)
        access = find_api_server(config, os.environ)
    except (ConfigError, ValueError) as error:
        sys.stderr.write(f"strongroom-injector: {error}\n")
        return 1
    stop = asyncio.Event()
    asyncio.run(_run(replace(config, namespace=config.namespace or access.namespace), defaults, access, stop))
    return 0


def find_api_server(config: Config, environ: Mapping[str, str]) -> Access:
    """Return the access that the configuration names; raises ConfigError."""
    return from_kubeconfig(Path(config.kubeconfig)) if config.kubeconfig else in_cluster(environ)


async def _run(config: Config, defaults: Defaults, access: Access, stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with aiohttp.ClientSession() as session:
        await Injector(config, defaults, Kube(session, access), SystemClock()).run(stop)


class Injector:
    """All parts, wired; ``address`` and ``health_address`` are where it listens once ``listening`` is set."""

    def __init__(self, config: Config, defaults: Defaults, kube: Kube, clock: Clock) -> None:
        self.metrics = Metrics()
        self.listening = asyncio.Event()
        self.address = self.health_address = ("", 0)
        self._config, self._clock, self._stopping = config, clock, False
        self._known = Known(kube, config, defaults)
        self._serving = _serving(config, kube, clock, self.metrics)
        self._failing = Failing(kube, clock)
        self._missed = Missed(kube, clock, self.metrics, config.namespace)
        self._webhook = Webhook(self._known.surroundings, self.problem, self.metrics)

    def problem(self) -> str | None:
        """Say why the API server should not call this replica; None if it should."""
        if self._stopping:
            return "stopping"
        return self._serving.problem() or self._known.problem()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set, then a little longer: the API server learns of it after us."""
        async with AsyncExitStack() as stack:
            if self._config.health_listen:
                self.health_address = await _listen(stack, self._webhook.health_app(), self._config.health_listen)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each) for each in self._loops()]
                tasks.append(group.create_task(self._open_tls(stack)))
                await stop.wait()
                self._stopping = True
                _log.info("stopping")
                await self._clock.sleep(self._config.shutdown_delay)
                for task in tasks:
                    task.cancel()

    def _loops(self) -> list[Coroutine[Any, Any, None]]:
        clock = self._clock
        loops = [
            repeat(clock, serving.EVERY, "keep certificates", self._serving.refresh),
            repeat(clock, surroundings.EVERY, "learn of the cluster", self._known.refresh),
        ]
        if self._config.watch_pods:
            loops.append(repeat(clock, 0, "watch pods", self._missed.watch))
            loops.append(repeat(clock, 1, "watch agents", self._failing.watch))
        return loops

    async def _open_tls(self, stack: AsyncExitStack) -> None:
        """Open the TLS port once there is a certificate: without one every handshake would fail."""
        await self._serving.loaded.wait()
        self.address = await _listen(stack, self._webhook.app(), self._config.listen, self._serving)
        self.listening.set()
        _log.info("listening", extra={"fields": {"address": self._config.listen}})


def _serving(config: Config, kube: Kube, clock: Clock, metrics: Metrics) -> Serving:
    context = server_context(config.tls_min_version)
    if config.tls_cert_file:
        read = serving.files(config.tls_cert_file, config.tls_key_file, config.tls_ca_cert_file)
        return GivenCertificates(read, clock, metrics, context)
    names = SecretAndWebhook(config.namespace, config.tls_secret, config.tls_auto, config.tls_auto_hosts)
    return OwnCertificates(kube, clock, metrics, context, names)


async def _listen(
    stack: AsyncExitStack, app: web.Application, address: str, tls: Serving | None = None
) -> tuple[str, int]:
    """Serve ``app`` at ``host:port`` until the stack closes; return where."""
    host, _, port = address.rpartition(":")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, host.strip("[]") or None, int(port), ssl_context=tls.context if tls else None)
    await site.start()
    bound: tuple[str, int] = runner.addresses[0][:2]
    return bound
