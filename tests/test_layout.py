"""Where things lie: rules that no linter knows."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_the_component_folders_are_no_packages() -> None:
    """``operator/__init__.py`` would hide the standard library's ``operator``, and so would one below tests/."""
    for component in ("agent", "cli", "client", "common", "injector", "operator", "server"):
        assert not (PROJECT / component / "__init__.py").exists()
        assert not (PROJECT / "tests" / component).exists(), "test folders have the package's name"
