"""A template rendered in memory, its dependencies answered from a table."""

import base64
import json
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from strongroom_agent.functions import find
from strongroom_agent.functions.context import Context
from strongroom_agent.functions.dependencies import Certificate, File, List, Read, Write
from strongroom_agent.functions.secrets import Pem, Secret
from strongroom_agent.template import parse
from strongroom_common import jsonx

HERE = Path(__file__).parent
GOLDEN: dict[str, Any] = json.loads((HERE / "golden.json").read_text())
RECORDED: dict[str, Any] = json.loads((HERE / "recorded.json").read_text())
PEM = "-----BEGIN X-----\nabc\n-----END X-----\n"


def render(
    body: str,
    recall: Callable[[Hashable], Any] = lambda _: None,
    delimiters: tuple[str, str] = ("{{", "}}"),
    strict: bool = False,
    environment: dict[str, str] | None = None,
) -> str:
    context = Context(recall, environment or {}, lambda: 1_700_000_000.0, "/out")
    return parse(body, find(context), delimiters=delimiters, strict=strict).execute()


class Absent(Exception):
    """The server has nothing there."""


def golden_seed() -> dict[str, dict[str, Any]]:
    """Return the golden file's data by mount; what it describes in words is spelled out here."""
    seed = {mount.split(" ")[0]: data for mount, data in GOLDEN["seed"].items() if isinstance(data, dict)}
    seed["kv"] = {path: data for path, data in seed["kv"].items() if not path.startswith("gone/")}
    seed["kv"]["app/tls"] = {"crt_b64": base64.b64encode(PEM.encode()).decode()}
    seed["kv"]["app/ver"] = [{"v": "one"}, {"v": "two"}]
    return seed


def golden_recall(dependency: Hashable) -> Any:
    """Answer as the server of the golden file did."""
    seed = golden_seed()
    # the recording server rounds numbers of KV version 2 (ours does not)
    seed["kv"]["app/types"]["big"] = jsonx.Number("12345678901234567000")
    match dependency:
        case Read(path):
            return _read(seed, path)
        case Write(path, _) if path.startswith("transit/"):
            return Secret({"data": {"plaintext": base64.b64encode(b"hello").decode()}})
        case Write():
            return Secret({"data": {"certificate": "C", "private_key": "K", "ca_chain": ["A"]}})
        case List(path) if "gone" in path:
            return ["del"]
        case List():
            return sorted(path.removeprefix("app/") for path in seed["kv"])
        case Certificate():
            return Pem("cert\n", "key\n", "ca\n")
        case File(path):
            return Path(path).read_text()
    raise Absent(dependency)


def _read(seed: dict[str, dict[str, Any]], path: str) -> Secret:
    mount, _, rest = path.partition("?")[0].partition("/")
    data = seed.get(mount, {}).get(rest.removeprefix("data/") if mount == "kv" else rest)
    if data is None:
        raise Absent(path)
    if mount != "kv":
        return Secret({"data": data})
    versions = data if isinstance(data, list) else [data]
    number = int(path.partition("version=")[2] or len(versions))
    return Secret({"data": {"data": versions[number - 1], "metadata": {"version": number}}})
