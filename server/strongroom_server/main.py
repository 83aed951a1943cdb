"""The composition root: flags and server file in, a running server out; everything is put together here alone."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom_common import logs
from strongroom_common.clock import SystemClock
from strongroom_server.core.server import Server
from strongroom_server.http.app import App
from strongroom_server.http.listeners import Bound, bind_tcp, close_all
from strongroom_server.sdk.version import PRODUCT_VERSION, VERSION
from strongroom_server.storage import open_backend

log = logging.getLogger("server")


@dataclass(frozen=True)
class CoreOptions:
    """What the core needs of the server file."""

    storage_kind: str = "inmem"
    cluster_name: str = ""
    api_addr: str = ""
    default_lease_ttl: int = 768 * 3600
    max_lease_ttl: int = 768 * 3600
    raw_storage_endpoint: bool = False
    introspection_endpoint: bool = False


async def run_dev(options: argparse.Namespace) -> int:
    """Serve from memory, unsealed, with a known root token."""
    clock = SystemClock()
    backend = await open_backend("inmem", {}, clock)
    host, _, port = options.dev_listen_address.rpartition(":")
    server = Server(backend, clock, CoreOptions(api_addr=f"http://{options.dev_listen_address}"))
    await server.start()
    from strongroom_server.core import dev

    secrets = await dev.prepare(server, options.dev_root_token_id)
    bound = await bind_tcp(App(server), host.strip("[]"), int(port))
    print(dev.banner(secrets, f"http://{host}:{bound.port}", VERSION, PRODUCT_VERSION), flush=True)  # noqa: T201
    await _until_told(server, [bound])
    return 0


async def _until_told(server: Server, bound: Sequence[Bound]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    log.info("stopping")
    await close_all(bound)
    await server.stop()


def parse_flags(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; both ``-flag`` and ``--flag`` are taken, as Vault's clients do."""
    parser = argparse.ArgumentParser(prog="strongroom server", allow_abbrev=False)

    def flag(name: str, **rest: object) -> None:
        parser.add_argument(f"-{name}", f"--{name}", **rest)  # type: ignore[arg-type]  # argparse's own keywords

    flag("config", action="append", default=[], help="Server file or folder; may be given several times.")
    flag("dev", action="store_true", help="Serve from memory, unsealed.")
    flag("dev-root-token-id", default=os.environ.get("VAULT_DEV_ROOT_TOKEN_ID", ""), help="The root token of -dev.")
    flag("dev-listen-address", default=os.environ.get("VAULT_DEV_LISTEN_ADDRESS", "127.0.0.1:8200"),
         help="Where -dev listens.")  # fmt: skip
    flag("log-level", default="", help="trace, debug, info, warn or error.")
    flag("log-format", default="", help="standard or json.")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run ``strongroom server``; returns the exit status."""
    options = parse_flags(argv)
    logs.configure(options.log_level or "info", "json" if options.log_format == "json" else "standard")
    try:
        import uvloop

        runner = uvloop.run
    except ImportError:
        runner = asyncio.run
    try:
        return runner(run_dev(options))
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
