"""What the injector raises: a pod is refused, or the API server said no."""


class Denied(Exception):
    """The pod is refused; the message is for its author and says what to change."""


class KubeError(Exception):
    """The API server refused a request or did not answer (``status`` is 0 then)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConfigError(ValueError):
    """The injector's own configuration is wrong; the message names flag and variable."""
