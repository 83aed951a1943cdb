"""debug: what those who look for a fault want to see of a server, gathered for a while into one file.

The layout is that of Vault's: a JSON file for each kind of state, a list of one entry per look; a folder for each look
at tasks and memory; the log; and ``index.json`` about them all. What the token may not see is listed there as an error.
"""

import json
import os
import tarfile
import tempfile
import threading
import time
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any, NamedTuple

from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError, describe
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import ClientError
from strongroom_client.exchange import API_VERSION

_STATE = {
    "config": ("config.json", {"config": "sys/config/state/sanitized"}),
    "host": ("host_info.json", {"": "sys/host-info"}),
    "requests": ("requests.json", {"in_flight_requests": "sys/in-flight-req"}),
    "metrics": ("metrics.json", {"": "sys/metrics"}),
    "replication-status": ("replication_status.json", {"": "sys/replication/status"}),
    "server-status": ("server_status.json", {"health": "sys/health", "seal": "sys/seal-status"}),
}
"""What is asked by target: the file, and under which word of an entry stands the answer of which path."""
_PROFILES = ("allocs", "block", "goroutine", "heap", "mutex", "threadcreate")
_TARGETS = (*_STATE, "pprof", "log")
_LOG = "server.log"
_SHORTEST = 1.0  # seconds


class _Capture:
    """One run: its folder, what went into it, and what could not be had."""

    def __init__(self, session: Session, folder: str) -> None:
        self.session, self.folder = session, folder
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.output: dict[str, Any] = {}
        self.errors: list[dict[str, str]] = []
        self._seen: dict[str, list[Any]] = {}

    def look(self, target: str) -> None:
        """Add one entry to a target's file."""
        if target == "pprof":
            self._profile()
            return
        name, paths = _STATE[target]
        entry: dict[str, Any] = {"timestamp": _stamp()}
        for word, path in paths.items():
            answer = self._ask(target, path)
            if isinstance(answer, dict):
                entry |= {word: answer} if word else answer
        self._seen.setdefault(name, []).append(entry)
        self._write(name, json.dumps(self._seen[name], indent=2).encode())

    def _profile(self) -> None:
        """Look at tasks and memory, in a folder named by the time."""
        at = _stamp()
        folder = at.replace(":", "-")
        names = []
        for name in _PROFILES:
            raw = self._raw("pprof", f"sys/pprof/{name}", {"debug": "1"})
            if raw:
                self._write(f"{folder}/{name}.txt", raw)
                names.append(f"{name}.txt")
        self.output[folder] = {"files": names, "timestamp": at}

    def follow_log(self, form: str) -> None:
        """Write the log as it comes; runs in a thread of its own until the process ends."""
        client = self.session.client
        request = client.prepare("read", "sys/monitor", query={"log_level": "trace", "log_format": form})
        try:
            with client.stream(request) as response, open(self._path(_LOG), "wb") as file:
                if response.status != 200:
                    self._failed("log", f"{response.status} {response.reason}")
                    return
                while line := response.readline():
                    if line.strip():
                        file.write(line)
                        file.flush()
        except (ClientError, OSError, HTTPException, ValueError) as error:
            self._failed("log", str(error))

    def finish(self, facts: dict[str, Any]) -> None:
        """Write the index."""
        self.output["files"] = sorted(entry.name for entry in os.scandir(self.folder) if entry.is_file())
        index = {"version": 1, **facts, "output": self.output, "errors": self.errors}
        self._write("index.json", json.dumps(index, indent=2).encode())

    def _ask(self, target: str, path: str) -> Any:
        raw = self._raw(target, path)
        try:
            found = json.loads(raw) if raw else None
        except ValueError as error:
            self._failed(target, str(error))
            return None
        return found.get("data") or found if isinstance(found, dict) else found

    def _raw(self, target: str, path: str, query: dict[str, Any] | None = None) -> bytes:
        try:
            return self.session.client.call("read", path, query=query).raw
        except ClientError as error:
            self._failed(target, describe(error))
            return b""

    def _failed(self, target: str, text: str) -> None:
        self.errors.append({"target": target, "error": text, "timestamp": _stamp()})

    def _path(self, name: str) -> str:
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return path

    def _write(self, name: str, content: bytes) -> None:
        with open(self._path(name), "wb") as file:
            file.write(content)


class _Plan(NamedTuple):
    """What to look at, for how long, how often (seconds), and where it goes."""

    targets: list[str]
    duration: float
    interval: float
    metrics_interval: float
    compress: bool
    bundle: str

    @classmethod
    def of(cls, session: Session) -> "_Plan":
        """Read the flags; what cannot be looked at is told and left out."""
        options = session.options
        duration = max(options.seconds("duration"), _SHORTEST)
        interval, often = (
            min(max(options.seconds(name), _SHORTEST), duration) for name in ("interval", "metrics-interval")
        )
        wanted = [word for item in options.items("target") for word in item.split(",")] or list(_TARGETS)
        if unknown := [word for word in wanted if word not in _TARGETS]:
            session.warn(f"Ignoring invalid targets: {', '.join(unknown)}")
        output = options.text("output") or f"strongroom-debug-{_stamp().replace(':', '-')}"
        compress = options.on("compress")
        ending = ".tar.gz" if compress and not output.endswith((".tar.gz", ".tgz")) else ""
        return cls([word for word in _TARGETS if word in wanted], duration, interval, often, compress, output + ending)

    def facts(self, session: Session) -> dict[str, Any]:
        """Return the head of the index."""
        return {
            "vault_address": session.client.settings.address, "client_version": API_VERSION, "timestamp": _stamp(),
            "duration_seconds": self.duration, "interval_seconds": self.interval,
            "metrics_interval_seconds": self.metrics_interval, "compress": self.compress, "targets": self.targets,
        }  # fmt: skip


def debug(session: Session) -> int:
    """Gather what a server tells of itself."""
    plan = _Plan.of(session)
    if os.path.exists(plan.bundle):
        raise CommandError(f"output file already exists: {plan.bundle}", 1)
    facts = plan.facts(session)
    session.say(f"Capturing {', '.join(plan.targets) or 'nothing'} of {facts['vault_address']}: {plan.duration:g}s")
    try:
        with tempfile.TemporaryDirectory(prefix="strongroom-debug-") as folder:
            capture = _Capture(session, folder if plan.compress else plan.bundle)
            _look(capture, plan)
            capture.finish(facts)
            if plan.compress:
                _bundle(folder, plan.bundle)
    except OSError as error:
        raise CommandError(f"Error writing to {plan.bundle}: {error.strerror or error}", 1) from error
    session.say(f"Success! Bundle written to: {plan.bundle}")
    return 0


def _look(capture: _Capture, plan: _Plan) -> None:
    """Look at each target now and then until the time is over, or the user has seen enough."""
    if "log" in plan.targets:
        form = capture.session.options.text("log-format")
        threading.Thread(target=capture.follow_log, args=(form,), daemon=True).start()
    pauses = {"metrics": plan.metrics_interval, "config": plan.duration}  # settings do not change
    due = {target: 0.0 for target in plan.targets if target != "log"}
    begun = time.monotonic()
    try:
        while (now := time.monotonic() - begun) < plan.duration:
            for target in [name for name, at in due.items() if at <= now]:
                capture.look(target)
                due[target] = now + pauses.get(target, plan.interval)
            time.sleep(max(min([*due.values(), plan.duration]) - (time.monotonic() - begun), 0.05))
    except KeyboardInterrupt:
        capture.session.warn("Interrupted: what there is so far is kept.")


def _bundle(folder: str, path: str) -> None:
    name = os.path.basename(path).removesuffix(".tgz").removesuffix(".tar.gz")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        bundle.add(folder, arcname=name)


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


COMMANDS = {
    "debug": Command(
        debug, "[options]",
        "Gathers for a while what the server tells of itself: settings without secrets, host, requests under way,\n"
        "metrics, tasks and memory, replication, health, and its log. What the token may not see is left out.\n\n"
        "  {program} debug -duration=1m -interval=10s -target=metrics -target=log",
        (Flag("duration", "How long to look.", "duration", 120.0),
         Flag("interval", "How long from one look to the next.", "duration", 30.0),
         Flag("metrics-interval", "The same for metrics.", "duration", 10.0),
         Flag("target", f"What to look at, all if not given: {', '.join(_TARGETS)}; may be repeated.", "list"),
         Flag("output", "File or folder to write; a new one here if not given."),
         Flag("compress", "Write one file, compressed; -compress=false is a folder.", "bool", True),
         Flag("log-format", "How lines of the log look: standard or json.", default="standard")),
        formats=(),
    ),
}  # fmt: skip
