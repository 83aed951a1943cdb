"""Go's text/template language, as Vault's agent renders it.

``parse(source, ...)`` gives a ``Template``; ``Template.execute(data)`` gives the text. The engine knows no function of
consul-template: the caller passes a look-up from name to ``Function``, so that names are checked when the source is
read, as Go does it.

Source of the behaviour: pkg.go.dev/text/template and pkg.go.dev/fmt, compared with the OpenBao agent.
"""

from strongroom_agent.template.calls import Function
from strongroom_agent.template.engine import Template, parse
from strongroom_agent.template.errors import ExecutionError, ParseError, TemplateError

__all__ = ["ExecutionError", "Function", "ParseError", "Template", "TemplateError", "parse"]
