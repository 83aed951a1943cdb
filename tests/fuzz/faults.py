"""What a server must not do, whatever is asked of it."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.client import Call, Reply
from tests.fuzz.values import MARK

_INSIDE = "sys/pprof/"  # whose task that is
_STATUSES = {
    200,
    202,
    204,
    301,
    307,
    400,
    401,
    403,
    404,
    405,
    409,
    412,
    413,
    415,
    429,
    431,
    472,
    473,
    500,
    501,
    502,
    503,
}


@dataclass
class Faults:
    """What went wrong: one example of each kind."""

    found: dict[str, str] = field(default_factory=dict)

    def check(self, call: Call, reply: Reply, log: Path) -> None:
        """Look at one answer."""
        kind = ""
        if reply.status == 0:
            kind = reply.text
        elif reply.status == 500 and "(request " in reply.text:
            kind = _raised(log)
        elif reply.status not in _STATUSES and not call.path.endswith("sys/health"):  # whose status the client chooses
            kind = f"status {reply.status}"
        elif ("Traceback" in reply.text or ".py" in reply.text) and not call.path.lstrip("/").startswith(_INSIDE):
            kind = f"tells of its inside: {call.path}"
        if kind:
            self.found.setdefault(kind, f"{call!r:.1500} -> {reply!r:.300}")

    def search(self, log: Path) -> None:
        """Look for secrets in a log."""
        for line in log.read_text(errors="replace").splitlines():
            if MARK in line:
                self.found.setdefault(f"a secret in the log: {re.sub('[0-9]+', 'N', line)[:100]}", line[:1000])

    def __str__(self) -> str:
        return "\n".join(f"{kind}\n    {call}" for kind, call in self.found.items())


def _raised(log: Path) -> str:
    """Return where the last exception of the log was raised, and which it was."""
    lines = log.read_text().splitlines()
    places = [line.strip() for line in lines if line.startswith("  File")]
    errors = [line for line in lines if re.match(r"[\w.]+(:|$)", line)]
    ours = [place for place in places if "strongroom" in place]
    return f"{errors[-1][:200] if errors else ''} {ours[-1] if ours else ''}"
