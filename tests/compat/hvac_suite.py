"""hvac's own integration tests: fetched once a machine, run with `vault` linked to the program of this environment.

They come from hvac's source distribution and start their servers themselves: `vault server -config=FILE`, one for each
test class.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from tests.archives import unpack
from tools.cluster.layout import CACHE
from tools.cluster.packages import install_missing

VERSION = "2.4.0"
_FOLDER = CACHE / "hvac"
_REQUIREMENTS = Path(__file__).with_name("hvac_requirements.txt")
_CLEAN = ("VAULT_", "BAO_", "STRONGROOM_", "PYTEST_")  # beginnings of variables that would lead the tests astray


def outcomes(workspace: Path) -> dict[str, str]:
    """Run every integration test in an empty folder.

    Returns ``passed``, ``failed`` or ``skipped`` by the test's dotted name, ``api.auth_methods.test_cert.TestCert.…``.
    """
    if not shutil.which("java"):  # the suite's LDAP server is a Java program; without it those tests are skipped
        install_missing(["default-jre-headless"])
    sdist, python = _fetched()
    with tarfile.open(sdist) as archive:
        unpack(archive, workspace)
    programs = workspace / "bin"
    programs.mkdir()
    (programs / "vault").symlink_to(Path(sys.executable).with_name("strongroom"))
    report = workspace / "report.xml"
    words = ["-m", "pytest", "-q", "-n2", "--dist=loadscope", f"--junitxml={report}", "tests/integration_tests"]
    with (workspace / "output").open("wb") as output:
        subprocess.run(
            [python, *words], cwd=workspace / f"hvac-{VERSION}", env=_environment(programs, workspace),
            stdout=output, stderr=output, check=False, timeout=400,
        )  # fmt: skip
    assert report.exists(), (workspace / "output").read_text()[-2000:]
    return dict(_parsed(report))


def _fetched() -> tuple[Path, Path]:
    """Return the source distribution and the Python of a virtual environment that can run its tests."""
    stamp = _FOLDER / f"ready-{hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    sdist, python = _FOLDER / f"hvac-{VERSION}.tar.gz", _FOLDER / "venv" / "bin" / "python"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            venv.create(_FOLDER / "venv", clear=True, with_pip=True)
            pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
            _run(*pip, "install", "-r", _REQUIREMENTS)
            _run(*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", _FOLDER, f"hvac=={VERSION}")
            stamp.touch()
    return sdist, python


def _run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _environment(programs: Path, home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(_CLEAN)}
    return {**clean, "PATH": f"{programs}:{clean['PATH']}", "HOME": str(home)}


def _parsed(report: Path) -> Iterator[tuple[str, str]]:
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname', '')}.{case.get('name')}".removeprefix("tests.integration_tests.")
        found = {child.tag for child in case}
        yield name, "failed" if found & {"failure", "error"} else "skipped" if "skipped" in found else "passed"
