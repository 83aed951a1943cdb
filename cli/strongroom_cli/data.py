"""Data on the command line: ``key=value``, ``key=@file``, ``key=-``, ``@file.json``, ``-``."""

from collections.abc import Callable, Sequence
from typing import Any

from strongroom_cli.errors import CommandError
from strongroom_common import jsonx


class DataError(CommandError):
    """An argument is no key/value pair, or its file cannot be read."""


def parse(words: Sequence[str], stdin: Callable[[], str]) -> dict[str, Any]:
    r"""Return the object that ``words`` spell; ``stdin`` reads standard input whole, and is called at most once.

    A key given twice becomes a list; what is typed stays a string; ``\@`` is a literal ``@``.
    Raises DataError naming the word.
    """
    data: dict[str, Any] = {}
    once = _Once(stdin)
    for word in words:
        try:
            _add(word, once, data)
        except UnicodeDecodeError as error:
            text = f'"{word}": not UTF-8 text; binary data must be encoded, in base64 for example'
            raise DataError(f"Failed to parse K=V data: invalid key/value pair {text}", 1) from error
        except (OSError, ValueError) as error:
            reason = _reason(word, error) if isinstance(error, OSError) else error
            raise DataError(f'Failed to parse K=V data: invalid key/value pair "{word}": {reason}', 1) from error
    return data


def parse_texts(words: Sequence[str], stdin: Callable[[], str]) -> dict[str, str]:
    """Return ``parse`` where every value must be one string."""
    return {key: value if isinstance(value, str) else jsonx.dumps(value) for key, value in parse(words, stdin).items()}


def read_file(path: str) -> str:
    """Return a file's text; raises OSError, or ValueError where it is no UTF-8."""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def _add(word: str, stdin: "_Once", data: dict[str, Any]) -> None:
    if word == "-" or (word.startswith("@") and len(word) > 1):
        content = jsonx.loads(stdin.read() if word == "-" else read_file(word[1:]))
        if not isinstance(content, dict):
            raise ValueError("expected a JSON object")
        data.update(content)
        return
    key, equals, text = word.partition("=")
    if not equals:
        raise ValueError("format must be key=value")
    value = _value(text, stdin)
    if key in data:
        before = data[key]
        data[key] = [*before, value] if isinstance(before, list) else [before, value]
    else:
        data[key] = value


def _value(text: str, stdin: "_Once") -> str:
    if text == "-":
        return stdin.read()
    if text.startswith("@"):
        return read_file(text[1:])
    return text[1:] if text.startswith("\\@") else text


def _reason(word: str, error: OSError) -> str:
    doing = "" if word.startswith("@") else "error reading file: "
    return f"{doing}open {error.filename}: {(error.strerror or str(error)).lower()}"


class _Once:
    def __init__(self, read: Callable[[], str]) -> None:
        self._read: Callable[[], str] | None = read

    def read(self) -> str:
        if self._read is None:
            raise ValueError("stdin already consumed")
        read, self._read = self._read, None
        return read()
