"""server, agent, injector, controller: start the project's programs, each imported when it is started."""

from importlib import import_module

from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError
from strongroom_cli.session import Session


def _start(package: str, extra: str, session: Session) -> int:
    try:
        program = import_module(f"{package}.main")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("strongroom_"):
            raise
        hint = f"Install it with: pip install 'strongroom[{extra}]'"
        raise CommandError(f"This part needs the module {error.name}, which is not installed", 1, hint) from error
    code: int | None = program.main(session.arguments)
    return code or 0


def server(session: Session) -> int:
    """Start a server."""
    return _start("strongroom_server", "server", session)


def agent(session: Session) -> int:
    """Start an agent."""
    return _start("strongroom_agent", "all", session)


def injector(session: Session) -> int:
    """Start the injector."""
    return _start("strongroom_injector", "injector", session)


def controller(session: Session) -> int:
    """Start the Kubernetes operator; the word operator is Vault's for something else."""
    return _start("strongroom_operator", "operator", session)


COMMANDS = {
    "server": Command(server, "[options]", "Starts a server.", most=None, formats=(), local=True, own_flags=True),
    "agent": Command(agent, "[options]", "Starts an agent.", most=None, formats=(), local=True, own_flags=True),
    "injector": Command(
        injector, "[options]", "Starts the injector.", most=None, formats=(), local=True, own_flags=True
    ),
    "controller": Command(
        controller, "[options]", "Starts the operator.", most=None, formats=(), local=True, own_flags=True
    ),
}
