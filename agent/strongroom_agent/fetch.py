"""From a dependency to its value: which request to send, and what its answer means.

Paths of KV version 2 may be written without ``data/``; the mount is looked up as consul-template does it.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from strongroom_agent import certificates
from strongroom_agent.functions.dependencies import Certificate, File, List, Read, Write
from strongroom_agent.functions.secrets import Pem, Secret
from strongroom_client import ApiError, Client, ClientError, NotFound, PermissionDenied, Response
from strongroom_common.clock import Clock

Dependency = Read | Write | List | Certificate | File
_V2_FOLDERS = ("data/", "metadata/", "subkeys/")


class NoSecret(ClientError):
    """Nothing is at the path, or it was deleted."""


class Fetched(NamedTuple):
    """A value and how long it lives. ``lease_id`` is empty without a lease; ``seconds`` 0 where nothing says.

    ``expires`` is an epoch time for certificates, ``rotates`` says that the server itself replaces the value then.
    """

    value: Any
    lease_id: str = ""
    seconds: float = 0
    renewable: bool = False
    expires: float = 0
    rotates: bool = False


class Fetcher:
    """Fetches values; safe to call from many threads. ``warn`` gets remarks for the log."""

    def __init__(self, client: Client, clock: Clock, warn: Callable[[str], None]) -> None:
        self._client, self._clock, self._warn = client, clock, warn
        self._places: dict[tuple[str, str], tuple[str, bool]] = {}

    def fetch(self, dependency: Dependency) -> Fetched:
        """Return the value; raises ClientError or OSError."""
        if isinstance(dependency, File):
            with open(dependency.path, encoding="utf-8", errors="surrogateescape", newline="") as file:
                return Fetched(file.read())
        if isinstance(dependency, List):
            return self._list(dependency)
        if isinstance(dependency, Certificate):
            return self._certificate(dependency)
        if isinstance(dependency, Read):
            return self._read(dependency)
        return self._write(dependency)

    def renew(self, lease_id: str) -> Fetched:
        """Renew a lease; the value is None."""
        answer = self._client.write("sys/leases/renew", {"lease_id": lease_id})
        return Fetched(None, answer.lease_id, answer.lease_duration, answer.renewable)

    def _read(self, dependency: Read) -> Fetched:
        path, _, query = dependency.path.partition("?")
        parameters = dict(part.partition("=")[::2] for part in query.split("&") if part)
        full, _ = self._located(path, "data/")
        try:
            answer = self._client.read(full, parameters)
        except NotFound:
            raise NoSecret(f"no secret exists at {full}") from None
        if answer.data is None and answer.auth is None and answer.wrap_info is None and answer.request_id:
            raise NoSecret(f"no secret exists at {full}")
        return _fetched(answer)

    def _write(self, dependency: Write) -> Fetched:
        full, is_v2 = self._located(dependency.path, "data/")
        pairs = dict(dependency.pairs)
        return _fetched(self._client.write(full, {"data": pairs} if is_v2 else pairs))

    def _list(self, dependency: List) -> Fetched:
        full, _ = self._located(dependency.path, "metadata/")
        try:
            answer = self._client.list(full)
        except NotFound:
            return Fetched([])
        return Fetched(sorted(str(key) for key in (answer.data or {}).get("keys") or ()))

    def _certificate(self, dependency: Certificate) -> Fetched:
        kept = _kept(dependency.destination, self._clock.now())
        if kept:
            return kept
        answer = self._client.write(dependency.path, dict(dependency.pairs))
        data = answer.data or {}
        pem = Pem(
            _lines(data.get("certificate")), _lines(data.get("private_key")), _lines(data.get("issuing_ca")),
            tuple(_lines(part) for part in data.get("ca_chain") or ()),
        )  # fmt: skip
        validity = certificates.validity(pem.cert)
        return Fetched(pem, answer.lease_id, expires=validity[1] if validity else 0)

    def _located(self, path: str, folder: str) -> tuple[str, bool]:
        """Return the path with KV version 2's folder where it lacks one, and whether it is of that version."""
        if (path, folder) in self._places:
            return self._places[path, folder]
        try:
            answer = self._client.read(f"sys/internal/ui/mounts/{path}")
        except (PermissionDenied, NotFound, ApiError) as error:
            if not isinstance(error, PermissionDenied | NotFound) and error.status >= 500:
                raise
            self._warn(f"failed to check if {path} is KVv2, assume not: {error}")
            return path, False
        found = self._places[path, folder] = _placed(path, folder, answer.data or {})
        return found


def _placed(path: str, folder: str, mount: dict[str, Any]) -> tuple[str, bool]:
    place = str(mount.get("path") or "")
    if (mount.get("options") or {}).get("version") != "2" or not f"{path}/".startswith(place):
        return path, False
    rest = path[len(place) :]
    if f"{rest}/".startswith(_V2_FOLDERS):
        return path, True
    return f"{place}{folder}{rest}".rstrip("/"), True


def _fetched(answer: Response) -> Fetched:
    """Return what an answer holds, and its life."""
    value = Secret(answer.body if isinstance(answer.body, dict) else {})
    data = answer.data if isinstance(answer.data, dict) else {}
    if answer.auth:
        return Fetched(value, "", float(answer.auth.get("lease_duration") or 0))
    if answer.lease_id:
        return Fetched(value, answer.lease_id, answer.lease_duration, answer.renewable)
    if data.get("rotation_period") and data.get("ttl"):
        return Fetched(value, seconds=_seconds(data["ttl"]), rotates=True)
    if isinstance(data.get("certificate"), str):
        validity = certificates.validity(data["certificate"])
        return Fetched(value, expires=validity[1] if validity else 0)
    return Fetched(value)


def _seconds(raw: object) -> float:
    return float(raw) if isinstance(raw, int | float | str) and str(raw).replace(".", "", 1).isdecimal() else 0


def _lines(text: Any) -> str:
    return f"{text.strip()}\n" if isinstance(text, str) and text else ""


def _kept(destination: str, moment: float) -> Fetched | None:
    """Return the certificate that an earlier run wrote, if its key is there and it is good for a while yet."""
    try:
        with open(destination, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return None
    found = certificates.pair(text)
    if found is None:
        return None
    validity = certificates.validity(found.cert)
    if validity is None or not certificates.is_good(validity, moment):
        return None
    return Fetched(found, expires=validity[1])


def file_changed(path: str, seen: float) -> float:
    """Return a file's time of change if it is not ``seen``, else 0."""
    try:
        moment = os.stat(path).st_mtime
    except OSError:
        return 0
    return moment if moment != seen else 0
