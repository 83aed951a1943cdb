"""What a write to KV version 2 must satisfy. Each check raises InvalidRequest with the words that clients know."""

from collections.abc import Mapping
from typing import Any

from strongroom_common.fields import KINDS
from strongroom_common.jsonx import dumps
from strongroom_server.sdk.errors import InvalidRequest

MAX_KEYS = 64
MAX_KEY_BYTES = 128
MAX_VALUE_BYTES = 512


def check_path(path: str) -> None:
    """Refuse a folder's name where a secret's is needed."""
    if path.endswith("/"):
        raise InvalidRequest("cannot write to a path ending in '/'")


def check_cas(options: Mapping[str, Any] | None, current: int, required: bool) -> None:
    """Compare ``options.cas`` with the current version: 0 is "there must be none"."""
    if not options or "cas" not in options:
        if required:
            raise InvalidRequest("check-and-set parameter required for this call")
        return
    try:
        cas = 0 if options["cas"] in (None, "") else KINDS[int].parse(options["cas"])
    except (TypeError, ValueError):
        raise InvalidRequest("error parsing check-and-set parameter") from None
    if cas != current:
        raise InvalidRequest("check-and-set parameter did not match the current version")


def check_metadata_cas(cas: int | None, current: int, required: bool) -> None:
    """Compare ``metadata_cas`` with the metadata's own version."""
    if cas is None:
        if required:
            raise InvalidRequest("metadata check-and-set parameter required for this call")
    elif cas != current:
        raise InvalidRequest("metadata check-and-set parameter does not match the current version")


def custom_metadata(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return ``raw`` as strings; all that is wrong with it is said at once."""
    texts, problems = {}, []
    if len(raw) > MAX_KEYS:
        problems.append(f"payload must contain at most {MAX_KEYS} keys, provided {len(raw)}")
    for key, value in raw.items():
        try:
            texts[key] = "" if value is None else KINDS[str].parse(value)
        except (TypeError, ValueError):
            problems.append(f"value for key {key!r} must be a string")
            continue
        problems += _problems(key, texts[key])
    if problems:
        raise InvalidRequest(*(f"custom_metadata validation failed: {problem}" for problem in problems))
    return texts


def _problems(key: str, value: str) -> list[str]:
    key_bytes, value_bytes = len(key.encode()), len(value.encode())
    problems = []
    if not 0 < key_bytes <= MAX_KEY_BYTES:
        problems.append(f'length of key "{key}" is {key_bytes} but must be 0 < len(key) <= {MAX_KEY_BYTES}')
    if not 0 < value_bytes <= MAX_VALUE_BYTES:
        problems.append(
            f'length of value for key "{key}" is {value_bytes} but must be 0 < len(value) <= {MAX_VALUE_BYTES}'
        )
    problems += [f"{what} contains unprintable characters" for what in _unprintable(key, value)]
    return problems


def _unprintable(key: str, value: str) -> list[str]:
    return [f"{what} {dumps(key)}" for what, text in (("key", key), ("value for key", value)) if not text.isprintable()]
