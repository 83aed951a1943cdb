"""What OpenSSL, curl and a TLS handshake make of a mount's certificates, on a server that listens."""

import asyncio
import json
import ssl
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.config import Listener
from strongroom_server.http.app import App
from strongroom_server.http.listeners import bind_tcp
from tests.strongroom_server.engines.pki.mounted import openssl
from tests.strongroom_server.live import Live

pytestmark = pytest.mark.slow


@pytest.fixture
async def served(live: Live) -> AsyncIterator[tuple[Live, str]]:
    live.clock.time = time.time()  # OpenSSL knows the real time only
    bound = await bind_tcp(App(live.server, Listener()), "127.0.0.1", 0)
    yield live, f"http://127.0.0.1:{bound.port}/v1"
    await bound.close()


async def post(live: Live, path: str, **body: Any) -> Any:
    answer = await live.post(path, body)
    assert answer.status in {200, 204}, answer
    return answer.body["data"] if answer.body else None


async def run(*command: str) -> str:
    def blocking() -> str:
        done = subprocess.run(command, capture_output=True, check=False, timeout=30)
        return (done.stdout + done.stderr).decode(errors="replace")

    return await asyncio.to_thread(blocking)


async def two_levels(live: Live, url: str) -> None:
    """Set up a root at ``root`` and an intermediate at ``int`` that issues."""
    for mount in ("root", "int"):
        await post(live, f"sys/mounts/{mount}", type="pki", config={"max_lease_ttl": "87600h"})
    await post(live, "root/root/generate/internal", common_name="Root", ttl="9000h", key_type="rsa")
    request = await post(live, "int/intermediate/generate/internal", common_name="Int", key_type="ec")
    signed = await post(live, "root/root/sign-intermediate", csr=request["csr"], common_name="Int", ttl="8000h")
    await post(live, "int/intermediate/set-signed", certificate="\n".join(signed["ca_chain"]))
    await post(live, "int/config/urls", issuing_certificates=f"{url}/int/ca", crl_distribution_points=f"{url}/int/crl",
               ocsp_servers=f"{url}/int/ocsp")  # fmt: skip
    await post(live, "int/roles/web", allow_any_name=True, key_type="ec", ttl="1h", allow_localhost=True)


async def test_openssl_verifies_the_chain_and_curl_the_connection(served: tuple[Live, str], tmp_path: Path) -> None:
    live, url = served
    await two_levels(live, url)
    made = await post(live, "int/issue/web", common_name="localhost", ip_sans="127.0.0.1")
    files = {"leaf": made["certificate"], "int": made["ca_chain"][0], "root": made["ca_chain"][1],
             "key": made["private_key"], "full": made["certificate"] + "\n" + made["ca_chain"][0]}  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"{name}.pem").write_text(text + "\n")
    path = {name: str(tmp_path / f"{name}.pem") for name in files}
    verified = await run("openssl", "verify", "-x509_strict", "-CAfile", path["root"], "-untrusted", path["int"],
                         path["leaf"])  # fmt: skip
    assert verified.strip().endswith("leaf.pem: OK")

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path["full"], path["key"])

    async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    assert await run("curl", "-sS", "--cacert", path["root"], f"https://127.0.0.1:{port}/") == "hi"
    assert "SSL certificate problem" in await run("curl", "-sS", f"https://127.0.0.1:{port}/")
    server.close()
    await server.wait_closed()


async def test_openssl_learns_of_a_revocation_by_crl_and_ocsp(served: tuple[Live, str], tmp_path: Path) -> None:
    live, url = served
    await two_levels(live, url)
    made = await post(live, "int/issue/web", common_name="a.test")
    (tmp_path / "int.pem").write_text(made["ca_chain"][0] + "\n")
    (tmp_path / "chain.pem").write_text("\n".join(made["ca_chain"]) + "\n")
    (tmp_path / "leaf.pem").write_text(made["certificate"] + "\n")

    async def ask() -> str:
        return await run("openssl", "ocsp", "-issuer", str(tmp_path / "int.pem"), "-cert", str(tmp_path / "leaf.pem"),
                         "-CAfile", str(tmp_path / "chain.pem"), "-url", f"{url}/int/ocsp")  # fmt: skip

    good = await ask()
    assert "leaf.pem: good" in good
    assert "Response verify OK" in good
    assert "WARNING" not in good
    await post(live, "int/revoke", serial_number=made["serial_number"])
    assert "leaf.pem: revoked" in await ask()

    def fetch(path: str) -> bytes:
        with urllib.request.urlopen(f"{url}/{path}", timeout=10) as answer:
            raw: bytes = answer.read()
            return raw

    crl = await asyncio.to_thread(fetch, "int/crl/pem")
    (tmp_path / "all.pem").write_bytes((tmp_path / "chain.pem").read_bytes() + crl)
    verified = await run("openssl", "verify", "-crl_check", "-partial_chain", "-trusted", str(tmp_path / "int.pem"),
                         "-CRLfile", str(tmp_path / "all.pem"), str(tmp_path / "leaf.pem"))  # fmt: skip
    assert "certificate revoked" in verified
    listed = json.loads(await asyncio.to_thread(fetch, f"int/cert/{made['serial_number']}"))
    assert listed["data"]["revocation_time"] > 0


async def test_openssl_reads_requests_and_lists(served: tuple[Live, str]) -> None:
    live, url = served
    await two_levels(live, url)
    request = await post(live, "int/intermediate/generate/internal", common_name="X", key_type="ed25519")
    assert "Certificate request self-signature verify OK" in openssl("req", "-verify", "-noout", stdin=request["csr"])
    crl = (await live.get("int/cert/crl")).data["certificate"]
    assert "No Revoked Certificates" in openssl("crl", "-noout", "-text", stdin=crl)


@pytest.mark.parametrize("key_type", ["rsa", "ec", "ed25519"])
async def test_openssl_learns_of_many_certificates_at_once(
    served: tuple[Live, str], tmp_path: Path, key_type: str
) -> None:
    live, url = served
    await two_levels(live, url)
    await post(live, "root/config/crl", ocsp_expiry="1h")
    made = await post(live, "root/root/rotate/internal", common_name="Many", key_type=key_type)
    await post(live, "root/root/replace", default=made["issuer_id"])
    await post(live, "root/roles/web", allow_any_name=True, key_type="ec", ttl="1h")
    leaves = [await post(live, "root/issue/web", common_name="a.test") for _ in range(3)]
    await post(live, "root/revoke", serial_number=leaves[1]["serial_number"])
    other = (await live.get("int/cert/ca_chain")).data["certificate"]
    texts = [made["certificate"], other, *(leaf["certificate"] for leaf in leaves)]
    own, strange, *asked = [str(tmp_path / f"{n}.pem") for n in range(len(texts))]
    for path, text in zip([own, strange, *asked], texts, strict=True):
        Path(path).write_text(text + "\n")
    command = ["openssl", "ocsp", "-url", f"{url}/root/ocsp", "-CAfile", own, "-issuer", own]
    command += [word for path in asked for word in ("-cert", path)]

    async def statuses(*more: str) -> list[str]:
        told = await run(*command, *more)
        assert "Response verify OK" in told
        assert "WARNING" not in told
        ends = (": good", ": revoked", ": unknown")
        return [line.rpartition(": ")[2] for line in told.splitlines() if line.endswith(ends)]

    assert await statuses("-serial", "0x1234") == ["good", "revoked", "good", "good"]
    # Of another issuer's certificates OpenSSL believes only whom it is told to believe.
    of_another = ["-issuer", strange, "-serial", "0x5678", "-VAfile", own]
    assert await statuses(*of_another) == ["good", "revoked", "good", "unknown"]
