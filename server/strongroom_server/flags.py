"""The command line of ``strongroom server``."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any


def parse(argv: Sequence[str], env: Mapping[str, str]) -> argparse.Namespace:
    """Read the flags; ``-flag`` and ``--flag`` are the same, as with Vault's. Exits with 1 on a wrong one."""
    parser = _Parser(
        prog="strongroom server", allow_abbrev=False, add_help=False, description="Start a secrets server."
    )

    def flag(name: str, **rest: Any) -> None:
        parser.add_argument(f"-{name}", f"--{name}", **rest)

    def switch(name: str, about: str) -> None:
        flag(name, nargs="?", const=True, default=False, type=_boolean, metavar="true|false", help=about)

    def default(name: str, otherwise: str = "") -> str:
        found = (env.get(f"{prefix}_{name}") for prefix in ("STRONGROOM", "BAO", "VAULT"))
        return next((value for value in found if value), otherwise)

    flag("config", action="append", default=[], metavar="PATH", help="Server file or folder; may be repeated. Also "
         "VAULT_CONFIG_PATH.")  # fmt: skip
    switch("dev", "Serve from memory, initialised and unsealed. Not for real secrets.")
    flag("dev-root-token-id", default=default("DEV_ROOT_TOKEN_ID"), metavar="TOKEN", help="Root token of -dev.")
    flag("dev-listen-address", default=default("DEV_LISTEN_ADDRESS", "127.0.0.1:8200"), metavar="HOST:PORT",
         help="Where -dev listens.")  # fmt: skip
    switch("dev-no-kv", "Mount no KV engine at secret/ in -dev.")
    switch("dev-kv-v1", "Mount KV version 1 at secret/ in -dev.")
    switch("dev-no-store-token", "Do not keep the root token of -dev for the command line (~/.vault-token or the token "
           "helper).")  # fmt: skip
    switch("dev-tls", "As -dev, with TLS and a certificate made on the spot.")
    flag("dev-tls-cert-dir", default="", metavar="PATH", help="Folder for the files of -dev-tls; made up if not given.")
    flag("dev-tls-san", action="append", default=[], metavar="NAME", help="A further name for that certificate; may be "
         "repeated.")  # fmt: skip
    flag("log-level", default=default("LOG_LEVEL"), metavar="LEVEL", help="trace, debug, info, warn or error.")
    flag("log-format", default=default("LOG_FORMAT"), metavar="FORMAT", help="standard or json.")
    flag("log-file", default="", metavar="PATH", help="File for the log, beside standard error.")
    flag("log-rotate-bytes", default="", metavar="BYTES", help="How long one log file may get.")
    flag("log-rotate-duration", default="", metavar="DURATION", help="How long one log file is written to.")
    flag("log-rotate-max-files", default="", metavar="NUMBER", help="How many old log files are kept.")
    parser.add_argument("-h", "-help", "--help", action="help", help="Print this.")
    switch("exit-on-core-shutdown", "Accepted for compatibility; has no effect.")
    for name, instead in _NOT_HERE.items():
        flag(name, nargs="?", action=_Refusal, help=argparse.SUPPRESS, metavar=instead)
    options = parser.parse_args(argv)
    options.dev = options.dev or options.dev_tls
    options.config = options.config or [path for path in (default("CONFIG_PATH"),) if path and not options.dev]
    return options


_CLUSTER = "-dev serves one node; more take a server file each, with one storage"
_NOT_HERE = {
    "recovery": "there is no recovery mode; raw_storage_endpoint in the server file opens sys/raw",
    "dev-cluster-json": _CLUSTER,
    "dev-ha": _CLUSTER,
    "dev-three-node": _CLUSTER,
    "dev-plugin-dir": "plugins that are programs are not supported",
    "dev-plugin-init": "plugins that are programs are not supported",
    "dev-skip-init": '-dev always initializes; without it a server file with storage "inmem" serves',
}
"""Flags of the peer's that there are not, and what to do instead."""


class _Refusal(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"{self.option_strings[0]}: {self.metavar}")


def _boolean(text: str) -> bool:
    if text.lower() not in ("1", "t", "true", "0", "f", "false"):
        raise argparse.ArgumentTypeError("expected true or false")
    return text.lower() in ("1", "t", "true")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        self.print_usage()
        self.exit(1, f"{self.prog}: {message}\n")
