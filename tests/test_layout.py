"""Where things lie: rules that no linter knows."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]


def test_the_component_folders_are_no_packages() -> None:
    """``operator/__init__.py`` would hide the standard library's ``operator``, and so would one below tests/."""
    for component in ("agent", "cli", "client", "common", "injector", "operator", "server"):
        assert not (PROJECT / component / "__init__.py").exists()
        assert not (PROJECT / "tests" / component).exists(), "test folders have the package's name"


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=PROJECT, capture_output=True, text=True, check=False)
    return listed.stdout.split() or pytest.skip("no git checkout")


def test_decisions_that_the_code_cites_are_there() -> None:
    for file in tracked("*.py", "*.c", "*.sh", "*.md", "*.toml"):
        cited = set(re.findall(r"docs/adr/[\w-]+\.md", (PROJECT / file).read_text()))
        assert [name for name in cited if not (PROJECT / name).exists()] == [], file


def test_links_between_pages_lead_somewhere() -> None:
    for file in tracked("*.md"):
        page = PROJECT / file
        links = [link for link in re.findall(r"\]\(([^)\s#]+)", page.read_text()) if "://" not in link]
        assert [link for link in links if not (page.parent / link).exists()] == [], file
