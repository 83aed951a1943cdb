"""Certificates and OpenSSH: a server that trusts the issuer lets in whom the certificate is for, and nobody else."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.clock import SystemClock
from strongroom_server.engines.ssh import Engine
from tests.ours import free_port
from tests.strongroom_server.engines.ssh.keygen import make_key, program
from tests.strongroom_server.fakes import Mounted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="sshd lets others in only as root"),
]

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host
HostCertificate {home}/host-cert.pub
TrustedUserCAKeys {home}/trusted
AuthorizedKeysFile none
AuthorizedPrincipalsFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
PidFile none
"""


@dataclass
class Sshd:
    """A running sshd and the engine that it trusts."""

    mounted: Mounted
    home: Path
    port: int

    async def write(self, path: str, **body: Any) -> Any:
        return (await self.mounted("update", path, **body)).data

    async def log_in(self, certificate: str, key: str, user: str = "root", host: str = "localhost") -> str:
        """Run a command over SSH; returns what it prints, "" where the server does not let us in."""
        (self.home / "key").write_text(key)
        (self.home / "key").chmod(0o600)
        (self.home / "key-cert.pub").write_text(certificate)
        options = {
            "CertificateFile": self.home / "key-cert.pub", "IdentityFile": self.home / "key", "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.home / "known_hosts", "GlobalKnownHostsFile": "/dev/null", "BatchMode": "yes",
            "StrictHostKeyChecking": "yes", "IdentityAgent": "none", "HostKeyAlias": host,
        }  # fmt: skip
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        process = await asyncio.create_subprocess_exec(
            program("ssh"), "-F", "none", *words, "-p", str(self.port), f"{user}@127.0.0.1", "echo let in",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        told, _ = await process.communicate()
        return told.decode().strip()


@pytest.fixture
async def sshd(tmp_path: Path) -> AsyncIterator[Sshd]:
    server = program("sshd")
    Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks its unprivileged part in
    clock = SystemClock()
    mounted = Mounted(Engine)
    mounted.engine.system.clock = clock
    running = Sshd(await mounted.start(), tmp_path, free_port())
    issuer = await running.write("config/ca", key_type="ed25519")
    await running.write(
        "roles/host", key_type="ca", allow_host_certificates=True, allowed_domains="example.com", allow_subdomains=True
    )
    public, private = make_key("ed25519")
    host = await running.write("sign/host", cert_type="host", valid_principals="a.example.com", public_key=public)
    files = {
        "host": private, "host-cert.pub": host["signed_key"], "trusted": issuer["public_key"],
        "known_hosts": "@cert-authority *.example.com " + issuer["public_key"],
        "sshd_config": CONFIG.format(home=tmp_path, port=running.port),
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    log = (tmp_path / "log").open("wb")
    process = await asyncio.create_subprocess_exec(
        server, "-D", "-e", "-f", str(tmp_path / "sshd_config"), stdout=log, stderr=log
    )
    try:
        await _listening(running.port, tmp_path / "log")
        yield running
    finally:
        process.terminate()
        await process.wait()
        log.close()
        await mounted.engine.close()


async def _listening(port: int, log: Path) -> None:
    for _ in range(1200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return
    raise AssertionError(log.read_text())


async def test_a_server_lets_in_whom_the_certificate_is_for(sshd: Sshd) -> None:
    await sshd.write("roles/r", key_type="ca", allow_user_certificates=True, allowed_users="root,other", ttl="5m")
    public, private = make_key("ecdsa", 256)
    for principal, told in (("root", "let in"), ("root,other", "let in"), ("other", "")):
        signed = await sshd.write("sign/r", public_key=public, valid_principals=principal)
        assert await sshd.log_in(signed["signed_key"], private, host="a.example.com") == told
    signed = await sshd.write("sign/r", public_key=public, valid_principals="root")
    assert await sshd.log_in(signed["signed_key"], private, host="b.example.com") == "", "the host is another"


async def test_an_issued_pair_is_let_in_and_its_options_hold(sshd: Sshd) -> None:
    await sshd.write(
        "roles/r", key_type="ca", allow_user_certificates=True, allowed_users="root", default_user="root", ttl="5m",
        default_critical_options={"force-command": "echo forced"},
    )  # fmt: skip
    for kind, bits in (("ed25519", 0), ("rsa", 2048), ("ec", 384)):
        pair = await sshd.write("issue/r", key_type=kind, key_bits=bits)
        told = await sshd.log_in(pair["signed_key"], pair["private_key"], host="a.example.com")
        assert told == "forced"
    sourced = await sshd.write("issue/r", key_type="ed25519", critical_options={"source-address": "10.9.8.7/32"})
    assert await sshd.log_in(sourced["signed_key"], sourced["private_key"], host="a.example.com") == ""


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
async def test_certificates_signed_with_rsa_are_let_in(sshd: Sshd, algorithm: str) -> None:
    public, private = make_key("rsa", 2048)
    await sshd.write("config/ca", public_key=public, private_key=private)
    (sshd.home / "trusted").write_text(public)
    await sshd.write(
        "roles/r",
        key_type="ca",
        allow_user_certificates=True,
        allowed_users="root",
        default_user="root",
        algorithm_signer=algorithm,
    )
    pair = await sshd.write("issue/r", key_type="ed25519")
    assert await sshd.log_in(pair["signed_key"], pair["private_key"], host="a.example.com") == "let in"


async def test_a_certificate_of_another_issuer_or_time_is_not_let_in(sshd: Sshd) -> None:
    await sshd.write("roles/r", key_type="ca", allow_user_certificates=True, allowed_users="root", default_user="root")
    short = await sshd.write("issue/r", key_type="ed25519", ttl=1)
    await sshd.write("config/ca", key_type="ed25519")
    other = await sshd.write("issue/r", key_type="ed25519")
    assert await sshd.log_in(other["signed_key"], other["private_key"], host="a.example.com") == ""
    await asyncio.sleep(1.1)
    assert await sshd.log_in(short["signed_key"], short["private_key"], host="a.example.com") == ""
