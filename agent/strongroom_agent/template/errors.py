"""What can be wrong with a template: its source, or what it does with its data."""


class TemplateError(ValueError):
    """A template cannot be rendered; the message follows Go's and names the place."""


class ParseError(TemplateError):
    """The source is not a template."""


class ExecutionError(TemplateError):
    """The template failed while it was rendered."""
