"""The whole: session, values and templates put together, and the question when the work is done."""

import logging
from collections.abc import Callable, Mapping

from strongroom_agent.config import Config, TemplateFile
from strongroom_agent.fetch import Dependency, Fetcher
from strongroom_agent.login import Login
from strongroom_agent.loop import Action, BackOff, Loop, Outcome, Timer
from strongroom_agent.readiness import Readiness
from strongroom_agent.render import CommandFailed, Renderer
from strongroom_agent.session import Session
from strongroom_agent.template import TemplateError
from strongroom_agent.watch import Watcher
from strongroom_client import Client

log = logging.getLogger("agent")


class Work:
    """One template's state: rendered yet, failed for good, its command running."""

    def __init__(self, renderer: Renderer, back_off: BackOff) -> None:
        self.renderer, self.back_off = renderer, back_off
        self.rendered = self.failed = self.busy = self.again = False
        self.retry: Timer | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be waited for."""
        return (self.rendered or self.failed) and not self.busy


class Agent:
    """Runs until ``loop.stop``. ``ready`` names a file that appears once every template is there."""

    def __init__(
        self, config: Config, client: Client, loop: Loop, environment: Mapping[str, str], random: Callable[[], float],
        *, ready: str = "",
    ) -> None:  # fmt: skip
        self._config, self._loop, self._random, self._ready = config, loop, random, Readiness(ready)
        self._environment = environment
        self._watcher = Watcher(
            loop, Fetcher(client, loop.clock, log.warning), config.rendering, config.server.retries, random
        )
        self._watcher.changed, self._watcher.failed = self._value_changed, self._value_failed
        self._watcher.trouble = self._ready.trouble
        self._works = self._make(config)
        self._quits = config.rendering.exit_on_retry_failure or config.exit_after_auth
        self.session: Session | None = None
        if config.method:
            method = Login(config.method, client)
            method.check()
            self.session = Session(loop, client, method, config.sinks, random, once=config.exit_after_auth)
            self.session.ready, self.session.trouble = self._logged_in, self._ready.trouble
            self._watcher.denied = self.session.doubt

    def begin(self) -> None:
        """Start the work; everything else follows from outcomes and times."""
        self._ready.begin()
        if self.session:
            self.session.begin()
        else:
            self._render_all()

    def token(self) -> str:
        """Return the current token, empty before the first login."""
        return self.session.token.text if self.session and self.session.token else ""

    def reload(self, config: Config) -> None:
        """Take the templates of a new configuration; raises ValueError or OSError and then changes nothing."""
        works = self._make(config)
        old = self._config
        if (config.server, config.method, config.sinks) != (old.server, old.method, old.sinks):
            log.warning("changes of vault and auto_auth take effect at the next start")
        self._config, self._works = config, works
        self._render_all()
        self._watcher.keep_only({d for work in works for d in work.renderer.used})
        log.info("configuration reloaded")

    def _make(self, config: Config) -> list[Work]:
        return [Work(self._renderer(settings), BackOff(0.25, 60, self._random)) for settings in config.templates]

    def _renderer(self, settings: TemplateFile) -> Renderer:
        try:
            return Renderer(settings, self._watcher.value, self._environment, self._loop.clock.now)
        except TemplateError as error:
            raise ValueError(f"template of {settings.destination}: {error}") from None

    # what happens

    def _logged_in(self) -> None:
        if not self._works:
            self._finish()
            return
        self._watcher.token_changed()
        self._render_all()

    def _render_all(self) -> None:
        for work in self._works:
            self._render(work)

    def _value_changed(self, dependency: Dependency) -> None:
        for work in self._works:
            if dependency in work.renderer.used:
                self._render(work)

    def _value_failed(self, dependency: Dependency, _: Exception) -> None:
        if not self._quits:
            return
        for work in self._works:
            if dependency in work.renderer.missing or (dependency in work.renderer.used and not work.rendered):
                work.failed = True
            elif dependency in work.renderer.used:
                self._loop.stop(1)  # a sidecar that lost its server ends; the last file stays
        self._finish()

    def _render(self, work: Work) -> None:
        if self._loop.stopping:
            return
        if work.busy:
            work.again = True  # its command still runs
            return
        try:
            data = work.renderer.render()
        except TemplateError as error:
            self._template_failed(work, error)
            return
        if data is None:
            self._watcher.need(work.renderer.missing)
            return
        self._watcher.keep_only({d for each in self._works for d in each.renderer.used})
        work.busy = True
        self._loop.start(lambda: self._write(work, data), lambda outcome: self._written(work, outcome))

    def _template_failed(self, work: Work, error: TemplateError) -> None:
        self._ready.trouble(f"template {work.renderer.settings.destination}: {error}")
        if self._quits:
            log.error("template %s: %s", work.renderer.settings.destination, error)
            work.failed = True
            self._finish()
            return
        pause = work.back_off.next()
        log.error("template %s: %s (retry after %.2fs)", work.renderer.settings.destination, error, pause)
        used = work.renderer.used
        self._try_again(work, pause, lambda: self._watcher.refresh(used) if used else self._render(work))

    def _try_again(self, work: Work, pause: float, action: Action) -> None:
        if work.retry:
            work.retry.cancel()
        work.retry = self._loop.after(pause, action)

    def _write(self, work: Work, data: bytes) -> bool:
        changed = work.renderer.write(data)
        if changed:
            log.info("rendered %s", work.renderer.settings.destination)
            if work.renderer.settings.command:
                work.renderer.run_command()
        return changed

    def _written(self, work: Work, outcome: Outcome) -> None:
        work.busy = False
        if outcome.error:
            log.error("%s: %s", work.renderer.settings.destination, outcome.error)
            self._ready.trouble(f"{work.renderer.settings.destination}: {outcome.error}")
            work.failed = self._quits and not self._bears(outcome.error)
        work.rendered = work.rendered or not outcome.error or isinstance(outcome.error, CommandFailed)
        if not outcome.error:
            work.back_off.reset()
        elif not self._quits:
            self._try_again(work, work.back_off.next(), lambda: self._render(work))
        if work.again:
            work.again = False
            self._render(work)
        self._finish()

    def _bears(self, error: Exception) -> bool:
        """Whether the agent goes on: a command that fails while the pod's containers wait has nobody to tell yet."""
        return isinstance(error, CommandFailed) and (self._config.exit_after_auth or self._ready.awaited())

    def _finish(self) -> None:
        """See whether all is there: say so, and end if that was all."""
        if not all(work.settled for work in self._works) or (self.session and not self.session.token):
            return
        failed = any(work.failed for work in self._works)
        if failed:
            self._loop.stop(1)
        else:
            self._ready.done()
        if self._config.exit_after_auth:
            self._loop.stop(int(failed))
