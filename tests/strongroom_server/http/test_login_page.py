"""The page of an OpenID provider: what it may load, and where it sends people."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from aiohttp import ClientSession

from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from strongroom_server.http.login_page import is_login, page
from tests.strongroom_server.core.identity.people import userpass
from tests.strongroom_server.live import Live

PLACE = "/ui/vault/identity/oidc/provider/default/authorize"
BROWSER = """
const [base, search, typed] = JSON.parse(process.argv[1]);
const html = await (await fetch(base + search)).text();
const script = html.split("<script>")[1].split("</script>")[0];
const elements = { mount: { value: "up" }, username: { value: "" }, password: { value: "" }, token: { value: "" } };
for (const [name, value] of Object.entries(typed)) elements[name] = { value };
const end = (text) => { if (text) { console.log(text); process.exit(0); } };
let submit;
const form = { elements, addEventListener: (_, listener) => { submit = listener; } };
const trouble = { set textContent(text) { end(text && "TOLD " + text); } };
globalThis.document = { querySelector: (name) => name === "form" ? form : trouble };
globalThis.location = new URL(base + search);
globalThis.location.assign = (target) => end("GOES " + target);
const real = fetch;
globalThis.fetch = (path, options) => real(base + path, options);
(0, eval)(script);
submit({ preventDefault() {} });
"""


@pytest.fixture
async def address(live: Live) -> AsyncIterator[str]:
    bound = await bind_tcp(App(live.server), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{bound.port}"
    await bound.close()


@pytest.mark.parametrize(
    ("path", "there"),
    [
        pytest.param(PLACE, True, id="in_the_root_namespace"),
        pytest.param("/ui/vault/team/a/identity/oidc/provider/own/authorize", True, id="in_another"),
        pytest.param("/ui/vault/identity/oidc/provider/default", False, id="no_endpoint"),
        pytest.param("/ui/vault/identity/oidc/provider/a/b/authorize", False, id="no_name"),
        pytest.param("/ui/", False, id="the_rest_of_the_ui"),
    ],
)
async def test_where_the_page_is(address: str, path: str, there: bool) -> None:
    assert is_login(path) is there
    async with ClientSession() as session, session.get(f"{address}{path}?client_id=x") as answer:
        assert (answer.status, answer.content_type) == ((200, "text/html") if there else (404, "application/json"))


def test_the_page_loads_nothing_but_its_own() -> None:
    body, headers = page()
    policy = headers["Content-Security-Policy"]
    for kind in ("script", "style"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", body.decode(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    for rule in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"):
        assert rule in policy
    assert not re.search(rb"\bon\w+=|src=|href=", body)


@pytest.fixture(scope="module")
def node() -> str:
    """Return a JavaScript engine that knows ``fetch``, or skip."""
    found = shutil.which("node")
    if found is None or subprocess.run([found, "-e", "fetch"], capture_output=True, check=False).returncode:
        pytest.skip("needs node 18")
    return found


USER = {"username": "alice", "password": "pw"}


@pytest.mark.parametrize(
    ("typed", "query", "place", "told"),
    [
        pytest.param(USER, {}, "GOES", {"state": ["s t&"]}, id="with_a_code_to_the_client"),
        pytest.param(USER, {"response_type": "token"}, "GOES", {"error": ["unsupported_response_type"]}, id="refused"),
        pytest.param({"token": "root"}, {}, "GOES", {"error": ["access_denied"]}, id="nobody"),
        pytest.param(USER, {"redirect_uri": "https://evil"}, "TOLD", "redirect_uri is not allowed", id="elsewhere"),
        pytest.param(USER, {"client_id": "nobody"}, "TOLD", "client with client_id not found", id="unknown_client"),
        pytest.param(USER | {"password": "no"}, {}, "TOLD", "invalid username or password", id="wrong_password"),
    ],
)
async def test_where_people_are_sent(
    live: Live, address: str, node: str, typed: dict[str, str], query: dict[str, str], place: str, told: Any
) -> None:
    await userpass(live)
    await live.post("identity/oidc/key/k", {"algorithm": "ES256", "allowed_client_ids": "*"})
    body = {"redirect_uris": ["https://app/cb?x=1"], "assignments": "allow_all", "key": "k"}
    await live.post("identity/oidc/client/app", body)
    client_id = (await live.get("identity/oidc/client/app")).data["client_id"]
    before = len((await live.list("auth/token/accessors")).data["keys"])
    asked = {"scope": "openid", "response_type": "code", "client_id": client_id, "state": "s t&",
             "redirect_uri": "https://app/cb?x=1"} | query  # fmt: skip
    words = json.dumps([address, f"{PLACE}?{urlencode(asked)}", typed])
    browser = await asyncio.create_subprocess_exec(
        node, "--input-type=module", "-e", BROWSER, words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await asyncio.wait_for(browser.communicate(), 60)
    assert output, errors
    said, _, where = output.decode().strip().partition(" ")
    assert said == place, output
    if place == "TOLD":
        assert told in where
    else:
        found = parse_qs(urlsplit(where).query)
        assert where.startswith("https://app/cb?x=1&")
        assert found.items() >= told.items()
        assert ("code" in found) is not ("error" in found)
    assert len((await live.list("auth/token/accessors")).data["keys"]) == before  # no token is left
