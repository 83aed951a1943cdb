"""``secret``, ``secrets``, ``pkiCert`` and ``file``: the functions whose values come from outside."""

import os
from typing import Any

from strongroom_agent.functions.context import Context
from strongroom_agent.functions.dependencies import Certificate, File, List, Read, Write, pairs_of
from strongroom_agent.template import Function
from strongroom_agent.template.values import NilPointer, StringList, StringMap, Struct, from_json


class Secret(Struct):
    """An answer of the server, as templates see it; ``answer`` is the decoded JSON object.

    A few endpoints (sys/health) answer without the usual envelope: all they say is data then.
    """

    go_type = "*dependency.Secret"
    go_fields = {  # noqa: RUF012 -- the base class says ClassVar
        "RequestID": "request_id", "LeaseID": "lease_id", "LeaseDuration": "lease_duration", "Renewable": "renewable",
        "Data": "data", "Warnings": "warnings", "Auth": "auth", "WrapInfo": "wrap_info",
    }  # fmt: skip

    def __init__(self, answer: dict[str, Any]) -> None:
        self.request_id = str(answer.get("request_id") or "")
        self.lease_id = str(answer.get("lease_id") or "")
        self.lease_duration = int(answer.get("lease_duration") or 0)
        self.renewable = bool(answer.get("renewable"))
        bare = "data" not in answer and "request_id" not in answer and "auth" not in answer
        self.data: dict[str, Any] = from_json((answer if bare else answer.get("data")) or {})
        self.warnings = StringList(answer.get("warnings") or ())
        auth, wrapped = answer.get("auth"), answer.get("wrap_info")
        self.auth = Auth(auth) if auth else NilPointer("*dependency.SecretAuth")
        self.wrap_info = WrapInfo(wrapped) if wrapped else NilPointer("*dependency.SecretWrapInfo")


class Auth(Struct):
    """The ``auth`` part of an answer."""

    go_type = "*dependency.SecretAuth"
    go_fields = {  # noqa: RUF012 -- the base class says ClassVar
        "ClientToken": "client_token", "Accessor": "accessor", "Policies": "policies", "Metadata": "metadata",
        "LeaseDuration": "lease_duration", "Renewable": "renewable",
    }  # fmt: skip

    def __init__(self, auth: dict[str, Any]) -> None:
        self.client_token = str(auth.get("client_token") or "")
        self.accessor = str(auth.get("accessor") or "")
        self.policies = StringList(auth.get("policies") or ())
        self.metadata = StringMap(auth.get("metadata") or {})
        self.lease_duration = int(auth.get("lease_duration") or 0)
        self.renewable = bool(auth.get("renewable"))


class WrapInfo(Struct):
    """The ``wrap_info`` part of an answer."""

    go_type = "*dependency.SecretWrapInfo"
    go_fields = {"Token": "token", "TTL": "ttl", "WrappedAccessor": "wrapped_accessor"}  # noqa: RUF012 -- as above

    def __init__(self, info: dict[str, Any]) -> None:
        self.token = str(info.get("token") or "")
        self.ttl = int(info.get("ttl") or 0)
        self.wrapped_accessor = str(info.get("wrapped_accessor") or "")


class Pem(Struct):
    """A certificate, its key and its issuer, as ``pkiCert`` gives them."""

    go_type = "dependency.PemEncoded"
    go_pointer = False
    go_fields = {"Cert": "cert", "Key": "key", "CA": "ca", "CAChain": "ca_chain"}  # noqa: RUF012 -- as above
    go_methods = frozenset({"Data"})

    def __init__(self, cert: str, key: str, ca: str, ca_chain: tuple[str, ...] = ()) -> None:
        self.cert, self.key, self.ca = cert, key, ca
        self.ca_chain = StringList(ca_chain)

    def go_Data(self) -> Function:  # noqa: N802 -- templates spell it so, as with ``secret``
        return Function(lambda: self, "")


def functions(context: Context) -> dict[str, Function]:
    """Return the functions by name; each gives nothing, a falsy value, until its dependency has been fetched."""

    def secret(*arguments: str) -> Any:
        if not arguments:
            return None
        path, rest = arguments[0].strip("/"), arguments[1:]
        if not path:
            raise ValueError(f'vault.read: invalid format: "{arguments[0]}"')
        return context.recall(Write(path, pairs_of(rest)) if rest else Read(path))

    def secrets(path: str) -> Any:
        return StringList((context.recall(List(path.strip("/"))) or ()) if path else ())

    def certificate(path: str, *arguments: str) -> Any:
        return context.recall(Certificate(path.strip("/"), pairs_of(arguments), context.destination))

    def file(path: str) -> str:
        if not path:
            return ""
        if context.sandbox and not _inside(path, context.sandbox):
            raise ValueError(f"'{path}' is outside of sandbox")
        return str(context.recall(File(path)) or "")

    return {
        "secret": Function(secret, "...string"),
        "secrets": Function(secrets, "string"),
        "pkiCert": Function(certificate, "string ...string"),
        "file": Function(file, "string"),
    }


def _inside(path: str, folder: str) -> bool:
    """Whether ``path`` lies in ``folder`` once links and dots are followed."""
    place, root = os.path.realpath(path), os.path.realpath(folder)
    return os.path.commonpath([place, root]) == root
