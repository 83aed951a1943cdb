"""A PKI mount with a root, and what OpenSSL says of what it makes."""

import subprocess
from typing import Any

from cryptography import x509

from strongroom_server.engines.pki import Engine
from tests.strongroom_server.fakes import Mounted


async def mounted(**root: Any) -> Mounted:
    """Return a mount with a root that lives for 8,000 hours, with an EC key unless ``root`` says otherwise."""
    pki = await Mounted(Engine, max_lease_ttl=8760 * 3600).start()
    usual = {"common_name": "Root", "key_type": "ec", "ttl": "8000h"}
    await pki("update", "root/generate/internal", **(usual | root))
    return pki


async def role(pki: Mounted, name: str = "r", **fields: Any) -> None:
    """Write a role for EC keys that allows any name, unless ``fields`` say otherwise."""
    await pki("update", f"roles/{name}", **({"allow_any_name": True, "key_type": "ec", "ttl": "1h"} | fields))


async def issue(pki: Mounted, name: str = "r", **body: Any) -> dict[str, Any]:
    """Issue a certificate and return the answer."""
    data = (await pki("update", f"issue/{name}", **({"common_name": "a.example.test"} | body))).data
    assert data is not None
    return data


def certificate(data: dict[str, Any]) -> x509.Certificate:
    """Return the certificate of an answer, taken apart."""
    return x509.load_pem_x509_certificate(data["certificate"].encode())


def openssl(*arguments: str, stdin: str | bytes = b"") -> str:
    """Run OpenSSL and return what it says."""
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(["openssl", *arguments], input=raw, capture_output=True, check=False, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace")
