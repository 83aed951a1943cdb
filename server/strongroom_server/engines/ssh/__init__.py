"""SSH: certificates for users and hosts, signed by roles, and one-time passwords (api-docs/secret/ssh)."""

from strongroom_server.engines.ssh.otp import OtpPaths
from strongroom_server.engines.ssh.signing import SigningPaths


class Engine(SigningPaths, OtpPaths):
    """Signs SSH keys as a certificate authority, and makes one-time passwords for hosts."""
