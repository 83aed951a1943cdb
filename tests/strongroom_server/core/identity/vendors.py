"""Duo, Okta and PingID on loopback, over TLS: each checks what it is sent as the vendor's documents say."""

import base64
import hashlib
import hmac
import json
import ssl
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self

import jwt
from aiohttp import web

from tests.strongroom_server.auth.cluster import certificate


@dataclass
class Vendor:
    """``folder`` gets the certificate, ``ca.pem``; ``asked`` is what was asked, ``broken`` an answer for everything."""

    folder: Path
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    broken: web.Response | None = None
    host: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        certified, key = certificate()
        (self.folder / "ca.pem").write_text(certified)
        (self.folder / "both.pem").write_text(certified + key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.folder / "both.pem")
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        self.host = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        return self.broken or await self.answer(request)

    async def answer(self, request: web.Request) -> web.Response:
        raise NotImplementedError


@dataclass
class Duo(Vendor):
    """Knows alice, with the passcode 123456."""

    before: str = "auth"
    waits: int = 1
    answers: str = "allow"

    kind = "duo"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"secret_key": "s3cret", "integration_key": "DIKEY", "api_hostname": self.host} | more

    async def answer(self, request: web.Request) -> web.Response:
        sent = request.query_string if request.method == "GET" else (await request.read()).decode()
        date = request.headers["Date"]
        assert parsedate_to_datetime(date).tzinfo is not None
        signed = f"{date}\n{request.method}\n{self.host}\n{request.path}\n{sent}"
        password = hmac.new(b"s3cret", signed.encode(), hashlib.sha1).hexdigest()
        basic = base64.b64encode(f"DIKEY:{password}".encode()).decode()
        if request.headers["Authorization"] != f"Basic {basic}":
            body = {"stat": "FAIL", "code": 40103, "message": "Invalid signature in request credentials"}
            return web.json_response(body, status=401)
        fields = dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}
        assert list(fields) == sorted(fields)
        self.asked.append((request.path, fields))
        return web.json_response({"stat": "OK", "response": self._response(request.path, fields)})

    def _response(self, path: str, fields: dict[str, str]) -> dict[str, Any]:
        match path, fields:
            case "/auth/v2/preauth", _:
                known = fields["username"] == "alice"
                return {"result": self.before if known else "enroll", "status_msg": "Account is active"}
            case "/auth/v2/auth", {"factor": "passcode", "passcode": passcode}:
                return {"result": "allow" if passcode == "123456" else "deny", "status_msg": "Incorrect passcode."}
            case "/auth/v2/auth", {"factor": "push", "device": "auto", "async": "1"}:
                return {"txid": "tx-1"}
            case "/auth/v2/auth_status", {"txid": "tx-1"}:
                self.waits -= 1
                return {"result": self.answers if self.waits < 0 else "waiting", "status_msg": "Login request denied."}
        raise web.HTTPNotFound


@dataclass
class Okta(Vendor):
    """Knows alice, whose e-mail address is alice@example.com."""

    factors: list[dict[str, str]] = field(default_factory=lambda: [
        {"id": "sms1", "factorType": "sms", "provider": "OKTA", "status": "ACTIVE"},
        {"id": "old", "factorType": "push", "provider": "OKTA", "status": "INACTIVE"},
        {"id": "push1", "factorType": "push", "provider": "OKTA", "status": "ACTIVE"},
    ])  # fmt: skip
    waits: int = 1
    answers: str = "SUCCESS"
    kind = "okta"

    def settings(self, **more: Any) -> dict[str, Any]:
        organisation, _, rest = self.host.partition(".")
        return {"org_name": organisation, "base_url": rest, "api_token": "s3cret"} | more

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers["Authorization"] != "SSWS s3cret":
            return web.json_response({"errorCode": "E0000011", "errorSummary": "Invalid token provided"}, status=401)
        self.asked.append((f"{request.method} {request.path}", dict(request.query)))
        match request.method, request.path.removeprefix("/api/v1/users"):
            case "GET", "":
                known = request.query["filter"] in {
                    'profile.login eq "alice"',
                    'profile.email eq "alice@example.com"',
                }
                return web.json_response([{"id": "00u1", "status": "ACTIVE"}] if known else [])
            case "GET", "/00u1/factors":
                return web.json_response(self.factors)
            case ("POST", "/00u1/factors/push1/verify") | ("GET", "/00u1/factors/push1/transactions/v2-t1"):
                self.waits -= 1
                poll = "https://elsewhere.example/api/v1/users/00u1/factors/push1/transactions/v2-t1"
                result = self.answers if self.waits < 0 else "WAITING"
                return web.json_response({"factorResult": result, "_links": {"poll": {"href": poll}}})
        raise web.HTTPNotFound


KEY = b"0123456789abcdef0123456789abcdef"


@dataclass
class PingId(Vendor):
    """Knows alice, who says ``answers``."""

    answers: int = 200
    says: str = "ok"
    signs_with: bytes = KEY
    algorithm: str = "HS256"
    alias: str = "our-alias"
    kind = "pingid"

    def settings(self, **more: Any) -> dict[str, Any]:
        lines = [
            "#Auto-Generated from PingOne",
            f"use_base64_key={base64.b64encode(KEY).decode()}",
            "use_signature=true",
            "token=s3cret",
            f"idp_url=https://{self.host}/pingid",
            "org_alias=our-alias",
        ]
        return {"settings_file_base64": base64.b64encode("\n".join(lines).encode()).decode()} | more

    async def answer(self, request: web.Request) -> web.Response:
        token = (await request.read()).decode()
        opened = jwt.PyJWS().decode_complete(token, KEY, algorithms=["HS256"])
        assert (opened["header"]["org_alias"], opened["header"]["token"]) == ("our-alias", "s3cret")
        sent = json.loads(opened["payload"])
        head, body = sent["reqHeader"], sent["reqBody"]
        assert (head["orgAlias"], head["secretKey"], head["version"]) == ("our-alias", "s3cret", "4.9")
        assert len(head["timestamp"]) == len("2014-07-24 07:51:20.242")
        self.asked.append((request.path, body))
        assert body == {"spAlias": "web", "userName": body["userName"], "authType": "CONFIRM"}
        known = body["userName"] == "alice"
        said = {"errorId": self.answers if known else 10564, "errorMsg": self.says if known else "Invalid user name"}
        text = jwt.PyJWS().encode(
            json.dumps({"responseBody": said}).encode(), self.signs_with, self.algorithm,
            headers={"org_alias": self.alias, "token": "s3cret"},
        )  # fmt: skip
        return web.Response(text=text, content_type="application/octet-stream")
