"""The whole injector in one process: real sockets, real TLS, an API server that speaks the protocol."""

import asyncio
import base64
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from strongroom_common.clock import SystemClock
from strongroom_injector.config import load
from strongroom_injector.kube import Kube
from strongroom_injector.main import Injector, main
from tests.strongroom_injector.apiserver import WEBHOOKS, ApiServer, running
from tests.strongroom_injector.pods import pod
from tests.strongroom_injector.test_webhook import review
from tests.waiting import until

HOST = "injector.strongroom.svc"
FLAGS = [
    "-listen=127.0.0.1:0", "-health-listen=127.0.0.1:0", "-tls-auto=hook", f"-tls-auto-hosts={HOST}",
    "-vault-image=strongroom:test", "-vault-address=https://vault:8200", "-namespace=strongroom", "-shutdown-delay=0",
]  # fmt: skip


@asynccontextmanager
async def injector(kube: Kube, *flags: str) -> AsyncIterator[Injector]:
    config, defaults = load([*FLAGS, *flags], {})
    made, stop = Injector(config, defaults, kube, SystemClock()), asyncio.Event()
    task = asyncio.create_task(made.run(stop))
    await asyncio.wait_for(made.listening.wait(), 60)
    yield made
    stop.set()
    await asyncio.wait_for(task, 60)


def trust(api: ApiServer) -> ssl.SSLContext:
    """What the API server trusts: the caBundle of the webhook."""
    client = api.objects[f"{WEBHOOKS}/hook"]["webhooks"][0]["clientConfig"]
    return ssl.create_default_context(cadata=base64.b64decode(client["caBundle"]).decode())


def url(made: Injector, path: str) -> str:
    return f"https://127.0.0.1:{made.address[1]}{path}"


async def admit(session: aiohttp.ClientSession, made: Injector, tls: ssl.SSLContext) -> dict[str, object]:
    async with session.post(url(made, "/mutate"), json=review(pod()), ssl=tls, server_hostname=HOST) as answer:
        response: dict[str, object] = (await answer.json())["response"]
        return response


def shape(response: dict[str, object]) -> str:
    text = base64.b64decode(str(response["patch"])).decode()
    return "native" if '"restartPolicy":"Always"' in text else "pair"


async def test_it_serves_what_the_api_server_trusts_and_knows_the_clusters_version() -> None:
    api = ApiServer()
    api.webhook()
    async with running(api) as kube, injector(kube) as made, aiohttp.ClientSession() as session:
        await until(lambda: made.problem() is None)
        response = await admit(session, made, trust(api))
        assert shape(response) == "native"
        async with session.get(f"http://127.0.0.1:{made.health_address[1]}/health/ready") as answer:
            assert answer.status == 200
        async with session.post(f"http://127.0.0.1:{made.health_address[1]}/mutate") as answer:
            assert answer.status == 404


async def test_an_older_cluster_gets_init_and_sidecar() -> None:
    api = ApiServer()
    api.webhook()
    api.minor = "28"
    async with running(api) as kube, injector(kube) as made, aiohttp.ClientSession() as session:
        await until(lambda: made.problem() is None)
        assert shape(await admit(session, made, trust(api))) == "pair"


async def test_defaults_come_from_a_config_map() -> None:
    api = ApiServer()
    api.webhook()
    data = {"vault-address": "https://demo.apps.svc:8200", "vault-cacert-bytes": "-----BEGIN CERTIFICATE-----"}
    api.put("/api/v1/namespaces/strongroom/configmaps/d", {"metadata": {"name": "d"}, "data": data})
    async with running(api) as kube, injector(kube, "-defaults-config-map=d") as made:
        await until(lambda: made.problem() is None)
        async with aiohttp.ClientSession() as session:
            patch = base64.b64decode(str((await admit(session, made, trust(api)))["patch"])).decode()
    variables = next(o["value"] for o in json.loads(patch) if o["path"] == "/spec/initContainers")[0]["env"]
    values = {each["name"]: each.get("value") for each in variables}
    assert json.loads(base64.b64decode(values["VAULT_CONFIG"]))["vault"] == {"address": data["vault-address"]}
    assert values["VAULT_CACERT_BYTES"].strip() == data["vault-cacert-bytes"]


async def test_it_is_not_ready_before_the_api_server_could_trust_it_and_goes_on_when_it_can() -> None:
    api = ApiServer()
    async with running(api) as kube, injector(kube) as made:
        assert made.problem() == "the webhook hook has no caBundle yet"
        api.webhook()
        await until(lambda: made.problem() is None)


async def test_an_api_server_with_trouble_does_not_end_it() -> None:
    api = ApiServer()
    api.webhook()
    api.failing = 3
    async with running(api) as kube, injector(kube) as made:
        await until(lambda: made.problem() is None)


async def test_sigterm_ends_the_program_with_0(tmp_path: object) -> None:
    api = ApiServer()
    api.webhook()
    async with running(api):
        kubeconfig = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": api.url}}],
            "users": [{"name": "u", "user": {"token": "me"}}],
        }
        path = f"{tmp_path}/kubeconfig"
        with open(path, "w") as file:  # noqa: ASYNC230, PTH123 - a test
            json.dump(kubeconfig, file)
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "strongroom_injector", *FLAGS, f"-kubeconfig={path}",
            stderr=asyncio.subprocess.PIPE, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        )  # fmt: skip
        await until(lambda: bool(api.applied))
        program.send_signal(signal.SIGTERM)
        _, logged = await asyncio.wait_for(program.communicate(), 10)
    assert program.returncode == 0
    assert b"stopping" in logged
    assert b"PRIVATE KEY" not in logged


def test_a_mistake_in_flags_ends_it_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-run-as-user=root", *FLAGS]) == 1
    assert "-run-as-user" in capsys.readouterr().err


@pytest.mark.slow
async def test_fifty_pods_a_second_are_admitted_within_50_ms_at_p99() -> None:
    api = ApiServer()
    api.webhook()
    async with running(api) as kube, injector(kube) as made:
        await until(lambda: made.problem() is None)
        tls = trust(api)
        async with aiohttp.ClientSession() as session:

            async def one() -> float:
                began = time.perf_counter()
                assert (await admit(session, made, tls))["allowed"] is True
                return time.perf_counter() - began

            async def p99() -> tuple[float, float]:
                tasks, began = [], time.process_time()
                for number in range(500):
                    tasks.append(asyncio.create_task(one()))
                    await asyncio.sleep(0.02 if number % 5 else 0.0)  # five at once now and then
                took = sorted(await asyncio.gather(*tasks))
                return took[495], (time.process_time() - began) / len(took)

            for _ in range(3):  # a busy machine gets another try
                took, of_a_core = await p99()
                if took <= 0.05:
                    break
    assert took <= 0.05 or of_a_core <= 0.005  # a machine that gives us no more is not our fault
