"""What names, policies and metadata of identities may be; each check raises InvalidRequest."""

import re
from collections.abc import Mapping, Sequence

from strongroom_server.core.builtin_policies import ROOT
from strongroom_server.sdk.errors import InvalidRequest

_KEY_CHARACTERS = re.compile(r"[\w=+/-]+", re.ASCII)
_PAIRS, _KEY, _VALUE = 64, 128, 512  # Vault's limits ("Identity", metadata)


def policies(names: Sequence[str]) -> tuple[str, ...]:
    """Return policy names trimmed, in lower case, sorted, once each.

    Security 1: root is refused after that, so that neither case nor blanks get round it (HCSEC-2025-13).
    """
    tidy = tuple(sorted({name.strip().lower() for name in names if name.strip()}))
    if ROOT in tidy:
        raise InvalidRequest("policies cannot contain root")
    return tidy


def metadata(pairs: Mapping[str, str], field: str, *, any_key: bool = False) -> dict[str, str]:
    """Return metadata that keeps the limits; the message names the field and the key, never a value."""
    if len(pairs) > _PAIRS:
        raise InvalidRequest(f"invalid {field}: metadata cannot contain more than {_PAIRS} key/value pairs")
    for key, value in pairs.items():
        if not key:
            raise InvalidRequest(f"invalid {field}: key cannot be blank")
        if not (any_key or _KEY_CHARACTERS.fullmatch(key)):
            raise InvalidRequest(f"invalid {field}: key {key[:32]!r} contains invalid characters: expected letters, "
                                 "digits and _ - = + /")  # fmt: skip
        if len(key) > _KEY:
            raise InvalidRequest(f"invalid {field}: key {key[:32]!r}… is too long (limit: {_KEY} characters)")
        if len(value) > _VALUE:
            raise InvalidRequest(f"invalid {field}: the value of {key!r} is too long (limit: {_VALUE} characters)")
    return dict(pairs)
