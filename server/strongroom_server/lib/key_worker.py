"""What the programs that make keys have in common: a wish a line in, the length and bytes of an answer out.

Nothing of the server but ``memory`` is imported: a child is small and starts quickly.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from strongroom_server.lib.memory import forbid_dumps, lock


def serve(make: Callable[[str], bytes], niceness: int = 10) -> None:
    """Answer each line, at low priority, until the other side closes."""
    os.nice(niceness)
    forbid_dumps()
    with suppress(OSError):  # where the server itself may not lock its memory, nor may this
        lock()
    with suppress(KeyboardInterrupt):
        for line in sys.stdin:
            raw = make(line)
            sys.stdout.buffer.write(len(raw).to_bytes(4) + raw)
            sys.stdout.buffer.flush()
