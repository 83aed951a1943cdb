"""A real cluster for the tests below: KUBECONFIG's, kind's, or the local one, ended again by whoever started it."""

from collections.abc import Iterator

import pytest

from tools import demo, install
from tools import images as project_images
from tools.cluster import local
from tools.cluster.objects import Namespace
from tools.cluster.target import PROJECT, NoCluster, Target, provide


@pytest.fixture(scope="session")
def cluster() -> Iterator[Target]:
    """A running cluster."""
    was_up = local.is_up()
    try:
        target = provide()
    except NoCluster as reason:
        pytest.skip(f"no Kubernetes cluster: {reason}")
    yield target
    if target.name == "local" and not was_up:
        local.down()


@pytest.fixture(scope="session")
def images(cluster: Target) -> dict[str, str]:
    """Names of the project's images, by component; the cluster's pods can use them."""
    return project_images.build(cluster)


@pytest.fixture
def namespace(cluster: Target, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """An empty namespace, deleted after the test."""
    name = f"test-{abs(hash(request.node.nodeid)) % 10**8}"
    cluster.kubectl("create", "namespace", name)
    yield Namespace(name, cluster)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def strongroom(cluster: Target, images: dict[str, str]) -> Namespace:
    """The chart, installed with two replicas of the injector."""
    return install.install(cluster, images, "injector.replicas=2")


@pytest.fixture(scope="session")
def quickstart(strongroom: Namespace) -> Namespace:
    """The quickstart example, with its server ready."""
    cluster = strongroom.cluster
    cluster.kubectl("apply", "-f", str(PROJECT / "examples" / demo.QUICKSTART))
    namespace = Namespace(demo.QUICKSTART, cluster)
    demo.wait_for_server(namespace)
    return namespace
