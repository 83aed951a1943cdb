"""The functions that consul-template adds to Go's templates, as Vault's agent offers them.

``find(context)`` gives the look-up that the template engine asks. The bulky families (``sprig_``, ``spew_``) are
imported when a template first names one: an agent without them doesn't pay for them.
"""

from collections.abc import Callable

from strongroom_agent.functions import codecs, collections, maths, secrets, system, text
from strongroom_agent.functions.context import Context
from strongroom_agent.template import Function


def find(context: Context) -> Callable[[str], Function | None]:
    """Return the look-up from a function's name to the function, for one template."""
    known = {
        **text.functions(),
        **collections.functions(context),
        **maths.functions(),
        **codecs.functions(),
        **system.functions(context),
        **secrets.functions(context),
    }

    def look_up(name: str) -> Function | None:
        if name.startswith("sprig_"):
            from strongroom_agent.functions import sprig

            return sprig.find(name.removeprefix("sprig_"), context)
        if name.startswith("spew_"):
            from strongroom_agent.functions import spew

            return spew.functions().get(name)
        return known.get(name)

    return look_up
