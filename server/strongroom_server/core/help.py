"""Path help: what a path is for and what may be sent to it, from the declarations alone."""

import inspect
import textwrap
from collections.abc import Iterable

from strongroom_common.fields import Field, fields
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.openapi import Described, document
from strongroom_server.sdk.request import Response
from strongroom_server.sdk.routes import Path, Route


def help_of_path(engine: Engine, path: Path, asked: str, kind: str = "") -> Response:
    """Return the answer to ``GET <path>?help=1``."""
    routes = list({route.handler: route for route in path.routes.values()}.values())
    lines = [f"Request:        {asked}", f"Matching Route: {path.template}", "", routes[0].help, ""]
    lines += ["## PARAMETERS", ""]
    for name, field in sorted(_parameters(routes).items()):
        lines += [f"    {name} ({field.kind.openapi.get('type', 'any')})", "", _indented(field.help, 8), ""]
    lines += ["## DESCRIPTION", ""]
    for route in routes:
        words = ", ".join(str(operation) for operation in route.operations)
        lines.append(f"{words}: {inspect.getdoc(route.handler) or ''}")
    lines += ["", _about(engine)]
    return _help(lines, kind, path)


def help_of_mount(engine: Engine, kind: str = "") -> Response:
    """Return the answer to ``GET <mount>?help=1``: what there is below it."""
    lines = ["## DESCRIPTION", "", _about(engine), "", "## PATHS", "", "Ask for help on any of these:", ""]
    for path in sorted(engine.paths, key=lambda path: path.template):
        lines += [f"    {path.template}", _indented(next(iter(path.routes.values())).help, 8), ""]
    return _help(lines, kind, *engine.paths)


def _help(lines: Iterable[str], kind: str, *paths: Path) -> Response:
    described = document([Described("", kind, kind, paths)])
    return Response({"help": "\n".join(lines).rstrip() + "\n", "see_also": None, "openapi": described}, bare=True)


def _parameters(routes: Iterable[Route]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    for route in routes:
        if route.body:
            found |= {name: field for name, field in fields(route.body[1]).items() if not field.kept}
    return found


def _about(engine: Engine) -> str:
    return inspect.getdoc(type(engine)) or ""


def _indented(text: str, width: int) -> str:
    return textwrap.indent(textwrap.fill(text, 80 - width), " " * width)
