import threading
import time

import pytest

from strongroom_client import ApiError, Client, Sealed, Settings, SettingsError, Unavailable, Unreachable
from tests.strongroom_client.listener import closed_port, json_answer, listening

OK = json_answer('{"data":{"a":1}}')
DOWN = json_answer('{"errors":["oh"]}', 500)


def _client(address: str, retries: int = 0, waits: list[float] | None = None, **more: object) -> Client:
    settings = Settings(address=address, token="t", retries=retries, timeout=5)._replace(**more)
    return Client(settings, sleep=(waits if waits is not None else []).append)


def test_requests_share_a_connection():
    with listening(OK) as listener, _client(listener.address) as client:
        for _ in range(3):
            assert client.read("x").data == {"a": 1}
    assert listener.connections == 1
    assert listener.seen[0][2]["X-Vault-Token"] == "t"


def test_requests_of_threads_have_connections_of_their_own():
    with listening(OK) as listener, _client(listener.address) as client:
        threads = [threading.Thread(target=client.read, args=("x",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(listener.seen) == 8
        assert client.read("x").data == {"a": 1}


def test_a_connection_that_the_server_closed_is_replaced():
    with listening((200, {"Connection": "close"}, b"{}"), OK) as listener, _client(listener.address) as client:
        client.read("x")
        time.sleep(0.05)
        assert client.read("x").data == {"a": 1}
    assert listener.connections == 2


def test_a_read_on_a_dropped_connection_is_sent_again():
    with listening(OK, None, OK) as listener, _client(listener.address) as client:
        client.read("x")
        assert client.read("x").data == {"a": 1}


def test_a_write_on_a_dropped_connection_is_not_sent_again_by_itself():
    with listening(OK, None, OK) as listener, _client(listener.address) as client:
        client.read("x")
        with pytest.raises(Unreachable):
            client.write("x", {})
    assert len(listener.seen) == 2


@pytest.mark.parametrize("status", [412, 500, 502, 503])
def test_what_may_pass_is_tried_again_with_growing_waits(status):
    waits: list[float] = []
    failure = json_answer('{"errors":["oh"]}', status)
    with listening(failure, failure, OK) as listener, _client(listener.address, 2, waits) as client:
        assert client.write("x", {}).data == {"a": 1}
    assert 1 <= waits[0] <= 1.5
    assert 2 <= waits[1] <= 3


@pytest.mark.parametrize("status", [400, 403, 404, 405, 429, 501])
def test_what_will_not_pass_is_not_tried_again(status):
    with listening(json_answer('{"errors":["no"]}', status), OK) as listener, _client(listener.address, 2) as client:
        with pytest.raises(ApiError) as raised:
            client.read("x")
        assert raised.value.status == status
    assert len(listener.seen) == 1


def test_tries_end():
    with listening(DOWN) as listener, _client(listener.address, 2) as client, pytest.raises(Unavailable):
        client.read("x")
    assert len(listener.seen) == 3


def test_a_refused_connection_says_where_and_what_to_do():
    port = closed_port()
    with _client(f"http://127.0.0.1:{port}") as client, pytest.raises(Unreachable) as raised:
        client.read("sys/health")
    assert f"127.0.0.1:{port}: connection refused" in str(raised.value)
    assert "VAULT_ADDR" in raised.value.hint


def test_a_standby_redirects_to_the_active_node_with_token_and_body():
    with (
        listening(OK) as active,
        listening((307, {"Location": f"{active.address}/v1/x?a=1"}, b"")) as standby,
        _client(standby.address) as client,
    ):
        assert client.write("x", {"b": 2}).data == {"a": 1}
    method, path, headers, body = active.seen[0]
    assert (method, path, body) == ("PUT", "/v1/x?a=1", b'{"b":2}')
    assert headers["X-Vault-Token"] == "t"


def test_a_second_redirect_is_not_followed():
    with (
        listening((307, {"Location": "/v1/y"}, b"")) as listener,
        _client(listener.address) as client,
        pytest.raises(ApiError, match="307"),
    ):
        client.read("x")
    assert len(listener.seen) == 2


def test_redirects_can_be_left_alone():
    with (
        listening((307, {"Location": "/v1/y"}, b"")) as listener,
        _client(listener.address, follow=False) as client,
        pytest.raises(ApiError, match="307"),
    ):
        client.read("x")
    assert len(listener.seen) == 1


def test_a_chunked_answer_is_read_whole():
    chunked = (200, {"Transfer-Encoding": "chunked"}, b'5\r\n{"dat\r\nb\r\na":{"a":1}}\r\n0\r\n\r\n')
    with listening(chunked) as listener, _client(listener.address) as client:
        assert client.read("x").data == {"a": 1}
        assert client.read("x").data == {"a": 1}
    assert listener.connections == 1


def test_a_unix_socket_is_an_address(tmp_path):
    with listening(OK, path=tmp_path / "s") as listener, _client(listener.address) as client:
        assert client.read("x").data == {"a": 1}


def test_a_missing_unix_socket_is_named(tmp_path):
    with (
        _client(f"unix://{tmp_path}/none") as client,
        pytest.raises(Unreachable, match=f"no socket at {tmp_path}/none"),
    ):
        client.read("x")


def test_a_silent_server_is_given_up():
    with listening(OK) as listener, _client(listener.address, timeout=0.05) as client:
        given_up = threading.Event()
        listener.next = lambda: given_up.wait(60)
        with pytest.raises(Unreachable, match=r"no answer within 0\.05s"):
            client.read("x")
        given_up.set()


def test_a_path_in_the_address_stays_in_front():
    with listening(OK) as listener, _client(f"{listener.address}/vault/") as client:
        client.read("x")
    assert listener.seen[0][1] == "/vault/v1/x"


def test_a_proxy_gets_the_whole_url():
    with listening(OK) as proxy, _client("http://vault.example:8200", proxy=proxy.address) as client:
        client.read("x")
    assert proxy.seen[0][1] == "http://vault.example:8200/v1/x"
    assert proxy.seen[0][2]["Host"] == "vault.example:8200"


def test_a_stream_is_read_bit_by_bit():
    with listening((200, {}, b"abc")) as listener, _client(listener.address) as client:
        with client.stream(client.prepare("read", "x")) as response:
            assert response.read(2) == b"ab"
        assert client.read("x").raw == b"abc"


def test_sealed_is_told_apart():
    sealed = json_answer('{"errors":["Vault is sealed"]}', 503)
    with listening(sealed) as listener, _client(listener.address) as client, pytest.raises(Sealed):
        client.read("x")


@pytest.mark.parametrize("address", ["127.0.0.1:8200", "", "ftp://x", "http://", "http://h:99999", "http://h:x"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(SettingsError, match="address"):
        Client(Settings(address=address))


def test_token_and_namespace_may_change_at_any_time():
    with listening(OK) as listener, _client(listener.address) as client:
        client.token, client.namespace, client.wrap_ttl = "u", "ns", "60"
        client.read("x")
    headers = listener.seen[0][2]
    assert (headers["X-Vault-Token"], headers["X-Vault-Namespace"], headers["X-Vault-Wrap-TTL"]) == ("u", "ns", "60")
