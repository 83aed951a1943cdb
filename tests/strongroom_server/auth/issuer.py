"""An OpenID provider on loopback: discovery, keys, the authorization code flow with PKCE, user info."""

import base64
import hashlib
import json
import secrets
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote_plus, urlencode

import jwt
from aiohttp import encode_basic_auth, web

from tests.strongroom_server.auth.cluster import certificate, pem_of, signing_key

__all__ = ["CLIENT", "SECRET", "Issuer", "pem_of", "signing_key"]

CLIENT, SECRET = "strongroom", "client secret: 100% + more"


@dataclass
class Issuer:
    """Whoever comes to ``/authorize`` is ``user``, at once. ``claims`` go into each id token."""

    now: Callable[[], float] = time.time
    kids: tuple[str, ...] = ("first",)
    user: str = "ann"
    claims: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    signs_with: str = "first"
    odd_keys: list[dict[str, str]] = field(default_factory=list)
    more: dict[str, str] = field(default_factory=dict)
    down: bool = False
    tls: bool = False
    fetched_keys: int = 0
    device: dict[str, Any] = field(default_factory=dict)
    device_says: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    ca: str = ""

    async def __aenter__(self) -> Self:
        self._codes: dict[str, dict[str, str]] = {}
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/keys", self._jwks)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/device", self._device)
        app.router.add_get("/userinfo", self._userinfo)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context()).start()
        self.url = f"http{'s' if self.tls else ''}://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def _context(self) -> ssl.SSLContext | None:
        if not self.tls:
            return None
        self.ca, key = certificate()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "both.pem")
            file.write_text(self.ca + key)
            context.load_cert_chain(file)
        return context

    def sign(self, claims: dict[str, Any], **headers: Any) -> str:
        """Return a token of exactly these claims."""
        kid = self.signs_with
        return jwt.encode(claims, signing_key(kid), algorithm="RS256", headers={"kid": kid} | headers)

    def token(self, **claims: Any) -> str:
        """Return a token for ``user`` that lives five minutes."""
        now = int(self.now())
        return self.sign({"iss": self.url, "sub": self.user, "iat": now, "exp": now + 300} | self.claims | claims)

    def _ready(self) -> None:
        if self.down:
            raise web.HTTPServiceUnavailable

    async def _discovery(self, _: web.Request) -> web.Response:
        self._ready()
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys",
                 "userinfo_endpoint": "userinfo", "device_authorization_endpoint": "device"}  # fmt: skip
        facts: dict[str, Any] = {name: f"{self.url}/{path}" for name, path in paths.items()}
        return web.json_response(facts | {"issuer": self.url, "response_types_supported": ["code"]})

    async def _jwks(self, _: web.Request) -> web.Response:
        self._ready()
        self.fetched_keys += 1
        keys = []
        for kid in self.kids:
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key(kid).public_key()))
            keys.append(public | {"kid": kid, "use": "sig", "alg": "RS256"})
        keys.extend(self.odd_keys)
        return web.json_response({"keys": keys})

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        self.asked.append(query)
        if query.get("client_id") != CLIENT or query.get("response_type") not in {"code", "id_token"}:
            raise web.HTTPBadRequest
        code = secrets.token_urlsafe()
        self._codes[code] = query
        answer = {"state": query["state"], "code": code}
        if query["response_type"] == "id_token":
            answer = {"state": query["state"], "id_token": self.token(aud=CLIENT, nonce=query["nonce"])}
        if query.get("response_mode") == "form_post":  # a browser would send this on
            return web.json_response(answer)
        raise web.HTTPFound(f"{query['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        known = self._codes.pop(form.get("code", ""), None)
        if request.headers.get("Authorization") != _basic():
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code":
            if form.get("device_code") != "device" or self.device_says:
                return web.json_response({"error": self.device_says or "invalid_grant"}, status=400)
            return web.json_response({"id_token": self.token(aud=CLIENT), "access_token": "access"})
        if known is None or form.get("redirect_uri") != known["redirect_uri"] or not _proves(form, known):
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = self.token(**({"aud": CLIENT, "nonce": known["nonce"]} | self.claims))
        return web.json_response({"id_token": token, "access_token": "access", "token_type": "Bearer"} | self.more)

    async def _device(self, request: web.Request) -> web.Response:
        form = await request.post()
        if request.headers.get("Authorization") != _basic() or form.get("client_id") != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"device_code": "device", "user_code": "AB-12", "expires_in": 300, "interval": 2,
                                  "verification_uri": f"{self.url}/go"} | self.device)  # fmt: skip

    async def _userinfo(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer access":
            raise web.HTTPUnauthorized
        return web.json_response({"sub": self.user} | self.info)


def _basic() -> str:
    return encode_basic_auth(quote_plus(CLIENT), quote_plus(SECRET))  # RFC 6749, 2.3.1


def _proves(form: dict[str, str], known: dict[str, str]) -> bool:
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return known.get("code_challenge_method") == "S256" and known.get("code_challenge") == challenge
