import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from strongroom_common.clock import FakeClock
from strongroom_injector.certificates import renewed
from strongroom_injector.errors import KubeError
from strongroom_injector.kube import Kube
from strongroom_injector.metrics import Metrics
from strongroom_injector.serving import GivenCertificates, OwnCertificates, SecretAndWebhook, files, server_context
from tests.strongroom_injector.apiserver import WEBHOOKS, ApiServer, running

DAY = 86400.0
SECRET = "/api/v1/namespaces/strongroom/secrets/certs"
HOSTS = ("injector.strongroom.svc",)


@pytest.fixture
def api() -> ApiServer:
    server = ApiServer()
    server.webhook(count=2)
    return server


@pytest_asyncio.fixture
async def kube(api: ApiServer) -> AsyncIterator[Kube]:
    async with running(api) as client:
        yield client


def replica(kube: Kube, clock: FakeClock) -> OwnCertificates:
    names = SecretAndWebhook("strongroom", "certs", "hook", HOSTS)
    return OwnCertificates(kube, clock, Metrics(), server_context("tls12"), names)


def bundles(api: ApiServer) -> list[str]:
    webhooks = api.objects[f"{WEBHOOKS}/hook"]["webhooks"]
    return [base64.b64decode(each["clientConfig"]["caBundle"]).decode() for each in webhooks]


def stored(api: ApiServer, key: str) -> str:
    return base64.b64decode(api.objects[SECRET]["data"][key]).decode()


async def test_the_first_replica_makes_and_publishes(api: ApiServer, kube: Kube) -> None:
    one = replica(kube, FakeClock())
    assert one.problem() == "there is no certificate yet"
    await one.refresh()
    assert one.problem() is None
    assert one.loaded.is_set()
    assert bundles(api) == [stored(api, "ca.crt")] * 2


async def test_server_side_apply_owns_the_ca_bundle_and_nothing_else(api: ApiServer, kube: Kube) -> None:
    await replica(kube, FakeClock()).refresh()
    ((query, patch),) = api.applied
    assert query == {"fieldManager": "strongroom-injector-ca-bundle", "force": "true"}
    assert patch["metadata"] == {"name": "hook"}
    assert all(each.keys() == {"name", "clientConfig"} for each in patch["webhooks"])
    assert all(each["clientConfig"].keys() == {"caBundle"} for each in patch["webhooks"])


async def test_replicas_share_one_certificate_and_write_it_once(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    one, two = replica(kube, clock), replica(kube, clock)
    for each in (one, two, one, two):
        await each.refresh()
        assert each.problem() is None
    assert len(api.applied) == 1
    assert [method for method, path in api.requests if "secrets" in path and method != "GET"] == ["POST"]


async def test_the_slower_of_two_takes_what_the_faster_wrote(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    one, two = replica(kube, clock), replica(kube, clock)
    first_look = kube.secret

    async def late(namespace: str, name: str) -> object:
        kube.secret = first_look  # type: ignore[method-assign]
        found = await first_look(namespace, name)
        await one.refresh()  # in between
        return found

    kube.secret = late  # type: ignore[method-assign, assignment]
    await two.refresh()
    assert one.problem() is two.problem() is None
    assert bundles(api) == [stored(api, "ca.crt")] * 2


async def test_a_ca_bundle_that_was_wiped_is_set_again(api: ApiServer, kube: Kube) -> None:
    one = replica(kube, FakeClock())
    await one.refresh()
    api.objects[f"{WEBHOOKS}/hook"]["webhooks"][1]["clientConfig"].pop("caBundle")
    await one.refresh()
    assert bundles(api) == [stored(api, "ca.crt")] * 2
    assert one.problem() is None


async def test_a_certificate_that_is_not_trusted_is_not_ready(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    one = replica(kube, clock)
    await one.refresh()
    await clock.advance(31 * DAY)
    assert "valid until" in str(one.problem())
    await one.refresh()
    assert one.problem() is None


async def test_without_the_webhook_it_is_not_ready_and_makes_none(api: ApiServer, kube: Kube) -> None:
    api.objects.clear()
    one = replica(kube, FakeClock())
    with pytest.raises(KubeError, match="there is no MutatingWebhookConfiguration hook"):
        await one.refresh()
    assert one.problem() == "the webhook hook has no caBundle yet"
    assert f"{WEBHOOKS}/hook" not in api.objects


async def test_a_year_of_rotation_never_leaves_a_replica_untrusted(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    fast, slow = replica(kube, clock), replica(kube, clock)
    for _ in range(400):
        await fast.refresh()
        assert fast.problem() is None
        await slow.refresh()
        assert slow.problem() is None
        await clock.advance(DAY)


async def test_a_renewed_certificate_is_served_to_whoever_connects_next(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    one = replica(kube, clock)
    await one.refresh()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=one.context)
    port = server.sockets[0].getsockname()[1]
    served = []
    for _ in range(2):
        served.append(await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port)))
        assert served[-1].strip() == stored(api, "tls.crt").strip()
        await clock.advance(25 * DAY)
        await one.refresh()
    assert served[0] != served[1]
    server.close()
    await server.wait_closed()


async def test_what_others_wrote_on_the_secret_stays(api: ApiServer, kube: Kube) -> None:
    clock = FakeClock()
    one = replica(kube, clock)
    await one.refresh()
    api.objects[SECRET]["metadata"]["labels"] = {"team": "a"}
    await clock.advance(25 * DAY)
    await one.refresh()
    assert api.objects[SECRET]["metadata"]["labels"] == {"team": "a"}


def written(folder: Path, texts: tuple[str, ...]) -> list[str]:
    paths = [folder / name for name in ("tls.crt", "tls.key", "ca.crt")]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


@pytest.mark.parametrize(
    ("ca", "later", "problem"),
    [
        pytest.param("own", 0, None, id="trusted"),
        pytest.param("other", 0, "does not trust", id="of_another_ca"),
        pytest.param("none", 0, None, id="no_ca_to_check"),
        pytest.param("none", 31 * DAY, "has expired", id="expired"),
    ],
)
async def test_a_certificate_in_files(tmp_path: Path, ca: str, later: float, problem: str | None) -> None:
    clock = FakeClock()
    made, other = renewed(None, HOSTS, clock.now()), renewed(None, HOSTS, clock.now())
    texts = (made.tls_crt, made.tls_key.reveal(), {"own": made.ca_crt, "other": other.ca_crt, "none": ""}[ca])
    given = GivenCertificates(files(*written(tmp_path, texts)), clock, Metrics(), server_context("tls13"))
    assert given.problem() == "there is no certificate yet"
    await given.refresh()
    await clock.advance(later)
    assert given.problem() is None if problem is None else problem in str(given.problem())
    assert given.context.minimum_version == ssl.TLSVersion.TLSv1_3


async def test_files_that_are_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    given = GivenCertificates(files(missing, missing, ""), FakeClock(), Metrics(), server_context("tls12"))
    with pytest.raises(KubeError, match="-tls-cert-file"):
        await given.refresh()
