"""The type "oidc": the same method as "jwt" (api-docs/auth/jwt)."""

from strongroom_server.auth.jwt import Engine

__all__ = ["Engine"]
