"""Answers with a lease or a token, kept while they last: a pod that asks twice does not get two leases.

Everything else is passed through. The key holds the token, so nobody gets what another was allowed to read.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """A raw answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:  # an answer holds secrets
        return f"Answer(status={self.status})"


class _Kept(NamedTuple):
    answer: Answer
    since: float
    until: float
    path: str
    token: str
    lease_id: str


def key_of(token: str, method: str, target: str, body: bytes) -> str:
    """Return the name under which an answer is kept."""
    parts = b"\0".join((token.encode("utf-8", "surrogateescape"), method.encode(), target.encode(), body))
    return hashlib.sha256(parts).hexdigest()


class Cache:
    """Safe for many threads; requests with the same key wait for the first one's answer."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}

    def answer(self, key: str, target: str, token: str, ask: Callable[[], Answer]) -> Answer:
        """Return what is kept under ``key``, else what ``ask`` gives; headers X-Cache and Age say which."""
        with self._lock:
            turn = self._asking.setdefault(key, threading.Lock())
        try:
            with turn:
                return self._answer(key, target, token, ask)
        finally:
            with self._lock:
                self._asking.pop(key, None)

    def clear(self, kind: str, value: str) -> None:
        """Forget everything ("all") or what has this request_path, token or lease; raises ValueError."""
        tests: dict[str, Callable[[_Kept], bool]] = {
            "all": lambda _: True,
            "request_path": lambda kept: kept.path == value,
            "token": lambda kept: kept.token == value,
            "lease": lambda kept: kept.lease_id == value,
        }
        if kind not in tests or (kind != "all" and not value):
            raise ValueError("expected type all, or request_path, token or lease with a value")
        with self._lock:
            self._kept = {key: kept for key, kept in self._kept.items() if not tests[kind](kept)}

    def _answer(self, key: str, target: str, token: str, ask: Callable[[], Answer]) -> Answer:
        now = self._now()
        with self._lock:
            kept = self._kept.get(key)
            if kept and now < kept.until:
                age = str(int(now - kept.since))
                return _marked(kept.answer, ("X-Cache", "HIT"), ("Age", age))
        answer = ask()
        seconds, lease_id = _life(answer)
        if seconds:
            path = target.partition("?")[0]
            with self._lock:
                self._kept = {k: one for k, one in self._kept.items() if now < one.until}
                self._kept[key] = _Kept(answer, now, now + seconds, path, token, lease_id)
        return _marked(answer, ("X-Cache", "MISS"))


def _marked(answer: Answer, *headers: tuple[str, str]) -> Answer:
    return answer._replace(headers=answer.headers + headers)


def _life(answer: Answer) -> tuple[float, str]:
    """Return how long an answer may be kept, 0 for not at all, and its lease."""
    if not 200 <= answer.status < 300:
        return 0, ""
    try:
        document: Any = json.loads(answer.body)
    except ValueError:
        return 0, ""
    if not isinstance(document, dict):
        return 0, ""
    auth = document.get("auth")
    if isinstance(auth, dict) and auth.get("client_token"):
        return 0.9 * float(auth.get("lease_duration") or 0), ""
    lease_id = str(document.get("lease_id") or "")
    return (0.9 * float(document.get("lease_duration") or 0), lease_id) if lease_id else (0, "")
