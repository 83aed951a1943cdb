"""``make bench``: this server and OpenBao side by side, the same load, and the ratio of the two.

Both run on the same cores at the same time of day and are loaded in turn, so absolute figures drift with the machine
while ratios hold. TLS is off, no audit device is on, as in the baseline. Lines end in the ratio and what is needed;
the exit status is 1 where one is missed.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench import cases
from tests.bench.load import require_wrk
from tests.bench.servers import Running, start_dev, start_durable

Measure = Callable[[Running], float]


@dataclass(frozen=True)
class Row:
    """One figure. ``needed`` is the ratio ours / theirs that must be reached (at most that where less is better)."""

    name: str
    unit: str
    measure: Measure
    needed: float
    less_is_better: bool = False
    durable: bool = False


ROWS: tuple[Row, ...] = (
    Row("start to first answer, dev", "s", lambda server: server.started, 0.0, less_is_better=True),
    Row("memory when idle, dev", "MB", cases.memory, 0.8, less_is_better=True),
    Row("KV v2 read, in memory", "/s", cases.kv_read, 2.0),
    Row("KV v2 write, in memory", "/s", cases.kv_write, 1.5),
    Row("token create, in memory", "/s", cases.token_create, 2.0),
    Row("transit encrypt, one item", "/s", cases.transit_encrypt, 1.5),
    Row("transit encrypt, batch of 400", "/s", cases.transit_batch, 3.0),
    Row("memory after the load, dev", "MB", cases.memory, 0.5, less_is_better=True),
    Row("PKI issue, EC P-256", "/s", cases.pki_ec, 2.0),
    Row("PKI issue, RSA-2048, prepared", "/s", cases.pki_rsa_prepared, 3.0),
    Row("PKI issue, RSA-2048, cold pool", "/s", cases.pki_rsa_cold, 0.0),
    Row("database/creds, PostgreSQL", "/s", cases.database_creds, 2.0),
    Row("1,000 database leases revoked", "/s", cases.database_revocation, 5.0),
    Row("KV v2 read, durable store", "/s", cases.kv_read, 1.5, durable=True),
    Row("KV v2 write, durable store", "/s", cases.kv_write, 2.0, durable=True),
    Row("approle login, durable store", "/s", cases.approle_login, 3.0, durable=True),
)


def main(argv: Sequence[str]) -> int:
    """Measure, print, and tell by the exit status whether every needed ratio was reached."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each figure is taken; the median counts")
    parser.add_argument("--only", default="", help="measure the rows whose names contain this alone")
    options = parser.parse_args(argv)
    require_wrk()
    missed = 0
    print(f"{'':34}{'strongroom':>12}{'openbao':>12}   ratio   needed")
    for durable, start in ((False, start_dev), (True, start_durable)):
        rows = [row for row in ROWS if row.durable == durable and options.only in row.name]
        if not rows:
            continue
        with TemporaryDirectory() as folder, start("strongroom", Path(folder)) as ours, \
                start("openbao", Path(folder)) as theirs:  # fmt: skip
            missed += sum(not report(row, ours, theirs, options.rounds) for row in rows)
    return 1 if missed else 0


def report(row: Row, ours: Running, theirs: Running, rounds: int) -> bool:
    """Measure one row in turn on both servers and print it; says whether the needed ratio was reached."""
    pairs = [(row.measure(ours), row.measure(theirs)) for _ in range(rounds)]
    mine, other = (sorted(column)[len(column) // 2] for column in zip(*pairs, strict=True))
    ratio = sorted(a / b if b else inf for a, b in pairs)[len(pairs) // 2]
    reached = not row.needed or (ratio <= row.needed if row.less_is_better else ratio >= row.needed)
    wanted = "" if not row.needed else f"{'at most' if row.less_is_better else 'at least'} {row.needed:g}"
    print(f"{row.name:34}{_figure(mine, row.unit):>12}{_figure(other, row.unit):>12}{ratio:8.2f}   {wanted}"
          f"{'' if reached else '   MISSED'}", flush=True)  # fmt: skip
    return reached


def _figure(value: float, unit: str) -> str:
    return f"{value:.2f} {unit}" if value < 10 else f"{value:,.0f} {unit}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
