"""The loop of a SecretPolicy, on a real server: written, repaired, refused, taken back."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from strongroom_operator import bootstrap, schema
from strongroom_operator.errors import Retry
from strongroom_operator.policies import Case
from strongroom_operator.secretpolicies import Held, SecretPolicies
from strongroom_operator.spec import SecretPolicySpec
from strongroom_operator.tick import Outcome
from strongroom_operator.vault import Server, find
from tests.strongroom_operator.world import World, world

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(
    params=["strongroom", pytest.param("openbao", marks=pytest.mark.peer)], scope="module", loop_scope="module"
)
async def ready_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(request.param, tmp_path_factory.mktemp("server")) as made, made.serving():
        await made.ticks_until("Available")
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def stage(ready_world: World) -> AsyncIterator[World]:
    """One server for all, without what the test before left."""
    server = ready_world.server
    yield ready_world
    ready_world.server = server
    client = await ready_world.clusters.session(ready_world.cluster)
    for path in ("auth/kubernetes/role/app", "auth/kubernetes/role/other", "sys/policies/acl/team.app"):
        await bootstrap.remove(client, path)


def case(stage: World, **spec: Any) -> Case:
    given = {"serviceAccounts": {"names": ["app"]}, "secrets": [{"path": "secret/app"}], **spec}
    return Case("team", "app", schema.read(SecretPolicySpec, given), stage.cluster, uid="p1", generation=1)


def held(stage: World, role: str = "app") -> Held:
    return Held(stage.cluster, "team.app", role)


async def as_root(stage: World) -> Server:
    assert stage.server
    root = await bootstrap.generate_root(stage.server, await stage.stored_keys())
    stage.server.token = root.reveal()
    return stage.server


def ready(outcome: Outcome | None) -> tuple[str, str]:
    assert outcome is not None
    return outcome.conditions[0].status, outcome.conditions[0].reason


async def test_written_left_alone_repaired_and_taken_back(stage: World) -> None:
    loop, mine = SecretPolicies(stage.clusters, stage.clock), case(stage)
    outcome = await loop.tick(mine, Held())
    assert ready(outcome) == ("True", "Applied")
    assert outcome is not None
    assert outcome.status == {"observedGeneration": 1, "cluster": "team/vault", "policy": "team.app", "role": "app"}
    server = await stage.clusters.session(stage.cluster)
    assert (await find(server, "auth/kubernetes/role/app"))["token_policies"] == ["team.app"]

    stage.clock.time += 5
    assert await loop.tick(mine, held(stage)) is None, "not every tick asks the server"
    await bootstrap.remove(server, "auth/kubernetes/role/app")
    await server.call("write", "sys/policies/acl/team.app", {"policy": 'path "*" { capabilities = ["sudo"] }'})
    stage.clock.time += 20
    outcome = await loop.tick(mine, held(stage))
    assert outcome is not None
    assert [event.reason for event in outcome.events] == ["Repaired"]
    assert await find(server, "auth/kubernetes/role/app")

    await loop.forget("p1", held(stage))
    assert await find(server, "auth/kubernetes/role/app") is None
    assert await find(server, "sys/policies/acl/team.app") is None


async def test_a_changed_spec_is_applied_at_once_and_an_old_role_goes(stage: World) -> None:
    loop = SecretPolicies(stage.clusters, stage.clock)
    await loop.tick(case(stage), Held())
    renamed = replace(case(stage, role="other"), generation=2)
    assert ready(await loop.tick(renamed, held(stage))) == ("True", "Applied")
    server = await stage.clusters.session(stage.cluster)
    assert await find(server, "auth/kubernetes/role/app") is None
    assert await find(server, "auth/kubernetes/role/other")


async def test_a_role_that_somebody_made_by_hand_is_neither_taken_nor_deleted(stage: World) -> None:
    server = await stage.clusters.session(stage.cluster)
    body = {"bound_service_account_names": "x", "bound_service_account_namespaces": "x", "token_policies": "mine"}
    await server.call("write", "auth/kubernetes/role/app", body)
    loop = SecretPolicies(stage.clusters, stage.clock)
    assert ready(await loop.tick(case(stage), Held())) == ("False", "RoleNameTaken")
    await loop.forget("p1", held(stage))
    server = await stage.clusters.session(stage.cluster)
    assert (await find(server, "auth/kubernetes/role/app"))["token_policies"] == ["mine"]


async def test_an_older_policy_that_takes_over_a_role_gets_it(stage: World) -> None:
    loop, mine = SecretPolicies(stage.clusters, stage.clock), case(stage)
    await loop.tick(mine, Held())
    older = replace(mine, name="older", uid="p0", spec=replace(mine.spec, role="app"))
    assert ready(await loop.tick(older, Held())) == ("False", "RoleNameTaken"), "the younger one still has it"
    assert ready(await loop.tick(replace(mine, rival="team/older"), held(stage))) == ("False", "RoleNameTaken")
    stage.clock.time += 21
    assert ready(await loop.tick(older, Held())) == ("True", "Applied")


async def test_the_operators_own_role_cannot_be_asked_for(stage: World) -> None:
    loop = SecretPolicies(stage.clusters, stage.clock)
    assert ready(await loop.tick(case(stage, role=bootstrap.ROLE), Held())) == ("False", "RoleNameTaken")


async def test_what_the_server_refuses_is_told_in_its_words(stage: World) -> None:
    everyone = {"names": ["app"], "namespaces": ["x"]}
    bad = case(stage, serviceAccounts=everyone, token={"boundCidrs": ["nonsense"]})
    outcome = await SecretPolicies(stage.clusters, stage.clock).tick(bad, Held())
    assert ready(outcome) == ("False", "Refused")


async def test_a_namespace_that_is_no_longer_allowed_loses_what_it_had(stage: World) -> None:
    loop, mine = SecretPolicies(stage.clusters, stage.clock), case(stage)
    await loop.tick(mine, Held())
    spec = replace(stage.cluster.spec, policy_namespaces=("other",))  # type: ignore[arg-type]  # a plain tuple
    narrowed = replace(stage.cluster, spec=spec)
    outcome = await loop.tick(replace(mine, cluster=narrowed, generation=2), replace(held(stage), cluster=narrowed))
    assert ready(outcome) == ("False", "NamespaceNotAllowed")
    assert outcome is not None
    assert outcome.status["role"] == ""
    server = await stage.clusters.session(stage.cluster)
    assert await find(server, "auth/kubernetes/role/app") is None


async def test_a_token_that_was_revoked_is_replaced(stage: World) -> None:
    loop, mine = SecretPolicies(stage.clusters, stage.clock), case(stage)
    await loop.tick(mine, Held())
    server = await as_root(stage)
    await server.call("write", "sys/leases/revoke-prefix/auth/kubernetes/login")
    stage.clock.time += 25
    assert ready(await loop.tick(mine, held(stage))) == ("False", "ClusterNotReady")
    stage.clock.time += 5
    assert ready(await loop.tick(mine, held(stage))) == ("True", "Applied")


async def test_deletion_waits_for_a_server_that_is_down_but_not_for_one_that_is_gone(stage: World) -> None:
    loop = SecretPolicies(stage.clusters, stage.clock)
    await loop.tick(case(stage), Held())
    stage.server = None
    with pytest.raises(Retry, match="has no active server"):
        await loop.forget("p1", held(stage))
    await loop.forget("p1", Held(None, "team.app", "app"))
