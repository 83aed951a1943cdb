"""`python -m tools.databases`: the servers that the tests start, from Debian: databases, and OpenSSH's."""

from tools.cluster.packages import install_missing
from tools.cluster.steps import StepFailed, say

PACKAGES = ("mariadb-client-core", "mariadb-server-core", "openssh-server", "postgresql", "redis-server")

if __name__ == "__main__":
    try:
        install_missing(PACKAGES)
    except StepFailed as reason:
        say(f"Tests with real servers will be skipped. {reason}")
