"""Password policies: how long a password is, and how many of which characters it has (Vault docs)."""

import secrets
from dataclasses import dataclass

from strongroom_common.hcl import Body, HclError, blocks, parse
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.storage import Change, Storage

_SHORTEST, _LONGEST = 4, 100
_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Charset:
    """At least ``least`` characters of ``letters``."""

    letters: str
    least: int = 0


@dataclass(frozen=True, slots=True)
class PasswordPolicy:
    """A length and its rules."""

    length: int
    rules: tuple[Charset, ...]

    def generate(self) -> str:
        """Return a random password: what each rule asks for, the rest from all characters, in random order."""
        everything = sorted({letter for rule in self.rules for letter in rule.letters})
        letters = [secrets.choice(rule.letters) for rule in self.rules for _ in range(rule.least)]
        letters += [secrets.choice(everything) for _ in range(self.length - len(letters))]
        _RANDOM.shuffle(letters)
        return "".join(letters)


DEFAULT = PasswordPolicy(20, tuple(
    Charset(letters, 1)
    for letters in ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "-")
))  # fmt: skip
"""What engines use where no policy is named."""


def parse_password_policy(text: str) -> PasswordPolicy:
    """Read an HCL or JSON text; raises ValueError that says what is wrong."""
    body = parse(text)
    length = _number(body, "length")
    rules = []
    for block in blocks(body, "rule", 1):
        kind = (block.labels or ("",))[0]
        if kind != "charset":
            raise ValueError(f'unrecognized rule type "{kind}": expected rule "charset"')
        rules.append(_charset(block.body))
    if length <= 0:
        raise ValueError("length must be > 0")
    if not any(rule.letters for rule in rules):
        raise ValueError("no charset specified")
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(f"passwords must be between {_SHORTEST} and {_LONGEST} characters")
    least = sum(rule.least for rule in rules)
    if least > length:
        raise ValueError(f"specified rules require at least {least} characters but {length} is specified")
    return PasswordPolicy(length, tuple(rules))


def _charset(body: Body) -> Charset:
    item = body.get("charset")
    letters = item.value if item is not None else ""
    if not isinstance(letters, str) or not letters.isprintable():
        raise ValueError("charset: expected a string of printable characters")
    least = max(_number(body, "min-chars"), 0)
    if least and not letters:
        raise ValueError("charset: expected characters, as min-chars asks for some")
    return Charset("".join(dict.fromkeys(letters)), least)


def _number(body: Body, key: str) -> int:
    item = body.get(key)
    value = item.value if item is not None else 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key}: expected a number")
    return value


class PasswordPolicies:
    """Named policies in storage."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def names(self) -> list[str]:
        """Return the names of all policies, sorted."""
        return await self._storage.list()

    async def text(self, name: str) -> str | None:
        """Return a policy's text as it was written."""
        raw = await self._storage.get(name)
        return None if raw is None else raw.decode()

    async def write(self, name: str, text: str) -> None:
        """Check and store a policy; raises InvalidRequest for a bad one."""
        _checked(text)
        await self._storage.commit([Change(name, text.encode())])

    async def delete(self, name: str) -> None:
        """Remove a policy; removing none is fine."""
        await self._storage.commit([Change(name, None)])

    async def generate(self, name: str) -> str:
        """Make a password by a named policy, or by the default where none is named; raises InvalidRequest."""
        if not name:
            return DEFAULT.generate()
        text = await self.text(name)
        if text is None:
            raise InvalidRequest(f"password policy {name!r} does not exist")
        return _checked(text).generate()


def _checked(text: str) -> PasswordPolicy:
    try:
        return parse_password_policy(text)
    except (HclError, ValueError) as error:
        raise InvalidRequest(f"invalid password policy: {error}") from None
