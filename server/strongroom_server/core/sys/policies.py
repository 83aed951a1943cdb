"""sys/policies and sys/policy: who may do what. The two differ in names: "policy" and, of old, "rules"."""

import base64
import binascii
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf
from typing import Annotated, Any

from strongroom_common.fields import Alias, Given, Seconds
from strongroom_server.core.policy_entries import PolicyEntry, Terms
from strongroom_server.core.sys.area import Area
from strongroom_server.lib.timestamps import is_moment
from strongroom_server.sdk.engine import delete, list_, patch, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Request, Response

Name = Annotated[str, "Name of the policy."]
Folder = Annotated[str, "Beginning of the names, up to a slash."]


@dataclass(frozen=True)
class Text:
    """A policy's text, and what holds for the whole of it."""

    policy: Annotated[str, "The rules, as HCL or JSON, plain or in base64.", Alias("rules")] = ""
    cas: Annotated[int | None, "Version that this must follow on; -1 where there must be none yet."] = None
    cas_required: Annotated[bool, "Let later writes too say which version they follow on."] = False
    expiration: Annotated[str | None, "Moment of its end, in RFC 3339 or seconds since the epoch."] = None
    ttl: Annotated[Seconds | None, "Time until its end."] = None
    allow_slashes_in_identity_templates: Annotated[bool, "Let values of templates hold slashes."] = False
    allow_wildcards_in_identity_templates: Annotated[bool, 'Let values of templates hold "*" and "+".'] = False


class Policies(Area):
    """Who may do what."""

    @read("policy")
    @list_("policy")
    @list_("policy/{name:rest}")
    async def list_names(self, name: Folder = "") -> Response:
        """List the policies, or those below a name."""
        names = (await self._names(name))["keys"]
        return Response({"keys": names, "policies": names}, top_level=True)

    @list_("policies/acl")
    @list_("policies/acl/{name:rest}")
    async def list_acl(self, name: Folder = "") -> dict[str, Any]:
        """List the ACL policies, or those below a name."""
        return await self._names(name)

    @list_("policies/detailed/acl")
    @list_("policies/detailed/acl/{name:rest}")
    async def list_detailed(self, name: Folder = "") -> dict[str, Any]:
        """List the ACL policies, or those below a name, with their texts."""
        names = (await self._names(name))["keys"]
        entries = [(each, await self._found(each)) for each in names]
        rows = {each: {"name": each, "policy": entry.text, **entry.facts()} for each, entry in entries}
        return {"keys": names, "key_info": rows}

    async def _names(self, folder: str) -> dict[str, Any]:
        names = await self.server.policies.names(f"{folder.strip('/').lower()}/" if folder else "")
        if not names:
            raise NotFound
        return {"keys": names}

    @read("policy/{name:rest}")
    async def read_policy(self, name: Name) -> Response:
        """Read a policy."""
        return Response(await self._shown(name, "rules"), top_level=True)

    @read("policies/acl/{name:rest}")
    async def read_acl(self, name: Name) -> dict[str, Any]:
        """Read an ACL policy."""
        return await self._shown(name, "policy")

    async def _shown(self, name: str, word: str) -> dict[str, Any]:
        entry = await self._found(name)
        return {"name": name.lower(), word: entry.text, **({} if entry.plain else entry.facts())}

    async def _found(self, name: str) -> PolicyEntry:
        entry = await self.server.policies.entry(name.lower())
        if entry is None:
            raise NotFound
        return entry

    @write("policy/{name:rest}")
    async def write_policy(self, name: Name, body: Given[Text], request: Request) -> Response:
        """Create or replace a policy."""
        await self._write(name, body, Terms())
        old = "rules" in request.data
        return Response(warnings=["'rules' is deprecated, please use 'policy' instead"] if old else [])

    @write("policies/acl/{name:rest}")
    async def write_acl(self, name: Name, body: Given[Text]) -> None:
        """Create or replace an ACL policy."""
        await self._write(name, body, Terms())

    @patch("policies/acl/{name:rest}")
    async def patch_acl(self, name: Name, body: Given[Text]) -> Response:
        """Change an ACL policy; what is not given stays."""
        before = await self.server.policies.entry(name.lower())
        if before is None:
            raise InvalidRequest("policy not found")
        if "policy" not in body.sent:
            body = Given(replace(body.value, policy=before.text), body.sent | {"policy"})
        await self._write(name, body, before.terms)
        return Response(status=200)

    async def _write(self, name: str, body: Given[Text], terms: Terms) -> None:
        if not body.value.policy:
            raise InvalidRequest("'policy' parameter not supplied or empty")
        terms = self._changed(terms, body)
        await self.server.policies.write(name.lower(), plain_text(body.value.policy), terms, body.value.cas)

    def _changed(self, terms: Terms, body: Given[Text]) -> Terms:
        asked = body.value
        if asked.expiration is not None and asked.ttl is not None:
            raise InvalidRequest("cannot supply both 'expiration' and 'ttl' for policies")
        if asked.expiration is not None:
            terms = replace(terms, expiration=_moment(asked.expiration))
        if asked.ttl is not None:
            terms = replace(terms, expiration=self.server.clock.now() + asked.ttl)
        flags = ("cas_required", "allow_slashes_in_identity_templates", "allow_wildcards_in_identity_templates")
        return replace(terms, **{name: getattr(asked, name) for name in flags if name in body.sent})

    @delete("policy/{name:rest}")
    async def delete_policy(self, name: Name) -> None:
        """Delete a policy."""
        await self.server.policies.delete(name.lower())

    @delete("policies/acl/{name:rest}")
    async def delete_acl(self, name: Name) -> None:
        """Delete an ACL policy."""
        await self.server.policies.delete(name.lower())


def plain_text(text: str) -> str:
    """Return a policy as it was meant: clients may send it in base64."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return text


def _moment(text: str) -> float:
    try:
        if text.isascii() and text.isdigit():
            moment = float(text)
        else:
            when = datetime.fromisoformat(text)
            moment = when.timestamp() if when.tzinfo else inf
    except (ValueError, OverflowError):
        moment = inf
    if not is_moment(moment):
        raise InvalidRequest('expiration: expected a date and time such as "2030-01-31T12:00:00Z"')
    return moment
