"""Client certificates on a real listener: who is asked for one, whose is let through, what a login makes of it."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.config import Listener
from strongroom_server.http.app import App
from strongroom_server.http.listeners import Bound, bind_tcp
from strongroom_server.http.tls import follows_mounts, make_context, trust_clients
from tests.strongroom_server.auth.authority import Holder, issue
from tests.strongroom_server.live import Live


class Wire:
    """A listener with TLS in front of a running server, whose clock stands where real certificates are good."""

    def __init__(self, live: Live, folder: Path, bound: Bound) -> None:
        self.live, self.folder, self.bound = live, folder, bound

    async def ask(self, path: str, holder: Holder | None = None, by: str = "", **body: Any) -> tuple[int, Any]:
        if holder:
            context = holder.context(self.folder)
        else:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", self.bound.port, ssl=context)
        raw = json.dumps(body).encode()
        head = [f"POST /v1/{path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(raw)}"]
        head += [f"X-Vault-Token: {by}"] if by else []
        writer.write("\r\n".join([*head, "", ""]).encode() + raw)
        try:
            answer = (await reader.read()).decode()
        finally:
            writer.transport.abort()
        if not answer:
            raise ConnectionResetError
        return int(answer.split()[1]), json.loads(answer.partition("\r\n\r\n")[2])


@pytest.fixture
async def wire(live: Live, tmp_path: Path) -> AsyncIterator[Wire]:
    live.clock.time = time.time()  # OpenSSL has no other
    certificate, key = issue("server", live.clock.now()).files(tmp_path, "server")
    listener = Listener(tls_cert_file=str(certificate), tls_key_file=str(key))
    assert follows_mounts(listener)
    context = make_context(listener)
    live.server.client_trust.follow(lambda trusted: trust_clients(context, trusted))
    bound = await bind_tcp(App(live.server, listener), "127.0.0.1", 0, context)
    yield Wire(live, tmp_path, bound)
    await bound.close()


async def test_clients_log_in_over_tls(wire: Wire) -> None:
    live, now = wire.live, wire.live.clock.now()
    root = issue("root", now, authority=True)
    pinned, late = issue("pinned", now), issue("late", now, lasts=-1)
    below = root.issue("middle", now, authority=True).issue("client", now, shows=True)
    assert (await wire.ask("auth/cert/login", below))[0] == 403  # nobody asks for certificates yet
    assert (await live.post("sys/auth/cert", {"type": "cert"})).status == 204
    for name, holder in (("ca", root), ("pin", pinned), ("late", late)):
        assert (await live.post(f"auth/cert/certs/{name}", {"certificate": holder.pem})).status == 204
    for holder, name in ((below, "ca"), (pinned, "pin")):
        status, answer = await wire.ask("auth/cert/login", holder)
        assert (status, answer["auth"]["metadata"]["cert_name"]) == (200, name)
    status, answer = await wire.ask("auth/cert/login")
    assert (status, answer["errors"]) == (400, ["no client certificate found"])
    status, answer = await wire.ask("auth/cert/login", late)
    assert (status, answer["errors"]) == (400, ["invalid certificate or no client certificate supplied"])
    with pytest.raises(ConnectionError):
        await wire.ask("auth/cert/login", issue("stranger", now))


async def test_listeners_stop_asking_when_no_mount_wants_certificates(wire: Wire) -> None:
    live, now = wire.live, wire.live.clock.now()
    await live.post("sys/auth/cert", {"type": "cert"})
    await live.post("auth/cert/certs/ca", {"certificate": issue("root", now, authority=True).pem})
    stranger = issue("stranger", now)
    with pytest.raises(ConnectionError):
        await wire.ask("auth/cert/login", stranger)
    assert (await live.delete("sys/auth/cert")).status == 204
    assert (await wire.ask("auth/cert/login", stranger))[0] == 403


async def test_a_token_is_renewed_with_its_certificate_alone(wire: Wire) -> None:
    live, now = wire.live, wire.live.clock.now()
    root = issue("root", now, authority=True)
    await live.post("sys/auth/cert", {"type": "cert"})
    await live.post("auth/cert/certs/ca", {"certificate": root.pem, "token_policies": "default"})
    client, other = root.issue("client", now), root.issue("other", now)
    auth = (await wire.ask("auth/cert/login", client))[1]["auth"]
    token, accessor = auth["client_token"], auth["accessor"]
    assert (await wire.ask("auth/token/renew-self", client, token))[0] == 200
    assert (await wire.ask("auth/token/renew", client, live.token, token=token))[0] == 200
    assert (await wire.ask("auth/token/renew-accessor", client, live.token, accessor=accessor))[0] == 200
    for holder, message in ((None, "no client certificate found"), (other, "not matching client identity")):
        status, answer = await wire.ask("auth/token/renew-self", holder, token)
        assert (status, message in answer["errors"][0]) == (400, True)
