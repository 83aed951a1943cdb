"""Sprig's functions, which templates know as ``sprig_<name>`` (masterminds.github.io/sprig).

Left out: the making of keys, certificates and passwords, which a secrets server does better, and semantic versions.
"""

from strongroom_agent.functions.context import Context
from strongroom_agent.functions.sprig import dates, dicts, lists, logic, numbers, strings
from strongroom_agent.template import Function

_OTHER_NAMES = {
    "date_in_zone": "dateInZone", "date_modify": "dateModify", "must_date_modify": "dateModify", "trimall": "trimAll",
    "osBase": "base", "osClean": "clean", "osDir": "dir", "osExt": "ext", "osIsAbs": "isAbs",
}  # fmt: skip


def find(name: str, context: Context) -> Function | None:
    """Return a function by its name without prefix; ``mustX`` is another name for ``X``."""
    known = {
        **strings.functions(),
        **lists.functions(),
        **dicts.functions(),
        **numbers.functions(),
        **logic.functions(context.environment),
        **dates.functions(context.now),
    }
    name = _OTHER_NAMES.get(name, name)
    plain = name.removeprefix("must")
    return known.get(name) or known.get(plain[:1].lower() + plain[1:])
