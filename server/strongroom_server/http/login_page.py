"""The page that an OpenID provider's clients send browsers to (OpenID Connect Core 1.0, 3.1.2): it logs a person in
here and goes back to the client with a code. It holds no state, asks the API as any client does, and gives its token
back when it has the code.

Security 1: it goes only where the API has let it go: a refusal because of the client or its address is shown, never
sent (RFC 6749, 4.1.2.1), and so is everything until somebody has logged in.
Security 2: it runs its own script alone, in no frame, and speaks to this server alone (Content-Security-Policy).
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache

_PATH = re.compile(r"/ui/vault/(?:[^?#]+/)?identity/oidc/provider/[\w.-]+/authorize/?", re.ASCII)

_STYLE = """
body { font: 16px system-ui, sans-serif; max-width: 22em; margin: 4em auto; padding: 0 1em }
label { display: block; margin: 0.8em 0 }
input { display: block; width: 100%; box-sizing: border-box; padding: 0.4em; font: inherit }
button { padding: 0.5em 1.5em; font: inherit }
#trouble { color: #a00; white-space: pre-wrap }
"""

_SCRIPT = """
"use strict";
const place = location.pathname.match(/^\\/ui\\/vault\\/(.*?)identity\\/oidc\\/provider\\/([^/]+)\\/authorize\\/?$/);
const space = place[1], provider = place[2], query = new URLSearchParams(location.search);
const form = document.querySelector("form"), field = (name) => form.elements[name].value.trim();
const tell = (text) => { document.querySelector("#trouble").textContent = text; };

async function ask(method, path, token, body) {
  const headers = { "X-Vault-Request": "true", ...(token ? { "X-Vault-Token": token } : {}) };
  const answer = await fetch("/v1/" + space + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { ok: answer.ok, body: text ? JSON.parse(text) : {} };
}

function trouble(body) {
  return (body.errors || [body.error_description || body.error || "the request was refused"]).join("\\n");
}

async function token() {
  if (field("token")) return field("token");
  const mount = field("mount").replace(/^\\/+|\\/+$/g, ""), user = encodeURIComponent(field("username"));
  let login = await ask("POST", "auth/" + mount + "/login/" + user, "", { password: form.elements.password.value });
  if (!login.ok) throw new Error(trouble(login.body));
  const wanted = login.body.auth.mfa_requirement;
  if (wanted) {
    const shown = {};
    for (const [name, constraint] of Object.entries(wanted.mfa_constraints)) {
      const method = constraint.any[0];
      shown[method.id] = method.uses_passcode ? [prompt("Code for " + (method.name || name)) || ""] : [];
    }
    login = await ask("POST", "sys/mfa/validate", "", { mfa_request_id: wanted.mfa_request_id, mfa_payload: shown });
    if (!login.ok) throw new Error(trouble(login.body));
  }
  return login.body.auth.client_token;
}

function back(parameters) {
  const target = new URL(query.get("redirect_uri"));
  if (["javascript:", "data:", "vbscript:"].includes(target.protocol)) throw new Error("no address to go back to");
  for (const [name, value] of Object.entries(parameters)) if (value) target.searchParams.append(name, value);
  location.assign(target);
}

async function authorize() {
  const held = await token();
  const path = "identity/oidc/provider/" + provider + "/authorize";
  const answer = await ask("POST", path, held, Object.fromEntries(query));
  if (!field("token")) await ask("POST", "auth/token/revoke-self", held);
  const { code, state, error, error_description } = answer.body;
  if (answer.ok) return back({ code, state });
  if (!error || ["invalid_client_id", "invalid_redirect_uri"].includes(error)) throw new Error(trouble(answer.body));
  back({ error, error_description, state });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  tell("");
  authorize().catch((reason) => tell(reason.message));
});
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Log in</title><style>{style}</style></head>
<body>
<h1>Log in</h1>
<p>An application asks who you are.</p>
<form>
<label>Auth method's path <input name="mount" value="userpass"></label>
<label>User name <input name="username" autocomplete="username"></label>
<label>Password <input name="password" type="password" autocomplete="current-password"></label>
<details><summary>With a token instead</summary>
<label>Token <input name="token" type="password" autocomplete="off"></label></details>
<p><button>Log in</button></p>
<p id="trouble" role="alert"></p>
</form>
<script>{script}</script>
</body>
</html>
"""


def is_login(path: str) -> bool:
    """Say whether a path is that of the page."""
    return _PATH.fullmatch(path) is not None


@cache
def page() -> tuple[bytes, Mapping[str, str]]:
    """Return the page and its headers."""
    policy = (
        f"default-src 'none'; script-src '{_digest(_SCRIPT)}'; style-src '{_digest(_STYLE)}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    }  # fmt: skip
    return _PAGE.format(style=_STYLE, script=_SCRIPT).encode(), headers


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
