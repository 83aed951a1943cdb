"""QR codes as PNG of an exact size: the encoder's own images come only in multiples of its modules."""

import base64
import struct
import zlib

import segno
from segno.encoder import DataOverflowError

from strongroom_server.sdk.errors import InvalidRequest

_QUIET = 4  # modules of white around the code (ISO/IEC 18004)


def png(text: str, size: int) -> str:
    """Return the QR code of ``text``, ``size`` pixels wide and high, as base64; raises InvalidRequest."""
    if size > 4096:
        raise InvalidRequest("the qr_size value must be at most 4096")
    try:
        code = segno.make_qr(text, error="m", boost_error=False)
    except DataOverflowError:
        raise InvalidRequest("the key_size value is too large for a QR code; set qr_size to 0 for none") from None
    modules = len(code.matrix)
    if size < modules:
        raise InvalidRequest(f"the qr_size value must be 0 or at least {modules} for this key")
    scale = size // (modules + 2 * _QUIET) or 1
    before = (size - modules * scale) // 2
    blank = _row([0] * size)
    rows = [_row(_stretched(row, scale, before, size)) for row in code.matrix for _ in range(scale)]
    after = size - before - len(rows)
    return base64.b64encode(_png(size, blank * before + b"".join(rows) + blank * after)).decode()


def _stretched(row: "bytes | bytearray", scale: int, before: int, size: int) -> list[int]:
    bits = [0] * before + [dark for dark in row for _ in range(scale)]
    return bits + [0] * (size - len(bits))


def _row(bits: list[int]) -> bytes:
    """Return a line of the image: filter 0, then a bit a pixel where 1 is white."""
    whole = bits + [0] * (-len(bits) % 8)
    number = int("".join("0" if dark else "1" for dark in whole), 2)
    return b"\0" + number.to_bytes(len(whole) // 8)


def _png(size: int, lines: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)  # one bit of grey
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
