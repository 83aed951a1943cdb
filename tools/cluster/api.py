"""The API server, seen by the cluster's own small services: one call, and one endless list-and-watch."""

import http.client
import json
import ssl
import time
from collections.abc import Iterator
from typing import Any

from tools.cluster.certificates import certificate, key
from tools.cluster.layout import NODE_ADDRESS


class Api:
    """Calls the API server as the cluster's admin."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context(cafile=str(certificate("ca")))
        self._tls.load_cert_chain(certificate("admin"), key("admin"))

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request and its answer: a value if that is JSON, else text.

        Raises OSError, with the server's message, unless the answer is a success.
        """
        connection, response = self._send(method, path, body, timeout=30)
        text = response.read()
        connection.close()
        if response.status >= 300:
            raise OSError(f"{method} {path}: {response.status} {text[:300]!r}")
        return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text.decode()

    def follow(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield every object of a collection after each change to it, for ever: the whole, keyed by namespace/name."""
        while True:
            try:
                yield from self._follow_once(path)
            except (OSError, ValueError, http.client.HTTPException) as error:
                print(f"watching {path} starts again: {error}", flush=True)
                time.sleep(1)

    def _follow_once(self, path: str) -> Iterator[dict[str, Any]]:
        listed = self.call("GET", path)
        objects = {_name(item): item for item in listed["items"]}
        yield objects
        version = listed["metadata"]["resourceVersion"]
        connection, response = self._send("GET", f"{path}?watch=1&resourceVersion={version}", None, timeout=None)
        for line in response:
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise OSError(event["object"].get("message", "watch ended"))
            if event["type"] == "DELETED":
                objects.pop(_name(event["object"]), None)
            else:
                objects[_name(event["object"])] = event["object"]
            yield objects
        connection.close()

    def _send(
        self, method: str, path: str, body: object, timeout: float | None
    ) -> tuple[http.client.HTTPSConnection, http.client.HTTPResponse]:
        connection = http.client.HTTPSConnection(NODE_ADDRESS, 6443, context=self._tls, timeout=timeout)
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        return connection, connection.getresponse()


def _name(item: dict[str, Any]) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
