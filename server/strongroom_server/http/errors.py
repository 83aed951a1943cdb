"""From errors to answers: status codes and Vault's ``{"errors": [...]}``, here and nowhere else."""

import logging
from typing import Any

from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import BackendError, RequestError, SealError

log = logging.getLogger("http")

_COUNTED = "1 error occurred:\n\t* %s\n\n"


def answer(error: BaseException, request_id: str) -> tuple[int, bytes]:
    """Return status and body for whatever was raised while a request was served."""
    match error:
        case RequestError():
            if error.__cause__ is not None:
                log.info("a request failed", extra={"fields": {"request_id": request_id, "status": error.status}},
                         exc_info=error.__cause__ if error.status >= 500 else None)  # fmt: skip
            body: dict[str, Any] = {"errors": [_COUNTED % m if error.counted else m for m in error.messages]}
            if error.data is not None:
                body["data"] = error.data
            if error.warnings:
                body["warnings"] = list(error.warnings)
            return error.status, codec.encode(body)
        case BackendError():
            log.error("the store failed", extra={"fields": {"request_id": request_id}}, exc_info=error)
            return 500, _message("internal error: the store failed", request_id)
        case SealError():
            log.error("the seal failed", extra={"fields": {"request_id": request_id}}, exc_info=error)
            return 500, _message("internal error: the seal failed", request_id)
    log.error("internal error", extra={"fields": {"request_id": request_id}}, exc_info=error)
    return 500, _message("internal error", request_id)


def _message(text: str, request_id: str) -> bytes:
    return codec.encode({"errors": [f"{text} (request {request_id})"]})
