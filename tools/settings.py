"""Pages of what is set in the server file and by annotations of pods, a line a setting, from the declarations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, is_dataclass
from typing import Any

from strongroom_common.fields import Field, fields
from strongroom_common.secret import Secret
from strongroom_common.settings import NoEffect
from strongroom_injector.annotations import SecretSettings
from strongroom_injector.annotations import Settings as PodSettings
from strongroom_injector.marks import Flag, Open
from strongroom_injector.settings import PREFIXES, dashed
from strongroom_server.config import AuditDevice, Listener, Settings, Telemetry, UserLockout
from strongroom_server.sdk.parts import known_parts, load_part


@dataclass(frozen=True)
class Page:
    """A page: what it is about in one sentence, what else to know, and its tables by heading."""

    about: str
    more: str
    columns: str
    tables: Mapping[str, Sequence[str]]

    def text(self, title: str) -> str:
        """Return the page in Markdown."""
        lines = [f"# {title}", "", self.about, "", self.more]
        for heading, rows in self.tables.items():
            lines += ["", f"## {heading}", "", self.columns, "|---" * (self.columns.count("|") - 1) + "|", *rows]
        return "\n".join(lines) + "\n"


def pages() -> dict[str, Page]:
    """Return the pages by name."""
    return {"server/file": _server_file(), "kubernetes/annotations": _annotations()}


def _server_file() -> Page:
    schemas = {"Top level": Settings, '`listener "tcp"`, `listener "unix"`': Listener, **_parts("storage"),
               **_parts("seals"), "`telemetry`": Telemetry, '`user_lockout "all"`, or one auth type': UserLockout,
               '`audit "type" "name"`': AuditDevice}  # fmt: skip
    return Page(
        about="What `strongroom server -config=FILE` reads, in HCL or JSON.",
        more='Without settings of their own: `storage "inmem"`, `seal "shamir"`. `storage "file"` is `sqlite`.',
        columns="| setting | type | default | meaning |",
        tables={heading: list(_settings(schema)) for heading, schema in schemas.items()},
    )


def _parts(package: str) -> dict[str, Any]:
    """Return the settings of each part of a package by the head of its stanza."""
    modules = {
        kind: load_part(f"strongroom_server.{package}", kind) for kind in known_parts(f"strongroom_server.{package}")
    }
    found = {kind: vars(module).get("Settings") for kind, module in modules.items()}
    return {f'`{package.rstrip("s")} "{kind}"`': schema for kind, schema in found.items() if is_dataclass(schema)}


def _settings(schema: Any, within: str = "") -> Iterator[str]:
    for field in fields(schema).values():
        if field.nested:
            yield from _settings(field.nested, f"{within}{field.name}.")
        else:
            effect = " Has no effect." if any(isinstance(mark, NoEffect) for mark in field.marks) else ""
            yield row(f"{within}{field.name}", shown_type(field), default(field), field.help + effect)


def _annotations() -> Page:
    return Page(
        about="What a pod may say about its secrets.",
        more=f"Each stands below one of the prefixes {', '.join(f'`{prefix}`' for prefix in PREFIXES)}. A flag is the "
        "name by which the chart's `injector.settings` and a VaultCluster's `spec.injector.settings` set the default.",
        columns="| annotation | type | default | meaning | flag |",
        tables={
            "For the pod": list(_annotation_rows(PodSettings)),
            "For one secret": list(_annotation_rows(SecretSettings, "-NAME")),
        },
    )


def _annotation_rows(schema: Any, ending: str = "") -> Iterator[str]:
    for name, field in dashed(schema).items():
        flag = next((f"`{mark.name}`" for mark in field.marks if isinstance(mark, Flag)), "")
        key = "-KEY" if any(isinstance(mark, Open) for mark in field.marks) else ending
        yield row(name + key, shown_type(field), default(field), field.help, flag)


def row(*cells: str) -> str:
    """Return a line of a table whose first cell is code."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{cells[0]}`", *cells[1:])) + " |"


def shown_type(field: Field) -> str:
    """Return the type of a field in a word, or what it may be."""
    if field.choices:
        return ", ".join(f"`{choice}`" for choice in field.choices if choice)
    words = {"seconds": "duration", "bytes": "size"}
    openapi = field.kind.openapi
    return words.get(str(openapi.get("format")), str(openapi.get("type", "any")))


def default(field: Field) -> str:
    """Return what holds where a field is absent: empty for nothing."""
    value: Any = field.default
    if value is MISSING:
        return "required"
    if isinstance(value, Secret) or value in (None, "", (), {}):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
