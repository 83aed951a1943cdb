"""Audit devices. Each module is a type (``SHARED`` names the rest); see ``sdk/audit.py`` for the contract."""

from collections.abc import Mapping

from strongroom_server.sdk.audit import Device
from strongroom_server.sdk.errors import AuditError
from strongroom_server.sdk.parts import load_part

SHARED = ("entries", "redaction")


async def open_device(kind: str, options: Mapping[str, str]) -> Device:
    """Open the device; raises AuditError for an unknown type, a wrong option (the message names it), or a bad target.

    Options that no device has (``log_raw``, ``hmac_accessor``, …) are the redaction's and are left alone here.
    """
    try:
        device: Device = await load_part(__name__, kind).open_device(options)
    except AuditError:
        raise
    except Exception as error:
        raise AuditError(str(error)) from error
    return device
