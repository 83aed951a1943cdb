"""Many operations in one request: each item stands or falls alone, and says so in its own result."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from strongroom_server.engines.transit.texts import decode64
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

Item = Mapping[str, Any]
_NOTHING: Item = MappingProxyType({})
_STATUSES = frozenset(status.value for status in HTTPStatus if status >= HTTPStatus.OK)
_NO_STATUS = "invalid HTTP response code override from partial_failure_response_code, reverting to HTTP 400"


def items_of(batch: Any) -> list[dict[str, Any]]:
    """Return the items of ``batch_input``; raises InvalidRequest where it is no list of objects, or empty."""
    if not isinstance(batch, list):
        raise InvalidRequest("failed to parse batch input: expected a list of objects")
    if not batch:
        raise InvalidRequest("missing batch input to process")
    if set(map(type, batch)) != {dict}:
        raise InvalidRequest("failed to parse batch input: expected a list of objects")
    for item in batch:
        reference_of(item)
    return batch


def run(
    items: list[dict[str, Any]], one: Callable[[Item], dict[str, Any]], failure: Mapping[str, Any] = _NOTHING
) -> tuple[list[dict[str, Any]], int]:
    """Return the results in order, and how many failed: these hold ``failure`` and the error.

    A reference comes back with its item.
    """
    results, failed = [], 0
    for item in items:
        try:
            result = one(item)
        except InvalidRequest as error:
            result = {**failure, "error": str(error)}
            failed += 1
        result["reference"] = reference_of(item)
        results.append(result)
    return results, failed


def reference_of(item: Item) -> str:
    """Return what an item's result shall be known by: a text, or a number as text; raises InvalidRequest."""
    reference = item.get("reference")
    if reference is None or isinstance(reference, bool):
        return "" if reference is None else str(int(reference))
    if isinstance(reference, str | int):
        return str(reference)
    raise InvalidRequest("failed to parse batch input: expected a text as 'reference'")


def answer(
    items: list[dict[str, Any]], one: Callable[[Item], dict[str, Any]], partial_code: int,
    failure: Mapping[str, Any] = _NOTHING,
) -> Response:  # fmt: skip
    """Run a batch; 400 where an item failed, or ``partial_code`` where another one succeeded (0 is "not given")."""
    results, failed = run(items, one, failure)
    if not failed:
        return Response({"batch_results": results})
    if not partial_code or failed == len(items):
        return Response({"batch_results": results}, status=400)
    if partial_code not in _STATUSES:
        return Response({"batch_results": results}, status=400, warnings=[_NO_STATUS])
    return Response({"batch_results": results}, status=partial_code)


def integer(item: Item, name: str) -> int:
    """Return an item's integer, 0 where it is left out or null; raises InvalidRequest."""
    value = item.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"error converting input for field {name!r}: expected an integer")
    return value


def optional64(item: Item, name: str) -> bytes | None:
    """Return the bytes of an item's base64, None where it is left out, null or empty; raises InvalidRequest."""
    text = item.get(name)
    return None if text is None or text == "" else decode64(text)
