"""The agent file: what it may say, in HCL and JSON, and what is said of mistakes."""

import pytest

from strongroom_agent.config import Listener, Sink, read
from strongroom_agent.connection import settings_for
from strongroom_common.hcl import HclError

METHOD = 'auto_auth { method "token_file" { config = { token_file_path = "t" } } %s }\n'
PORT = 'listener "tcp" { address = "127.0.0.1:1" tls_disable = true }'
SINK = METHOD % 'sink "file" { config = { path = "s" } }'


def test_vaults_own_example():
    config = read("""
        pid_file = "./pidfile"
        vault { address = "https://vault:8200"
          retry { num_retries = 5 } }
        auto_auth {
          method "kubernetes" {
            mount_path = "auth/k8s/"
            config = { role = "foobar" }
          }
          sink "file" { wrap_ttl = "5m"  config = { path = "/tmp/a", mode = 0600 } }
          sink "file" { config = { path = "/tmp/b" } }
        }
        template {
          contents = <<EOT
{{ with secret "secret/data/x" }}{{ .Data.data.a }}{{ end }}
EOT
          destination = "/tmp/x"
          perms = "0600"
          command = "sh -c \\"echo \\\\\\"hi\\\\\\"\\""
        }
        template { source = "/t.ctmpl" destination = "/tmp/y" left_delimiter = "[["
                   exec { command = ["a", "b"] timeout = "5s" } }
    """)
    assert config.warnings == ()
    assert (config.pid_file, config.server.address, config.server.retries) == ("./pidfile", "https://vault:8200", 5)
    assert config.method is not None
    assert (config.method.kind, config.method.mount_path) == ("kubernetes", "auth/k8s")
    assert config.sinks == (Sink("/tmp/a", 0o600, 300), Sink("/tmp/b", 0o640, 0))
    first, second = config.templates
    assert first.contents == '{{ with secret "secret/data/x" }}{{ .Data.data.a }}{{ end }}\n'
    assert (first.perms, first.command) == (0o600, 'sh -c "echo \\"hi\\""')
    assert (second.delimiters, second.command, second.timeout) == (("[[", "}}"), ("a", "b"), 5)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param('"method": [{"type": "approle", "config": {"role_id_file_path": "r"}}]', id="list"),
        pytest.param('"method": {"type": "approle", "config": {"role_id_file_path": "r"}}', id="object"),
        pytest.param('"method": {"approle": {"config": {"role_id_file_path": "r"}}}', id="label"),
        pytest.param('"method": [{"type": "approle", "config": [{"role_id_file_path": "r"}]}]', id="config_list"),
    ],
)
@pytest.mark.parametrize(
    "sink",
    [
        pytest.param('"sinks": [{"sink": {"type": "file", "config": {"path": "p", "mode": 416}}}]', id="sinks"),
        pytest.param('"sink": [{"type": "file", "config": {"path": "p", "mode": "0640"}}]', id="list_of_sinks"),
        pytest.param('"sink": {"file": {"config": {"path": "p"}}}', id="sink_by_label"),
    ],
)
def test_json_forms(method, sink):
    config = read(f'{{"auto_auth": {{{method}, {sink}}}}}')
    assert config.method is not None
    assert (config.method.kind, config.method.mount_path) == ("approle", "auth/approle")
    assert config.method.config == {"role_id_file_path": "r"}
    assert config.sinks == (Sink("p", 0o640, 0),)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("auto_auth {\n}", 1, "one and only one 'method' block", id="no_method"),
        pytest.param("auto_auth {\n method {\n }\n}", 2, "a type is required", id="method_without_type"),
        pytest.param(METHOD % "", 1, "at least one sink, template or listener", id="login_for_nothing"),
        pytest.param(METHOD % 'sink "x" {}', 1, "unknown type 'x'; expected file", id="unknown_sink"),
        pytest.param(METHOD % 'sink "file" {}', 1, "'path' is required", id="sink_without_path"),
        pytest.param('\ntemplate { contents = "x" }', 2, "'destination' is required", id="no_destination"),
        pytest.param('template { destination = "x" }', 1, "exactly one of", id="neither_source_nor_contents"),
        pytest.param(
            'template { destination = "x"\n source = "y"\n contents = "z" }', 1, "exactly one of", id="both"
        ),
        pytest.param(SINK + 'exit_after_auth = "perhaps"', 2, "exit_after_auth: expected true", id="no_boolean"),
        pytest.param(
            SINK + 'template_config {\n static_secret_render_interval = "soon" }', 3,
            "template_config.static_secret_render_interval: expected a duration", id="no_duration",
        ),
        pytest.param(
            SINK + "template_config {\n lease_renewal_threshold = 1.5 }", 3, "more than 0, at most 1", id="threshold"
        ),
        pytest.param(
            SINK + 'template {\n destination = "d"\n contents = "c"\n perms = "0999" }', 5,
            "template.perms: expected a file mode", id="no_mode",
        ),
        pytest.param(SINK + 'listener "tcp" { address = "127.0.0.1:1" }', 2, "tls_cert_file", id="no_tls"),
        pytest.param(SINK + 'env_template "A" { contents = "x" }', 2, "not supported", id="supervising"),
        pytest.param(SINK + "cache { use_auto_auth_token = true }", 1, "needs a listener", id="proxy_nowhere"),
        pytest.param(SINK + "api_proxy { }", 2, "needs a listener", id="proxy_without_token_nowhere"),
        pytest.param(
            SINK + PORT + '\napi_proxy { use_auto_auth_token = "maybe" }', 3, "true, false or force", id="no_token_use"
        ),
        pytest.param(
            SINK + PORT + "\ncache { use_auto_auth_token = true }\napi_proxy { use_auto_auth_token = true }", 4,
            "expected in api_proxy only", id="token_use_said_twice",
        ),
        pytest.param(
            'auto_auth { method "jwt" { min_backoff = 9 max_backoff = 1 } sink "file" { config = { path = "p" } } }', 1,
            "min_backoff is more than max_backoff", id="back_off_upside_down",
        ),
        pytest.param(
            'auto_auth { method "jwt" { wrap_ttl = "5m" } }\ntemplate { destination = "d" contents = "c" }', 1,
            "exactly one sink", id="wrapped_for_nobody",
        ),
        pytest.param(
            'auto_auth { method "jwt" { wrap_ttl = 5 } sink "file" { wrap_ttl = 5 config = { path = "p" } } }', 1,
            "exactly one sink", id="wrapped_twice",
        ),
        pytest.param("", 1, "nothing to do", id="nothing"),
        pytest.param("vault = 5", 1, "should be a block", id="no_block"),
    ],
)  # fmt: skip
def test_mistakes_name_the_line(text, line, message):
    with pytest.raises(HclError) as caught:
        read(text)
    assert caught.value.line == line
    assert message in caught.value.message


def test_unknown_keys_are_warnings():
    config = read('vault { adress = "x" }\n' + SINK + "cahce { }\ntelemetry { disable_hostname = true }")
    assert config.warnings == ("unknown key 'cahce' (line 3)", "unknown key 'vault.adress' (line 1)")


def test_one_file_of_two_writers_is_a_warning():
    config = read(METHOD % 'sink "file" { config = { path = "s" } }' + 'template { contents = "x" destination = "s" }')
    assert len(config.warnings) == 1
    assert "'s'" in config.warnings[0]


def test_listeners_and_proxy():
    config = read(
        SINK
        + """
        cache { use_auto_auth_token = "force" }
        listener "tcp" { address = "127.0.0.1:8200" tls_disable = true require_request_header = true
                         agent_api { enable_quit = true } }
        listener "unix" { address = "/s" socket_mode = "0600" tls_disable = true }
    """
    )
    assert (config.cache, config.proxy_token) == (True, "force")
    assert config.listeners == (
        Listener("tcp", "127.0.0.1:8200", need_header=True, may_quit=True), Listener("unix", "/s", mode=0o600),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "environment", "address"),
    [
        pytest.param({}, {}, "http://file:1", id="the_file"),
        pytest.param({}, {"VAULT_ADDR": "http://env:1"}, "http://env:1", id="the_environment_wins"),
        pytest.param({}, {"BAO_ADDR": "http://env:1"}, "http://env:1", id="by_each_prefix"),
        pytest.param({"address": "http://flag:1"}, {"VAULT_ADDR": "http://env:1"}, "http://flag:1", id="flags_first"),
    ],
)
def test_where_the_server_is(given, environment, address):
    server = read('vault { address = "http://file:1" ca_cert = "/ca" tls_skip_verify = true }\n' + SINK).server
    settings = settings_for(server, given, None, environment)
    assert (settings.address, settings.retries) == (address, 0)
    assert (settings.tls.ca_file, settings.tls.skip_verify) == ("/ca", True)
    assert settings_for(server, given, None, {"VAULT_SKIP_VERIFY": "false"}).tls.skip_verify is False


def test_a_namespace_of_the_method_is_the_servers():
    text = SINK.replace('"token_file" {', '"token_file" { namespace = "team/"')
    assert settings_for(read(text).server, {}, None, {}).namespace == "team"


def test_a_login_may_be_in_another_namespace_than_the_rest():
    text = 'vault { namespace = "team/app" }\n' + SINK.replace('"token_file" {', '"token_file" { namespace = "team/"')
    config = read(text)
    assert (config.server.namespace, config.method and config.method.namespace) == ("team/app", "team")
