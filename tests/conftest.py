"""What holds for all tests."""

from hypothesis import settings

# No time limit for one generated example: how long it takes depends on what else the machine does just then.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
