"""Functions that encode and decode: base64, JSON, YAML, TOML, numbers and digests."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from strongroom_agent.functions.gojson import dump, load
from strongroom_agent.template import Function
from strongroom_agent.template.values import Int64, Uint64, raw, string

_INTEGER = re.compile(r"[+-]?\d+\Z", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\Z|[+-]?inf(?:inity)?\Z|nan\Z", re.ASCII | re.IGNORECASE)
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def functions() -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "base64Decode": Function(decode64, "string"),
        "base64Encode": Function(lambda text: string(base64.b64encode(raw(text))), "string"),
        "base64URLDecode": Function(lambda text: decode64(text, b"-_"), "string"),
        "base64URLEncode": Function(lambda text: string(base64.urlsafe_b64encode(raw(text))), "string"),
        "hmacSHA256Hex": Function(_hmac, "string string"),
        "md5sum": Function(lambda text: digest("md5", text), "string"),
        "parseBool": Function(_boolean, "string"),
        "parseFloat": Function(_float, "string"),
        "parseInt": Function(_integer, "string"),
        "parseJSON": Function(lambda text: load(text) if text else {}, "string"),
        "parseUint": Function(_unsigned, "string"),
        "parseYAML": Function(_yaml, "string"),
        "sha256Hex": Function(lambda text: digest("sha256", text), "string"),
        "toJSON": Function(dump, "any"),
        "toJSONPretty": Function(lambda value: dump(value, indent="  "), "any"),
        "toTOML": Function(_to_toml, "any"),
        "toUnescapedJSON": Function(lambda value: dump(value, html=False), "any"),
        "toUnescapedJSONPretty": Function(lambda value: dump(value, html=False, indent="  "), "any"),
        "toYAML": Function(_to_yaml, "any"),
    }


def decode64(text: str, alphabet: bytes = b"+/") -> str:
    """Decode base64, line ends ignored; raises ValueError."""
    data = raw(text).replace(b"\r", b"").replace(b"\n", b"")
    try:
        return string(base64.b64decode(data, alphabet, validate=True))
    except binascii.Error:
        raise ValueError("illegal base64 data") from None


def digest(algorithm: str, text: str) -> str:
    """Return a digest in hexadecimal digits."""
    import hashlib  # loads OpenSSL's library

    return hashlib.new(algorithm, raw(text), usedforsecurity=False).hexdigest()


def _hmac(text: str, key: str) -> str:
    import hmac

    return hmac.digest(raw(key), raw(text), "sha256").hex()


def _boolean(text: str) -> bool:
    if text == "":
        return False
    return bool(_parsed("ParseBool", text, _BOOLEANS.__getitem__))


def _parsed(name: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except (KeyError, ValueError):
        raise ValueError(f'strconv.{name}: parsing "{text}": invalid syntax') from None


def _float(text: str) -> float:
    if text == "":
        return 0.0
    return float(_parsed("ParseFloat", text, _checked_float))


def _integer(text: str) -> Int64:
    if text == "":
        return Int64(0)
    if not _INTEGER.match(text):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if not -(2**63) <= int(text) < 2**63:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return Int64(text)


def _unsigned(text: str) -> Uint64:
    if text == "":
        return Uint64(0)
    if not text.isascii() or not text.isdecimal():
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) >= 2**64:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return Uint64(text)


def _yaml(text: str) -> Any:
    from strongroom_agent.functions import yaml_reader

    return yaml_reader.load(text) if text else {}


def _to_yaml(value: Any) -> str:
    from strongroom_agent.functions import yaml_writer

    return yaml_writer.dump(value)


def _to_toml(value: Any) -> str:
    from strongroom_agent.functions import toml_writer

    return toml_writer.dump(value)


def _checked_float(text: str) -> float:
    if not _FLOAT.match(text):
        raise ValueError(text)
    return float(text)
