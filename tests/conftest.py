"""What holds for all tests."""

from hypothesis import settings

# No time limit for one generated example: how long it takes depends on what else the machine does just then. And the
# same examples each time, so that a red run means a change.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
