"""Real secrets servers on loopback for the operator to look after, and the TokenReview that they ask for."""

import asyncio
import contextlib
import json
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from strongroom_client import ClientError
from strongroom_operator.vault import HttpServer, health
from tests.bao import program


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def token_reviews(accounts: Mapping[str, str]) -> AsyncIterator[str]:
    """Answer TokenReviews: ``accounts`` maps a token to ``namespace:name``; any other is not authenticated."""

    async def review(request: web.Request) -> web.Response:
        spec = (await request.json())["spec"]
        namespace, _, name = accounts.get(spec["token"], "").partition(":")
        status: dict[str, Any] = {"authenticated": bool(name), "audiences": spec.get("audiences") or []}
        if name:
            status["user"] = {"username": f"system:serviceaccount:{namespace}:{name}", "uid": f"uid-of-{name}"}
        return web.json_response({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status})

    app = web.Application()
    app.router.add_post("/apis/authentication.k8s.io/v1/tokenreviews", review)
    async with serving(app) as address:
        yield address


@contextlib.asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve on a free port of loopback; yields the address."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def running(kind: str, folder: Path, port: int, **more: Any) -> AsyncIterator[HttpServer]:
    """Run a server of ``kind`` on the data in ``folder``, sealed as after any start; ``more`` is of the server file."""
    listener = {"address": f"127.0.0.1:{port}", "tls_disable": True}
    config: dict[str, Any] = {"listener": {"tcp": listener}, "api_addr": f"http://127.0.0.1:{port}"}
    if kind == "openbao":
        command = [program()]
        config |= {
            "storage": {"raft": {"path": str(folder), "node_id": "one", "performance_multiplier": 1}},
            "cluster_addr": f"https://127.0.0.1:{free_port()}",
            "unsafe_allow_api_audit_creation": True,
        }
        listener["disable_unauthed_generate_root_endpoints"] = False
    else:
        command = [sys.executable, "-m", "strongroom_cli"]
        config |= {"storage": {"sqlite": {"path": str(folder)}}, "disable_mlock": True}
    config |= more
    file = folder / "server.hcl"
    file.write_text(json.dumps(config))
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, "server", f"-config={file}", stdout=log, stderr=log)
        try:
            async with aiohttp.ClientSession() as session:
                server = HttpServer(session, f"http://127.0.0.1:{port}")
                await _until_it_answers(server, process)
                yield server
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _until_it_answers(server: HttpServer, process: Process) -> None:
    for _ in range(600):
        assert process.returncode is None, "the server ended: see its log"
        with contextlib.suppress(ClientError):
            await health(server)
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the server did not start")


async def until_active(server: HttpServer) -> None:
    """Wait until an unsealed server has become the leader of itself."""
    for _ in range(1200):
        found = await health(server)
        if not found.sealed and not found.standby:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the server did not become active")


def service_account_token(namespace: str, name: str, audience: str = "strongroom") -> str:
    """Return a token shaped as Kubernetes makes them; only the TokenReview above judges it."""
    import base64
    import time

    now = int(time.time())
    claims = {
        "iss": "https://kubernetes.default.svc.cluster.local",
        "aud": [audience],
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "exp": now + 600,
        "iat": now,
        "nbf": now,
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": f"uid-of-{name}"}},
    }

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(claims)}.{part('signature')}"
