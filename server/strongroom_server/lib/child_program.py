"""What the programs of child processes have in common: questions in, answers out, each after its length.

Little of the server is imported: a child is small and starts quickly.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from strongroom_server.lib.memory import forbid_dumps, lock

SIZE = 4
"""Bytes of a length."""


def serve(answer: Callable[[bytes], bytes], niceness: int = 0) -> None:
    """Answer each question until the other side closes; an empty one asks whether the program is ready.

    Security 1: what is asked and answered may be secret, so the child makes no core dumps and keeps out of swap.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what ends all of a service's processes ends the server, and it this
    os.nice(niceness)
    forbid_dumps()
    with suppress(OSError):  # where the server itself may not lock its memory, nor may this
        lock()
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    while size := questions.read(SIZE):
        question = questions.read(int.from_bytes(size))
        raw = answer(question) if question else b""
        answers.write(len(raw).to_bytes(SIZE) + raw)
        answers.flush()
