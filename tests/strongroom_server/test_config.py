import pytest

from strongroom_common.settings import SettingsError
from strongroom_server.config import AuditDevice, Config, Stanza, UserLockout
from strongroom_server.config_files import read_paths
from strongroom_server.config_reader import Source, from_environment, load

PLAIN = 'listener "tcp" { address = "127.0.0.1:8200" tls_disable = 1 }\n'


def _load(text, env=None, file="server.hcl"):
    return load([Source(file, text)], env or {})


def _config(text, **env):
    return _load(text, env).config


FULL = """
ui            = true
cluster_addr  = "https://127.0.0.1:8201"
api_addr      = "https://127.0.0.1:8200"
disable_mlock = "true"
default_lease_ttl = "168h"
max_lease_ttl = 2592000
log_level = "DEBUG"
storage "raft" {
  path    = "/data"
  node_id = "n1"
  retry_join { leader_api_addr = "https://a:8200" }
  retry_join { leader_api_addr = "https://b:8200" }
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/tls/chain.pem"
  tls_key_file  = "/tls/key.pem"
  tls_min_version = "tls13"
  max_request_size = 1048576
  x_forwarded_for_authorized_addrs = "10.0.0.0/8, 192.168.0.1"
  telemetry { unauthenticated_metrics_access = true }
  custom_response_headers {
    "default" = { "Strict-Transport-Security" = ["max-age=31536000", "includeSubDomains"] },
    "2xx" = { "X" = ["y"] }
  }
}
listener "tcp" { address = "[::]:8300" tls_disable = "true" }
listener "unix" { address = "/run/s.sock" socket_mode = "660" }
seal "aesgcm" { keys = ["Z3M5bnR0MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY="] }
service_registration "consul" { address = "consul:8500" }
telemetry { disable_hostname = true prometheus_retention_time = "12h" }
user_lockout "all" { lockout_threshold = 10 }
user_lockout "userpass" { disable_lockout = true lockout_duration = "10m" }
"""


def test_a_whole_file():
    config = _config(FULL)
    assert (config.api_addr, config.cluster_addr) == ("https://127.0.0.1:8200", "https://127.0.0.1:8201")
    assert (config.default_lease_ttl, config.max_lease_ttl, config.disable_mlock) == (604800, 2592000, True)
    assert config.storage.kind == "raft"
    assert config.storage.settings == {
        "path": "/data",
        "node_id": "n1",
        "retry_join": [{"leader_api_addr": "https://a:8200"}, {"leader_api_addr": "https://b:8200"}],
    }
    assert config.seals == (Stanza("aesgcm", {"keys": ["Z3M5bnR0MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY="]}),)
    assert config.service_registration.kind == "consul"
    assert (config.telemetry.disable_hostname, config.telemetry.prometheus_retention_time) == (True, 43200)
    assert config.user_lockout == {
        "all": UserLockout(lockout_threshold=10),
        "userpass": UserLockout(disable_lockout=True, lockout_duration=600),
    }


def test_listeners_keep_their_order_and_settings():
    secure, plain, socket = _config(FULL).listeners
    assert (secure.type, secure.address, secure.tls_disable) == ("tcp", "0.0.0.0:8200", False)
    assert (secure.tls_cert_file, secure.tls_min_version) == ("/tls/chain.pem", "tls13")
    assert secure.max_request_size == 1048576
    assert secure.x_forwarded_for_authorized_addrs == ("10.0.0.0/8", "192.168.0.1")
    assert secure.telemetry.unauthenticated_metrics_access
    assert secure.custom_response_headers["2xx"] == {"X": ["y"]}
    assert (plain.address, plain.tls_disable, plain.max_request_size) == ("[::]:8300", True, 33554432)
    assert (socket.type, socket.address, socket.socket_mode) == ("unix", "/run/s.sock", "660")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"storage": [{"inmem": {}}], "listener": [{"tcp": {"address": "127.0.0.1:1", "tls_disable": "t"}}'
                     '], "ui": "true", "max_lease_ttl": "720h"}', id="json_lists_of_maps"),
        pytest.param('{"storage": {"inmem": {}}, "listener": {"tcp": {"address": "127.0.0.1:1", "tls_disable": true}},'
                     ' "ui": 1, "max_lease_ttl": 2592000}', id="json_objects"),
        pytest.param('{"backend": {"inmem": {}}, "listener": {"tcp": [{"address": "127.0.0.1:1", "tls_disable": 1}]},'
                     ' "ui": "1", "max_lease_ttl": "2592000"}', id="json_with_an_inner_list"),
        pytest.param('backend "inmem" {\n}ui = true\nmax_lease_ttl = "30d"\n'
                     'listener "tcp" { address = "127.0.0.1:1" tls_disable = "1" }', id="legacy_words_on_glued_lines"),
        pytest.param('storage "INMEM" {} ui = "T" max_lease_ttl = "720h"\n'
                     'listener { type = "tcp" address = "127.0.0.1:1" tls_disable = true }', id="a_listener_by_type"),
    ],
)  # fmt: skip
def test_the_same_file_in_every_form(text):
    config = _config(text)
    (listener,) = config.listeners
    assert (config.storage, config.ui, config.max_lease_ttl) == (Stanza("inmem"), True, 2592000)
    assert (listener.type, listener.address, listener.tls_disable) == ("tcp", "127.0.0.1:1", True)


def test_json_may_hold_several_blocks_and_nested_lists():
    config = _config(
        '{"listener": [{"tcp": {"address": "a:1", "tls_disable": 1,'
        '   "telemetry": [{"unauthenticated_metrics_access": true}]}},'
        ' {"tcp": {"address": "a:2", "tls_disable": 1, "custom_response_headers": [{"default": {"X": ["y"]}}]}}],'
        ' "telemetry": [{"disable_hostname": true}], "seal": {"static": {"current_key_id": "k1"}}}'
    )
    assert [listener.address for listener in config.listeners] == ["a:1", "a:2"]
    assert config.listeners[0].telemetry.unauthenticated_metrics_access
    assert config.listeners[1].custom_response_headers == {"default": {"X": ["y"]}}
    assert config.telemetry.disable_hostname
    assert config.seals == (Stanza("static", {"current_key_id": "k1"}),)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        pytest.param('\nnot_a_setting = "x"', "server.hcl:2: unknown or unsupported field not_a_setting", id="top"),
        pytest.param('listener "tcp" {\n tls_disable = 1\n foo = 2 }',
                     'server.hcl:3: unknown or unsupported field listener "tcp": foo', id="in_a_listener"),
        pytest.param("telemetry {\n foo = 2 }", "server.hcl:2: unknown or unsupported field telemetry: foo", id="in"),
        pytest.param('listener "tcp" {\n tls_disable = 1\n telemetry { foo = 2 } }',
                     'server.hcl:3: unknown or unsupported field listener "tcp": telemetry: foo', id="deep_inside"),
        pytest.param('log_requests_level = "loud"',
                     "server.hcl:1: log_requests_level: no level 'loud': nothing is logged", id="no_level"),
        pytest.param('plugin_directory = "/p"', "server.hcl:1: field plugin_directory has no effect", id="no_effect"),
    ],
)  # fmt: skip
def test_what_is_not_used_is_a_warning(text, warning):
    assert _load(text).warnings == (warning,)


def test_a_plain_file_gives_no_warning():
    assert _load('storage "inmem" {}\n' + PLAIN).warnings == ()


WRONG = [
    pytest.param('storage "inmem" {}\nlistener "tcp" {\n  address = "x"\n',
                 "error parsing server.hcl: At 4:1: object expected closing RBRACE got: EOF", id="a_missing_brace"),
    pytest.param('\nui = "maybe"', "server.hcl:2: ui: expected true or false", id="no_boolean"),
    pytest.param('max_lease_ttl = "100x"', "server.hcl:1: max_lease_ttl: expected a duration", id="no_duration"),
    pytest.param("api_addr = []", "server.hcl:1: api_addr: expected a string", id="no_string"),
    pytest.param('log_level = "loud"', "server.hcl:1: log_level: expected one of trace, debug", id="no_log_level"),
    pytest.param('log_format = "xml"', "server.hcl:1: log_format: field 'log_format' must be one of 'standard', 'json'",
                 id="no_log_format"),
    pytest.param('default_lease_ttl = "2h"\nmax_lease_ttl = "1h"',
                 "server.hcl:1: default_lease_ttl: expected no more than max_lease_ttl", id="default_above_maximum"),
    pytest.param('storage "a" {}\nstorage "b" {}', 'server.hcl:2: storage: only one "storage" block is permitted',
                 id="two_stores"),
    pytest.param('storage "a" {}\nbackend "b" {}', 'server.hcl:2: backend: only one "storage" block is permitted',
                 id="two_stores_under_two_names"),
    pytest.param("storage {}", "server.hcl:1: storage: expected a type, as in storage", id="a_store_without_type"),
    pytest.param("storage = 1", "server.hcl:1: storage should be a block or an object", id="a_store_that_is_no_block"),
    pytest.param('\nlistener "http" {}', 'server.hcl:2: listener "http": unsupported listener type: expected "tcp"',
                 id="an_unknown_listener"),
    pytest.param('listener "tcp" {\n tls_disable = "maybe" }',
                 'server.hcl:2: listener "tcp": tls_disable: expected true or false', id="no_boolean_in_a_listener"),
    pytest.param('listener "tcp" { tls_disable = 1\n address = "localhost" }',
                 'server.hcl:2: listener "tcp": address: expected HOST:PORT', id="an_address_without_port"),
    pytest.param('listener "tcp" { tls_disable = 1 address = "localhost:99999" }', "expected HOST:PORT", id="no_port"),
    pytest.param('listener "tcp" { tls_disable = 1\n x_forwarded_for_authorized_addrs = "x" }',
                 'server.hcl:2: listener "tcp": x_forwarded_for_authorized_addrs: expected a list', id="no_net"),
    pytest.param('listener "tcp" { address = "127.0.0.1:1" }',
                 'server.hcl:1: listener "tcp": tls_cert_file: expected a PEM file, or tls_disable', id="no_tls"),
    pytest.param('listener "tcp" { tls_cert_file = "c" }', "tls_key_file: expected a PEM file", id="no_key"),
    pytest.param('listener "tcp" { tls_disable = 1 tls_min_version = "ssl3" }', "tls_min_version", id="no_tls_version"),
    pytest.param('listener "tcp" { tls_disable = 1 tls_min_version = "tls13" tls_max_version = "tls12" }',
                 "tls_min_version: expected no more than tls_max_version", id="oldest_after_newest"),
    pytest.param('listener "tcp" { tls_disable = 1 max_request_size = "x" }', "max_request_size: exp", id="size"),
    pytest.param('listener "unix" {}', 'listener "unix": address: expected the path of the socket', id="no_path"),
    pytest.param('listener "unix" { address = "/s" \n socket_mode = "rw" }',
                 'server.hcl:2: listener "unix": socket_mode: expected octal digits', id="no_mode"),
    pytest.param('listener "tcp" { tls_disable = 1\n tls_cipher_suites = "ROT13" }',
                 "server.hcl:2: listener \"tcp\": tls_cipher_suites: unknown ROT13", id="no_cipher_suite"),
    pytest.param('api_addr = "10.0.0.1:8200"', "server.hcl:1: api_addr: expected a URL such as", id="no_url"),
    pytest.param('\nuser_lockout "github" {}', "server.hcl:2: user_lockout: expected one of all, approle, ldap, "
                 "userpass, not 'github'", id="no_method_that_locks_out"),
    pytest.param("user_lockout {}", 'expected one of all, approle, ldap, userpass, as in user_lockout "all"',
                 id="a_lockout_without_method"),
    pytest.param('audit "file" {}', 'server.hcl:1: audit "file": expected a type and a name', id="no_device_name"),
    pytest.param('audit "file" "a" { options = "x" }', 'audit "file" "a": options: expected a map', id="no_options"),
    pytest.param("telemetry {\n prometheus_retention_time = true }",
                 "server.hcl:2: telemetry: prometheus_retention_time: expected a duration", id="no_time_in_a_block"),
    pytest.param('user_lockout "all" { lockout_threshold = "x" }',
                 'server.hcl:1: user_lockout "all": lockout_threshold: expected an integer', id="no_threshold"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_value_is_told_by_file_line_and_key(text, message):
    with pytest.raises(SettingsError) as caught:
        _load(text)
    assert message in str(caught.value)


def test_an_error_never_tells_the_value():
    with pytest.raises(SettingsError) as caught:
        _load('ui = "hunter2"')
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(_config('seal "static" { current_key = "hunter2" } storage "p" { url = "hunter2" }'))


def test_a_request_size_without_limit_is_the_default():
    assert _config('listener "tcp" { tls_disable = 1 max_request_size = -1 }').listeners[0].max_request_size == 33554432


def test_zero_is_the_default_time_and_the_default_stays_below_the_maximum():
    assert _config("max_lease_ttl = 0").max_lease_ttl == Config.max_lease_ttl
    assert _config('max_lease_ttl = "1h"').default_lease_ttl == 3600


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('audit "file" "a/" { description = "d" options { file_path = "/x" log_raw = "true" } }', id="hcl"),
        pytest.param('audit { type = "file" path = "a/" description = "d"\n'
                     'options = { file_path = "/x", log_raw = "true" } }', id="without_labels"),
        pytest.param('{"audit": {"file": {"a/": {"description": "d", "options": {"file_path": "/x", "log_raw": "true"}'
                     "}}}}", id="json"),
        pytest.param('{"audit": [{"file": [{"a/": [{"description": "d", "options": [{"file_path": "/x", '
                     '"log_raw": "true"}]}]}]}],}', id="json_of_lists"),
    ],
)  # fmt: skip
def test_audit_devices_in_every_form(text):
    device = AuditDevice("file", "a/", "d", {"file_path": "/x", "log_raw": "true"})
    assert _config(text).audit == (device,)


def test_a_listener_without_a_time_for_requests_takes_that_of_all():
    listener = 'listener "tcp" {{ address = "127.0.0.1:1" tls_disable = 1 {} }}\n'
    listeners = listener.format("") + listener.format('max_request_duration = "1s"')
    text = f'default_max_request_duration = "5m"\n{listeners}'
    assert [one.max_request_duration for one in _config(text).listeners] == [300, 1]
    assert _config(listener.format("")).listeners[0].max_request_duration == 90


def test_audit_devices_of_several_files_add_up():
    text = 'audit "file" "{}" {{ options {{ file_path = "/x" }} }}'
    sources = [Source("a.hcl", text.format("a")), Source("b.hcl", text.format("b"))]
    assert [device.path for device in load(sources, {}).config.audit] == ["a", "b"]


def test_files_merge_in_order():
    first = Source("a.hcl", PLAIN + 'storage "inmem" {}\napi_addr = "http://a"\ncluster_name = "one"')
    second = Source("b.json", '{"api_addr": "http://b", "storage": {"sqlite": {"path": "p"}}, "ui": true,'
                              ' "listener": {"tcp": {"address": "127.0.0.1:2", "tls_disable": true}}}')  # fmt: skip
    config = load([first, second], {}).config
    assert (config.api_addr, config.cluster_name, config.ui) == ("http://b", "one", True)
    assert config.storage == Stanza("sqlite", {"path": "p"})
    assert [listener.address for listener in config.listeners] == ["127.0.0.1:8200", "127.0.0.1:2"]


def test_the_environment_overrides_the_files():
    config = _config('api_addr = "http://a" log_level = "warn"', VAULT_API_ADDR="http://v", BAO_API_ADDR="http://b",
                     VAULT_LOG_LEVEL="trace", STRONGROOM_CLUSTER_ADDR="https://c")  # fmt: skip
    assert (config.api_addr, config.log_level, config.cluster_addr) == ("http://b", "trace", "https://c")


@pytest.mark.parametrize(
    ("env", "message"),
    [
        pytest.param({"VAULT_LOG_LEVEL": "loud"}, "VAULT_LOG_LEVEL: log_level: expected one of", id="no_level"),
        pytest.param({"BAO_LOG_FORMAT": "xml"}, "BAO_LOG_FORMAT: field 'log_format' must be one of", id="no_format"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(env, message):
    with pytest.raises(SettingsError, match=message):
        _load("", env)


def test_a_container_brings_its_file_in_the_environment():
    text = """ui = true
    listener "tcp" { address = "0.0.0.0:8200" tls_disable = true }
    storage "raft" { path = "/vault/data" node_id = "vault-1" }
    seal "aesgcm" { keys = ["Z3M5bnR0MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY="] }
    service_registration "consul" { address = "consul:8500" }"""
    for prefix in ("VAULT", "BAO", "STRONGROOM"):
        (source,) = from_environment({f"{prefix}_LOCAL_CONFIG": text})
        config = load([source], {}).config
        assert (source.file, config.storage.kind, config.seals[0].kind) == (f"{prefix}_LOCAL_CONFIG", "raft", "aesgcm")
    assert from_environment({}) == []


def test_a_folder_is_read_in_alphabetical_order(tmp_path):
    (tmp_path / "b.hcl").write_text('api_addr = "http://b"')
    (tmp_path / "a.json").write_text('{"api_addr": "http://a"}')
    (tmp_path / "c.txt").write_text("nonsense")
    (tmp_path / "single.conf").write_text("ui = true")
    assert [source.file.rpartition("/")[2] for source in read_paths([str(tmp_path)])] == ["a.json", "b.hcl"]
    assert [source.text for source in read_paths([str(tmp_path / "single.conf")])] == ["ui = true"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none.hcl", "No such file or directory", id="no_file"),
        pytest.param("latin.hcl", "expected text in UTF-8", id="no_utf8"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, name, message):
    (tmp_path / "latin.hcl").write_bytes(b"a = \xff")
    with pytest.raises(SettingsError, match=f"{name}: {message}"):
        read_paths([str(tmp_path / name)])
