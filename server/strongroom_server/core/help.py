"""Path help: what a path is for and what may be sent to it, from the declarations alone."""

from strongroom_common.fields import fields
from strongroom_server.sdk.engine import Engine, Path
from strongroom_server.sdk.request import Response


def help_of(engine: Engine, path: Path) -> Response:
    """Return the answer to ``GET <path>?help=1``."""
    routes = {route.template + route.handler.__name__: route for route in path.routes.values()}
    lines = [f"Path: {path.template}", ""]
    for route in routes.values():
        words = ", ".join(dict.fromkeys(str(operation) for operation in route.operations))
        lines.append(f"  {words}: {route.help}")
        if route.body:
            lines += [f"    {name}: {field.help}" for name, field in fields(route.body[1]).items()]
    text = "\n".join(lines)
    about = (type(engine).__doc__ or "").strip()
    return Response({"help": f"{about}\n\n{text}\n", "see_also": "", "openapi": None}, bare=True)
