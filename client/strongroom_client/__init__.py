"""The one way in which other programs speak to a secrets server (Strongroom, OpenBao or Vault).

    import os
    from strongroom_client import Client, NotFound, from_environ

    with Client(from_environ(os.environ)) as client:              # VAULT_ADDR, VAULT_TOKEN, ...
        client.token = "hvs...."                                  # may change at any time
        client.write("secret/data/app", {"data": {"user": "ann"}})
        client.read("secret/data/app", {"version": 1}).data["data"]["user"]
        client.list("secret/metadata/app").data["keys"]
        login = client.write("auth/approle/login", {"role_id": ..., "secret_id": ...})
        client.token = login.auth["client_token"]
        client.call("delete", "secret/data/app")                  # read list scan write post patch delete

Every failure is a ``ClientError``: ``ApiError`` (``status``, ``errors``, and a subclass for each common status:
``BadRequest``, ``PermissionDenied``, ``NotFound``, ``Sealed``, ``Unavailable``, ...), ``Unreachable`` (no answer) or
``SettingsError``. ``hint`` says what to look at next; ``is_worth_retrying`` whether to try again.
``Client`` itself tries again ``Settings.retries`` times: ``from_environ(os.environ)._replace(retries=0)`` never.

Without input and output: ``prepare(...) -> Prepared(method, target, headers, body)``, sent by whatever means, and
``handle(status, body) -> Response``. A ``Response`` holds ``data``, ``auth``, ``lease_id``, ``lease_duration``,
``renewable``, ``wrap_info``, ``warnings`` and the whole ``body``; numbers are exact (``strongroom_common.jsonx``).
"""

from strongroom_client.client import Client, back_off, is_worth_retrying
from strongroom_client.errors import (
    ApiError,
    BadRequest,
    ClientError,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    Sealed,
    SettingsError,
    Unavailable,
    Unreachable,
)
from strongroom_client.exchange import Operation, Prepared, Response, handle, prepare, request_headers
from strongroom_client.settings import Settings, from_environ

__all__ = [
    "ApiError",
    "BadRequest",
    "Client",
    "ClientError",
    "NotFound",
    "Operation",
    "PermissionDenied",
    "PreconditionFailed",
    "Prepared",
    "RateLimited",
    "Response",
    "Sealed",
    "Settings",
    "SettingsError",
    "Unavailable",
    "Unreachable",
    "back_off",
    "from_environ",
    "handle",
    "is_worth_retrying",
    "prepare",
    "request_headers",
]
