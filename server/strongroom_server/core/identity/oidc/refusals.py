"""How an OpenID provider says no: a code that programs read, and a sentence (RFC 6749, 4.1.2.1 and 5.2)."""

from typing import Any

from strongroom_server.sdk.request import Response


class Refused(Exception):
    """What is asked for is not given. ``code`` is the protocol's word, ``status`` HTTP's."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status

    def response(self, **beside: Any) -> Response:
        """Return the answer; ``beside`` goes along ("state")."""
        return Response(
            {"error": self.code, "error_description": self.description} | beside, bare=True, status=self.status
        )
