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


def test_a_page_tells_settings_and_where_their_defaults_come_from() -> None:
    file, annotations = PAGES["server/file.md"], PAGES["kubernetes/annotations.md"]
    assert (
        "| `tls_min_version` | `tls10`, `tls11`, `tls12`, `tls13` | `tls12` | Oldest TLS version that is spoken. |"
        in file
    )
    assert "| `telemetry.disallow_metrics` | boolean | `false` |" in file
    assert "| `plugin_directory` | string |  | Plug-ins are not supported. Has no effect. |" in file
    assert "| `agent-limits-mem` | string | `64Mi` | Memory limit. | `memory-limit` |" in annotations
    assert "| `auth-config-KEY` | object |" in annotations
    assert "| `agent-inject-secret-NAME` | string |" in annotations


@pytest.mark.parametrize(("name", "engine"), reference.engines().items())
def test_every_type_and_every_path_say_what_they_are_for(name: str, engine: type) -> None:
    page = PAGES[name + ".md"]
    assert "**: \n" not in page
    assert engine.__doc__
