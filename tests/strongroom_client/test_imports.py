"""The client is imported by programs whose start-up time and memory count: what it drags in is listed here."""

import subprocess
import sys

_HEAVY = (
    "asyncio",
    "dataclasses",
    "inspect",
    "argparse",
    "logging",
    "pathlib",
    "subprocess",
    "urllib.request",
    "zoneinfo",
)


def test_the_client_imports_nothing_heavy():
    code = "import sys, strongroom_client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & set(_HEAVY)
    assert {name for name in loaded if name.startswith("strongroom_")} == {
        "strongroom_client",
        "strongroom_client.client",
        "strongroom_client.errors",
        "strongroom_client.exchange",
        "strongroom_client.settings",
        "strongroom_client.transport",
        "strongroom_common",
        "strongroom_common.durations",
        "strongroom_common.environment",
        "strongroom_common.jsonx",
        "strongroom_common.tls",
    }
