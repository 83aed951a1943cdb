"""Sprig's defaults, tests on types, and its functions on paths, URLs and the environment."""

import os.path
import posixpath
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from strongroom_agent.functions.sprig.convert import kind, text
from strongroom_agent.template import Function
from strongroom_agent.template.values import NO_VALUE, type_name


def functions(environment: Mapping[str, str]) -> dict[str, Function]:
    """Return the functions by name."""
    return {
        "all": Function(lambda *values: all(values), "...any"),
        "any": Function(lambda *values: any(values), "...any"),
        "base": Function(lambda path: posixpath.basename(path.rstrip("/")) or ("/" if path else "."), "string"),
        "clean": Function(posixpath.normpath, "string"),
        "coalesce": Function(lambda *values: next((value for value in values if value), None), "...any"),
        "deepEqual": Function(lambda a, b: type(a) is type(b) and a == b, "any any"),
        "default": Function(lambda default, *given: given[0] if given and given[0] else default, "any ...any"),
        "dir": Function(lambda path: posixpath.normpath(posixpath.dirname(path) or "."), "string"),
        "empty": Function(lambda value: not value, "any"),
        "env": Function(lambda name: environment.get(name, ""), "string"),
        "expandenv": Function(lambda s: _expanded(s, environment), "string"),
        "ext": Function(lambda path: os.path.splitext(path)[1], "string"),
        "fail": Function(_fail, "string"),
        "isAbs": Function(lambda path: path.startswith("/"), "string"),
        "kindIs": Function(lambda name, value: kind(value) == name, "string any"),
        "kindOf": Function(kind, "any"),
        "ternary": Function(lambda yes, no, test: yes if test else no, "any any bool"),
        "typeIs": Function(lambda name, value: type_name(value) == name, "string any"),
        "typeIsLike": Function(lambda name, value: type_name(value).removeprefix("*") == name, "string any"),
        "typeOf": Function(type_name, "any"),
        "urlJoin": Function(_url_join, "map"),
        "urlParse": Function(_url_parse, "string"),
    }


def _fail(message: str) -> Any:
    raise ValueError(message)


def _expanded(s: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:(\w+)|\{(\w+)\})", lambda match: environment.get(match[1] or match[2], ""), s)


def _url_join(parts: dict[str, Any]) -> str:
    def part(name: str) -> str:
        value = parts.get(name)
        return "" if value is None or value is NO_VALUE else text(value)

    user, host = part("userinfo"), part("host")
    scheme = f"{part('scheme')}:" if part("scheme") else ""
    authority = f"//{user + '@' if user else ''}{host}" if host or user else ""
    path = part("path")
    path = "/" + path if authority and path and not path.startswith("/") else path
    query, fragment = part("query"), part("fragment")
    query, fragment = f"?{query}" if query else "", f"#{fragment}" if fragment else ""
    return scheme + (authority + path + query + fragment or part("opaque"))


def _url_parse(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return {
        "scheme": parts.scheme, "host": host, "hostname": parts.hostname or "", "path": parts.path,
        "query": parts.query, "opaque": "", "fragment": parts.fragment, "userinfo": user,
    }  # fmt: skip
