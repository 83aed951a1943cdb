"""The operator's composition root: settings from flags and environment, the two outside worlds, kopf."""

import argparse
import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from ssl import SSLContext

import aiohttp
import kopf

from strongroom_common import logs
from strongroom_common.clock import Clock, SystemClock
from strongroom_common.tls import Tls, client_context
from strongroom_operator.clusters import Clusters
from strongroom_operator.crds import GROUP
from strongroom_operator.handlers import Loops, register
from strongroom_operator.injector import Injector, Place
from strongroom_operator.kube import HttpKube, KubeError
from strongroom_operator.resources import Surroundings
from strongroom_operator.secretpolicies import SecretPolicies
from strongroom_operator.steps import Steps
from strongroom_operator.vault import HttpServer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """How the operator was started."""

    image: str
    namespace: str
    service_account: str
    token_file: Path
    injector_config_map: str
    health_port: int
    log_level: str
    log_format: str


def read_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Read flags, whose defaults are environment variables; exits with a message for a wrong one."""
    parser = argparse.ArgumentParser("strongroom_operator", description="Runs VaultClusters and SecretPolicies.")

    def add(flag: str, variable: str, default: str, text: str) -> None:
        parser.add_argument(flag, default=environ.get(variable, default), help=f"{text} [{variable}]")

    add("--image", "STRONGROOM_SERVER_IMAGE", "strongroom/server", "image of servers whose VaultCluster names none")
    add("--namespace", "POD_NAMESPACE", "strongroom", "the operator's own namespace")
    add("--service-account", "POD_SERVICE_ACCOUNT", "strongroom-operator", "the operator's own service account")
    add("--token-file", "STRONGROOM_TOKEN_FILE", "/var/run/secrets/strongroom/token", "its token for the servers")
    add("--injector-config-map", "STRONGROOM_INJECTOR_CONFIG_MAP", "", "ConfigMap for the injector, in its namespace")
    add("--health-port", "STRONGROOM_HEALTH_PORT", "8080", "port of /healthz; 0 for none")
    add("--log-level", "STRONGROOM_LOG_LEVEL", "info", "what to log")
    add("--log-format", "STRONGROOM_LOG_FORMAT", "json", "json or standard")
    found = vars(parser.parse_args(list(argv)))
    if not str(found["health_port"]).isdecimal():
        parser.error(f"--health-port: expected a number, not {found['health_port']!r}")
    return Settings(**{**found, "token_file": Path(found["token_file"]), "health_port": int(found["health_port"])})


def kopf_settings() -> kopf.OperatorSettings:
    """Return kopf's settings: our names on objects, Events only where a handler asks for one."""
    settings = kopf.OperatorSettings()
    settings.persistence.finalizer = f"{GROUP}/operator"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.posting.loggers = False
    settings.execution.default_backoff = 5  # seconds until the next try after a bug of ours
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330  # a connection that died silently is found
    return settings


def log_in(settings: kopf.OperatorSettings, environ: Mapping[str, str]) -> kopf.ConnectionInfo:
    """Find the API server and credentials: the pod's service account, else the kubeconfig."""
    info = kopf.login_with_service_account(settings=settings)
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if info and host:
        # By address, so that the operator works before the cluster's DNS does.
        return replace(info, server=f"https://{f'[{host}]' if ':' in host else host}:{port}")
    info = info or kopf.login_with_kubeconfig(settings=settings)
    if info is None:
        raise kopf.LoginError("neither a service account nor a kubeconfig")
    return info


@lru_cache(maxsize=32)
def trusting(ca: str) -> SSLContext:
    """Return the context for servers whose certificates ``ca`` issued."""
    return client_context(Tls(ca_pem=ca))


def connector(session: aiohttp.ClientSession, address: str, ca: str, host: str) -> HttpServer:
    """Reach a server: see ``tick.Connect``."""
    return HttpServer(session, address, trusting(ca) if ca else None, host)


async def serve(settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
    """Run until SIGTERM."""
    for_kopf = kopf_settings()
    login = partial(log_in, for_kopf, environ)
    kube = HttpKube(login)
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(lambda **_: login())
    async with aiohttp.ClientSession() as session:
        try:
            around = await surroundings(settings, kube, login().server, clock)
            steps = Steps(kube, around, partial(own_token, settings.token_file), clock)
            clusters = Clusters(kube, partial(connector, session), around, steps, clock)
            injector = Injector(kube, Place(settings.namespace, settings.injector_config_map), clock)
            register(registry, Loops(clusters, SecretPolicies(clusters, clock), injector), kube, clock)
            endpoint = f"http://0.0.0.0:{settings.health_port}/healthz" if settings.health_port else None
            await kopf.operator(
                registry=registry, settings=for_kopf, clusterwide=True, standalone=True, liveness_endpoint=endpoint
            )
        finally:
            await kube.close()


async def surroundings(settings: Settings, kube: HttpKube, api_server: str, clock: Clock) -> Surroundings:
    """Learn about the place; waits for the API server."""
    while True:
        try:
            version = await kube.version()
            break
        except KubeError as error:
            log.warning("the API server does not answer: %s", error)
            await clock.sleep(2)
    return Surroundings(settings.image, version, settings.namespace, settings.service_account, api_server)


def own_token(file: Path) -> str:
    """Return the service-account token for the servers; Kubernetes replaces it from time to time."""
    return file.read_text().strip()


def main(argv: Sequence[str]) -> int:
    """Run the operator; returns the exit code."""
    settings = read_settings(argv, os.environ)
    logs.configure(settings.log_level, "json" if settings.log_format == "json" else "standard")
    for talkative in ("kopf", "aiohttp.access"):  # they tell of every tick and every probe
        logging.getLogger(talkative).setLevel(max(logging.getLogger().level, logging.WARNING))
    asyncio.run(serve(settings, os.environ, SystemClock()))
    return 0
