"""Connection URLs with ``{{username}}`` and ``{{password}}`` in them."""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl, quote, urlencode

_PASSWORDS = (
    re.compile(r"(?P<before>://[^:@/?#\s]*:)(?!{{)[^@/?#\s]+(?P<after>@)"),  # postgresql://me:secret@host
    re.compile(r"(?P<before>\A[^:@/\s]*:)(?!{{|//)\S+(?P<after>@\w*[(/])"),  # me:secret@tcp(host)/
    re.compile(r"(?P<before>\bpassword\s*=\s*)(?!'?{{)(?:'(?:[^'\\]|\\.)*'|[^\s&]+)(?P<after>)"),  # password=secret
)
_PGX = ("pool_", "statement_cache_", "description_cache_", "default_query_exec_mode", "binary_parameters")
_OPTION = re.compile(r"[\s\\]")
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


def for_libpq(url: str, known: Collection[str]) -> str:
    """Return a URL as libpq takes it: parameters that it does not know set the session's, as Go's pgx has it.

    Those that are about pgx itself go.
    """
    base, question, query = url.partition("?")
    if "://" not in base or not question:
        return url
    given = parse_qsl(query, keep_blank_values=True)
    kept = [(name, value) for name, value in given if name in known]
    others = [(name, value) for name, value in given if name not in known and not name.startswith(_PGX)]
    settings = [f"-c {name}=" + _OPTION.sub(r"\\\g<0>", value) for name, value in others]
    if settings:
        before = [value for name, value in kept if name == "options"]
        kept = [(name, value) for name, value in kept if name != "options"]
        kept.append(("options", " ".join([*before, *settings])))
    return f"{base}?{urlencode(kept, quote_via=quote)}"


def hidden(url: str) -> str:
    """Return a URL for people: a password that stands in it is hidden."""
    for pattern in _PASSWORDS:
        url = pattern.sub(r"\g<before>xxxxx\g<after>", url)
    return url
