"""Connection URLs with ``{{username}}`` and ``{{password}}`` in them."""

import re
from urllib.parse import quote

_PASSWORD = re.compile(r"(?<=://)([^:@/?#\s]*):(?!{{)([^@/?#\s]+)@")
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
    return _PASSWORD.sub(r"\1:xxxxx@", url)
