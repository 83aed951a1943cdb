"""The whole life of a server under the operator's hands: ours, and OpenBao."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from strongroom_client import PermissionDenied
from strongroom_common.fields import Object
from strongroom_operator import bootstrap, keys, tls
from strongroom_operator.bootstrap import Wanted
from strongroom_operator.errors import GiveUp
from strongroom_operator.resources import Cluster
from strongroom_operator.spec import KubernetesAuth, Seal, VaultClusterSpec
from strongroom_operator.vault import HttpServer, find, health
from tests.strongroom_operator.servers import free_port, running, service_account_token, token_reviews, until_active

OPERATOR = service_account_token("strongroom", "operator")
CA = tls.issue_ca("test", time.time()).certificate.decode()
OUTSIDE = KubernetesAuth(config=Object({"disable_local_ca_jwt": True, "kubernetes_ca_cert": CA}))  # no pod: no CA there
CLUSTER = Cluster("vault", "main", "uid", VaultClusterSpec())


# Every test on OpenBao; on our own server the loop's tests (test_clusters.py) go the same ways.
on_both = pytest.mark.parametrize(
    "kind", ["strongroom", pytest.param("openbao", marks=[pytest.mark.peer, pytest.mark.slow])]
)
on_openbao = pytest.mark.parametrize("kind", [pytest.param("openbao", marks=[pytest.mark.peer, pytest.mark.slow])])


@pytest.fixture
async def api_server() -> AsyncIterator[str]:
    async with token_reviews({OPERATOR: "strongroom:operator"}) as address:
        yield address


@pytest.fixture
def wanted(api_server: str) -> Wanted:
    return Wanted(VaultClusterSpec(kubernetes_auth=OUTSIDE), api_server, "operator", "strongroom")


async def started(server: HttpServer, wanted: Wanted) -> keys.Keys:
    made = await bootstrap.initialise(server, wanted.spec.seal)
    await bootstrap.unseal(server, made)
    await until_active(server)
    server.token = made.root_token.reveal()
    await bootstrap.set_up(server, wanted)
    return made


@on_both
async def test_from_an_empty_server_to_the_operators_own_role(kind: str, tmp_path: Path, wanted: Wanted) -> None:
    async with running(kind, tmp_path, free_port()) as server:
        made = await started(server, wanted)
        assert (len(made.shares), made.kind) == (5, "unseal")
        await bootstrap.revoke(server)

        assert not await bootstrap.is_valid(server, made.root_token), "the root token is gone"
        assert await bootstrap.log_in(server, wanted, OPERATOR)
        assert await bootstrap.set_up(server, wanted) == [], "what is as wanted is left alone"
        assert "file/" in await find(server, "sys/audit")
        assert (await find(server, "sys/mounts"))["secret/"]["options"] == {"version": "2"}
        with pytest.raises(PermissionDenied):
            await server.call("read", "secret/data/app")


@on_openbao
async def test_drift_is_repaired_with_the_operators_own_role(kind: str, tmp_path: Path, wanted: Wanted) -> None:
    async with running(kind, tmp_path, free_port()) as server:
        await started(server, wanted)
        for path in ("sys/mounts/secret", "sys/audit/file"):
            await server.call("delete", path)
        await server.call("write", f"auth/kubernetes/role/{bootstrap.ROLE}", {"token_ttl": 5})
        assert await bootstrap.log_in(server, wanted, OPERATOR)
        assert await bootstrap.set_up(server, wanted) == [
            "enabled audit device file",
            "repaired auth/kubernetes/role/strongroom-operator",
            "enabled secrets engine secret",
        ]


@on_openbao
async def test_a_root_token_is_made_from_the_keys_when_the_role_is_lost(
    kind: str, tmp_path: Path, wanted: Wanted
) -> None:
    async with running(kind, tmp_path, free_port()) as server:
        made = await started(server, wanted)
        await server.call("delete", "sys/auth/kubernetes")
        await bootstrap.revoke(server)
        assert not await bootstrap.log_in(server, wanted, OPERATOR)
        root = await bootstrap.generate_root(server, made)
        assert await bootstrap.is_valid(server, root)
        assert await bootstrap.set_up(server, wanted)
        assert await bootstrap.log_in(server, wanted, OPERATOR)


@on_openbao
async def test_a_restarted_server_is_unsealed_with_the_keys_of_the_secret(
    kind: str, tmp_path: Path, wanted: Wanted
) -> None:
    port = free_port()
    async with running(kind, tmp_path, port) as server:
        made = await started(server, wanted)
    kept = keys.from_secret(keys.to_secret(CLUSTER, made.without_root_token()))
    assert kept == made.without_root_token()
    async with running(kind, tmp_path, port) as server:
        assert (await health(server)).sealed
        await bootstrap.unseal(server, kept)
        assert not (await health(server)).sealed


@on_openbao
async def test_keys_of_other_data_are_refused_in_words(kind: str, tmp_path: Path, wanted: Wanted) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with running(kind, tmp_path / "one", free_port()) as one, running(kind, tmp_path / "two", free_port()) as two:
        others = await bootstrap.initialise(one, Seal())
        await bootstrap.initialise(two, Seal())
        with pytest.raises(GiveUp, match="WrongKeys"):
            await bootstrap.unseal(two, others)


@on_openbao
async def test_a_strange_service_account_is_not_let_in(kind: str, tmp_path: Path, wanted: Wanted) -> None:
    async with running(kind, tmp_path, free_port()) as server:
        await started(server, wanted)
        assert not await bootstrap.log_in(server, wanted, service_account_token("app", "app"))


@on_openbao
async def test_a_mount_of_another_type_is_left_alone(kind: str, tmp_path: Path, wanted: Wanted) -> None:
    async with running(kind, tmp_path, free_port()) as server:
        made = await bootstrap.initialise(server, wanted.spec.seal)
        await bootstrap.unseal(server, made)
        await until_active(server)
        server.token = made.root_token.reveal()
        await server.call("write", "sys/auth/kubernetes", {"type": "userpass"})
        with pytest.raises(GiveUp, match="auth/kubernetes is of type userpass, not kubernetes"):
            await bootstrap.set_up(server, wanted)
