"""`python -m tools.databases`: the database servers that the tests start, from Debian. They bring no service up."""

from tools.cluster.packages import install_missing
from tools.cluster.steps import StepFailed, say

PACKAGES = ("mariadb-client-core", "mariadb-server-core", "postgresql", "redis-server")

if __name__ == "__main__":
    try:
        install_missing(PACKAGES)
    except StepFailed as reason:
        say(f"Tests of databases will be skipped. {reason}")
