"""Connection URLs with ``{{username}}`` and ``{{password}}`` in them."""

import re
from urllib.parse import quote

_PASSWORDS = (
    re.compile(r"(?P<before>://[^:@/?#\s]*:)(?!{{)[^@/?#\s]+(?P<after>@)"),  # postgresql://me:secret@host
    re.compile(r"(?P<before>\A[^:@/\s]*:)(?!{{|//)\S+(?P<after>@\w*[(/])"),  # me:secret@tcp(host)/
    re.compile(r"(?P<before>\bpassword\s*=\s*)(?!'?{{)(?:'(?:[^'\\]|\\.)*'|[^\s&]+)(?P<after>)"),  # password=secret
)
_QUOTED = re.compile(r"(['\\])")


def fill_url(template: str, username: str, password: str, *, escape: bool = True) -> str:
    """Put the credentials into a URL, or into "key=value" words, escaped as each needs (RFC 3986, 2.1; libpq 34.1.1).

    A password may hold any of ``@:/%?#``: none of them ends the part of the URL that it stands in.
    """
    if escape:
        username, password = (_escaped(text, url="://" in template) for text in (username, password))
    return template.replace("{{username}}", username).replace("{{password}}", password)


def _escaped(text: str, *, url: bool) -> str:
    return quote(text, safe="") if url else _QUOTED.sub(r"\\\1", text)


def hidden(url: str) -> str:
    """Return a URL for people: a password that stands in it is hidden."""
    for pattern in _PASSWORDS:
        url = pattern.sub(r"\g<before>xxxxx\g<after>", url)
    return url
