"""A Kubernetes API server in memory, as far as the injector needs one: it speaks the real protocol over HTTP."""

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from strongroom_injector.kube import Access, Kube

Json = dict[str, Any]
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class ApiServer:
    """Objects by path; every write gets the next resourceVersion; pods are told to all watchers."""

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.events: list[Json] = []
        self.requests: list[tuple[str, str]] = []
        self.applied: list[tuple[dict[str, str], Json]] = []
        self.minor = "33"
        self.failing = 0
        self.url = ""
        self._version = 100
        self._watchers: list[asyncio.Queue[tuple[str, Json]]] = []
        self._event_watchers: list[asyncio.Queue[tuple[str, Json]]] = []

    def put(self, path: str, made: Json) -> None:
        self._version += 1
        made["metadata"]["resourceVersion"] = str(self._version)
        self.objects[path] = made

    def webhook(self, name: str = "hook", count: int = 1) -> None:
        each = {"clientConfig": {"service": {"name": "injector"}}, "sideEffects": "None"}
        webhooks = [{"name": f"{number}.{name}", **copy.deepcopy(each)} for number in range(count)]
        self.put(
            f"{WEBHOOKS}/{name}",
            {"kind": "MutatingWebhookConfiguration", "metadata": {"name": name}, "webhooks": webhooks},
        )

    def tell(self, event: str, meta: Json) -> None:
        """Change a pod and let the watchers know; ``event`` ERROR ends their watch as too old."""
        self._version += 1
        made = {"namespace": "default", "uid": f"uid-{meta['name']}", **meta, "resourceVersion": str(self._version)}
        path = f"/pods/{made['namespace']}/{made['name']}"
        if event in ("ADDED", "MODIFIED"):
            self.objects[path] = {"metadata": made}
        elif event == "DELETED":
            self.objects.pop(path, None)
        for queue in self._watchers:
            queue.put_nowait((event, made))

    def back_off(self, event: str, involved: Json) -> None:
        """Let those who watch Events know of a container that fails."""
        for queue in self._event_watchers:
            queue.put_nowait((event, {"reason": "BackOff", "involvedObject": involved}))

    @property
    def event_watchers(self) -> int:
        return len(self._event_watchers)

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        if request.headers.get("Authorization") != "Bearer me":
            return _status(401, "Unauthorized")
        if self.failing:
            self.failing -= 1
            return _status(500, "etcd is slow")
        if request.path == "/version":
            return web.json_response({"major": "1", "minor": self.minor})
        if request.path == "/api/v1/events":
            return await self._watch(request)
        if request.path == "/api/v1/pods":
            return await self._watch(request) if "watch" in request.query else self._list(request)
        return await getattr(self, f"_{request.method.lower()}")(request)

    async def _get(self, request: web.Request) -> web.Response:
        found = self.objects.get(request.path)
        return web.json_response(found) if found else _status(404, f"{request.path} not found")

    async def _post(self, request: web.Request) -> web.Response:
        made = await request.json()
        path = f"{request.path}/{made['metadata']['name']}"
        if path in self.objects:
            return _status(409, "already exists")
        self.put(path, made)
        if request.path.endswith("/events"):
            self.events.append(made)
        return web.json_response(made, status=201)

    async def _put(self, request: web.Request) -> web.Response:
        made, stored = await request.json(), self.objects[request.path]
        if made["metadata"]["resourceVersion"] != stored["metadata"]["resourceVersion"]:
            return _status(409, "the object has been modified")
        self.put(request.path, made)
        return web.json_response(made)

    async def _patch(self, request: web.Request) -> web.Response:
        assert request.headers["Content-Type"] == "application/apply-patch+yaml"
        patch, stored = await request.json(), copy.deepcopy(self.objects[request.path])
        self.applied.append((dict(request.query), patch))
        by_name = {each["name"]: each for each in stored["webhooks"]}
        for each in patch["webhooks"]:
            by_name[each["name"]]["clientConfig"].update(each["clientConfig"])
        self.put(request.path, stored)
        return web.json_response(stored)

    def _list(self, request: web.Request) -> web.Response:
        assert "PartialObjectMetadataList" in request.headers["Accept"]
        items = [made for path, made in sorted(self.objects.items()) if path.startswith("/pods/")]
        start = int(request.query.get("continue", "0"))
        page, rest = items[start : start + 2], items[start + 2 :]
        meta = {"resourceVersion": str(self._version), **({"continue": str(start + 2)} if rest else {})}
        return web.json_response({"metadata": meta, "items": page})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        queue: asyncio.Queue[tuple[str, Json]] = asyncio.Queue()
        watchers = self._watchers if request.path.endswith("/pods") else self._event_watchers
        watchers.append(queue)
        try:
            while True:
                event, meta = await queue.get()
                made = {"metadata": meta} if watchers is self._watchers else meta
                made = {"code": 410, "message": "too old"} if event == "ERROR" else made
                line = json.dumps({"type": event, "object": made}).encode() + b"\n"
                await answer.write(line[:20])  # lines come in pieces
                await asyncio.sleep(0)
                await answer.write(line[20:])
                if event == "ERROR":
                    return answer
        finally:
            watchers.remove(queue)


def _status(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": message}, status=code)


@asynccontextmanager
async def running(server: ApiServer) -> AsyncIterator[Kube]:
    """Serve on a free port of loopback; yields a client of it."""
    runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield Kube(session, Access(server.url, token="me"))
    finally:
        await runner.cleanup()
