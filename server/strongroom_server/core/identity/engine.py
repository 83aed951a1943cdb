"""The identity/ mount: its areas, put together."""

from strongroom_server.core.areas import Composed
from strongroom_server.core.identity.aliases import Aliases
from strongroom_server.core.identity.entities import Entities
from strongroom_server.core.identity.group_aliases import GroupAliases
from strongroom_server.core.identity.groups import Groups
from strongroom_server.core.identity.lookup import Lookup
from strongroom_server.core.identity.mfa.enforcements import Enforcements
from strongroom_server.core.identity.mfa.kinds import KINDS
from strongroom_server.core.identity.mfa.methods import AllMethods, methods_of
from strongroom_server.core.identity.mfa.secrets import TotpSecrets
from strongroom_server.core.identity.oidc.assignments import Assignments
from strongroom_server.core.identity.oidc.authorize import Authorize
from strongroom_server.core.identity.oidc.clients import Clients
from strongroom_server.core.identity.oidc.exchange import Exchange
from strongroom_server.core.identity.oidc.keys import Keys
from strongroom_server.core.identity.oidc.providers import Providers
from strongroom_server.core.identity.oidc.roles import Roles
from strongroom_server.core.identity.oidc.scopes import Scopes
from strongroom_server.core.identity.oidc.tokens import Tokens
from strongroom_server.core.identity.oidc.userinfo import Userinfo


class IdentityEngine(Composed):
    """Entities, groups and their aliases, identity tokens, OpenID providers, second factors of logins."""

    AREAS = (
        Entities, Aliases, Groups, GroupAliases, Lookup,
        Keys, Roles, Tokens,
        Providers, Clients, Scopes, Assignments, Authorize, Exchange, Userinfo,
        Enforcements, TotpSecrets, AllMethods, *(methods_of(kind) for kind in KINDS),
    )  # fmt: skip
