"""An API server that knows service accounts: TokenReview, published keys and namespaces, over TLS on loopback."""

import datetime
import ipaddress
import json
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ISSUER = "https://kubernetes.default.svc.cluster.local"
REVIEWER = "reviewer-token"


@cache
def signing_key(kid: str) -> rsa.RSAPrivateKey:
    del kid  # one key per id
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem_of(key: rsa.RSAPrivateKey) -> str:
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public).decode()


def certificate() -> tuple[str, str]:
    """Return a self-signed certificate for 127.0.0.1 and its key, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    raw = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(serialization.Encoding.PEM).decode(), raw.decode()


@dataclass
class Cluster:
    now: Callable[[], float]
    kid: str = "first"
    reviewers: set[str] = field(default_factory=lambda: {REVIEWER})
    reviews: list[dict[str, Any]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    knows_audiences: bool = True
    annotations: dict[str, str] = field(default_factory=dict)
    fails_with: int = 0
    fetched_keys: int = 0
    host: str = ""
    ca: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", self._review)
        app.router.add_get("/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/openid/v1/jwks", self._jwks)
        app.router.add_get("/api/v1/namespaces/{name}", self._namespace)
        app.router.add_get("/api/v1/namespaces/{namespace}/serviceaccounts/{name}", self._account)
        self.ca, key = certificate()
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=_server_context(self.ca, key))
        await site.start()
        self.host = f"https://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()

    def token(self, name: str = "app-1", namespace: str = "team-a", kid: str = "", **claims: Any) -> str:
        body = {
            "iss": ISSUER,
            "aud": ["vault"],
            "sub": f"system:serviceaccount:{namespace}:{name}",
            "iat": int(self.now()),
            "nbf": int(self.now()),
            "exp": int(self.now()) + 600,
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": f"uid-{name}"}},
        } | claims
        body = {name: value for name, value in body.items() if value is not None}
        kid = kid or self.kid
        return jwt.encode(body, signing_key(kid), algorithm="RS256", headers={"kid": kid})

    def legacy_token(self, name: str = "app-1", namespace: str = "team-a") -> str:
        """Return a token as Secrets of the type service-account-token hold it: without an end."""
        prefix = "kubernetes.io/serviceaccount/"
        claims: dict[str, Any] = dict.fromkeys(("aud", "iat", "nbf", "exp", "kubernetes.io"))
        claims |= {
            "iss": "kubernetes/serviceaccount",
            prefix + "namespace": namespace,
            prefix + "service-account.name": name,
            prefix + "service-account.uid": f"uid-{name}",
            prefix + "secret.name": f"{name}-token",
        }
        return self.token(name, namespace, **claims)

    def _allowed(self, request: web.Request) -> bool:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return bearer in self.reviewers

    async def _review(self, request: web.Request) -> web.Response:
        if self.fails_with:
            return web.Response(status=self.fails_with, text="etcd is not there")
        if not self._allowed(request):
            return web.json_response({"kind": "Status", "reason": "Forbidden"}, status=403)
        body = await request.json()
        assert (body["apiVersion"], body["kind"]) == ("authentication.k8s.io/v1", "TokenReview")
        self.reviews.append(body["spec"])
        return web.json_response(body | {"status": self._status(body["spec"])}, status=201)

    def _status(self, spec: dict[str, Any]) -> dict[str, Any]:
        try:
            options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
            key = signing_key(self.kid).public_key()
            claims = jwt.decode(spec["token"], key, algorithms=["RS256"], options=options)
        except jwt.PyJWTError as error:
            return {"authenticated": False, "error": str(error)}
        wanted = spec.get("audiences") or [ISSUER]
        shared = [audience for audience in wanted if audience in claims.get("aud", [ISSUER])]
        known = claims["sub"].rpartition(":")[2]
        if claims.get("exp", 1e12) < self.now() or known in self.gone or (not shared and self.knows_audiences):
            return {"authenticated": False, "error": "token is not good"}
        user = {"username": claims["sub"], "uid": f"uid-{known}", "groups": ["system:serviceaccounts"]}
        return {"authenticated": True, "user": user} | ({"audiences": shared} if self.knows_audiences else {})

    async def _discovery(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return web.json_response({}, status=403)
        return web.json_response({"issuer": ISSUER, "jwks_uri": "https://10.0.0.1:6443/openid/v1/jwks"})

    async def _jwks(self, request: web.Request) -> web.Response:
        self.fetched_keys += 1
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key(self.kid).public_key()))
        return web.json_response({"keys": [key | {"kid": self.kid, "use": "sig", "alg": "RS256"}]})

    async def _account(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return web.json_response({}, status=403)
        return web.json_response({"metadata": {"annotations": self.annotations}})

    async def _namespace(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if not self._allowed(request) or name not in self.namespaces:
            return web.json_response({"kind": "Status"}, status=404)
        return web.json_response({"metadata": {"name": name, "labels": self.namespaces[name]}})


def _server_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tls.pem").write_text(certificate + key)
        context.load_cert_chain(Path(folder, "tls.pem"))
    return context
