"""What an annotation's line may say beside type, default and help: its flag, its check, how its text is read."""

import json
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from strongroom_common.durations import parse_duration
from strongroom_injector.quantities import parse_quantity


@dataclass(frozen=True)
class Must:
    """Mark: ``test`` must hold for the parsed value; ``expected`` completes "expected …" in the refusal."""

    test: Callable[[Any], bool]
    expected: str


@dataclass(frozen=True)
class Flag:
    """Mark: the injector's flag ``name`` sets the default of every pod; ``variable`` is AGENT_INJECT_ + this.

    The variable follows from the name unless vault-k8s spells it differently.
    """

    name: str
    variable: str = ""


class Verbatim:
    """Mark: white space around the text counts."""


class Open:
    """Mark: the annotation is a family; what follows its name is a key, ``auth-config-KEY``."""


class Removable:
    """Mark: an empty text is a value of its own, "leave it out", and not the same as no annotation."""


def _is(reader: Callable[[str], object]) -> Callable[[str], bool]:
    def test(text: str) -> bool:
        try:
            reader(text)
        except ValueError:
            return False
        return True

    return test


def _json_patch(text: str) -> None:
    operations = json.loads(text)
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise ValueError


def _wait(text: str) -> None:
    if parse_duration(text) < 0:
        raise ValueError


def _reach(names: tuple[str, ...]) -> bool:
    return set(names) <= {"auto-auth", "caching", "proxying", "templating"}


QUANTITY = Must(lambda text: not text or _is(parse_quantity)(text), 'a quantity such as "50m", "64Mi", or "" for none')
DURATION = Must(_is(_wait), 'a duration such as "500ms" or "5m"')
PORT = Must(lambda number: 0 < number < 65536, "a port from 1 to 65535")
USER = Must(lambda number: 0 <= number < 2**31, "a number of 0 or more")
COUNT = Must(lambda number: number >= 0, "a number of 0 or more")
SHARE = Must(lambda number: 0 <= number <= 1, "a share from 0 to 1")
OCTAL = Must(lambda text: re.fullmatch(r"0?[0-7]{3,4}", text) is not None, 'an octal mode such as "0640"')
FOLDER = Must(lambda path: path.startswith("/") and posixpath.normpath(path) != "/", "an absolute path below /")
INSIDE = Must(lambda path: ".." not in path.split("/"), "a path that stays below its folder")
JSON_PATCH = Must(_is(_json_patch), "a JSON patch (RFC 6902), a list of operations")
REACH = Must(_reach, "a list of auto-auth, caching, proxying, templating")
LIFETIME = Must(lambda seconds: seconds >= 600, "600 seconds or more (the least Kubernetes allows)")
LABEL = Must(lambda text: re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", text) is not None, "an object's name")
