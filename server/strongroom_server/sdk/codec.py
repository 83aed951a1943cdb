"""Stored and sent JSON: msgspec with exact numbers and the project's own types.

``Secret`` is stored as its value (the barrier encrypts it), ``Number`` as the number it was; both come back as
themselves when the type asks for them.
"""

from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from strongroom_common.jsonx import Number
from strongroom_common.secret import Secret

T = TypeVar("T")


def _to_json(value: Any) -> Any:
    if isinstance(value, Number):
        return msgspec.Raw(value.encode())
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _from_json(kind: Any, value: Any) -> Any:
    return Secret(msgspec.convert(value, _held(kind)))


@cache
def _held(kind: Any) -> Any:
    """Return the type of what a secret holds."""
    if get_origin(kind) is not Secret and kind is not Secret:
        raise TypeError(f"{kind} cannot be loaded")
    return next(iter(get_args(kind)), Any)


_encoder = msgspec.json.Encoder(enc_hook=_to_json)
_sorted_encoder = msgspec.json.Encoder(enc_hook=_to_json, order="sorted")
_decoder = msgspec.json.Decoder(float_hook=Number)

encode = _encoder.encode
"""Return ``value`` (plain, dataclass, Secret, Number, msgspec.Raw) as JSON bytes."""

encode_sorted = _sorted_encoder.encode
"""As ``encode``, with keys in order, as Go prints maps."""

loads = _decoder.decode
"""Parse any JSON with exact numbers; raises msgspec.DecodeError (a ValueError)."""


@cache
def _typed(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, dec_hook=_from_json, float_hook=Number)


def decode(kind: type[T], raw: bytes) -> T:
    """Return stored ``raw`` as the dataclass or struct ``kind``; raises msgspec.ValidationError (a ValueError)."""
    key: Any = kind  # a class is hashable, which its type does not say
    value: T = _typed(key).decode(raw)
    return value
