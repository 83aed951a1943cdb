"""ACME with a client that no one here wrote, over HTTP, and challenges on loopback."""

import asyncio
import hashlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import josepy as untyped_josepy
import pytest
from acme import challenges, client, crypto_util, errors, messages
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from strongroom_server.config import Listener
from strongroom_server.engines.pki import Engine, building
from strongroom_server.engines.pki.acme.challenges import Prober
from strongroom_server.engines.pki.acme.problems import Problem
from strongroom_server.engines.pki.acme.records import HTTP, Identifier
from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import new_key, serial_text
from tests.strongroom_server.live import Live

josepy: Any = untyped_josepy  # its module exports nothing by name
pytestmark = pytest.mark.slow  # the client waits a second before it asks again

HOST = "127.0.0.1"


@dataclass
class Authority:
    """A server with a mount at ``pki`` that speaks ACME; ``url`` is the mount's."""

    live: Live
    url: str
    clients: "list[Client]" = field(default_factory=list)

    def client(self, path: str = "") -> "Client":
        """Return a new client of the mount's directory, or of another one's."""
        self.clients.append(Client(f"{self.url}{path}"))
        return self.clients[-1]

    @property
    def engine(self) -> Engine:
        mount = self.live.server.mounts.at("pki/")
        assert mount is not None
        assert isinstance(mount.engine, Engine)
        return mount.engine

    async def post(self, path: str, /, **body: Any) -> Any:
        answer = await self.live.post(f"pki/{path}", body)
        assert answer.status in {200, 204}, answer
        return answer.body["data"] if answer.body else None

    def reach(self, **ports: Any) -> None:
        """Let challenges be looked at on other ports than the usual ones."""
        self.engine.prober = replace(self.engine.prober, **ports)

    async def given_up(self, acme: "Client", order: Any) -> None:
        """Let time pass until the first challenge was tried for the last time."""
        async with asyncio.timeout(60):
            while (await acme.do(acme.acme.poll, order.authorizations[0]))[0].body.status == messages.STATUS_PENDING:
                await self.live.clock.advance(20)


@pytest.fixture
async def authority(live: Live) -> AsyncIterator[Authority]:
    live.clock.time = time.time()
    bound = await bind_tcp(App(live.server, Listener()), HOST, 0)
    url = f"http://{HOST}:{bound.port}/v1/pki"
    await live.post("sys/mounts/pki", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    served = Authority(live, url)
    await served.post("root/generate/internal", common_name="Root", key_type="ec", ttl="8000h")
    await served.post("config/cluster", path=url)
    await served.post("config/acme", enabled=True)
    yield served
    for one in served.clients:
        one.net.session.close()
    await bound.close()


class Client:
    """An ACME client with a key of its own; its calls block, so they run beside the loop."""

    def __init__(self, url: str) -> None:
        self.key = josepy.JWKEC(key=new_key("ec", 256))
        self.net = client.ClientNetwork(self.key, alg=josepy.ES256, timeout=10)
        self.acme: Any = None
        self._url = url

    async def start(self, **account: Any) -> "Client":
        def blocking() -> None:
            directory = client.ClientV2.get_directory(f"{self._url}/acme/directory", self.net)
            self.acme = client.ClientV2(directory, self.net)
            asked = messages.NewRegistration.from_data(email="me@example.test", terms_of_service_agreed=True, **account)
            self.net.account = self.acme.new_account(asked)

        await self.do(blocking)
        return self

    async def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    async def order(self, *names: str, ips: tuple[str, ...] = ()) -> Any:
        key = new_key("ec", 256)
        raw = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        import ipaddress

        csr = crypto_util.make_csr(raw, list(names), ipaddrs=[ipaddress.ip_address(ip) for ip in ips])
        return await self.do(self.acme.new_order, csr)

    async def answer(self, order: Any, kind: type) -> None:
        for authorization in order.authorizations:
            chosen = next(one for one in authorization.body.challenges if isinstance(one.chall, kind))
            await self.do(self.acme.answer_challenge, chosen, chosen.response(self.key))

    async def finish(self, order: Any) -> Any:
        from datetime import datetime, timedelta

        deadline = datetime.now() + timedelta(seconds=60)
        return await self.do(self.acme.poll_and_finalize, order, deadline)

    def proof(self, order: Any, kind: type) -> tuple[str, str]:
        """Return the token and the key authorization of the first challenge of a kind."""
        chosen = next(one for one in order.authorizations[0].body.challenges if isinstance(one.chall, kind))
        return chosen.chall.encode("token"), chosen.chall.key_authorization(self.key)


async def serve_file(path: str, text: str) -> tuple[web.ServerRunner, int]:
    async def handle(request: web.BaseRequest) -> web.Response:
        return web.Response(text=text) if request.path == path else web.Response(status=404)

    return await serve(handle)


async def serve(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> tuple[web.ServerRunner, int]:
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    return runner, runner.addresses[0][1]


async def prove_by_http(authority: Authority, acme: Client, order: Any) -> Any:
    token, proof = acme.proof(order, challenges.HTTP01)
    runner, port = await serve_file(f"/.well-known/acme-challenge/{token}", proof)
    authority.reach(http_port=port)
    await acme.answer(order, challenges.HTTP01)
    try:
        return await acme.finish(order)
    finally:
        await runner.cleanup()


async def test_a_certificate_by_http_and_its_end(authority: Authority) -> None:
    acme = await authority.client().start()
    order = await prove_by_http(authority, acme, await acme.order("localhost"))
    found = x509.load_pem_x509_certificates(order.fullchain_pem.encode())
    found[0].verify_directly_issued_by(found[1])
    names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    usages = found[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in usages] == ["1.3.6.1.5.5.7.3.1"]
    assert (found[0].not_valid_after_utc - found[0].not_valid_before_utc).days == 90
    assert (await authority.live.list("pki/certs")).status == 200
    await acme.do(acme.acme.revoke, found[0], 0)
    assert (await authority.live.list("pki/certs/revoked")).data["keys"] == [serial_text(found[0].serial_number)]
    with pytest.raises(messages.Error, match="alreadyRevoked"):
        await acme.do(acme.acme.revoke, found[0], 0)


async def test_a_wildcard_by_dns(authority: Authority) -> None:
    from dnslib import QTYPE, RR, TXT
    from dnslib.server import BaseResolver, DNSServer

    texts: list[str] = []

    class Zone(BaseResolver):  # type: ignore[misc]
        def resolve(self, request: Any, handler: Any) -> Any:
            reply = request.reply()
            if str(request.q.qname) == "_acme-challenge.example.test.":
                for text in texts:
                    reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(text), ttl=1))
            return reply

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    server = DNSServer(Zone(), address=HOST, port=port)
    server.start_thread()
    await authority.post("config/acme", dns_resolver=f"{HOST}:{port}")
    acme = await authority.client().start()
    order = await acme.order("*.example.test")
    assert [type(one.chall) for one in order.authorizations[0].body.challenges] == [challenges.DNS01]
    _, proof = acme.proof(order, challenges.DNS01)
    texts += ["other", josepy.b64encode(hashlib.sha256(proof.encode()).digest()).decode()]
    await acme.answer(order, challenges.DNS01)
    done = await acme.finish(order)
    await asyncio.to_thread(server.stop)
    server.server.server_close()
    found = x509.load_pem_x509_certificate(done.fullchain_pem.encode())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.example.test"]


def alpn_context(tmp_path: Path, proof: str) -> ssl.SSLContext:
    key = new_key("ec", 256)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    value = b"\x04\x20" + hashlib.sha256(proof.encode()).digest()
    extensions: list[building.Extension] = [
        (x509.SubjectAlternativeName([x509.DNSName("localhost")]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), value), True),
    ]
    draft = building.Draft(name, key.public_key(), time.time() - 60, time.time() + 600, extensions=extensions)
    certificate = building.sign(draft, name, key, Signing())
    (tmp_path / "c.pem").write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "c.pem")
    context.set_alpn_protocols(["acme-tls/1"])
    return context


async def test_a_certificate_by_tls(authority: Authority, tmp_path: Path) -> None:
    acme = await authority.client().start()
    order = await acme.order("localhost")
    read = await acme.do(acme.acme._post_as_get, order.authorizations[0].uri)
    chosen = next(one for one in read.json()["challenges"] if one["type"] == "tls-alpn-01")
    proof = f"{chosen['token']}.{josepy.b64encode(acme.key.thumbprint()).decode()}"

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(close, HOST, 0, ssl=alpn_context(tmp_path, proof))
    authority.reach(tls_port=server.sockets[0].getsockname()[1])
    await acme.do(acme.acme._post, chosen["url"], challenges.HTTP01Response(key_authorization=proof))
    done = await acme.finish(order)
    server.close()
    await server.wait_closed()
    assert "BEGIN CERTIFICATE" in done.fullchain_pem


class _Empty(josepy.JSONObjectWithFields):  # type: ignore[misc]
    """Nothing."""


async def test_what_is_not_proven_is_not_issued(authority: Authority) -> None:
    acme = await authority.client().start()
    order = await acme.order("localhost")
    token, _ = acme.proof(order, challenges.HTTP01)
    runner, port = await serve_file(f"/.well-known/acme-challenge/{token}", "something else")
    authority.reach(http_port=port)
    with pytest.raises(messages.Error, match="orderNotReady"):
        await acme.do(acme.acme._post, order.body.finalize, _Empty())
    await acme.answer(order, challenges.HTTP01)
    await authority.given_up(acme, order)
    with pytest.raises(errors.ValidationError):
        await acme.finish(order)
    await runner.cleanup()


async def test_a_file_may_come_in_pieces() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for piece in (b"the proof", b".of the key", b"\n"):
            await answer.write(piece)
            await asyncio.sleep(0.01)
        return answer

    runner, port = await serve(handle)
    await Prober(http_port=port).prove(HTTP, Identifier("ip", HOST), "the proof", "of the key")
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        pytest.param(200, {}, "the proof.of another key", id="another_answer"),
        pytest.param(200, {}, "x" * 8193, id="a_long_answer"),
        pytest.param(404, {}, "the proof.of the key", id="no_file"),
        pytest.param(302, {}, "", id="moved_to_nowhere"),
        pytest.param(302, {"Location": "http://[/"}, "", id="moved_to_what_is_no_url"),
        pytest.param(302, {"Location": "http://127.0.0.1:1/"}, "", id="moved_to_another_port"),
        pytest.param(302, {"Location": "/again"}, "", id="moved_for_ever"),
    ],
)
async def test_answers_that_prove_nothing(status: int, headers: dict[str, str], text: str) -> None:
    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, headers=headers, text=text)

    runner, port = await serve(handle)
    with pytest.raises(Problem) as caught:
        await Prober(http_port=port).prove(HTTP, Identifier("ip", HOST), "the proof", "of the key")
    assert caught.value.kind == "incorrectResponse"
    await runner.cleanup()


async def test_a_csr_must_name_what_was_ordered(authority: Authority) -> None:
    acme = await authority.client().start()
    order = await acme.order("localhost")
    other = await acme.order("localhost", "other.test")
    token, proof = acme.proof(order, challenges.HTTP01)
    runner, port = await serve_file(f"/.well-known/acme-challenge/{token}", proof)
    authority.reach(http_port=port)
    await acme.answer(order, challenges.HTTP01)
    order = order.update(csr_pem=other.csr_pem)
    with pytest.raises(messages.Error, match="badCSR"):
        await acme.finish(order)
    await runner.cleanup()


async def test_an_account_may_have_to_be_bound(authority: Authority) -> None:
    await authority.post("config/acme", eab_policy="always-required")
    with pytest.raises(messages.Error, match="externalAccountRequired"):
        await authority.client().start()
    made = await authority.post("acme/new-eab")
    assert (await authority.live.list("pki/eab")).data["keys"] == [made["id"]]
    acme = authority.client()

    def bound(kid: str, key: str) -> Any:
        directory = client.ClientV2.get_directory(f"{authority.url}/acme/directory", acme.net)
        return messages.ExternalAccountBinding.from_data(acme.key.public_key(), kid, key, directory)

    wrong = await acme.do(bound, made["id"], "dmF1bHQtZWFiLTA")
    with pytest.raises(messages.Error, match="unauthorized"):
        await acme.start(external_account_binding=wrong)
    right = await acme.do(bound, made["id"], made["key"])
    await acme.start(external_account_binding=right)
    assert (await authority.live.list("pki/eab")).status == 404
    assert (await acme.order("localhost")).body.status is not None
    again = authority.client()
    with pytest.raises(messages.Error):
        await again.start(external_account_binding=right)


async def test_a_role_says_which_names(authority: Authority) -> None:
    await authority.post("roles/web", allowed_domains="example.test", allow_subdomains=True, key_type="any")
    await authority.post("config/acme", default_directory_policy="role:web")
    acme = await authority.client().start()
    with pytest.raises(messages.Error, match="rejectedIdentifier"):
        await acme.order("other.test")
    assert (await acme.order("a.example.test")).uri.startswith(f"{authority.url}/acme/order/")
    by_role = await authority.client("/roles/web").start()
    assert (await by_role.order("a.example.test")).uri.startswith(f"{authority.url}/roles/web/acme/order/")


class _KeyChange(josepy.JSONObjectWithFields):  # type: ignore[misc]
    protected: str = josepy.field("protected")
    payload: str = josepy.field("payload")
    signature: str = josepy.field("signature")


def _key_change(acme: Client, new: Any) -> Any:
    url = acme.acme.directory["keyChange"]
    assert acme.net.account is not None
    payload = {"account": acme.net.account.uri, "oldKey": acme.key.public_key().to_json()}
    protected = {"alg": "ES256", "jwk": new.public_key().to_json(), "url": url}
    parts = [josepy.b64encode(json.dumps(part).encode()).decode() for part in (protected, payload)]
    signature = josepy.ES256.sign(new.key, ".".join(parts).encode())
    return _KeyChange(protected=parts[0], payload=parts[1], signature=josepy.b64encode(signature).decode())


async def test_accounts_change_and_end(authority: Authority) -> None:
    acme = await authority.client().start()
    new = josepy.JWKEC(key=new_key("ec", 256))
    changed = messages.UpdateRegistration(contact=("mailto:you@example.test",))
    updated = await acme.do(acme.acme.update_registration, acme.net.account, changed)
    assert updated.body.contact == ("mailto:you@example.test",)
    await acme.do(acme.acme._post, acme.acme.directory["keyChange"], _key_change(acme, new))
    with pytest.raises(messages.Error, match="malformed"):
        await acme.order("localhost")
    acme.net.key = new
    await acme.do(acme.acme.deactivate_registration, acme.net.account)
    with pytest.raises(messages.Error, match="unauthorized"):
        await acme.order("localhost")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204)])
async def test_a_nonce_by_either_method(authority: Authority, method: str, status: int) -> None:
    async with aiohttp.request(method, f"{authority.url}/acme/new-nonce") as answer:
        assert (answer.status, bool(answer.headers["Replay-Nonce"])) == (status, True)
        assert (answer.headers["Cache-Control"], await answer.read()) == ("no-store", b"")


async def test_renewal_is_suggested(authority: Authority) -> None:
    acme = await authority.client().start()
    order = await prove_by_http(authority, acme, await acme.order("localhost"))
    at, _ = await acme.do(acme.acme.renewal_time, order.fullchain_pem.encode())
    found = x509.load_pem_x509_certificate(order.fullchain_pem.encode())
    life = found.not_valid_after_utc - found.not_valid_before_utc
    assert found.not_valid_before_utc + life * 0.66 < at < found.not_valid_before_utc + life * 0.84


@pytest.mark.parametrize(("body", "kind"), [
    pytest.param({}, "malformed", id="nothing"),
    pytest.param({"protected": "e30", "payload": "", "signature": ""}, "malformed", id="neither_kid_nor_jwk"),
    pytest.param({"protected": "!", "payload": "", "signature": ""}, "malformed", id="no_base64"),
    pytest.param({"protected": "WzFd", "payload": "", "signature": ""}, "malformed", id="no_object"),
])  # fmt: skip
async def test_what_is_not_signed_is_refused(authority: Authority, body: dict[str, str], kind: str) -> None:
    from strongroom_server.sdk.request import Operation, Request

    answer = await authority.engine.handle(Request(Operation.UPDATE, "acme/new-account", body))
    assert answer.raw is not None
    assert (answer.raw.status, answer.raw.content_type) == (400, "application/problem+json")
    assert json.loads(answer.raw.body)["type"] == f"urn:ietf:params:acme:error:{kind}"
    assert answer.headers["Replay-Nonce"]


async def test_a_mount_that_does_not_speak_acme_has_no_directory(authority: Authority) -> None:
    from strongroom_server.sdk.request import Operation, Request

    await authority.post("config/acme", enabled=False)
    answer = await authority.engine.handle(Request(Operation.READ, "acme/directory"))
    assert answer.raw is not None
    assert answer.raw.status == 404
