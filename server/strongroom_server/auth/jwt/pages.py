"""What a user's browser shows where the server, and not the client, hears the provider's answer. Pure."""

import html
from urllib.parse import urlencode

_PAGE = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Login</title>{head}<body>{body}</body></html>'


def forward(state: str) -> str:
    """Return a page that goes on to the callback by itself."""
    target = html.escape("callback?" + urlencode({"state": state}))
    return _PAGE.format(
        head=f'<meta http-equiv="refresh" content="0;url={target}">', body=f'<a href="{target}">Go on</a>'
    )


def confirm(state: str, confirmation: str, role: str, address: str) -> str:
    """Return a page that asks the user whether it was really they who began the login."""
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in (("state", state), ("confirmation", confirmation))
    )
    body = (
        f"<h1>Is this your login?</h1><p>Somebody at {html.escape(address)} asks to log in as you, with the role "
        f"{html.escape(role)}. Go on only if you began this login yourself, a moment ago.</p>"
        f'<form action="callback" method="get">{hidden}<button>Log in</button></form>'
    )
    return _PAGE.format(head="", body=body)


def done() -> str:
    """Return a page that says that all is well."""
    return _PAGE.format(head="", body="<h1>Logged in</h1><p>You can close this window and go back to the client.</p>")
