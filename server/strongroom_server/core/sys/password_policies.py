"""sys/policies/password: how generated passwords look."""

from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core.sys.area import Area
from strongroom_server.core.sys.policies import Text, plain_text
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest, NotFound

Name = Annotated[str, "Name of the policy."]


class PasswordPolicyArea(Area):
    """Password policies by name."""

    @list_("policies/password")
    async def list_password_policies(self) -> dict[str, Any]:
        """List the password policies."""
        names = await self.server.passwords.names()
        if not names:
            raise NotFound
        return {"keys": names}

    @write("policies/password/{name}")
    async def write_password_policy(self, name: Name, body: Given[Text]) -> None:
        """Create or replace a password policy."""
        if not body.value.policy:
            raise InvalidRequest("missing policy")
        await self.server.passwords.write(name, plain_text(body.value.policy))

    @read("policies/password/{name}")
    async def read_password_policy(self, name: Name) -> dict[str, Any]:
        """Read a password policy."""
        return {"policy": await self._text(name)}

    @delete("policies/password/{name}")
    async def delete_password_policy(self, name: Name) -> None:
        """Delete a password policy."""
        await self.server.passwords.delete(name)

    @read("policies/password/{name}/generate")
    async def generate_password(self, name: Name) -> dict[str, Any]:
        """Make a password by a policy."""
        await self._text(name)
        return {"password": await self.server.passwords.generate(name)}

    async def _text(self, name: str) -> str:
        text = await self.server.passwords.text(name)
        if text is None:
            raise NotFound("policy does not exist")
        return text
