"""One configured template: from values to a file, and the command that follows a change."""

import os
from collections.abc import Callable, Hashable, Mapping

from strongroom_agent import files
from strongroom_agent.config import TemplateFile
from strongroom_agent.fetch import Dependency
from strongroom_agent.functions import find
from strongroom_agent.functions.context import Context, Recall
from strongroom_agent.template import ExecutionError, Function, parse
from strongroom_agent.template.redaction import redacted
from strongroom_agent.template.values import raw


class CommandFailed(Exception):
    """The command after a change failed; the message holds its name and status, never its output."""


class Renderer:
    """``render`` gives the text once all values are there; ``used`` and ``missing`` are what the last run asked for.

    Raises TemplateError when made from a text that is no template, OSError for a source that cannot be read.
    """

    def __init__(
        self, settings: TemplateFile, value: Recall, environment: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self.settings, self._value = settings, value
        self.used: set[Dependency] = set()
        self.missing: set[Dependency] = set()
        self._context = Context(self._recall, environment, now, settings.destination, settings.sandbox)
        text = settings.contents or _source(settings.source)
        functions = self._permitted(find(self._context))
        self._template = parse(
            text, functions, name=settings.source, delimiters=settings.delimiters, strict=settings.strict
        )

    def render(self) -> bytes | None:
        """Return the file's content, or None while values are missing; raises ExecutionError."""
        self.used, self.missing = set(), set()
        self._context.begin()
        try:
            text = self._template.execute()
        except ExecutionError as error:
            if self.missing:  # what failed may have failed for want of a value
                return None
            raise ExecutionError(self._clean(str(error))) from None
        return None if self.missing else raw(text)

    def _permitted(self, look_up: Callable[[str], Function | None]) -> Callable[[str], Function | None]:
        """Return a look-up that gives a function that only fails for each denied one."""
        refused = Function(_refuse, "...any")
        return lambda name: refused if name in self.settings.denied else look_up(name)

    def _clean(self, message: str) -> str:
        """Take the values of secrets out of an error; the place before it comes from the template alone."""
        place, mark, fault = message.partition(">: ")
        values = [self._value(dependency) for dependency in self.used]
        return place + mark + redacted(fault, [getattr(value, "data", value) for value in values])

    def write(self, data: bytes) -> bool:
        """Write the file and tell whether it changed; raises OSError."""
        s = self.settings
        return files.write(
            s.destination, data, mode=s.perms, user=s.user, group=s.group, folders=s.make_folders, backup=s.backup
        )

    def run_command(self) -> None:
        """Run the command; raises CommandFailed."""
        command, name = self.settings.command, self.settings.destination
        import subprocess

        shell = isinstance(command, str)
        try:
            done = subprocess.run(  # noqa: S603 -- the author of the agent file wants it run
                command, shell=shell, timeout=self.settings.timeout, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandFailed(f"command of {name}: {type(error).__name__}") from error
        if done.returncode:
            raise CommandFailed(f"command of {name}: exit status {done.returncode}")

    def _recall(self, dependency: Hashable) -> object:
        value = self._value(dependency)
        self.used.add(dependency)  # type: ignore[arg-type]  # templates know it as a key alone
        if value is None:
            self.missing.add(dependency)  # type: ignore[arg-type]  # the same
        return value


def _source(path: str) -> str:
    with open(os.fspath(path), encoding="utf-8", newline="") as file:
        return file.read()


def _refuse(*_: object) -> None:
    raise ValueError("function is disabled")
