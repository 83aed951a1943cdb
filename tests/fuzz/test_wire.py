"""Bytes that are nearly a request: each gets an answer or its connection an end, never a fault of the server's."""

import random
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fuzz.client import Call, Reply
from tests.fuzz.effort import EFFORT, SEED
from tests.fuzz.faults import Faults
from tests.fuzz.values import MARK
from tests.ours import Ours, dev_server

MESSAGES = 200 * EFFORT
WAIT = 0.5  # seconds for what may never come
BODY = b'{"data": {"password": "%s"}}' % MARK.encode()
GOOD = (
    b"POST /v1/secret/data/a HTTP/1.1\r\nHost: a\r\nX-Vault-Token: root\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY
)
ODD = (
    b"\r\n", b"\n", b"\x00", b"\xff", b" ", b":", b"%zz", b"%", b"?", b"#", b"HTTP/9.9", b"A" * 9000, b"{" * 5000,
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99999999999999999999\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: deflate\r\n", b"Host: [::\r\n",
    b"X-Vault-Token: \xff\xfe\r\n", b"Content-Type: application/json; charset=\xff\r\n", b"X-Vault-Namespace: \xff\r\n",
    b"Content-Type: application/x-www-form-urlencoded; charset=utf-99\r\n", b"X-Vault-Wrap-TTL: \xff\r\n",
    b"Origin: \xff\r\n", b"X-Shown: \xff\r\n", b"Authorization: Bearer \xff\r\n",
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(MESSAGES + 120)]


def test_nothing_like_a_request_makes_the_server_fail(tmp_path: Path) -> None:
    luck, faults, log = random.Random(SEED), Faults(), tmp_path / "server.log"
    with dev_server(tmp_path, "-log-level=trace") as server:
        _show_a_header(server, tmp_path)
        for _ in range(MESSAGES):
            raw = _spoilt(luck)
            faults.check(Call("RAW", repr(raw[:800])), _exchange(server, raw), log)
        assert any(_exchange(server, GOOD).status == 200 for _ in range(9))
    faults.search(log)
    assert not faults.found, f"seed {SEED}:\n{faults}"


def test_what_was_found(tmp_path: Path) -> None:
    with dev_server(tmp_path) as server:
        _show_a_header(server, tmp_path)
        for old, new, status in (
            (b"Host: a", b"Host: a", 200),
            (b"X-Vault-Token: root", b"X-Vault-Token: \xff", 403),
            (b"Host: a", b"Host: a\r\nX-Shown: \xff", 200),
            (b"Host: a", b"Host: a\r\nContent-Encoding: gzip", 400),
            (b"Host: a", b"Host: a\r\nContent-Encoding: deflate", 400),
        ):
            assert _exchange(server, GOOD.replace(old, new)).status == status, new


def _show_a_header(server: Ours, home: Path) -> None:
    for path, body in (
        ("sys/audit/file", f'{{"type": "file", "options": {{"file_path": "{home}/audit.log"}}}}'),
        ("sys/config/auditing/request-headers/x-shown", '{"hmac": false}'),
        ("sys/config/cors", '{"enable": true, "allowed_origins": "*"}'),
    ):
        head = f"POST /v1/{path} HTTP/1.1\r\nHost: a\r\nX-Vault-Token: root\r\nContent-Length: {len(body)}\r\n"
        assert _exchange(server, f"{head}Connection: close\r\n\r\n{body}".encode()).status == 204


def _spoilt(luck: random.Random) -> bytes:
    raw = GOOD
    for _ in range(luck.choice((1, 1, 2, 3))):
        place = luck.choice((raw.find(b"\r\n") + 2, luck.randrange(len(raw))))
        kind = luck.random()
        if kind < 0.5:
            raw = raw[:place] + luck.choice(ODD) + raw[place:]
        elif kind < 0.7:
            raw = raw[:place] + raw[place + luck.randrange(9) :]
        else:
            raw = raw[:place] + bytes([luck.randrange(256)]) + raw[place + 1 :]
    return raw


def _exchange(server: Ours, raw: bytes) -> Reply:
    """Send the bytes; a connection that just ends, or waits for more, is an answer too."""
    address = urlsplit(server.address)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=WAIT) as connection:
        try:
            connection.sendall(raw)
            while chunk := connection.recv(65536):
                received += chunk
        except OSError:
            pass
    status = received.split(b" ", 2)[1:2]
    return Reply(int(status[0]) if status and status[0].isdigit() else 400, received.decode(errors="replace"))
