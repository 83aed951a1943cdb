"""HTTP: the admission review that the API server sends, health, metrics. The only file of the injector that serves it.

Format: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request
"""

import base64
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from strongroom_injector.admission import Surroundings, Verdict, advise, decide
from strongroom_injector.errors import Denied
from strongroom_injector.metrics import Metrics
from strongroom_injector.patch import encode

Json = dict[str, Any]

LARGEST_BODY = 8 * 1024 * 1024
"""Bytes; the API server takes objects of 3 MiB, and a review may hold two."""
_REVIEW = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
_log = logging.getLogger(__name__)


class Webhook:
    """Answers the API server; ``around`` and ``problem`` are asked anew for each request."""

    def __init__(self, around: Callable[[], Surroundings], problem: Callable[[], str | None], metrics: Metrics) -> None:
        self._around, self._problem, self._metrics = around, problem, metrics

    def app(self) -> web.Application:
        """Return the application of the TLS port."""
        app = self.health_app()
        app.router.add_post("/mutate", self._mutate)
        app.router.add_post("/lint", self._lint)
        return app

    def health_app(self) -> web.Application:
        """Return the application of the plain port: all but the admissions."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_get("/health/ready", self._ready)
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/metrics", self._metrics_page)
        return app

    async def _mutate(self, request: web.Request) -> web.Response:
        began = time.perf_counter()
        try:
            review = _request_of(await request.read(), pods_only=True)
            answer = json.dumps({**_REVIEW, "response": self._answer(review)})
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        finally:
            self._metrics.requests.observe(time.perf_counter() - began)
        return web.Response(text=answer, content_type="application/json")

    async def _lint(self, request: web.Request) -> web.Response:
        """Answer for what makes pods: always allowed, with the warnings that its pods would get."""
        try:
            review = _request_of(await request.read())
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        namespace = str(review.get("namespace") or "default")
        response: Json = {"uid": review["uid"], "allowed": True}
        if said := advise(review.get("object") or {}, namespace, self._around()):
            response["warnings"] = said
        return web.json_response({**_REVIEW, "response": response})

    def _answer(self, review: Json) -> Json:
        """Return the response of a review; an annotated pod is refused when the injector itself is at fault."""
        namespace = str(review.get("namespace") or "default")
        try:
            verdict = decide(review.get("object") or {}, namespace, self._around())
        except Denied as denied:
            self._metrics.refusals.add(namespace, "annotation")
            return _refused(review["uid"], 400, "BadRequest", str(denied))
        except Exception:  # noqa: BLE001 - fail closed: no fault of ours lets a pod start without its secrets
            _log.exception("cannot inject a pod", extra={"fields": {"namespace": namespace, "uid": review["uid"]}})
            self._metrics.refusals.add(namespace, "error")
            return _refused(
                review["uid"], 500, "InternalError", f"the injector failed; its log has uid {review['uid']}"
            )
        if verdict.kind:
            self._metrics.injections.add(namespace, verdict.kind)
        return _allowed(review["uid"], verdict)

    async def _ready(self, _: web.Request) -> web.Response:
        problem = self._problem()
        self._metrics.ready.set(0 if problem else 1)
        return web.Response(status=503 if problem else 200, text=f"{problem or 'ready'}\n")

    async def _live(self, _: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def _metrics_page(self, _: web.Request) -> web.Response:
        self._metrics.ready.set(0 if self._problem() else 1)
        body = self._metrics.render().encode()
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


def _request_of(body: bytes, *, pods_only: bool = False) -> Json:
    """Return the review's request; raises ValueError for what is no AdmissionReview v1."""
    try:
        review = json.loads(body)
        request = review["request"]
        uid, kind = request["uid"], request["kind"]["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("the body is not an AdmissionReview with a request") from error
    if review.get("apiVersion") != _REVIEW["apiVersion"] or not isinstance(uid, str):
        raise ValueError(f"expected an AdmissionReview of {_REVIEW['apiVersion']}")
    if pods_only and kind != "Pod":
        raise ValueError(f"the injector admits pods only: the webhook's rules must not name {kind}")
    checked: Json = request
    return checked


def _allowed(uid: str, verdict: Verdict) -> Json:
    response: Json = {"uid": uid, "allowed": True}
    if verdict.warnings:
        response["warnings"] = verdict.warnings
    if verdict.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(encode(verdict.patch)).decode()
    return response


def _refused(uid: str, code: int, reason: str, message: str) -> Json:
    return {"uid": uid, "allowed": False, "status": {"code": code, "reason": reason, "message": message}}
