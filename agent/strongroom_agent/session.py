"""The token's life: logging in, handing it out, renewing it, logging in again."""

import logging
from collections.abc import Callable

from strongroom_agent import files, login
from strongroom_agent.config import Sink
from strongroom_agent.login import Login, LoginFailed, Token
from strongroom_agent.loop import BackOff, Loop, Outcome, Timer
from strongroom_client import ApiError, Client, PermissionDenied
from strongroom_common import jsonx

log = logging.getLogger("agent.auth")
_REFUSALS = 5  # logins refused before an agent that is to end gives up: about 15 s
_TRIES = 12  # logins of any failure before it does: about 20 minutes
_DOUBT_INTERVAL = 30.0
_FILE_INTERVAL = 5.0  # between looks at a token file


class Session:
    """Keeps ``client`` logged in. ``ready`` is called after each login, once the sinks are written.

    ``trouble`` hears why a login failed.
    ``once`` is for an agent that ends after its work: it gives up when the server goes on refusing it.
    """

    def __init__(
        self, loop: Loop, client: Client, method: Login, sinks: tuple[Sink, ...], random: Callable[[], float],
        *, once: bool = False,
    ) -> None:  # fmt: skip
        self._loop, self._client, self._login, self._sinks, self._once = loop, client, method, sinks, once
        settings = method.method
        self._random = random
        self._logins = BackOff(settings.min_backoff, settings.max_backoff, random)
        self._renewals = BackOff(1, 60, random)
        self._timer: Timer | None = None
        self._ends = self._doubted = 0.0
        self.token: Token | None = None
        self.ready: Callable[[], object] = lambda: None
        self.trouble: Callable[[str], object] = lambda _: None

    def begin(self) -> None:
        """Log in, now."""
        self._cancel()
        log.info("authenticating with method %s at %s", self._login.method.kind, self._login.method.mount_path)
        self._loop.start(self._log_in, self._logged_in)

    def doubt(self) -> None:
        """Ask whether the token is still known, since something was refused; log in again if it is not."""
        now = self._loop.clock.now()
        if self._once or self.token is None or now - self._doubted < _DOUBT_INTERVAL:
            return
        self._doubted = now
        self._loop.start(lambda: self._client.read("auth/token/lookup-self"), self._looked_up)

    def _looked_up(self, outcome: Outcome) -> None:
        if isinstance(outcome.error, PermissionDenied):
            log.warning("the token is no longer valid")
            self.begin()

    def revoke(self) -> None:
        """Give the token back; for an orderly end. Failures are only logged."""
        if self.token is None:
            return
        try:
            self._client.write("auth/token/revoke-self", {})
            log.info("token revoked")
        except Exception as error:  # noqa: BLE001 -- the agent ends either way
            log.warning("token not revoked: %s", error)

    def _log_in(self) -> Token:
        token = self._login.log_in()
        for sink in self._sinks:
            self._write(sink, token)
        return token

    def _write(self, sink: Sink, token: Token) -> None:
        ttl = sink.wrap_ttl or self._login.method.wrap_ttl
        text = self._wrapped(token.text, ttl) if ttl else token.text
        files.write(sink.path, text.encode(), mode=sink.mode)
        log.info("token written to %s", sink.path)

    def _wrapped(self, text: str, ttl: float) -> str:
        request = self._client.prepare("write", "sys/wrapping/wrap", {"token": text})
        request.headers["X-Vault-Wrap-TTL"] = f"{int(ttl)}s"
        return jsonx.dumps(self._client.send(request).wrap_info)

    def _logged_in(self, outcome: Outcome) -> None:
        if outcome.error:
            self._login_failed(outcome.error)
            return
        self.token = outcome.get()
        self._logins.reset()
        log.info("authentication successful")
        self._plan_renewal()
        self.ready()

    def _login_failed(self, error: Exception) -> None:
        pause = self._logins.next()
        told = f"error authenticating: {_in_plain_words(error)}"
        self.trouble(told)
        refused = isinstance(error, LoginFailed) or (isinstance(error, ApiError) and 400 <= error.status < 500)
        enough = self._once and self._logins.tries >= (_REFUSALS if refused else _TRIES)
        if self._login.method.exit_on_err or enough:
            log.error("%s", told)
            self._loop.stop(1)
            return
        log.error("%s (retry attempt %d after %.2fs)", told, self._logins.tries, pause)
        self._timer = self._loop.after(pause, self.begin)

    # renewal

    def _plan_renewal(self) -> None:
        token = self.token
        self._cancel()
        if token is None or self._once:
            return
        self._ends = self._loop.clock.now() + token.seconds if token.seconds else 0
        if not token.seconds:
            self._watch_file()
            return
        share = (2 / 3 if token.renewable else 0.9) * (1 - self._random() / 10)
        action = self._renew if token.renewable else self.begin
        self._timer = self._loop.after(token.seconds * share, action)

    def _watch_file(self) -> None:
        if self._login.method.kind == "token_file":
            self._timer = self._loop.after(_FILE_INTERVAL, self._look_at_file)

    def _look_at_file(self) -> None:
        if self.token and self._login.read_again(self.token):
            self.begin()
        else:
            self._watch_file()

    def _renew(self) -> None:
        token = self.token
        if token:
            self._loop.start(lambda: login.renewed(self._client, token), self._renewed)

    def _renewed(self, outcome: Outcome) -> None:
        old = self.token
        if outcome.error:
            self._renewal_failed(outcome.error)
            return
        self._renewals.reset()
        self.token = outcome.get()
        if old and self.token and self.token.seconds < old.seconds / 2:
            # The longest life is near: a new token while the old one still serves.
            self._timer = self._loop.after(self.token.seconds * 0.5, self.begin)
            return
        log.debug("token renewed")
        if self.token:
            self._plan_renewal()

    def _renewal_failed(self, error: Exception) -> None:
        pause = self._renewals.next()
        refused = isinstance(error, ApiError) and 400 <= error.status < 500
        log.warning("token not renewed: %s", error)
        if refused or self._loop.clock.now() + pause > self._ends:
            self.begin()
        else:
            self._timer = self._loop.after(pause, self._renew)

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _in_plain_words(error: Exception) -> str:
    """Call every refused login what people look for; the server may only say whose name it did not expect."""
    refused = isinstance(error, ApiError) and error.status == 403 and not error.says("permission denied")
    return f"permission denied: {error}" if refused else str(error)
