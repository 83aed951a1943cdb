"""From a pod's annotations to its settings: which prefix counts, which secret each annotation belongs to.

Everything is sorted by name, so that two equal pods give equal settings whatever order their annotations have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from strongroom_common.fields import Field, FieldError, Pairs, fields
from strongroom_injector.annotations import SecretSettings, Settings
from strongroom_injector.errors import Denied
from strongroom_injector.marks import Must, Open, Removable, Verbatim

PREFIXES = ("strongroom.dev/", "vault.hashicorp.com/", "openbao.org/")
"""Where the annotations may stand; the first under which a pod says agent-inject is the one that counts."""

INJECT, STATUS, INJECTED = "agent-inject", "agent-inject-status", "injected"


@dataclass(frozen=True)
class NamedSecret:
    """One file to render; ``name`` is spelled as in the annotations."""

    name: str
    settings: SecretSettings


@dataclass(frozen=True)
class Reading:
    """What a pod's annotations under ``prefix`` say.

    ``given`` names the settings that the pod set itself; ``unknown`` the annotations that mean nothing; ``orphans``
    those that belong to a secret that does not exist; ``blank`` those that hold white space only. Names without prefix.
    """

    prefix: str
    settings: Settings
    secrets: tuple[NamedSecret, ...]
    given: frozenset[str]
    unknown: tuple[str, ...]
    orphans: Mapping[str, str]
    blank: tuple[str, ...]


def used_prefix(annotations: Mapping[str, str]) -> str | None:
    """Return the prefix that counts for a pod with these annotations, or None where none asks for anything."""
    return next((prefix for prefix in PREFIXES if prefix + INJECT in annotations), None)


def wants_injection(annotations: Mapping[str, str]) -> bool:
    """Say whether a pod asks to be injected; raises Denied where the answer is no boolean."""
    prefix = used_prefix(annotations)
    if prefix is None:
        return False
    errors: list[str] = []
    if not annotations[prefix + INJECT].strip():
        raise Denied(_wrong(prefix + INJECT, "", "true or false"))
    wanted = _parse(fields(Settings)["agent_inject"], annotations[prefix + INJECT], prefix + INJECT, errors)
    _refuse(errors)
    return bool(wanted)


def already_injected(annotations: Mapping[str, str]) -> str | None:
    """Return the prefix whose status says that an injector was here, or None."""
    return next((prefix for prefix in PREFIXES if annotations.get(prefix + STATUS) == INJECTED), None)


def read(annotations: Mapping[str, str], prefix: str, defaults: Mapping[str, Any]) -> Reading:
    """Read the annotations under ``prefix``; ``defaults`` are parsed settings by field name.

    Raises Denied that names every wrong annotation, its value and what was expected.
    """
    own = {key.removeprefix(prefix): text for key, text in sorted(annotations.items()) if key.startswith(prefix)}
    sorted_out = _sort_out(own)
    errors: list[str] = []
    given = _parse_all(Settings, sorted_out.plain, prefix, errors)
    values: dict[str, Any] = {**defaults, **given, **{name: Pairs(keys) for name, keys in sorted_out.families.items()}}
    secrets = []
    for name, texts in sorted_out.secrets.items():
        parsed = _parse_all(SecretSettings, texts, prefix, errors, f"-{name}")
        secrets.append(NamedSecret(name, SecretSettings(**parsed)))
    _refuse(errors)
    return Reading(
        prefix=prefix,
        settings=Settings(**values),
        secrets=tuple(secrets),
        given=frozenset(given),
        unknown=tuple(sorted_out.unknown),
        orphans=sorted_out.orphans,
        blank=tuple(name for name, text in own.items() if not text.strip() and not _removable(name)),
    )


def parse_default(field: Field, text: str, where: str) -> Any:
    """Read the injector's own default for a setting; raises Denied that names ``where`` it stands."""
    errors: list[str] = []
    value = _parse(field, text, where, errors)
    _refuse(errors)
    return value


@cache
def dashed(schema: Any) -> Mapping[str, Field]:
    """Return the fields of a schema by annotation name (``agent-inject-secret``)."""
    return {name.replace("_", "-"): field for name, field in fields(schema).items()}


def has(field: Field, mark: type) -> bool:
    """Say whether the field's line carries a mark of this kind."""
    return any(isinstance(each, mark) for each in field.marks)


@dataclass(frozen=True)
class _Sorted:
    plain: dict[str, str]
    families: dict[str, dict[str, str]]
    secrets: dict[str, dict[str, str]]
    orphans: dict[str, str]
    unknown: list[str]


def _sort_out(own: Mapping[str, str]) -> _Sorted:
    out = _Sorted({}, {}, {}, {}, [])
    makers = _secret_names(own)
    for name, text in own.items():
        plain = dashed(Settings).get(name)
        if plain and not has(plain, Open):
            out.plain[plain.name] = text
        elif family := next((f for d, f in _families().items() if name.startswith(d) and name != d), None):
            key = name.removeprefix(family.name.replace("_", "-") + "-").replace("-", "_")
            out.families.setdefault(family.name, {})[key] = text.strip()
        elif belongs := _secret_of(name, makers):
            field, secret = belongs
            if secret in makers:
                out.secrets.setdefault(secret, {})[field.name] = text
            else:
                out.orphans[name] = secret
        else:
            out.unknown.append(name)
    return out


@cache
def _families() -> Mapping[str, Field]:
    return {name + "-": field for name, field in dashed(Settings).items() if has(field, Open)}


_PATH = "agent-inject-secret-"
_MAKERS = (_PATH, "agent-inject-template-", "agent-inject-template-file-")


def _secret_names(own: Mapping[str, str]) -> frozenset[str]:
    """Return the names that make a secret: those with a path, a template or a template's file that is not blank."""
    full = [name for name, text in own.items() if text.strip()]
    paths = frozenset(name.removeprefix(_PATH) for name in full if name.startswith(_PATH))
    made = (_secret_of(name, paths) for name in full if name.startswith(_MAKERS))
    return frozenset(belongs[1] for belongs in made if belongs)


def _secret_of(name: str, secrets: frozenset[str]) -> tuple[Field, str] | None:
    """Split ``agent-inject-perms-NAME`` into the field and NAME.

    ``agent-inject-template-file-x`` is the template's file of x, unless there is a secret ``file-x`` and none ``x``:
    then it is the template of that one.
    """
    matches = [(d, f) for d, f in dashed(SecretSettings).items() if name.startswith(d + "-") and len(name) > len(d) + 1]
    splits = [(f, name[len(d) + 1 :]) for d, f in sorted(matches, key=lambda m: len(m[0]), reverse=True)]
    return next((split for split in splits if split[1] in secrets), splits[0] if splits else None)


def _parse_all(
    schema: Any, texts: Mapping[str, str], prefix: str, errors: list[str], suffix: str = ""
) -> dict[str, Any]:
    known, values = fields(schema), {}
    for name, text in texts.items():
        if text.strip() or has(known[name], Removable):
            values[name] = _parse(known[name], text, prefix + name.replace("_", "-") + suffix, errors)
    return values


def _parse(field: Field, text: str, where: str, errors: list[str]) -> Any:
    try:
        value = field.parse(text if has(field, Verbatim) else text.strip())
    except FieldError:
        errors.append(_wrong(where, text, " or ".join(map(str, field.choices)) or field.kind.expected))
        return field.default
    broken = [mark for mark in field.marks if isinstance(mark, Must) and not mark.test(value)]
    errors.extend(_wrong(where, text, must.expected) for must in broken)
    return value


def _wrong(where: str, text: str, expected: str) -> str:
    shown = text if len(text) <= 60 else text[:60] + "…"
    return f'{where}: "{shown}" is not valid, expected {expected}'


def _refuse(errors: list[str]) -> None:
    if errors:
        raise Denied("; ".join(errors))


def _removable(name: str) -> bool:
    field = dashed(Settings).get(name)
    return field is not None and has(field, Removable)
