import pytest

from strongroom_client import (
    ApiError,
    BadRequest,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    Sealed,
    SettingsError,
    Unavailable,
    handle,
    prepare,
    request_headers,
)


@pytest.mark.parametrize(
    ("operation", "path", "query", "method", "target"),
    [
        pytest.param("read", "secret/data/app", None, "GET", "/v1/secret/data/app", id="a_read_is_a_get"),
        pytest.param("write", "secret/data/app", None, "PUT", "/v1/secret/data/app", id="a_write_is_a_put"),
        pytest.param("post", "sys/mounts/x", None, "POST", "/v1/sys/mounts/x", id="a_post_is_a_post"),
        pytest.param("patch", "secret/data/app", None, "PATCH", "/v1/secret/data/app", id="a_patch_is_a_patch"),
        pytest.param("delete", "x/y", None, "DELETE", "/v1/x/y", id="a_delete_is_a_delete"),
        pytest.param("list", "x/y", None, "GET", "/v1/x/y?list=true", id="a_list_is_a_get_that_says_so"),
        pytest.param("scan", "x/y", None, "GET", "/v1/x/y?scan=true", id="a_scan_is_a_get_that_says_so"),
        pytest.param("read", "x", {"version": 2}, "GET", "/v1/x?version=2", id="a_query_is_appended"),
        pytest.param("read", "x", {"a": ["1", "2"]}, "GET", "/v1/x?a=1&a=2", id="a_list_in_a_query_repeats_its_name"),
        pytest.param("read", "/v1/sys/health", None, "GET", "/v1/sys/health", id="v1_in_front_is_not_doubled"),
        pytest.param("read", "/x", None, "GET", "/v1/x", id="a_slash_in_front_is_not_doubled"),
        pytest.param("read", "x/a b", None, "GET", "/v1/x/a%20b", id="a_blank_is_encoded"),
        pytest.param("read", "x/a%2Fb", None, "GET", "/v1/x/a%252Fb", id="a_percent_sign_stands_for_itself"),
        pytest.param("read", "x/a?b#c", None, "GET", "/v1/x/a%3Fb%23c", id="signs_of_a_url_stand_for_themselves"),
        pytest.param("read", "x/日本", None, "GET", "/v1/x/%E6%97%A5%E6%9C%AC", id="other_letters_are_encoded"),
        pytest.param("read", "x\r\nHost: y", None, "GET", "/v1/x%0D%0AHost:%20y", id="a_newline_makes_no_header"),
    ],
)
def test_prepare_gives_method_and_target(operation, path, query, method, target):
    request = prepare(operation, path, query=query)
    assert (request.method, request.target, request.body) == (method, target, None)


def test_a_body_keeps_its_numbers_and_letters():
    request = prepare("write", "x", {"n": 9007199254740993, "s": "é<"})
    assert request.body == '{"n":9007199254740993,"s":"é<"}'.encode()
    assert request.headers["Content-Type"] == "application/json"


def test_a_patch_says_that_it_merges():
    assert prepare("patch", "x", {}).headers["Content-Type"] == "application/merge-patch+json"


def test_bytes_are_sent_as_they_are():
    assert prepare("post", "x", b"\x00\xff").body == b"\x00\xff"


def test_every_request_says_that_no_browser_sent_it():
    assert prepare("read", "x").headers == {"X-Vault-Request": "true"}


def test_headers_are_those_that_are_set():
    assert request_headers("t", "", "60") == {"X-Vault-Token": "t", "X-Vault-Wrap-TTL": "60"}


@pytest.mark.parametrize("token", ["a\nb", "é", "a\x00"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(token):
    with pytest.raises(SettingsError, match=r"^X-Vault-Token: has characters that cannot be sent$"):
        request_headers(token)


def test_an_answer_is_taken_apart():
    response = handle(
        200,
        b'{"request_id":"r","lease_id":"l","lease_duration":60,"renewable":true,"data":{"a":1.50},"warnings":["w"],'
        b'"auth":{"client_token":"t"},"wrap_info":{"token":"w"}}',
    )
    assert (response.request_id, response.lease_id, response.lease_duration, response.renewable) == ("r", "l", 60, True)
    assert (str(response.data["a"]), response.warnings) == ("1.50", ("w",))
    assert response.auth == {"client_token": "t"}
    assert response.wrap_info == {"token": "w"}


def test_an_empty_answer_is_an_answer():
    response = handle(204, b"")
    assert (response.status, response.data, response.body) == (204, None, None)


def test_what_is_no_json_is_kept_as_bytes():
    assert handle(200, b"-----BEGIN").raw == b"-----BEGIN"


def test_an_answer_shows_nothing_of_itself():
    assert "hunter2" not in repr(handle(200, b'{"data":{"password":"hunter2"}}'))


@pytest.mark.parametrize("status", [429, 472, 473, 501, 503])
def test_health_is_an_answer_with_any_status(status):
    assert handle(status, b'{"initialized":true,"sealed":true}').body["sealed"] is True


@pytest.mark.parametrize(
    ("status", "body", "kind", "errors"),
    [
        pytest.param(400, b'{"errors":["bad"]}', BadRequest, ["bad"], id="400"),
        pytest.param(403, b'{"errors":["permission denied"]}', PermissionDenied, ["permission denied"], id="403"),
        pytest.param(404, b'{"errors":[]}', NotFound, [], id="404"),
        pytest.param(405, b'{"errors":["no"]}', ApiError, ["no"], id="405"),
        pytest.param(412, b'{"errors":["later"]}', PreconditionFailed, ["later"], id="412"),
        pytest.param(429, b'{"errors":["quota"]}', RateLimited, ["quota"], id="429"),
        pytest.param(500, b'{"errors":["oh"]}', Unavailable, ["oh"], id="500"),
        pytest.param(503, b'{"errors":["Vault is sealed"]}', Sealed, ["Vault is sealed"], id="503_sealed"),
        pytest.param(502, b"<html>", Unavailable, [], id="502_of_a_proxy"),
        pytest.param(307, b"", ApiError, [], id="a_redirect_that_was_not_followed"),
        pytest.param(400, b'["x"]', BadRequest, [], id="json_of_another_shape"),
        pytest.param(400, b'{"errors":null}', BadRequest, [], id="no_errors_in_errors"),
    ],
)
def test_errors_have_the_class_of_their_status(status, body, kind, errors):
    with pytest.raises(ApiError) as raised:
        handle(status, body, method="GET", url="http://h/v1/x")
    assert type(raised.value) is kind
    assert raised.value.errors == errors
    assert str(raised.value).startswith(f"GET http://h/v1/x: {status}: ")


def test_a_404_may_carry_data():
    with pytest.raises(NotFound) as raised:
        handle(404, b'{"data":{"data":null,"metadata":{"version":1}}}')
    assert raised.value.response.data["metadata"]["version"] == 1


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        pytest.param(403, b'{"errors":["permission denied"]}', 'capabilities "secret/x"', id="no_policy"),
        pytest.param(403, b'{"errors":["invalid token"]}', "Log in again", id="a_bad_token"),
        pytest.param(503, b'{"errors":["Vault is sealed"]}', "operator unseal", id="sealed"),
        pytest.param(429, b'{"errors":["x"]}', "rate limit", id="too_many"),
        pytest.param(400, b"Client sent an HTTP request to an HTTPS server.\n", "https://", id="plain_http_to_tls"),
    ],
)
def test_errors_say_what_to_look_at(status, body, hint):
    with pytest.raises(ApiError) as raised:
        handle(status, body, method="GET", url="http://h/v1/secret/x?version=1")
    assert hint in raised.value.hint
