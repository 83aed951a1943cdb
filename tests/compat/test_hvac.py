"""hvac, the Python client that users have: its own integration tests against this server."""

from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.compat import hvac_suite

LISTED = Path(__file__).with_name("hvac_expected.txt")
FLOOR = 500  # at least as many pass (OpenBao 2.7.2: 455)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # two minutes; the first time on a machine more: packages


def listed(text: str) -> list[str]:
    """Return the patterns of tests that do not pass."""
    return [line.strip() for line in text.splitlines() if line.startswith(" ")]


def test_hvacs_own_tests_pass_but_for_the_listed_ones(tmp_path: Path) -> None:
    outcomes = hvac_suite.outcomes(tmp_path)
    patterns = listed(LISTED.read_text())
    explained = {name for name in outcomes if any(fnmatchcase(name, pattern) for pattern in patterns)}
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    passed = {name for name, outcome in outcomes.items() if outcome == "passed"}

    assert sorted(failed - explained) == [], f"these fail and no reason is listed; see {tmp_path / 'output'}"
    assert sorted(passed & explained) == [], f"these pass: take them off {LISTED.name}"
    unknown = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in outcomes)]
    assert unknown == [], f"{LISTED.name} names tests that do not exist"
    assert len(passed) >= FLOOR
