import pytest

from strongroom_client import Settings, SettingsError, from_environ
from strongroom_client.settings import standard_proxy
from strongroom_common.tls import Tls


def test_without_an_environment_the_defaults_hold():
    assert from_environ({}) == Settings("https://127.0.0.1:8200", "", "", "", 60.0, 2, Tls(), "")


@pytest.mark.parametrize("prefix", ["STRONGROOM_", "VAULT_", "BAO_"])
def test_every_prefix_counts(prefix):
    names = {
        "ADDR": "http://h:1", "TOKEN": "t", "NAMESPACE": "/ns/", "WRAP_TTL": "5m", "CLIENT_TIMEOUT": "1m",
        "MAX_RETRIES": "0", "CACERT": "ca", "CAPATH": "dir", "CACERT_BYTES": "pem", "CLIENT_CERT": "c",
        "CLIENT_KEY": "k", "TLS_SERVER_NAME": "n", "SKIP_VERIFY": "true", "PROXY_ADDR": "http://p:3",
    }  # fmt: skip
    settings = from_environ({prefix + name: value for name, value in names.items()})
    tls = Tls("ca", "dir", "pem", "c", "k", "n", skip_verify=True)
    assert settings == Settings("http://h:1", "t", "ns", "5m", 60.0, 0, tls, "http://p:3")


def test_strongroom_comes_before_vault_before_bao():
    everything = {"STRONGROOM_TOKEN": "s", "VAULT_TOKEN": "v", "BAO_TOKEN": "b"}
    assert from_environ(everything).token == "s"
    assert from_environ({**everything, "STRONGROOM_TOKEN": ""}).token == "v"


def test_an_agent_comes_before_the_server():
    assert from_environ({"VAULT_ADDR": "http://a", "VAULT_AGENT_ADDR": "http://b"}).address == "http://b"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("VAULT_MAX_RETRIES", "many", "MAX_RETRIES: expected a whole number", id="retries_in_words"),
        pytest.param("VAULT_MAX_RETRIES", "1_0", "MAX_RETRIES: expected a whole number", id="retries_as_python_has_it"),
        pytest.param("VAULT_CLIENT_TIMEOUT", "soon", "CLIENT_TIMEOUT: expected a duration", id="no_duration"),
        pytest.param("VAULT_SKIP_VERIFY", "perhaps", "SKIP_VERIFY: expected true or false", id="no_truth_value"),
    ],
)
def test_a_bad_value_is_named(name, text, message):
    with pytest.raises(SettingsError, match=message):
        from_environ({name: text})


def test_fewer_tries_than_none_are_none():
    assert from_environ({"VAULT_MAX_RETRIES": "-1"}).retries == 0


def test_settings_do_not_show_the_token():
    assert "hvs.x" not in repr(from_environ({"VAULT_TOKEN": "hvs.x"}))


@pytest.mark.parametrize(
    ("environ", "address", "proxy"),
    [
        pytest.param({"HTTPS_PROXY": "http://p"}, "https://vault.example:8200", "http://p", id="https"),
        pytest.param({"http_proxy": "http://p"}, "http://vault.example", "http://p", id="lower_case"),
        pytest.param({"HTTP_PROXY": "http://p"}, "https://vault.example", "", id="the_other_scheme"),
        pytest.param({"HTTP_PROXY": "http://p"}, "http://127.0.0.1:8200", "", id="loopback_never"),
        pytest.param({"HTTP_PROXY": "http://p"}, "http://[::1]:8200", "", id="loopback_of_ipv6_never"),
        pytest.param({"HTTP_PROXY": "http://p"}, "unix:///run/x", "", id="a_unix_socket_never"),
        pytest.param(
            {"HTTP_PROXY": "p", "NO_PROXY": "a, .svc"}, "http://vault.vault.svc:8200", "", id="no_proxy_suffix"
        ),
        pytest.param({"HTTP_PROXY": "p", "NO_PROXY": "vault"}, "http://vault:8200", "", id="no_proxy_name"),
        pytest.param({"HTTP_PROXY": "p", "NO_PROXY": "svc"}, "http://xsvc", "p", id="no_proxy_wants_whole_labels"),
        pytest.param({"HTTP_PROXY": "p", "NO_PROXY": "10.0.0.0/8"}, "http://10.1.2.3:8200", "", id="no_proxy_network"),
        pytest.param({"HTTP_PROXY": "p", "NO_PROXY": "10.0.0.0/8"}, "http://vault", "p", id="no_proxy_other_network"),
        pytest.param({"HTTP_PROXY": "p", "NO_PROXY": "*"}, "http://vault", "", id="no_proxy_for_anything"),
    ],
)
def test_the_usual_proxy_variables_count(environ, address, proxy):
    assert standard_proxy(environ, address) == proxy
