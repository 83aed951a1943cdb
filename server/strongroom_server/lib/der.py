"""The frames of DER (X.690, section 8.1): a tag, a length, and a content that is encoded already."""

from typing import NamedTuple

SEQUENCE = 0x30
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
ENUMERATED = 0x0A
UTF8_STRING = 0x0C
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
_LONG_FORM = 0x80
_HIGH_TAG = 0x1F


class Frame(NamedTuple):
    """One frame as read: its tag, its content, and both together as they came."""

    tag: int
    content: bytes
    whole: bytes


def framed(tag: int, *parts: bytes) -> bytes:
    """Return the parts, one after the other, in one frame."""
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, _LONG_FORM | 1, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(length))) + length + content


def last(content: bytes) -> bytes:
    """Return the content of the last frame within one frame; raises ValueError as ``frames`` does."""
    at, end = _bounds(content, 0)
    while at < end:
        begin, at = _bounds(content, at)
    return content[begin:at]


def frames(content: bytes) -> list[Frame]:
    """Return the frames that follow one another in ``content``; raises ValueError for anything else."""
    found, at = [], 0
    while at < len(content):
        begin, end = _bounds(content, at)
        found.append(Frame(content[at], content[begin:end], content[at:end]))
        at = end
    return found


def _bounds(content: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the frame at a position begins and ends."""
    if content[at] & _HIGH_TAG == _HIGH_TAG or content[at + 1 : at + 2] in {b"", b"\x80"}:
        raise ValueError("not a frame of DER: a long tag, no length, or an end that is told later")
    size, begin = content[at + 1], at + 2
    if size & _LONG_FORM:
        digits = size ^ _LONG_FORM
        size, begin = int.from_bytes(content[begin : begin + digits]), begin + digits
    if begin + size > len(content):
        raise ValueError("a frame of DER is cut off")
    return begin, begin + size
