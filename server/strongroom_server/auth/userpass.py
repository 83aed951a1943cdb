"""Login by user name and password (api-docs/auth/userpass). Names are in lower case, passwords kept as bcrypt."""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Any

import bcrypt

from strongroom_common.fields import Alias, Given, Names
from strongroom_common.secret import Secret
from strongroom_server.lib import tokenparams
from strongroom_server.lib.cidr import allows
from strongroom_server.lib.folders import Page, keys
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.lib.tokenparams import TokenParams
from strongroom_server.sdk.engine import Engine as Base
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import InvalidCredentials, InvalidRequest, NotFound, PermissionDenied
from strongroom_server.sdk.request import Alias as IdentityAlias
from strongroom_server.sdk.request import Auth, Request, Response
from strongroom_server.sdk.storage import load, remove, save

ROUNDS = 10  # Vault's own cost; about 60 ms
_LONGEST = 72  # bytes; bcrypt looks at no more
_HASH = re.compile(r"\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}", re.ASCII)
_WRONG = "invalid username or password"


@dataclass(frozen=True)
class Password:
    """A new password, or its bcrypt hash."""

    password: Annotated[Secret[str], "Password of the user."] = Secret("")
    password_hash: Annotated[Secret[str], "bcrypt hash of the password, instead of it."] = Secret("")


@dataclass(frozen=True)
class User(TokenParams, Password):
    """A user as written; as stored the hash alone is set."""


@dataclass(frozen=True)
class Policies:
    """New policies."""

    token_policies: Annotated[Names, "Policies of the user's tokens.", Alias("policies")] = Names(())


@dataclass(frozen=True)
class Login:
    """Body of a login."""

    password: Annotated[Secret[str], "Password of the user."] = Secret("")


class Engine(Base):
    """Lets people log in with a user name and a password."""

    async def start(self) -> None:
        """Make ready."""
        self._locks = KeyedLocks()
        self._nobody = await self._hash("nobody")

    @list_("users")
    async def list_users(self, page: Given[Page]) -> dict[str, Any]:
        """List the users."""
        return keys(page.value.cut(await self.storage.list("user/")))

    @read("users/{username}")
    async def read_user(self, username: str) -> dict[str, Any]:
        """Read a user, without the password."""
        return tokenparams.shown(await self._known(username, NotFound()))

    @write("users/{username}", exists="is_there")
    async def write_user(self, username: str, given: Given[User], request: Request) -> None:
        """Create or update a user."""
        async with self._locks.of(username.lower()):
            stored = await self._user(username)
            user = tokenparams.updated(given, stored, request)
            if stored is None or given.sent & {"password", "password_hash"}:
                hashed = await self._hashed(given.value)
            else:
                hashed = stored.password_hash
            await self._save(username, replace(user, password=Secret(""), password_hash=hashed))

    @delete("users/{username}")
    async def delete_user(self, username: str) -> None:
        """Delete a user; tokens live on until they end, and are not renewed."""
        await self.storage.commit([remove(_key(username))])

    @write("users/{username}/password")
    async def write_password(self, username: str, given: Given[Password]) -> None:
        """Change a user's password."""
        async with self._locks.of(username.lower()):
            user = await self._known(username, InvalidRequest("username does not exist"))
            await self._save(username, replace(user, password_hash=await self._hashed(given.value)))

    @write("users/{username}/policies")
    async def write_policies(self, username: str, given: Given[Policies], request: Request) -> None:
        """Change a user's policies."""
        async with self._locks.of(username.lower()):
            user = await self._known(username, InvalidRequest("username does not exist"))
            change = Given(replace(user, token_policies=given.value.token_policies), given.sent)
            await self._save(username, tokenparams.updated(change, user, request))

    @write("login/{username}", public=True)
    async def login(self, username: str, given: Given[Login], request: Request) -> Response:
        """Log in.

        Security 1: an unknown user costs the same bcrypt round and gets the same words as a wrong password, so that
        names cannot be found out. Security 2: the networks are checked after the password, for the same reason.
        """
        name = username.lower()
        password = given.value.password.reveal().encode()
        if not password:
            raise InvalidRequest("missing password")
        user = await self._user(name)
        hashed = user.password_hash if user else self._nobody
        matches = await self.system.run_blocking(_matches, password, hashed.reveal().encode())
        if not matches or user is None:
            raise InvalidRequest(_WRONG) if user is None else InvalidCredentials(_WRONG)
        if not allows(user.token_bound_cidrs, request.connection.remote_address):
            raise PermissionDenied
        auth = tokenparams.login(user, request)
        auth.display_name = name
        auth.alias = IdentityAlias(name)
        auth.metadata = {"username": name}
        auth.internal = {"username": name}
        return Response(auth=auth)

    def login_name(self, request: Request) -> str:
        """Return the user of a login."""
        return request.path[6:].strip("/").lower() if request.path.startswith("login/") else ""

    async def renew_login(self, auth: Auth, request: Request) -> Auth:
        """Go on while the user is there with the same policies; raises InvalidRequest otherwise."""
        name = auth.internal.get("username", "")
        user = await self._known(name, InvalidRequest(f"user {name!r} does not exist during renewal"))
        if not tokenparams.same_policies(user.token_policies, auth.policies):
            raise InvalidRequest("policies have changed, not renewing")
        return tokenparams.renewed(user, auth)

    async def is_there(self, username: str) -> bool:
        """Tell whether there is such a user."""
        return await self.storage.get(_key(username)) is not None

    async def _user(self, username: str) -> User | None:
        return await load(self.storage, _key(username), User)

    async def _known(self, username: str, otherwise: Exception) -> User:
        user = await self._user(username)
        if user is None:
            raise otherwise
        return user

    async def _save(self, username: str, user: User) -> None:
        await save(self.storage, _key(username), user)

    async def _hashed(self, given: Password) -> Secret[str]:
        password, hashed = given.password.reveal(), given.password_hash.reveal()
        if not password and not hashed:
            raise InvalidRequest("must provide either password or password_hash")
        if password and hashed:
            raise InvalidRequest("only one of password or password_hash may be provided")
        if hashed and not _HASH.fullmatch(hashed):
            raise InvalidRequest("password_hash is not a valid bcrypt hash")
        if len(password.encode()) > _LONGEST:
            raise InvalidRequest(f"password is too long: bcrypt takes at most {_LONGEST} bytes")
        return given.password_hash if hashed else await self._hash(password)

    async def _hash(self, password: str) -> Secret[str]:
        hashed: bytes = await self.system.run_blocking(bcrypt.hashpw, password.encode(), bcrypt.gensalt(ROUNDS))
        return Secret(hashed.decode())


def _key(username: str) -> str:
    return "user/" + username.lower()


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:  # longer than bcrypt takes, or a hash of no known kind
        return False
