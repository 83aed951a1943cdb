import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.clock import FakeClock
from strongroom_injector.certificates import renewed
from strongroom_injector.errors import ConfigError, KubeError
from strongroom_injector.kube import Access, Kube, from_kubeconfig, in_cluster
from tests.strongroom_injector.apiserver import ApiServer, running
from tests.waiting import until


@pytest.mark.parametrize(
    ("minor", "version"), [pytest.param("33", (1, 33), id="plain"), pytest.param("28+", (1, 28), id="of_a_vendor")]
)
async def test_version(api: ApiServer, kube: Kube, minor: str, version: tuple[int, int]) -> None:
    api.minor = minor
    assert await kube.version() == version


async def test_what_is_not_there_is_none(kube: Kube) -> None:
    assert await kube.secret("a", "b") is None
    assert await kube.config_map("a", "b") is None
    assert await kube.webhook("a") is None


async def test_a_refusal_says_what_and_why(api: ApiServer, kube: Kube) -> None:
    api.failing = 1
    with pytest.raises(KubeError, match=r"GET /version: 500 etcd is slow") as refused:
        await kube.version()
    assert refused.value.status == 500


async def test_a_server_that_is_gone_is_a_kube_error(api: ApiServer) -> None:
    async with running(api) as client:
        client._access = Access("http://127.0.0.1:1", token="me")
        with pytest.raises(KubeError, match="GET /version: ") as gone:
            await client.version()
    assert gone.value.status == 0


async def test_pods_come_in_pages_and_then_as_they_change(api: ApiServer, kube: Kube) -> None:
    for name in "abcde":
        api.tell("ADDED", {"name": name})
    found, version = await kube.pods("")
    assert [meta["name"] for meta in found] == list("abcde")
    seen: list[tuple[str, Any]] = []

    async def follow() -> None:
        async for event, meta in kube.watch_pods("", version):
            seen.append((event, meta["name"]))

    task = asyncio.create_task(follow())
    await until(lambda: api.watchers == 1)
    api.tell("ADDED", {"name": "f", "annotations": {"long": "x" * 100_000}})
    api.tell("DELETED", {"name": "a"})
    api.tell("ERROR", {"name": ""})
    with pytest.raises(KubeError) as ended:
        await task
    assert ended.value.status == 410
    assert seen == [("ADDED", "f"), ("DELETED", "a")]


def test_in_cluster(tmp_path: Path) -> None:
    ca = renewed(None, ("h",), FakeClock().now()).ca_crt
    for name, text in {"token": "t1\n", "namespace": "strongroom", "ca.crt": ca}.items():
        (tmp_path / name).write_text(text)
    access = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, tmp_path)
    assert (access.url, access.namespace) == ("https://[fd00::1]:443", "strongroom")
    assert access.headers() == {"Authorization": "Bearer t1"}
    (tmp_path / "token").write_text("t2")  # the kubelet renews it
    assert access.headers() == {"Authorization": "Bearer t2"}
    assert "t2" not in repr(access)


def test_outside_of_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="-kubeconfig"):
        in_cluster({}, tmp_path)


def test_kubeconfig(tmp_path: Path) -> None:
    made = renewed(None, ("h",), FakeClock().now())
    encoded = {k: base64.b64encode(v.encode()).decode() for k, v in {
        "ca": made.ca_crt, "crt": made.tls_crt, "key": made.tls_key.reveal()}.items()}  # fmt: skip
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://k:6443", "certificate-authority-data": encoded["ca"]}}
        ],
        "users": [
            {"name": "u", "user": {"client-certificate-data": encoded["crt"], "client-key-data": encoded["key"]}}
        ],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    access = from_kubeconfig(path)
    assert (access.url, access.namespace) == ("https://k:6443", "n")


@pytest.mark.parametrize("text", ["", "{}", "- a", "a: [", '{"current-context": "x", "contexts": []}'])
def test_a_kubeconfig_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no kubeconfig"):
        from_kubeconfig(path)
