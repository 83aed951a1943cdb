"""Random pieces are handed out once, and never by a parent and its child alike."""

import os

from strongroom_server.lib.randomness import Randomness


def test_pieces_have_their_size_and_come_once() -> None:
    source = Randomness(12)
    pieces = [source.piece() for _ in range(1000)]
    assert {len(piece) for piece in pieces} == {12}
    assert len(set(pieces)) == 1000


def test_a_child_of_a_fork_draws_its_own() -> None:
    source = Randomness(16)
    source.piece()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"".join(source.piece() for _ in range(63)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert len(theirs) == 63 * 16
    ours = {source.piece() for _ in range(63)}
    assert ours.isdisjoint(theirs[at : at + 16] for at in range(0, len(theirs), 16))
