"""HCL 1, the language of policies and of server and agent files, as HashiCorp's hcl v1 and OpenBao read it.

No Python library is safe for it: they lose duplicate blocks, misread escapes, octals and ``<<-``, or speak HCL 2.
A text whose first character is ``{`` is JSON and gives the same tree. ``parse`` keeps order, duplicates and
positions; ``blocks`` and ``plain`` turn the tree into what a reader of settings wants.
"""

from strongroom_common.hcl import jsonform, parser
from strongroom_common.hcl.tree import Block, Body, HclError, Item, Value, blocks, one, plain

__all__ = ["Block", "Body", "HclError", "Item", "Value", "blocks", "one", "parse", "plain"]


def parse(text: str) -> Body:
    """Return the tree of ``text``; raises HclError (``At LINE:COLUMN: message``) where it is neither HCL nor JSON."""
    text = text.replace("\r\n", "\n")
    return jsonform.parse(text) if text.lstrip().startswith("{") else parser.parse(text)
