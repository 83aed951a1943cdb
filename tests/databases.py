"""Real servers for tests, databases and a directory: each on a free port, with its own folder, never as root.

Where a server is not installed the test that asks for it is skipped: ``python -m tools.databases`` installs them.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAME, PASSWORD = "vroot", "r@ot:pa/ss%40"  # signs that mean something in URLs are meant


@dataclass
class Database:
    """A database server that can be stopped and started again."""

    home: Path
    command: Sequence[str]
    stop_by: signal.Signals
    port: int
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.home, **_somebody())
        deadline = time.monotonic() + 60
        while not self._listens():
            assert self.process.poll() is None, (self.home / "log").read_text()
            assert time.monotonic() < deadline, (self.home / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it and its connections."""
        if self.process is not None:
            self.process.send_signal(self.stop_by)
            self.process.wait(30)
            self.process = None

    def give(self, file: Path) -> None:
        """Make a file the server's own."""
        if not os.geteuid():
            shutil.chown(file, "nobody", "nogroup")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


class PostgreSQL(Database):
    """PostgreSQL with a superuser ``NAME`` and a database ``app``."""

    def _listens(self) -> bool:
        """Ask whether it has started up: it listens before it lets anybody in."""
        command = [program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def sql(self, text: str, *, user: str = NAME, password: str = PASSWORD, database: str = "app") -> str:
        """Run SQL by psql and return what it prints; raises CalledProcessError."""
        command = [program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", user, "-d", database, "-qAtc", text]
        env = {**os.environ, "PGPASSWORD": password}
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()

    def config(self, **more: Any) -> dict[str, Any]:
        """Return the body that configures a connection to it."""
        url = f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{self.port}/app?sslmode=disable"
        return {"plugin_name": "postgresql-database-plugin", "connection_url": url, "username": NAME,
                "password": PASSWORD, "allowed_roles": "*"} | more  # fmt: skip


class MariaDB(Database):
    """MariaDB with an all-powerful user ``NAME`` and a database ``app``."""

    def sql(self, text: str, *, user: str = NAME, password: str = PASSWORD) -> str:
        """Run SQL and return the first column of what it gives, a line each; raises pymysql.Error."""
        import pymysql

        connection = pymysql.connect(host="127.0.0.1", port=self.port, user=user, password=password, autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(text)
            return "\n".join(str(row[0]) for row in cursor.fetchall())

    def config(self, **more: Any) -> dict[str, Any]:
        """Return the body that configures a connection to it."""
        url = f"{{{{username}}}}:{{{{password}}}}@tcp(127.0.0.1:{self.port})/app"
        return {"plugin_name": "mysql-database-plugin", "connection_url": url, "username": NAME, "password": PASSWORD,
                "allowed_roles": "*"} | more  # fmt: skip


class Redis(Database):
    """Redis (or Valkey) whose default user has the password ``PASSWORD``."""

    def ask(self, *words: str, user: str = "default", password: str = PASSWORD) -> Any:
        """Run one command and return the answer; raises RedisError."""
        from redis import Redis as Client
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        once = Retry(NoBackoff(), 0)
        with Client(port=self.port, username=user, password=password, decode_responses=True, retry=once) as client:
            return client.execute_command(*words)

    def config(self, **more: Any) -> dict[str, Any]:
        """Return the body that configures a connection to it."""
        return {"plugin_name": "redis-database-plugin", "host": "127.0.0.1", "port": self.port, "username": "default",
                "password": PASSWORD, "allowed_roles": "*"} | more  # fmt: skip


def _somebody() -> dict[str, Any]:
    """Return how to start a process that is not root's."""
    return {} if os.geteuid() else {"user": "nobody", "group": "nogroup", "extra_groups": []}


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def program(*names: str) -> str:
    """Return the path of the first of these programs that is installed; skips the test without any."""
    folders = [str(folder) for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    path = os.pathsep.join([*folders, os.environ.get("PATH", ""), "/usr/sbin"])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    return pytest.skip(f"{names[0]} is not installed: python -m tools.databases")


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="database-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        if not os.geteuid():
            shutil.chown(home, "nobody", "nogroup")
        yield home


def _make(command: Sequence[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False, **_somebody())
    assert done.returncode == 0, done.stderr + done.stdout


@contextlib.contextmanager
def _running(server: Any) -> Iterator[Any]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _until(check: Any, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            check()
        except Exception:  # noqa: BLE001 - whatever a client raises while the server is not there yet
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


@contextlib.contextmanager
def postgresql(settings: str = "", rules: str = "") -> Iterator[PostgreSQL]:
    """Run PostgreSQL, with further ``settings`` and, before its own, ``rules`` of who may connect how."""
    initdb, postgres = program("initdb"), program("postgres")
    with _home() as home:
        (home / "password").write_text(PASSWORD + "\n")
        (home / "password").chmod(0o644)
        _make([initdb, "-D", "data", "-U", NAME, "-A", "scram-sha-256", "--pwfile=password", "-N", "-E", "UTF8"], home)
        server = PostgreSQL(home, [postgres, "-D", str(home / "data")], signal.SIGINT, free_port())
        with (home / "data/postgresql.conf").open("a") as file:
            file.write(f"port = {server.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
            file.write(settings)
        access = home / "data/pg_hba.conf"
        access.write_text(rules + access.read_text())
        with _running(server):
            _until(lambda: server.sql("CREATE DATABASE app", database="postgres"))
            yield server


@contextlib.contextmanager
def mariadb() -> Iterator[MariaDB]:
    """Run MariaDB."""
    install, mariadbd = program("mariadb-install-db"), program("mariadbd")
    with _home() as home:
        _make([install, "--no-defaults", f"--datadir={home}/data", "--auth-root-authentication-method=normal",
               "--skip-test-db"], home)  # fmt: skip
        (home / "first.sql").write_text(
            f"CREATE USER '{NAME}'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{NAME}'@'%' WITH GRANT OPTION;\nCREATE DATABASE app;\n"
        )
        (home / "first.sql").chmod(0o644)
        port = free_port()
        command = [mariadbd, "--no-defaults", f"--datadir={home}/data", f"--port={port}", "--bind-address=127.0.0.1",
                   f"--socket={home}/socket", f"--pid-file={home}/pid", "--skip-name-resolve",
                   "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip
        server = MariaDB(home, [*command, f"--init-file={home}/first.sql"], signal.SIGTERM, port)
        with _running(server):
            _until(lambda: server.sql("SELECT 1"))
            server.command = command
            yield server


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """Run Redis, or Valkey where that is what there is."""
    with _home() as home:
        port = free_port()
        command = [program("valkey-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                   "--requirepass", PASSWORD]  # fmt: skip
        with _running(Redis(home, command, signal.SIGTERM, port)) as server:
            yield server


SUFFIX = "dc=example,dc=com"
_SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.102 NAME 'memberOf' EQUALITY distinguishedNameMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
objectclass ( 1.3.6.1.4.1.99999.1 NAME 'principal' AUXILIARY MAY ( userPrincipalName $ memberOf ) )
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit size.soft=unlimited size.hard=unlimited size.pr=10
{tls}
database mdb
maxsize 16777216
suffix {suffix}
rootdn cn=admin,{suffix}
rootpw admin
directory {home}/data
access to attrs=userPassword by self =xw by anonymous auth by * none
access to dn.subtree=ou=open,{suffix} by * read
access to * by users read
"""


class OpenLDAP(Database):
    """A directory at ``SUFFIX``; ``cn=admin`` has the password "admin". ``secure_port`` speaks TLS from the start."""

    secure_port: int = 0

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def secure_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.secure_port}"


@contextlib.contextmanager
def openldap(entries: str, tls: str = "", authority: str = "") -> Iterator[OpenLDAP]:
    """Run OpenLDAP with these entries (LDIF); ``tls`` are PEM certificate and key in one.

    With an ``authority`` (PEM) clients must show a certificate of its when they use TLS.
    """
    slapd = program("slapd")
    with _home() as home:
        (home / "data").mkdir()
        (home / "both.pem").write_text(tls)
        (home / "entries.ldif").write_text(entries)
        (home / "authority.pem").write_text(authority)
        with_tls = f"TLSCertificateFile {home}/both.pem\nTLSCertificateKeyFile {home}/both.pem" if tls else ""
        if authority:
            with_tls += f"\nTLSCACertificateFile {home}/authority.pem\nTLSVerifyClient demand"
        (home / "slapd.conf").write_text(_SLAPD.format(home=home, suffix=SUFFIX, tls=with_tls))
        server = OpenLDAP(home, (), signal.SIGTERM, free_port())
        server.secure_port = free_port()
        for file in ("data", "both.pem", "authority.pem", "slapd.conf"):
            server.give(home / file)
        _make([slapd, "-T", "add", "-f", f"{home}/slapd.conf", "-l", f"{home}/entries.ldif"], home)
        listen = f"{server.url} {server.secure_url}" if tls else server.url
        server.command = [slapd, "-d", "0", "-f", f"{home}/slapd.conf", "-h", listen]
        with _running(server):
            yield server
