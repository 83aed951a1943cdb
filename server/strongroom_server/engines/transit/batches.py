"""Many operations in one request: each item stands or falls alone, and says so in its own result."""

from collections.abc import Callable, Mapping
from typing import Any

from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Response

Item = Mapping[str, Any]


def items_of(batch: Any) -> list[dict[str, Any]]:
    """Return the items of ``batch_input``; raises InvalidRequest where it is no list of objects, or empty."""
    if not isinstance(batch, list):
        raise InvalidRequest("failed to parse batch input: expected a list of objects")
    if not batch:
        raise InvalidRequest("missing batch input to process")
    if set(map(type, batch)) != {dict}:
        raise InvalidRequest("failed to parse batch input: expected a list of objects")
    return batch


def run(items: list[dict[str, Any]], one: Callable[[Item], dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    """Return the results in order, and how many failed. A reference comes back with its item."""
    results, failed = [], 0
    for item in items:
        try:
            result = one(item)
        except InvalidRequest as error:
            result = {"error": str(error)}
            failed += 1
        reference = item.get("reference")
        result["reference"] = reference if isinstance(reference, str) else ""
        results.append(result)
    return results, failed


def answer(items: list[dict[str, Any]], one: Callable[[Item], dict[str, Any]], partial_code: int) -> Response:
    """Run a batch; 400 where an item failed, or ``partial_code`` where another one succeeded (0 is "not given")."""
    results, failed = run(items, one)
    status = 0
    if failed:
        status = partial_code if partial_code and failed < len(items) else 400
    return Response({"batch_results": results}, status=status)


def integer(item: Item, name: str) -> int:
    """Return an item's integer, 0 where it is left out; raises InvalidRequest."""
    value = item.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidRequest(f"error converting input for field {name!r}: expected an integer")
    return value
