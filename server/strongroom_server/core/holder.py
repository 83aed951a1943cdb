"""Whose a token is, as one namespace sees it: it may have been made in another, where its policies are."""

from typing import TYPE_CHECKING

import msgspec

from strongroom_server.core.tokens import Token

if TYPE_CHECKING:
    from strongroom_server.core.acl import Acl
    from strongroom_server.core.policies import Policy
    from strongroom_server.core.server import Server


class Holder(msgspec.Struct, frozen=True):
    """A live token, the namespace it was made in (``home``), and the one that asks (``here``)."""

    token: Token
    home: "Server"
    here: "Server"

    @property
    def usable(self) -> bool:
        """Whether no entity stands in the way: none, or one that is there and not disabled."""
        return self.home.identity.usable(self.token.entity_id)

    @property
    def rooted(self) -> bool:
        """Whether it may do everything here: a root token, here or above."""
        return self.token.root and self.here.path.startswith(self.home.path)

    async def rules(self) -> "Acl":
        """Return its rules, in which paths are named from its home: see ``named``."""
        return await self.home.policies.rules(self.token)

    async def policies(self) -> "list[Policy]":
        """Return its policies that there are, those of its entity too."""
        names = {*self.token.policies, *self.home.identity.policies(self.token.entity_id)}
        return await self.home.policies.load(sorted(names))

    async def template_values(self) -> dict[str, str] | None:
        """Return what templated paths are filled with for its entity; None where it has none."""
        entity_id = self.token.entity_id
        return await self.home.identity.template_values(entity_id) if entity_id else None

    def named(self, path: str) -> str | None:
        """Return what its policies call a path of here; None for what lies neither in its home nor below."""
        whole = self.here.path + path
        return whole[len(self.home.path) :] if whole.startswith(self.home.path) else None

    async def capabilities(self, path: str) -> list[str]:
        """Return what it may do at a path of here, as sys/capabilities tells it."""
        if self.rooted:
            return ["root"]
        named = self.named(path)
        return ["deny"] if named is None else list((await self.rules()).capabilities(named))

    async def is_sudo(self, path: str) -> bool:
        """Say whether it has sudo at a path of here."""
        return not {"root", "sudo"}.isdisjoint(await self.capabilities(path))

    async def reaches(self, mount: str) -> bool:
        """Say whether it may do anything at or below a mount of here."""
        if self.rooted:
            return True
        named = self.named(mount)
        return named is not None and (await self.rules()).reaches(named)
