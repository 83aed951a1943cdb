"""A login with the browser: the program, the server, a provider and a browser, each as it is in life."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom_client import Client, Settings
from tests.strongroom_cli.running import OUR_COMMAND, our_server
from tests.strongroom_server.auth.issuer import CLIENT, SECRET, Issuer

BROWSER = """
import pathlib, sys, urllib.request
with urllib.request.urlopen(sys.argv[1]) as page:
    pathlib.Path(sys.argv[2]).write_bytes(page.read())
"""
MEDDLER = """
import sys, urllib.parse, urllib.request
asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(sys.argv[1]).query))
with urllib.request.urlopen(asked["redirect_uri"] + "?state=st_other&code=stolen") as page:
    assert b"not the answer" in page.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with our_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with Issuer() as issuer:
        yield issuer


class Person:
    """Types a command; the browser starts by itself, if there is one."""

    def __init__(self, home: Path, server: str, browser: str) -> None:
        self.home, self.server = home, server
        (home / "browser.py").write_text(browser)

    @property
    def page(self) -> str:
        return (self.home / "page").read_text()

    async def types(self, *words: str) -> tuple[int, str]:
        browser = f"{sys.executable} {self.home}/browser.py %s {self.home}/page"
        environ = {"HOME": str(self.home), "VAULT_ADDR": self.server, "BROWSER": browser, "PATH": "/usr/bin:/bin"}
        program = await asyncio.create_subprocess_exec(
            *OUR_COMMAND, *words, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await asyncio.wait_for(program.communicate(), 30)
        return program.returncode or 0, output.decode()


async def configure(server: str, path: str, issuer: Issuer, **role: Any) -> None:
    def write() -> None:
        with Client(Settings(address=server, token="root")) as client:
            client.write(f"sys/auth/{path}", {"type": "oidc"})
            client.write(f"auth/{path}/config", {"oidc_discovery_url": issuer.url, "oidc_client_id": CLIENT,
                                                 "oidc_client_secret": SECRET, "default_role": "dev"})  # fmt: skip
            uris = ["http://localhost:8250/oidc/callback"]
            client.write(f"auth/{path}/role/dev", {"user_claim": "sub", "allowed_redirect_uris": uris} | role)

    await asyncio.to_thread(write)


async def test_a_person_logs_in(server: str, issuer: Issuer, tmp_path: Path) -> None:
    await configure(server, "oidc", issuer, token_policies="app")
    person = Person(tmp_path, server, MEDDLER + BROWSER)
    code, output = await person.types("login", "-method=oidc", "role=dev", "port=0")
    assert code == 0, output
    assert "Waiting for OIDC authentication to complete..." in output
    assert '["app" "default"]' in output
    assert "Signed in" in person.page
    code, output = await person.types("token", "lookup", "-field=display_name")
    assert (code, output.strip()) == (0, "oidc-ann")


async def test_a_refused_person_is_told_in_both_places(server: str, issuer: Issuer, tmp_path: Path) -> None:
    await configure(server, "strict", issuer, bound_claims={"<b>": "yes"})
    person = Person(tmp_path, server, BROWSER)
    code, output = await person.types("login", "-method=oidc", "-path=strict", "port=0")
    assert code == 2
    assert 'claim "<b>" is missing' in output
    assert "claim &quot;&lt;b&gt;&quot; is missing" in person.page
    code, output = await person.types("login", "-method=oidc", "-path=strict", "port=0", "callbackhost=evil")
    assert code == 2
    assert 'Unable to authorize role "" with redirect_uri "http://evil:' in output


async def test_the_browser_comes_back_to_the_server(server: str, issuer: Issuer, tmp_path: Path) -> None:
    uris = [f"{server}/v1/auth/direct/oidc/callback"]
    await configure(server, "direct", issuer, callback_mode="direct", poll_interval=1, oidc_disable_confirmation=True,
                    allowed_redirect_uris=uris)  # fmt: skip
    person = Person(tmp_path, server, BROWSER)
    words = ("login", "-method=oidc", "-path=direct")
    code, output = await person.types(*words, "callbackmode=direct")
    assert (code, "Success! You are now authenticated" in output) == (0, True), output
    code, output = await person.types(*words, "port=0")
    assert (code, "Unable to authorize role" in output) == (2, True), output
    code, output = await person.types(*words, "callbackmode=direct", "callbackhost=elsewhere")
    assert (code, f'redirect_uri "http://elsewhere:{server.rpartition(":")[2]}/v1/auth/direct/' in output) == (2, True)


async def test_the_user_enters_a_code_elsewhere(server: str, issuer: Issuer, tmp_path: Path) -> None:
    await configure(server, "device", issuer, callback_mode="device", poll_interval=1)
    issuer.device_says = "authorization_pending"
    asyncio.get_running_loop().call_later(2, setattr, issuer, "device_says", "")
    person = Person(tmp_path, server, BROWSER)
    words = ("login", "-method=oidc", "-path=device", "skip_browser=true")
    code, output = await person.types(*words, "callbackmode=device")
    assert (code, "When prompted, enter code AB-12" in output) == (0, True), output
    issuer.device_says = "access_denied"
    code, output = await person.types(*words, "callbackmode=device")
    assert (code, "access_denied" in output) == (2, True), output
    code, output = await person.types(*words, "port=0")
    assert (code, "the role wants callbackmode=direct or =device" in output) == (2, True), output


async def test_modes_that_do_not_fit(server: str, issuer: Issuer, tmp_path: Path) -> None:
    await configure(server, "plain", issuer)
    person = Person(tmp_path, server, BROWSER)
    for word, says in (
        ("callbackmode=x", "callbackmode=x: expected one of client, direct, device"),
        ("show_qr=true", "show_qr: codes to scan are not supported"),
    ):
        code, output = await person.types("login", "-method=oidc", "-path=plain", word)
        assert (code, says in output) == (1, True), output


async def test_ports_that_cannot_be_had(server: str, issuer: Issuer, tmp_path: Path) -> None:
    person = Person(tmp_path, server, BROWSER)
    code, output = await person.types("login", "-method=oidc", "port=x")
    assert (code, "port=x: expected a number" in output) == (1, True)
    taken = server.rpartition(":")[2]
    code, output = await person.types("login", "-method=oidc", f"port={taken}")
    assert code == 2
    assert f"listen tcp localhost:{taken}: Address already in use" in output
