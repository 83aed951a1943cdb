"""The ways to log in. Each gives the request's path and body; files are read anew at every login."""

import logging
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from strongroom_agent import files
from strongroom_agent.config import Method
from strongroom_client import Client, ClientError

_SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 -- a path
_NEEDED = {"kubernetes": "role", "jwt": "role", "approle": "role_id_file_path", "token_file": "token_file_path",
           "cert": ""}  # fmt: skip
_KINDS = "kubernetes, jwt, approle, cert or token_file"
_OF_THE_SERVER = {"ca_cert", "client_cert", "client_key"}
log = logging.getLogger("agent.auth")
_FLAGS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False, "": False}


class LoginFailed(ClientError):
    """No login could be tried: a setting or a file is missing. The message says which."""


class Token(NamedTuple):
    """A token and its life: ``seconds`` 0 means that it does not end. ``wrapped`` is its wrapping if that was asked."""

    text: str
    seconds: float = 0
    renewable: bool = False
    wrapped: str = ""

    def __repr__(self) -> str:  # the token stays out of logs
        return f"Token(seconds={self.seconds}, renewable={self.renewable})"


class Login:
    """One configured method. ``log_in`` may be called as often as needed, from any thread."""

    def __init__(self, method: Method, client: Client) -> None:
        self.method, self._client = method, client
        self._secret_id = ""  # approle's, kept since its file is deleted once read
        if method.kind not in _NEEDED:
            raise LoginFailed(f"unknown auth method {method.kind!r}; expected {_KINDS}")

    def check(self) -> None:
        """Raise LoginFailed for a setting that is missing; files are looked at when they are needed."""
        if needed := _NEEDED[self.method.kind]:
            self._setting(needed, required=True)
        if self.method.kind == "cert" and (own := sorted(_OF_THE_SERVER & self.method.config.keys())):
            raise LoginFailed(f"auto_auth.method.config: {own[0]!r} is not supported, expected it in the vault block")

    def log_in(self) -> Token:
        """Return a new token; raises ClientError or OSError."""
        if self.method.kind == "token_file":
            return self._from_file()
        body = {"approle": self._approle, "cert": self._cert}.get(self.method.kind, self._jwt)()
        request = self._client.prepare("write", f"{self.method.mount_path}/login", body)
        if self.method.namespace:
            request = request._replace(headers={**request.headers, "X-Vault-Namespace": self.method.namespace})
        answer = self._client.send(request)
        if answer.auth is None:
            raise LoginFailed(f"{self.method.mount_path}/login: the server answered without a token")
        if answer.auth.get("mfa_requirement"):
            raise LoginFailed(f"{self.method.mount_path}/login: a second factor (MFA) is asked for, and no agent has "
                              "one: leave this mount out of the login enforcement")  # fmt: skip
        self._client.token = str(answer.auth["client_token"])
        return _token(answer.auth)

    def read_again(self, token: Token) -> bool:
        """Whether a token file now holds another token than ``token``."""
        if self.method.kind != "token_file":
            return False
        try:
            return files.read_text(str(self._setting("token_file_path"))) != token.text
        except OSError:
            return False

    def _jwt(self) -> dict[str, str]:
        default = _SERVICE_ACCOUNT_TOKEN if self.method.kind == "kubernetes" else ""
        path = str(self._setting("token_path") or self._setting("path") or default)
        return {"role": str(self._setting("role")), "jwt": _read(path, "service account token")}

    def _cert(self) -> dict[str, str]:
        """Name the role, if any; the certificate goes with the connection (client_cert of the vault block)."""
        name = str(self._setting("name"))
        return {"name": name} if name else {}

    def _approle(self) -> dict[str, str]:
        body = {"role_id": _read(str(self._setting("role_id_file_path", required=True)), "role ID")}
        path = str(self._setting("secret_id_file_path"))
        if not path:
            return body
        if os.path.exists(path) or not self._secret_id:
            self._secret_id = self._unwrapped(_read(path, "secret ID"))
            if _flag(self.method.config, "remove_secret_id_file_after_reading", default=True):
                _remove(path)
        return {**body, "secret_id": self._secret_id}

    def _unwrapped(self, secret_id: str) -> str:
        """Exchange a wrapping token for the secret ID, after a look at where it came from."""
        expected = str(self._setting("secret_id_response_wrapping_path")).strip("/")
        if not expected:
            return secret_id
        info = self._client.write("sys/wrapping/lookup", {"token": secret_id}).data or {}
        if info.get("creation_path") != expected:
            # A token wrapped elsewhere was put in place of the real one (Vault's agent checks the same).
            raise LoginFailed(f"the secret ID was wrapped at another path than {expected!r}")
        answer = self._client.write("sys/wrapping/unwrap", {"token": secret_id})
        return str((answer.data or {}).get("secret_id") or "")

    def _from_file(self) -> Token:
        self._client.token = _read(str(self._setting("token_file_path", required=True)), "token")
        data = self._client.read("auth/token/lookup-self").data or {}
        return Token(self._client.token, float(data.get("ttl") or 0), bool(data.get("renewable")))

    def _setting(self, name: str, *, required: bool = False) -> Any:
        value = self.method.config.get(name)
        if required and not value:
            raise LoginFailed(f"auto_auth.method.config: {name!r} is required for {self.method.kind}")
        return value or ""


def renewed(client: Client, token: Token) -> Token:
    """Renew the client's token; raises ClientError."""
    answer = client.write("auth/token/renew-self", {})
    return _token(answer.auth or {})._replace(text=token.text)


def _token(auth: Mapping[str, Any]) -> Token:
    seconds = float(auth.get("lease_duration") or 0)
    return Token(str(auth.get("client_token") or ""), seconds, bool(auth.get("renewable")))


def _read(path: str, what: str) -> str:
    try:
        text = files.read_text(path)
    except OSError as error:
        raise LoginFailed(f"cannot read the {what} from {path or '(no path)'}: {error.strerror}") from error
    if not text:
        raise LoginFailed(f"cannot read the {what} from {path}: the file is empty")
    return text


def _remove(path: str) -> None:
    """Delete the file if that is possible: a Kubernetes Secret is mounted for reading only."""
    try:
        files.remove(path)
    except OSError as error:
        log.warning("the secret ID stays in %s: %s", path, error.strerror)


def _flag(config: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = config.get(name)
    return default if value is None else _FLAGS.get(str(value).lower(), default)
