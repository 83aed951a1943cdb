"""How much is tried: counted, not timed, so that a red run means a change and no faster machine."""

import os

EFFORT = int(os.environ.get("STRONGROOM_FUZZ_EFFORT") or 1)  # so many times as much as usual
SEED = int(os.environ.get("STRONGROOM_FUZZ_SEED") or 1)  # another course
