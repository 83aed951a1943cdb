"""OpenSSH's own programs: they make keys and read certificates."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Return the path of a program of OpenSSH; skips where it is not installed."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install openssh-server openssh-client")
    return found


@cache
def make_key(kind: str, bits: int = 0, passphrase: str = "", form: str = "") -> tuple[str, str]:
    """Return the public and the private half of a key, as texts; asked again, the same."""
    size = ["-b", str(bits)] if bits else []
    shape = ["-m", form] if form else []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        words = ["-q", "-t", kind, *size, *shape, "-N", passphrase, "-C", "a comment", "-f", str(file)]
        subprocess.run([program("ssh-keygen"), *words], check=True)
        return file.with_suffix(".pub").read_text(), file.read_text()


def fingerprint(file: Path) -> str:
    """Return the fingerprint of the key in a file, whatever it holds of it."""
    command = [program("ssh-keygen"), "-l", "-f", str(file)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[1]


@dataclass(frozen=True)
class Shown:
    """What ``ssh-keygen -L`` says of a certificate."""

    kind: str
    signer: str
    algorithm: str
    key_id: str
    serial: int
    valid: str
    principals: list[str]
    critical_options: list[str]
    extensions: list[str]


def show(certificate: str, folder: Path) -> Shown:
    """Read a certificate; fails where OpenSSH cannot."""
    file = folder / "shown-cert.pub"
    file.write_text(certificate)
    command = [program("ssh-keygen"), "-L", "-f", str(file)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={"TZ": "UTC"}).stdout
    signer = re.search(r"Signing CA: (.*) \(using (.*)\)", told)
    found = {name: re.search(pattern, told) for name, pattern in _LINES.items()}
    assert signer is not None
    texts = {name: match[1] for name, match in found.items() if match}
    return Shown(
        texts["kind"], signer[1], signer[2], texts["key_id"], int(texts["serial"]), texts["valid"],
        _section(told, "Principals"), _section(told, "Critical Options"), _section(told, "Extensions"),
    )  # fmt: skip


_LINES = {
    "kind": r"Type: \S+ (\w+) certificate",
    "key_id": r'Key ID: "(.*)"',
    "serial": r"Serial: (\d+)",
    "valid": r"Valid: (.*)",
}


def _section(told: str, name: str) -> list[str]:
    match = re.search(rf"^ {{8}}{name}: (\(none\))?\n((?: {{16}}.*\n)*)", told, re.MULTILINE)
    assert match is not None, told
    return [line.strip() for line in match[2].splitlines()]
