"""The loop of a VaultCluster, on a real server: what it makes, what it survives, what it never tells."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from strongroom_operator import bootstrap, keys
from strongroom_operator.kube import BINDING, CONFIG_MAP, POD, SECRET, STATEFUL_SET
from strongroom_operator.spec import Seal, Tls
from strongroom_operator.tick import Outcome
from strongroom_operator.vault import find, health
from tests.strongroom_operator.servers import service_account_token
from tests.strongroom_operator.world import World, world


@pytest.fixture(params=["strongroom", pytest.param("openbao", marks=[pytest.mark.peer, pytest.mark.slow])])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def status(outcome: Outcome, kind: str) -> tuple[str, str]:
    found = next(condition for condition in outcome.conditions if condition.type == kind)
    return found.status, found.reason


def told(outcome: Outcome) -> str:
    return json.dumps([outcome.status, [vars(e) for e in outcome.events], [vars(c) for c in outcome.conditions]])


async def test_from_a_spec_to_a_server_that_serves(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage:
        before = await stage.tick()
        assert status(before, "Available") == ("False", "NoAnswer")
        assert await stage.kube.get(STATEFUL_SET, "team", "vault")
        async with stage.serving() as server:
            seen: list[Outcome] = []
            while not seen or status(seen[-1], "Available")[0] != "True":
                seen.append(await stage.tick())
                assert len(seen) < 200
            kept = await stage.stored_keys()
            assert len(kept.shares) == 5
            assert not kept.root_token, "security: the root token is gone once bootstrap is done"
            assert seen[-1].status["bootstrapped"] is True
            assert seen[-1].status["activePod"] == "vault-0"
            pod = await stage.kube.get(POD, "team", "vault-0")
            assert pod is not None
            assert pod["metadata"]["labels"]["strongroom.dev/ha-state"] == "active"
            assert "secret/" in await find(await stage.clusters.session(stage.cluster), "sys/mounts")
            secrets = [share.reveal() for share in kept.shares] + [server.token]
            for outcome in seen:
                assert not any(secret in told(outcome) for secret in secrets), "security: nothing secret is told"


@pytest.mark.slow
async def test_a_restarted_server_is_unsealed_in_one_tick_even_by_an_operator_that_knows_nothing(
    kind: str, tmp_path: Path
) -> None:
    async with world(kind, tmp_path) as stage:
        async with stage.serving():
            await stage.ticks_until("Available")
        stage.operator()
        assert status(await stage.tick(), "Available") == ("False", "NoAnswer")
        async with stage.serving() as server:
            assert (await health(server)).sealed
            outcome = await stage.tick()
            assert status(outcome, "Unsealed") == ("True", "Unsealed")
            assert "Unsealed" in [event.reason for event in outcome.events]
            await stage.ticks_until("Available")


@pytest.mark.slow
async def test_a_static_seal_opens_by_itself_and_its_recovery_keys_are_kept(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path, seal=Seal(type="static")) as stage:
        await stage.tick()
        async with stage.serving():
            await stage.ticks_until("Available")
        kept = await stage.stored_keys()
        assert (kept.kind, len(kept.shares)) == ("recovery", 5)
        assert not kept.root_token
        async with stage.serving() as server:
            outcome = await stage.ticks_until("Available")
            assert status(outcome, "Degraded")[0] == "False"
            server.token = (await bootstrap.generate_root(server, kept)).reveal()
            await server.call("delete", "sys/auth/kubernetes")
            stage.operator()
            await stage.ticks_until("Available")


@pytest.mark.slow
async def test_the_operators_token_outlives_a_restart_of_the_server(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage:
        async with stage.serving():
            await stage.ticks_until("Available")
            token = (await stage.clusters.session(stage.cluster)).token
        async with stage.serving() as server:
            await stage.ticks_until("Available")
            server.token = token
            assert await find(server, "sys/mounts")


@pytest.mark.slow
async def test_a_refused_spec_changes_nothing_but_what_runs_is_looked_after(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage:
        async with stage.serving():
            await stage.ticks_until("Available")
        stage.cluster = replace(stage.cluster, spec=replace(stage.cluster.spec, replicas=3))
        stage.generation += 1
        stage.kube.applied.clear()
        async with stage.serving():
            outcome = await stage.ticks_until("Available")
        assert status(outcome, "Degraded") == ("True", "TooManyReplicas")
        assert not [path for path in stage.kube.applied if "statefulsets" in path]


@pytest.mark.slow
async def test_lost_keys_are_told_and_restored_keys_are_used(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage:
        async with stage.serving():
            await stage.ticks_until("Available")
        path = SECRET.path("team", "vault-unseal-keys")
        lost = stage.kube.objects.pop(path)
        async with stage.serving():
            outcome = await stage.tick()
            assert status(outcome, "Degraded") == ("True", "KeysMissing")
            assert status(outcome, "Available") == ("False", "Sealed")
            stage.kube.objects[path] = lost
            assert status(await stage.ticks_until("Available"), "Degraded")[0] == "False"


async def test_keys_of_other_data_are_never_overwritten(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage, stage.serving() as server:
        others = keys.from_init({"keys_base64": ["a", "b", "c"], "root_token": "r"}).without_root_token()
        await stage.kube.apply(keys.to_secret(stage.cluster, others))
        outcome = await stage.tick()
        assert status(outcome, "Degraded") == ("True", "KeysSecretInUse")
        assert await stage.stored_keys() == others
        assert not (await health(server)).initialized


async def test_no_server_is_initialised_before_the_secret_for_its_keys_can_be_written(
    kind: str, tmp_path: Path
) -> None:
    async with world(kind, tmp_path, tls=Tls(enabled=False)) as stage, stage.serving() as server:
        stage.kube.refused["secrets"] = 403
        outcome = await stage.tick()
        assert status(outcome, "Degraded") == ("True", "KubernetesRefused")
        assert not (await health(server)).initialized


@pytest.mark.slow
async def test_an_operator_that_lost_its_role_gets_it_back_and_leaves_no_root_token(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage, stage.serving() as server:
        await stage.ticks_until("Available")
        root = await bootstrap.generate_root(server, await stage.stored_keys())
        server.token = root.reveal()
        await server.call("delete", "sys/auth/kubernetes")
        await bootstrap.revoke(server)
        stage.operator()
        outcome = await stage.ticks_until("Available")
        assert "SetUp" in [event.reason for event in outcome.events]
        assert not (await stage.stored_keys()).root_token


@pytest.mark.slow
async def test_a_login_that_fails_for_ever_makes_no_more_than_one_root_token_in_half_a_minute(
    kind: str, tmp_path: Path
) -> None:
    async with world(kind, tmp_path) as stage, stage.serving() as server:
        await stage.ticks_until("Available")
        stage.token = service_account_token("other", "operator")
        stage.operator()
        first = [await stage.tick() for _ in range(3)]
        assert status(first[-1], "Available") == ("False", "CannotLogIn")
        assert [event.reason for outcome in first for event in outcome.events].count("SetUp") == 1
        assert server.token == ""


@pytest.mark.slow
async def test_a_root_token_that_a_dying_operator_left_is_revoked(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage, stage.serving() as server:
        await stage.ticks_until("Available")
        kept = await stage.stored_keys()
        root = await bootstrap.generate_root(server, kept)
        await stage.kube.apply(keys.to_secret(stage.cluster, replace(kept, root_token=root)))
        stage.operator()
        await stage.ticks_until("Available")
        assert not (await stage.stored_keys()).root_token
        assert not await bootstrap.is_valid(server, root)


@pytest.mark.slow
async def test_what_somebody_changed_is_set_up_again_within_half_a_minute(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path) as stage, stage.serving():
        await stage.ticks_until("Available")
        server = await stage.clusters.session(stage.cluster)
        await server.call("write", f"auth/kubernetes/role/{bootstrap.ROLE}", {"token_ttl": 5})
        assert (await stage.tick()).events == [], "not every tick reads everything"
        outcome = await stage.tick(30)
        assert [event.message for event in outcome.events] == [f"repaired auth/kubernetes/role/{bootstrap.ROLE}"]


async def test_a_deleted_cluster_leaves_nothing_outside_its_namespace(kind: str, tmp_path: Path) -> None:
    async with world(kind, tmp_path, tls=Tls(ca_namespaces=("app",))) as stage:  # type: ignore[arg-type]  # a plain tuple
        await stage.tick()
        assert await stage.kube.get(CONFIG_MAP, "app", "vault-ca")
        assert await stage.kube.get(BINDING, "", "strongroom:team:vault:token-review")
        await stage.clusters.forget(stage.cluster)
        assert await stage.kube.get(CONFIG_MAP, "app", "vault-ca") is None
        assert await stage.kube.get(BINDING, "", "strongroom:team:vault:token-review") is None


@pytest.mark.parametrize(
    ("code", "degraded", "reason"),
    [
        pytest.param(403, "True", "KubernetesRefused", id="forbidden_needs_somebody"),
        pytest.param(409, "False", "KubernetesBusy", id="a_race_passes"),
        pytest.param(503, "False", "KubernetesBusy", id="an_overload_passes"),
    ],
)
async def test_what_kubernetes_refuses(tmp_path: Path, code: int, degraded: str, reason: str) -> None:
    async with world("strongroom", tmp_path) as stage:
        stage.kube.refused["services"] = code
        outcome = await stage.tick()
        assert status(outcome, "Degraded")[0] == degraded
        assert reason in (status(outcome, "Degraded")[1], status(outcome, "Available")[1])


async def test_a_certificate_is_renewed_and_the_pods_get_it(tmp_path: Path) -> None:
    async with world("strongroom", tmp_path) as stage:
        await stage.tick()
        first = await serial(stage)
        await stage.tick(300 * 86400)
        assert await serial(stage) == first
        outcome = await stage.tick(10 * 86400)
        assert await serial(stage) != first
        assert "issued server certificate: ends at" in outcome.events[0].message


async def serial(stage: World) -> str:
    found = await stage.kube.get(STATEFUL_SET, "team", "vault")
    assert found is not None
    return str(found["spec"]["template"]["metadata"]["annotations"]["strongroom.dev/certificate"])
