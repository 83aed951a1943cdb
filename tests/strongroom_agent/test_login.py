"""The ways to log in, against a server that speaks the API."""

from collections.abc import Callable, Iterator

import pytest

from strongroom_agent.config import Method
from strongroom_agent.login import Login, LoginFailed, Token
from strongroom_client import Client, PermissionDenied, Settings


@pytest.fixture
def login_by(vault) -> Iterator[Callable[..., Login]]:
    with Client(Settings(vault.address, retries=0)) as client:
        yield lambda kind, config, mount="": Login(Method(kind, mount or f"auth/{kind}", config), client)


def test_kubernetes_reads_its_token_at_every_login(vault, login_by, tmp_path):
    jwt = tmp_path / "jwt"
    login = login_by("kubernetes", {"role": "app", "token_path": str(jwt)}, "auth/other")
    for text in ("one", "two\n"):
        jwt.write_text(text)
        assert login.log_in().renewable
    assert vault.logins == [{"role": "app", "jwt": "one"}, {"role": "app", "jwt": "two"}]
    assert vault.count("auth/other/login") == 2


def test_a_login_goes_to_the_methods_namespace(vault, tmp_path):
    (tmp_path / "jwt").write_text("one")
    config = {"role": "app", "token_path": str(tmp_path / "jwt")}
    with Client(Settings(vault.address, namespace="team/app", retries=0)) as client:
        Login(Method("kubernetes", "auth/kubernetes", config, namespace="team"), client).log_in()
        Login(Method("kubernetes", "auth/kubernetes", config), client).log_in()
        client.read("auth/token/lookup-self")
    assert vault.namespaces == ["team", "team/app", "team/app"]


def test_approle_removes_its_secret_id_and_remembers_it(vault, login_by, tmp_path):
    (tmp_path / "role").write_text("r\n")
    (tmp_path / "secret").write_text("s")
    paths = {"role_id_file_path": str(tmp_path / "role"), "secret_id_file_path": str(tmp_path / "secret")}
    login = login_by("approle", paths)
    login.log_in()
    assert not (tmp_path / "secret").exists()
    login.log_in()
    (tmp_path / "secret").write_text("new")
    login.log_in()
    assert [body["secret_id"] for body in vault.logins] == ["s", "s", "new"]


def test_approle_leaves_its_secret_id_when_told_so(vault, login_by, tmp_path):
    (tmp_path / "role").write_text("r")
    (tmp_path / "secret").write_text("s")
    paths = {"role_id_file_path": str(tmp_path / "role"), "secret_id_file_path": str(tmp_path / "secret")}
    login_by("approle", {**paths, "remove_secret_id_file_after_reading": "false"}).log_in()
    assert (tmp_path / "secret").exists()


def test_a_secret_id_that_cannot_be_removed_is_used_all_the_same(vault, login_by, tmp_path, caplog):
    (tmp_path / "role").write_text("r")
    fixed = "/proc/self/comm"  # may be read, never removed, as a Kubernetes Secret
    login_by("approle", {"role_id_file_path": str(tmp_path / "role"), "secret_id_file_path": fixed}).log_in()
    assert f"the secret ID stays in {fixed}" in caplog.text


@pytest.mark.parametrize(("config", "body"), [({}, {}), ({"name": "web", "role": "app"}, {"name": "web"})])
def test_a_certificate_is_the_connections_and_may_name_its_role(vault, login_by, config, body):
    login = login_by("cert", config)
    login.check()
    login.log_in()
    assert vault.logins == [body]


def test_a_second_factor_is_no_token(vault, login_by, tmp_path):
    (tmp_path / "role").write_text("r")
    vault.second_factor = True
    with pytest.raises(LoginFailed, match=r"second factor \(MFA\)"):
        login_by("approle", {"role_id_file_path": str(tmp_path / "role")}).log_in()


def test_a_token_file_gives_the_tokens_own_life(vault, login_by, tmp_path):
    (tmp_path / "token").write_text("root\n")
    login = login_by("token_file", {"token_file_path": str(tmp_path / "token")})
    token = login.log_in()
    assert token == Token("root", 3600, True)
    assert login.read_again(token) is False
    (tmp_path / "token").write_text("other")
    assert login.read_again(token) is True
    with pytest.raises(PermissionDenied):
        login.log_in()


@pytest.mark.parametrize(
    ("kind", "config", "message"),
    [
        pytest.param("kubernetes", {}, "'role' is required for kubernetes", id="no_role"),
        pytest.param("approle", {}, "'role_id_file_path' is required for approle", id="no_role_id"),
        pytest.param("ldap", {}, "unknown auth method 'ldap'", id="unknown_method"),
        pytest.param(
            "cert", {"client_cert": "c"}, "'client_cert' is not supported, .* vault block", id="own_certificate"
        ),
    ],
)
def test_missing_settings_are_named_at_once(login_by, kind, config, message):
    with pytest.raises(LoginFailed, match=message):
        login_by(kind, config).check()


def test_missing_files_are_named(vault, login_by, tmp_path):
    config = {"role": "r", "token_path": str(tmp_path / "none")}
    with pytest.raises(LoginFailed, match=f"service account token from {tmp_path}/none"):
        login_by("kubernetes", config).log_in()


def test_a_token_is_not_printed():
    assert "hvs" not in repr(Token("hvs.secret", 1, True))
