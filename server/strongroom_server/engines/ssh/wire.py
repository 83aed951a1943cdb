"""The data types that SSH keys and certificates are made of (RFC 4251, section 5)."""

from collections.abc import Iterable


def string(data: bytes) -> bytes:
    """Return ``data`` with its length before it."""
    return len(data).to_bytes(4) + data


def strings(items: Iterable[str]) -> bytes:
    """Return texts one after another."""
    return b"".join(string(item.encode()) for item in items)


def mpint(number: int) -> bytes:
    """Return a positive integer, with a leading zero byte where the first bit would read as a sign."""
    return string(number.to_bytes(number.bit_length() // 8 + 1) if number else b"")


def split(blob: bytes) -> list[bytes]:
    """Return the strings that ``blob`` is made of; raises ValueError where it is not made of strings alone."""
    found, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4])
        if at + 4 > len(blob) or end > len(blob):
            raise ValueError("cut short")
        found.append(blob[at + 4 : end])
        at = end
    return found
