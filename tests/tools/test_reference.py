from pathlib import Path

import pytest

from tools import reference

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
PAGES = reference.pages()


def test_there_is_a_page_for_every_type_and_none_else() -> None:
    committed = {file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.md")}
    assert committed == set(PAGES), "run `make generate`"


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_pages_are_what_the_code_says(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name], "run `make generate`"


def test_a_page_tells_paths_methods_and_parameters() -> None:
    page = PAGES["engines/totp.md"]
    assert "## `keys/{name}`\n\n- **GET**: Read a key's settings" in page
    assert "| `period` | duration | `30` | How long a code holds. |" in page
    assert "**POST**: Log in. Needs no token." in PAGES["auth/approle.md"]
    assert "Needs `sudo`." in PAGES["auth/token.md"]


@pytest.mark.parametrize(("name", "engine"), reference.engines().items())
def test_every_type_and_every_path_say_what_they_are_for(name: str, engine: type) -> None:
    page = PAGES[name + ".md"]
    assert "**: \n" not in page
    assert engine.__doc__
