"""Build the images and bring them to the cluster: `python -m tools.images`.

What the Dockerfile copies is staged below build/images first, by the host's pip, so that a build needs no network and
repeats quickly. All images carry one tag, made from the staged content: same content, same tag, nothing to do.
"""

import hashlib
import os
import platform
import shutil
import sys
import tomllib

from tools.cluster.steps import main, run, say, step
from tools.cluster.target import PROJECT, Target, provide

# Image, the packages of the project in it, the extras of pyproject.toml whose dependencies it holds.
COMPONENTS = {
    "agent": (("common", "client", "agent", "cli"), ()),
    "server": (("common", "client", "agent", "cli", "server"), ("server", "postgresql", "mysql", "redis", "ldap")),
    "injector": (("common", "client", "injector"), ("injector",)),
    "operator": (("common", "client", "operator"), ("operator",)),
}

_STAGE = PROJECT / "build" / "images"
_STAMPS = PROJECT / "build" / "stamps"
_CACHES = shutil.ignore_patterns("__pycache__", ".*")  # of Python, mypy, ruff and pytest
_PYTHON = "3.11"  # of the base image
_LAUNCHER = "#!/usr/bin/env python3\nimport sys\n\nfrom strongroom_cli.__main__ import main\n\nsys.exit(main())\n"


def build(target: Target) -> dict[str, str]:
    """Build every image, load it into the cluster, and return their names by component."""
    with step("image content"):
        for component in COMPONENTS:
            _stage(component)
        _write_launcher()
    names = {component: f"{repository(component)}:{tag()}" for component in COMPONENTS}
    for component, name in names.items():
        with step(f"image {name}"):
            target.build(component, name)
    with step(f"images into the cluster ({target.name})"):
        target.load(list(names.values()))
    return names


def repository(component: str) -> str:
    """Name the image of a component, without its tag."""
    return f"{os.environ.get('STRONGROOM_IMAGES', 'localhost/strongroom')}/{component}"


def tag() -> str:
    """Derive the tag from everything that was staged, and from the Dockerfile."""
    digest = hashlib.sha256((PROJECT / "Dockerfile").read_bytes())
    for path in sorted(_STAGE.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(_STAGE)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _stage(component: str) -> None:
    packages, extras = COMPONENTS[component]
    folder = _STAGE / component
    shutil.rmtree(folder, ignore_errors=True)
    for package in packages:
        name = f"strongroom_{package}"
        shutil.copytree(PROJECT / package / name, folder / name, ignore=_CACHES)
    if extras:
        _stage_dependencies(component, extras)


def _stage_dependencies(component: str, extras: tuple[str, ...]) -> None:
    """Install the dependencies for the image's Python into a folder; again only after they changed."""
    every = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    wanted = [dependency for extra in extras for dependency in every[extra]]
    constraints = PROJECT / "constraints.txt"
    state = "\n".join([*wanted, constraints.read_text(), platform.machine()])
    stamp, folder = _STAMPS / component, _STAGE / f"{component}-dependencies"
    if folder.exists() and stamp.exists() and stamp.read_text() == state:
        return
    shutil.rmtree(folder, ignore_errors=True)
    run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check",
            "--target", folder, "--constraint", constraints, "--only-binary=:all:", "--python-version", _PYTHON,
            *(word for kind in ("manylinux2014", "manylinux_2_28") for word in ("--platform", _platform(kind))),
            *wanted,
        ]
    )  # fmt: skip
    shutil.rmtree(folder / "bin", ignore_errors=True)  # scripts that name the host's Python
    _STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(state)


def _platform(kind: str) -> str:
    return f"{kind}_{platform.machine().replace('arm64', 'aarch64')}"


def _write_launcher() -> None:
    launcher = _STAGE / "bin" / "strongroom"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.write_text(_LAUNCHER)
    launcher.chmod(0o755)


def _job() -> None:
    for name in build(provide()).values():
        say(name)


if __name__ == "__main__":
    main(_job)
