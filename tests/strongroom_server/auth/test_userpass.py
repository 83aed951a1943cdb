from typing import Any

import bcrypt
import pytest

from strongroom_server.auth.userpass import Engine
from strongroom_server.sdk.errors import InvalidRequest, NotFound, PermissionDenied, UnsupportedPath
from strongroom_server.sdk.request import Auth
from tests.strongroom_server.fakes import Mounted, client

HASH = bcrypt.hashpw(b"hashed", bcrypt.gensalt(4)).decode()


@pytest.fixture
async def userpass(monkeypatch: pytest.MonkeyPatch) -> Mounted:
    monkeypatch.setattr("strongroom_server.auth.userpass.ROUNDS", 4)  # the least bcrypt takes: tests are quick
    return await Mounted(Engine).start()


async def login(userpass: Mounted, name: str, password: str, address: str = "127.0.0.1") -> Auth:
    response = await userpass.ask("update", f"login/{name}", {"password": password}, connection=client(address))
    assert response.auth is not None
    return response.auth


async def test_names_are_one_whatever_their_case(userpass: Mounted) -> None:
    await userpass("update", "users/MixedCase", password="pw", policies="A, b ,a", token_ttl="1h")
    assert await userpass.keys("users") == ["mixedcase"]
    auth = await login(userpass, "MIXEDCASE", "pw")
    assert (auth.policies, auth.ttl, auth.metadata) == (("a", "b"), 3600, {"username": "mixedcase"})
    assert auth.alias is not None
    assert (auth.alias.name, auth.display_name) == ("mixedcase", "mixedcase")
    await userpass("delete", "users/mixedCASE")
    with pytest.raises(NotFound):
        await userpass.keys("users")


async def test_unknown_user_and_wrong_password_sound_the_same(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="pw")
    for name, password in (("alice", "PW"), ("ghost", "pw"), ("alice", "x" * 100)):
        with pytest.raises(InvalidRequest, match=r"^invalid username or password$"):
            await login(userpass, name, password)
    with pytest.raises(InvalidRequest, match="missing password"):
        await login(userpass, "alice", "")


@pytest.mark.parametrize("name", ["u@dom", "-lead", "a/b", "trail-"])
async def test_odd_names_are_no_paths(userpass: Mounted, name: str) -> None:
    with pytest.raises(UnsupportedPath):
        await userpass("update", f"users/{name}", password="pw")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "must provide either password or password_hash", id="no_password"),
        pytest.param({"password": ""}, "must provide either password or password_hash", id="an_empty_one"),
        pytest.param({"password": "x", "password_hash": HASH}, "only one of password", id="both"),
        pytest.param({"password_hash": "junk"}, "not a valid bcrypt hash", id="a_hash_that_is_none"),
        pytest.param({"password": "ü" * 37}, "too long", id="more_than_bcrypt_looks_at"),
        pytest.param({"password": ["x"]}, "password", id="a_list"),
    ],
)
async def test_bad_passwords_are_refused_and_change_nothing(
    userpass: Mounted, body: dict[str, Any], message: str
) -> None:
    await userpass("update", "users/old", password="pw")
    for path in ("users/new", "users/old/password"):
        with pytest.raises(InvalidRequest, match=message):
            await userpass.ask("update", path, body)
    assert await userpass.keys("users") == ["old"]
    await login(userpass, "old", "pw")


async def test_password_can_be_changed_or_given_as_a_hash(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="pw", token_ttl="1h")
    await userpass("update", "users/alice/password", password="new")
    await login(userpass, "alice", "new")
    await userpass("update", "users/alice", password_hash=HASH)
    assert (await login(userpass, "alice", "hashed")).ttl == 3600
    with pytest.raises(InvalidRequest):
        await login(userpass, "alice", "new")


async def test_no_password_is_ever_shown_or_stored_in_the_clear(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="topsecret")
    assert "password" not in str(await userpass.data("users/alice"))
    raw = await userpass.store.get("user/alice")
    assert raw is not None
    assert b"topsecret" not in raw


async def test_policies_have_a_path_of_their_own(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="pw", token_policies=["a"])
    await userpass("update", "users/alice/policies", policies="y,X")
    assert (await userpass.data("users/alice"))["token_policies"] == ("x", "y")
    await userpass("update", "users/alice/policies")
    assert (await userpass.data("users/alice"))["policies"] == ("x", "y")
    await userpass("update", "users/alice/policies", policies="")
    assert "policies" not in await userpass.data("users/alice")
    for path in ("policies", "password"):
        with pytest.raises(InvalidRequest, match="username does not exist"):
            await userpass("update", f"users/none/{path}", password="x", policies="x")


async def test_networks_bind_the_login(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="pw", token_bound_cidrs="10.0.0.0/8, 127.0.0.1/32")
    assert (await login(userpass, "alice", "pw")).bound_cidrs == ("10.0.0.0/8", "127.0.0.1")
    for address in ("11.0.0.1", ""):
        with pytest.raises(PermissionDenied):
            await login(userpass, "alice", "pw", address)
    with pytest.raises(InvalidRequest):
        await login(userpass, "alice", "wrong", "11.0.0.1")


async def test_renewal_asks_the_user_again(userpass: Mounted) -> None:
    await userpass("update", "users/alice", password="pw", policies="a", token_ttl="1h")
    auth = await login(userpass, "alice", "pw")
    auth.policies = ("a", "default")
    await userpass("update", "users/alice", token_ttl="2h")
    request: Any = None
    assert (await userpass.engine.renew_login(auth, request)).ttl == 7200
    await userpass("update", "users/alice", policies="b")
    with pytest.raises(InvalidRequest, match="policies have changed"):
        await userpass.engine.renew_login(auth, request)
    await userpass("delete", "users/alice")
    with pytest.raises(InvalidRequest, match="does not exist"):
        await userpass.engine.renew_login(auth, request)


async def test_only_the_login_is_public(userpass: Mounted) -> None:
    public = [path.template for path in Engine.paths if any(route.public for route in path.routes.values())]
    assert public == ["login/{username}"]
