"""What ``-output-policy`` says of sudo is what the server asks for."""

import re

import pytest

from strongroom_cli.sudopaths import needs_sudo
from strongroom_server.core.sys import Sys
from strongroom_server.core.token_auth import TokenAuth
from strongroom_server.sdk.engine import Engine

ASK_BY_THEMSELVES = {"auth/token/revoke-orphan"}
"""Paths that answer 400 where sudo is missing, as Vault's do, and not 403."""


def routes(engine: type[Engine], mount: str) -> dict[str, bool]:
    """Return each path of the engine, with x for what it captures, and whether a request there needs sudo.

    Paths of which some operations need it and some do not are left out: the table knows paths alone.
    """
    known = {re.sub("{[^}]*}", "x", path.template): {one.sudo for one in path.routes.values()} for path in engine.paths}
    return {f"{mount}/{path}".strip("/"): sudo.pop() for path, sudo in known.items() if len(sudo) == 1}


@pytest.mark.parametrize(
    ("engine", "mount"), [pytest.param(Sys, "sys", id="sys"), pytest.param(TokenAuth, "auth/token", id="token")]
)
def test_the_table_agrees_with_the_routes(engine: type[Engine], mount: str) -> None:
    wrong = {path: sudo for path, sudo in routes(engine, mount).items() if needs_sudo(path) is not sudo}
    assert wrong.keys() <= ASK_BY_THEMSELVES
