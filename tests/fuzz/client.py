"""A client that does not mind what it is told to send, and what comes back."""

import json
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import quote, urlencode

PATIENCE = 60  # seconds that an answer may take; RSA keys are made on a busy machine


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 says that the connection ended or the time was up, and why."""

    status: int
    text: str

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class Client:
    """Speaks to the server over one connection that is opened anew when it ends."""

    def __init__(self, address: str, token: str = "root") -> None:
        self._where = address.removeprefix("http://")
        self._token = token
        self._connection: HTTPConnection | None = None

    def send(self, call: Call) -> Reply:
        """Send a request and return the answer."""
        target = "/v1/" + quote(call.path.encode(errors="replace"), safe="/~")
        if call.query:
            target += "?" + urlencode(call.query)
        data = None if call.body is None else json.dumps(call.body).encode(errors="surrogatepass")
        headers = {"X-Vault-Token": self._token, **call.headers}
        fresh = self._connection is None
        try:
            answer = self._ask(call.method, target, data, headers)
        except (OSError, HTTPException) as error:
            self.close()
            if not fresh and not isinstance(error, TimeoutError):  # the server may end an idle connection
                return self.send(call)
            return Reply(0, f"{type(error).__name__}: {error}")
        text = answer.read().decode(errors="replace")
        if answer.will_close:
            self.close()
        return Reply(answer.status, text)

    def _ask(self, method: str, target: str, data: bytes | None, headers: dict[str, str]) -> HTTPResponse:
        if self._connection is None:
            self._connection = HTTPConnection(self._where, timeout=PATIENCE)
        self._connection.request(method, target, data, headers)
        return self._connection.getresponse()

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
