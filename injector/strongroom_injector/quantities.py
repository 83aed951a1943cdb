"""Kubernetes quantities ("50m", "64Mi"), as far as comparing two of them goes.

Format: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?\Z", re.ASCII)
_SCALE = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3), "M": Decimal(10**6),
    "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}  # fmt: skip


def parse_quantity(text: str) -> Decimal:
    """Return the amount in its base unit (cores, bytes); raises ValueError for what is no quantity or below zero."""
    match = _QUANTITY.match(text)
    if not match:
        raise ValueError("expected a quantity")
    number, suffix, exponent = match.groups()
    amount = Decimal(number) * (_SCALE[suffix] if suffix else Decimal(10) ** int(exponent or 0))
    if amount < 0:
        raise ValueError("expected a quantity of 0 or more")
    return amount
