"""`python -m tools.databases`: what the tests start, from Debian: databases, OpenLDAP, OpenSSH, a few programs."""

from tools.cluster.packages import install_missing
from tools.cluster.steps import StepFailed, say

PACKAGES = (
    "curl", "jq", "mariadb-client-core", "mariadb-server-core", "openssh-server", "openssl", "postgresql",
    "redis-server", "slapd",
)  # fmt: skip

if __name__ == "__main__":
    try:
        install_missing(PACKAGES)
    except StepFailed as reason:
        say(f"Tests with real servers will be skipped. {reason}")
