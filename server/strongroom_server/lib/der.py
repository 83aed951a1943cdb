"""The frames of DER (X.690, section 8.1): a tag, a length, and a content that is encoded already."""

SEQUENCE = 0x30
BIT_STRING = 0x03
OCTET_STRING = 0x04
UTF8_STRING = 0x0C
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
_LONG_FORM = 0x80


def framed(tag: int, *parts: bytes) -> bytes:
    """Return the parts, one after the other, in one frame."""
    content = b"".join(parts)
    size = len(content)
    if size < _LONG_FORM:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(length))) + length + content
