"""Certificates that an OCSP responder is asked about before they log in."""

import datetime
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from strongroom_server.auth.cert import Engine
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Connection, Operation, Request
from tests.strongroom_server.auth.authority import Holder, issue
from tests.strongroom_server.fakes import Mounted

GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
FOR_OCSP = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]),)


class Responder:
    """Says ``status`` of every certificate, or what else it is told to."""

    def __init__(self, mounted: Mounted) -> None:
        self.mounted, self.clock = mounted, mounted.clock
        self.root = issue("root", self.clock.now(), authority=True)
        self.signer, self.shows = self.root, False
        self.status: Any = GOOD
        self.about: Holder | None = None
        self.age = 0.0
        self.asked = 0

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked += 1
        question = ocsp.load_der_ocsp_request(await request.read())
        if self.status is None:
            raw = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
            return web.Response(body=raw.public_bytes(Encoding.DER))
        about = (self.about or self.client).certificate
        assert question.serial_number == self.client.certificate.serial_number
        moment = datetime.datetime.fromtimestamp(self.clock.now() - self.age, datetime.UTC)
        builder = ocsp.OCSPResponseBuilder().add_response(
            about, self.root.certificate, hashes.SHA1(), self.status, moment, moment + datetime.timedelta(hours=1),
            moment if self.status is REVOKED else None, None,
        ).responder_id(ocsp.OCSPResponderEncoding.NAME, self.signer.certificate)  # fmt: skip
        if self.shows:
            builder = builder.certificates([self.signer.certificate])
        return web.Response(body=builder.sign(self.signer.key, hashes.SHA256()).public_bytes(Encoding.DER))

    def named(self, url: str) -> None:
        """Issue the client's certificate, which names the responder."""
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
        self.url = url
        self.client = self.root.issue(
            "client", self.clock.now(), extensions=(x509.AuthorityInformationAccess([access]),)
        )

    async def role(self, **settings: Any) -> None:
        given = {"certificate": self.root.pem, "ocsp_enabled": True} | settings
        await self.mounted.ask("update", "certs/app", given)

    async def lets_in(self) -> bool:
        request = Request(Operation.UPDATE, "login", {}, connection=Connection(certificates=self.client.shown))
        try:
            await self.mounted.engine.handle(request)
        except InvalidRequest:
            return False
        return True


@pytest.fixture
async def responder() -> AsyncIterator[Responder]:
    responder = Responder(await Mounted(Engine).start())
    runner = web.ServerRunner(web.Server(responder.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    responder.named(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await responder.role()
    yield responder
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "open_", "lets_in"),
    [
        pytest.param(GOOD, False, True, id="good"),
        pytest.param(REVOKED, False, False, id="revoked"),
        pytest.param(REVOKED, True, False, id="revoked_is_believed_in_any_case"),
        pytest.param(UNKNOWN, False, False, id="unknown"),
        pytest.param(UNKNOWN, True, True, id="unknown_may_pass"),
        pytest.param(None, False, False, id="no_answer"),
        pytest.param(None, True, True, id="no_answer_may_do"),
    ],
)
async def test_what_the_responder_says(responder: Responder, status: Any, open_: bool, lets_in: bool) -> None:
    await responder.role(ocsp_fail_open=open_)
    responder.status = status
    assert await responder.lets_in() is lets_in
    assert responder.asked == 1


async def test_answers_of_others_do_not_count(responder: Responder) -> None:
    now = responder.clock.now()
    for signer, counts in (
        (responder.root.issue("delegated", now, extensions=FOR_OCSP), True),
        (responder.root.issue("another client", now), False),
        (issue("stranger", now, extensions=FOR_OCSP), False),
        (responder.root.issue("late", now, extensions=FOR_OCSP, lasts=-1), False),
    ):
        responder.signer, responder.shows = signer, True
        assert await responder.lets_in() is counts
    extra = issue("extra", now)
    responder.signer, responder.shows = extra, False
    assert not await responder.lets_in()
    await responder.role(ocsp_ca_certificates=extra.pem)
    assert await responder.lets_in()


async def test_answers_about_others_or_of_another_time_do_not_count(responder: Responder) -> None:
    responder.about = responder.root.issue("other", responder.clock.now())
    assert not await responder.lets_in()
    responder.about = None
    for age, counts in ((3700, True), (4000, False), (-200, True), (-400, False)):
        responder.age = age
        assert await responder.lets_in() is counts


async def test_responders_can_be_named_by_the_role(responder: Responder) -> None:
    nobody = "http://127.0.0.1:1"
    await responder.role(ocsp_servers_override=nobody)
    assert not await responder.lets_in()
    await responder.role(ocsp_servers_override=[nobody, responder.url])
    assert await responder.lets_in()
    await responder.role(ocsp_query_all_servers=True)
    assert not await responder.lets_in()
    await responder.role(ocsp_servers_override=[responder.url, responder.url])
    assert await responder.lets_in()
    responder.named("ldap://x")
    await responder.role(ocsp_servers_override="", ocsp_query_all_servers=False)
    assert not await responder.lets_in()
