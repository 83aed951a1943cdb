"""Every command of the guided tour does what its page says: with our command line, and with OpenBao's."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bao
from tests.databases import PostgreSQL, postgresql
from tests.guide import pages
from tests.guide.pages import FOLDER
from tests.ours import dev_server

FIRST = ["01-first-secret.md", "02-logging-in.md", "03-key-value.md", "04-policies.md", "06-certificates.md",
         "07-scripts.md", "09-watching.md", "10-namespaces.md", "11-people.md"]  # fmt: skip
WITH_DATABASE = ["05-database.md", "08-all-together.md"]
CLIENTS = [pytest.param("strongroom", id="with_our_command_line"),
           pytest.param("bao", id="with_the_peers", marks=pytest.mark.peer)]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def database() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        server.sql("CREATE ROLE admin SUPERUSER LOGIN PASSWORD 'admin123'")
        server.sql("CREATE DATABASE myapp OWNER admin")
        yield server


@pytest.mark.parametrize("client", CLIENTS)
def test_the_tour(client: str, tmp_path: Path) -> None:
    follow(FIRST, client, tmp_path, {})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("page", WITH_DATABASE)
def test_pages_with_a_database(page: str, client: str, tmp_path: Path, database: PostgreSQL) -> None:
    remove_users(database)
    follow([page], client, tmp_path, {"127.0.0.1:5432": f"127.0.0.1:{database.port}", "-p 5432": f"-p {database.port}"})


def follow(names: list[str], client: str, folder: Path, replaced: dict[str, str]) -> None:
    for tool in ("curl", "jq", "openssl", "bash"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: python -m tools.databases")
    programs = folder / "bin"
    programs.mkdir()
    ours = Path(sys.executable).with_name("strongroom")
    (programs / "vault").symlink_to(ours if client == "strongroom" else bao.program())
    with dev_server(folder) as server:
        replaced = {"http://127.0.0.1:8200": server.address, **replaced}
        story = [swapped(step, replaced) for step in pages.steps(names) if step.runs(client)]
        server.token = ""
        known = {name: value for name, value in server.environment.items() if not name.startswith(("PG", "BAO_"))}
        wrong = pages.run(story, folder, known | {"PATH": f"{programs}:{known['PATH']}"})
    assert wrong == [], "\n\n".join(wrong)


def swapped(step: pages.Step, replaced: dict[str, str]) -> pages.Step:
    commands, output = step.commands, step.output
    for old, new in replaced.items():
        commands, output = commands.replace(old, new), output.replace(old, new)
    return pages.Step(step.place, step.when, commands, output)


def remove_users(database: PostgreSQL) -> None:
    for name in database.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'").split():
        database.sql(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"', database="myapp")


def test_every_page_is_followed_and_listed() -> None:
    assert sorted(FIRST + WITH_DATABASE) == sorted(file.name for file in FOLDER.glob("[0-9]*.md"))
    index = (FOLDER / "README.md").read_text()
    assert all(f"({name})" in index for name in FIRST + WITH_DATABASE)
    for name in FIRST + WITH_DATABASE:
        commands = (FOLDER / name).read_text().count("\n```sh")
        assert len(pages.steps([name])) == commands >= 4
    words = {step.when.partition(" ")[0] for step in pages.steps(FIRST + WITH_DATABASE)}
    assert words == {"", "fails", "elsewhere", "strongroom", "if"}


@pytest.mark.parametrize(
    ("pattern", "output", "fits"),
    [
        pytest.param("a\n", "a\n", True, id="the_same"),
        pytest.param("a\n", "a", True, id="without_the_last_newline"),
        pytest.param("a\n", "b\n", False, id="something_else"),
        pytest.param("a …\n", "a b c\n", True, id="anything_in_a_line"),
        pytest.param("a…\n", "a\nb\n", False, id="not_over_lines"),
        pytest.param("…\nc\n", "a\nb\nc\n", True, id="lines"),
        pytest.param("…\nc\n", "c\n", True, id="no_lines"),
        pytest.param("", "", True, id="nothing"),
        pytest.param("", "a\n", False, id="nothing_was_expected"),
        pytest.param("[a] (b)\n", "[a] (b)\n", True, id="signs_of_expressions_are_plain"),
    ],
)
def test_patterns(pattern: str, output: str, fits: bool) -> None:
    assert pages.matches(output, pattern) is fits
