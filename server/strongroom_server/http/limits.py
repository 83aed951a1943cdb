"""Bodies that are small to send and dear to hold: bounds on depth and on the number of entries.

(CVE-2025-6203 and CVE-2025-59043 are such requests.) Counting the separators of the text costs next to nothing and
settles nearly every request; only a text that has many of them is looked at closely.
"""

from typing import Any

from strongroom_server.sdk.errors import InvalidRequest

DEPTH = 300
ENTRIES = 10_000
"""Entries of one object or elements of one array."""


def check_body(raw: bytes, data: Any) -> None:
    """Raise InvalidRequest for JSON ``data`` (parsed from ``raw``) that is nested too deep or has too many entries."""
    deep = raw.count(b"[") + raw.count(b"{") > DEPTH
    wide = raw.count(b",") >= ENTRIES
    if deep or wide:
        _check(data)


def _check(data: Any) -> None:
    waiting = [(data, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH:
            raise InvalidRequest(f"failed to parse JSON input: nested deeper than {DEPTH} levels")
        if not isinstance(value, dict | list):
            continue
        if len(value) > ENTRIES:
            raise InvalidRequest(f"failed to parse JSON input: more than {ENTRIES} entries in one object or array")
        inner = value.values() if isinstance(value, dict) else value
        waiting.extend((item, depth + 1) for item in inner if isinstance(item, dict | list))
