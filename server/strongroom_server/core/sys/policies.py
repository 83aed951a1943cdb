"""sys/policy and sys/policies/acl: ACL policies by name."""

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Alias, Given
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Request, Response

Name = Annotated[str, "Name of the policy."]


@dataclass(frozen=True)
class Text:
    """A policy's text."""

    policy: Annotated[str, "The rules, as HCL or JSON, plain or in base64.", Alias("rules")] = ""


class Policies(Area):
    """Who may do what."""

    @read("policy")
    async def read_names(self) -> Response:
        """List the policies."""
        return await self.list_names()

    @list_("policy")
    async def list_names(self) -> Response:
        """List the policies."""
        names = await self.server.policies.names()
        return Response({"keys": names, "policies": names}, top_level=True)

    @list_("policies/acl")
    async def list_acl(self) -> dict[str, Any]:
        """List the ACL policies."""
        return {"keys": await self.server.policies.names()}

    @read("policy/{name:rest}")
    async def read_policy(self, name: Name) -> Response:
        """Read a policy."""
        text = await self._text(name)
        return Response({"name": name.lower(), "rules": text}, top_level=True)

    @read("policies/acl/{name:rest}")
    async def read_acl(self, name: Name) -> dict[str, Any]:
        """Read an ACL policy."""
        return {"name": name.lower(), "policy": await self._text(name)}

    async def _text(self, name: str) -> str:
        text = await self.server.policies.text(name.lower())
        if text is None:
            raise NotFound
        return text

    @write("policy/{name:rest}")
    async def write_policy(self, name: Name, body: Given[Text], request: Request) -> Response:
        """Create or replace a policy."""
        await self._write(name, body)
        old = "rules" in request.data
        return Response(warnings=["'rules' is deprecated: send 'policy' instead"] if old else [])

    @write("policies/acl/{name:rest}")
    async def write_acl(self, name: Name, body: Given[Text]) -> None:
        """Create or replace an ACL policy."""
        await self._write(name, body)

    async def _write(self, name: str, body: Given[Text]) -> None:
        if not body.value.policy:
            raise InvalidRequest("'policy' parameter not supplied or empty")
        await self.server.policies.write(name.lower(), plain_text(body.value.policy))

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
