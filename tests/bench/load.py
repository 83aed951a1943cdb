"""Load by wrk: keep-alive, 16 connections, one thread, as the baseline was taken."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.bench.servers import Running

SECONDS = 3


def require_wrk() -> None:
    """Exit with what to do where wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")


def rate(server: Running, path: str, *, script: str = "", connections: int = 16) -> float:
    """Return requests a second; raises RuntimeError where any was refused."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-H", f"X-Vault-Token: {server.token}"]
    with tempfile.TemporaryDirectory() as folder:
        if script:
            file = Path(folder, "load.lua")
            file.write_text(script)
            command += ["-s", str(file)]
        output = subprocess.run(
            [*command, f"{server.address}/v1/{path}"], capture_output=True, text=True, check=True
        ).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{server.name}: {path}: {re.search('Non-2xx.*', output)}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert match, output
    return float(match[1])
