"""What ends a command early: a message for standard error and an exit code.

Codes are Vault's: 1 for what is wrong on this side, 2 for what the server refused or did not have.
"""

from strongroom_client import ApiError, ClientError, Unreachable


class CommandError(Exception):
    """Ends the command with ``code``; ``hint`` says what to do next."""

    def __init__(self, message: str, code: int = 2, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


class UsageError(CommandError):
    """The command line itself is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 1)


class Instead(Exception):
    """Carries what ``-output-curl-string`` or ``-output-policy`` prints."""


class trouble:  # noqa: N801 reads as a statement: ``with trouble("Error listing policies"):``
    """Turns a failure of the client into a CommandError that begins with ``what``."""

    def __init__(self, what: str, code: int = 2) -> None:
        self._what, self._code = what, code

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ClientError):
            raise CommandError(f"{self._what}: {describe(error)}", self._code, error.hint) from error


def describe(error: ClientError) -> str:
    """Return what happened in the words that scripts around Vault's command line look for."""
    if isinstance(error, Unreachable):
        return f'{error.method.capitalize()} "{error.url}": {error.reason}'
    if not isinstance(error, ApiError):
        return str(error)
    where = f"Namespace: {error.namespace.strip('/')}/\n" if error.namespace else ""
    head = f"Error making API request.\n\n{where}URL: {error.method} {error.url}\nCode: {error.status}. "
    if error.raw is not None:
        return f"{head}Raw Message:\n\n{error.raw}"
    text = f"{head}Errors:\n\n" + "\n".join(f"* {message}" for message in error.errors)
    if error.response is not None and error.response.warnings:
        from strongroom_cli.output import warnings_text

        text += "\n\n" + warnings_text(error.response.warnings)
    return text
