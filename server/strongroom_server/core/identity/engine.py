"""The identity/ mount: its areas, put together."""

from strongroom_server.core.areas import Composed
from strongroom_server.core.identity.aliases import Aliases
from strongroom_server.core.identity.entities import Entities
from strongroom_server.core.identity.group_aliases import GroupAliases
from strongroom_server.core.identity.groups import Groups
from strongroom_server.core.identity.lookup import Lookup
from strongroom_server.core.identity.oidc.keys import Keys
from strongroom_server.core.identity.oidc.roles import Roles
from strongroom_server.core.identity.oidc.tokens import Tokens


class IdentityEngine(Composed):
    """Entities, groups and their aliases, and identity tokens."""

    AREAS = (Entities, Aliases, Groups, GroupAliases, Lookup, Keys, Roles, Tokens)
