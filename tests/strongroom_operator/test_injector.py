"""What the injector is told, and by which VaultCluster."""

import base64
from dataclasses import replace

from strongroom_common.clock import FakeClock
from strongroom_common.fields import Pairs
from strongroom_injector import config as injector_config
from strongroom_operator import schema
from strongroom_operator.injector import Injector, Place, chosen, defaults
from strongroom_operator.kube import CONFIG_MAP, SECRET
from strongroom_operator.resources import Cluster
from strongroom_operator.spec import Injector as Settings
from strongroom_operator.spec import VaultClusterSpec
from tests.strongroom_operator.memory import MemoryKube

PLACE = Place("strongroom", "defaults")
FIRST = Cluster("team", "vault", "1", VaultClusterSpec(injector=Settings(settings=Pairs({"memory-limit": "64Mi"}))))
SECOND = Cluster("other", "vault", "2", VaultClusterSpec())
QUIET = Cluster("quiet", "vault", "3", schema.read(VaultClusterSpec, {"injector": {"default": False}}))
PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


def ready(cluster: Cluster) -> MemoryKube:
    kube = MemoryKube()
    data = {"ca.crt": base64.b64encode(PEM.encode()).decode()}
    kube.objects[SECRET.path(cluster.namespace, "vault-ca")] = {"metadata": {"name": "vault-ca"}, "data": data}
    return kube


def test_the_oldest_that_offers_itself_is_chosen() -> None:
    assert chosen([QUIET, SECOND, FIRST]) == SECOND
    assert chosen([QUIET]) is None


def test_the_injector_understands_every_entry() -> None:
    told = defaults(PLACE, FIRST, PEM)["data"]
    read, problems = injector_config.overlay(injector_config.Defaults(), told)
    assert problems == []
    assert read.ca_pem == PEM
    assert told["vault-address"] == "https://vault.team.svc:8200"
    assert told["memory-limit"] == "64Mi"


async def test_only_the_chosen_one_is_told_and_only_once() -> None:
    kube, clock = ready(FIRST), FakeClock()
    injector = Injector(kube, PLACE, clock)
    assert await injector.offer(SECOND, [FIRST, SECOND]) == []
    events = await injector.offer(FIRST, [FIRST, SECOND])
    assert [event.reason for event in events] == ["InjectorDefault"]
    assert await injector.offer(FIRST, [FIRST, SECOND]) == []
    assert len(kube.applied) == 1
    clock.time += 31
    assert await injector.offer(FIRST, [FIRST, SECOND]) == [], "repaired without a word"
    assert len(kube.applied) == 2


async def test_nothing_is_told_before_there_is_a_ca() -> None:
    kube = MemoryKube()
    assert await Injector(kube, PLACE, FakeClock()).offer(FIRST, [FIRST]) == []
    assert kube.applied == []


async def test_a_deleted_cluster_is_forgotten_but_not_anothers_words() -> None:
    kube = ready(FIRST)
    injector = Injector(kube, PLACE, FakeClock())
    await injector.offer(FIRST, [FIRST])
    await injector.withdraw("other", "vault")
    assert await kube.get(CONFIG_MAP, "strongroom", "defaults")
    await injector.withdraw("team", "vault")
    assert await kube.get(CONFIG_MAP, "strongroom", "defaults") is None


async def test_without_an_injector_nothing_happens() -> None:
    kube = ready(FIRST)
    injector = Injector(kube, replace(PLACE, name=""), FakeClock())
    assert await injector.offer(FIRST, [FIRST]) == []
    await injector.withdraw("team", "vault")
    assert kube.applied == []
