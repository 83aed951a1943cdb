"""Serving a signed request: which directory, whose signature, which answer. The parts of ``acme/`` build on this."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given, Names, Seconds
from strongroom_server.engines.pki.acme import jws
from strongroom_server.engines.pki.acme.config import AcmeConfig, AcmeConfigPaths, base_path, directory_path
from strongroom_server.engines.pki.acme.jws import Message
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.records import Account
from strongroom_server.engines.pki.role import Role
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import Internal
from strongroom_server.sdk.request import Raw, Response

LONGEST_TTL = 90 * 86400  # seconds
_JSON, _PROBLEM = "application/json", "application/problem+json"


@dataclass(frozen=True)
class Signed:
    """A request in flattened JSON serialization (RFC 7515, section 7.2.2)."""

    protected: Annotated[str, "Header of the request: algorithm, nonce, URL and key, as JSON in Base64 for URLs."] = ""
    payload: Annotated[str, "What is asked, as JSON in Base64 for URLs; empty to read."] = ""
    signature: Annotated[str, "Signature of both, in Base64 for URLs."] = ""


class Disabled(Exception):
    """The mount does not speak ACME."""


@dataclass(frozen=True)
class Directory:
    """One of the mount's ACME servers: ``base`` is its URL, ``path`` its name, ``role`` the rules for certificates."""

    base: str
    path: str
    role: Role
    role_name: str
    issuer_ref: str
    config: AcmeConfig

    def url(self, *parts: str) -> str:
        """Return a URL of this server."""
        return "/".join((self.base, *parts))


@dataclass(frozen=True)
class Visit:
    """A signed request whose signature is right. ``jwk`` is the key; ``found`` the account that has it, if any."""

    directory: Directory
    message: Message
    jwk: Mapping[str, Any]
    found: Account | None
    url: str

    @property
    def account(self) -> Account:
        """Return the account; raises Problem where there is none, or the request does not name it (RFC 8555, 6.2)."""
        if self.message.jwk is not None:
            raise malformed("cannot be asked for without a 'kid'")
        if self.found is None:
            raise Problem("accountDoesNotExist", "there is no account with this key")
        return self.found

    @property
    def payload(self) -> dict[str, Any]:
        """Return what the request says; raises Problem where it says nothing."""
        if self.message.payload is None:
            raise malformed("the payload is missing")
        return self.message.payload


@dataclass(frozen=True)
class Answer:
    """An answer: a JSON object, or ``raw`` of another kind."""

    data: Mapping[str, Any] | None = None
    status: int = 200
    location: str = ""
    raw: tuple[bytes, str] | None = None
    links: tuple[str, ...] = ()
    retry_after: int = 0


Work = Callable[[Visit], Awaitable[Answer]]


class VisitPaths(AcmeConfigPaths):
    """What all ACME paths go through."""

    async def directory(self, role: str, issuer_ref: str) -> Directory:
        """Return a directory; raises Problem where there is none, Disabled where ACME is not spoken."""
        config, cluster = await self.acme_config(), await self.signers.cluster()
        if not config.enabled:
            raise Disabled
        if not cluster.path:
            raise Problem("serverInternal", "the cluster's path is not configured")
        rules = await self._rules(role, config)
        issuer = await self._issuer(issuer_ref, config) if issuer_ref else rules.issuer_ref
        base = f"{cluster.path.rstrip('/')}/{base_path(role, issuer_ref)}"
        name = role or config.default_directory_policy.partition(":")[2]
        return Directory(base, directory_path(role, issuer_ref), _acme_role(rules, config), name, issuer, config)

    async def _rules(self, role: str, config: AcmeConfig) -> Role:
        if role and "*" not in config.allowed_roles and role not in config.allowed_roles:
            raise _internal("specified role not allowed by ACME policy")
        if not role and config.default_directory_policy == "forbid":
            raise _internal("default directory not allowed by ACME policy")
        if not role and config.default_directory_policy == "sign-verbatim":
            return Role(key_type="any", allow_any_name=True)
        found = await self.find_role(role or config.default_directory_policy.removeprefix("role:"))
        if found is None:
            raise Problem("malformed", "the request message was malformed: role does not exist")
        return found

    async def _issuer(self, ref: str, config: AcmeConfig) -> str:
        try:
            issuer = await self.issuers.find(ref)
        except Internal:
            raise Problem("malformed", "the request message was malformed: issuer does not exist") from None
        allowed = set(config.allowed_issuers)
        if not allowed & {"*", issuer.id, issuer.name, ref}:
            raise _internal("specified issuer not allowed by ACME policy")
        return issuer.id

    async def open(self, role: str, issuer_ref: str, work: Callable[[Directory], Awaitable[Answer]]) -> Response:
        """Serve a request that needs no signature."""
        try:
            directory = await self.directory(role, issuer_ref)
            return self._response(await work(directory), directory)
        except Problem as problem:
            return self._refused(problem)
        except Disabled:
            return Response(raw=Raw(b"", _JSON, 404))

    async def serve(self, path: str, signed: Given[Signed], role: str, issuer_ref: str, work: Work) -> Response:
        """Serve a signed request; ``path`` is where it came to, within the mount."""

        async def visited(directory: Directory) -> Answer:
            return await work(await self._visit(directory, path, signed))

        return await self.open(role, issuer_ref, visited)

    async def _visit(self, directory: Directory, path: str, signed: Given[Signed]) -> Visit:
        """Look at a request's signature.

        Security 1: the request was signed for this URL (RFC 8555, section 6.4). Security 2: it comes once (6.5).
        Security 3: the signature is by the key that it names. Security 4: the account may still ask (7.3.6), and here.
        """
        message = jws.parse({name: getattr(signed.value, name) for name in signed.sent})
        url = f"{(await self.signers.cluster()).path.rstrip('/')}/{path}"
        if "url" not in message.header:
            raise malformed("missing required parameter 'url' in 'protected'")
        if message.header["url"] != url:
            raise Problem("unauthorized", "the request was signed for another URL")
        if not self.nonces.spend(message.header.get("nonce")):
            raise Problem("badNonce", "the nonce is unknown, used or too old")
        jwk = message.jwk
        if jwk is not None:
            jws.check_key(jwk)
            jws.verify(message, jwk)
            account = await self.records.account_of(jws.thumbprint(jwk))
        else:
            account = await self._named(directory, message.header["kid"])
            jwk = account.jwk
            jws.verify(message, jwk)
        if account is not None:
            _check_account(account, directory)
        return Visit(directory, message, jwk, account, url)

    async def _named(self, directory: Directory, kid: Any) -> Account:
        prefix = directory.url("account") + "/"
        account = None
        if isinstance(kid, str) and kid.startswith(prefix) and "/" not in kid.removeprefix(prefix):
            account = await self.records.account(kid.removeprefix(prefix))
        if account is None:
            raise Problem("accountDoesNotExist", "there is no account with this URL")
        return account

    def _response(self, answer: Answer, directory: Directory) -> Response:
        headers = {"Replay-Nonce": self.nonces.new(), "Link": _links(answer, directory)}
        if answer.location:
            headers["Location"] = answer.location
        if answer.retry_after:
            headers["Retry-After"] = str(answer.retry_after)
        body, kind = answer.raw or (codec.encode(answer.data) if answer.data is not None else b"", _JSON)
        return Response(raw=Raw(body, kind, answer.status), headers=headers)

    def _refused(self, problem: Problem) -> Response:
        headers = {"Replay-Nonce": self.nonces.new()}
        return Response(raw=Raw(codec.encode(problem.facts), _PROBLEM, problem.status), headers=headers)


def _links(answer: Answer, directory: Directory) -> str:
    return ", ".join((f'<{directory.url("directory")}>;rel="index"', *answer.links))


def _internal(detail: str) -> Problem:
    return Problem("serverInternal", f"the server experienced an internal error: {detail}")


def _check_account(account: Account, directory: Directory) -> None:
    if account.directory != directory.path:
        raise Problem("unauthorized", "the account is of another directory")
    if account.status != "valid":
        raise Problem("unauthorized", f"the account is {account.status}")
    if directory.config.eab_policy == "always-required" and not account.eab:
        raise Problem("externalAccountRequired", "the account has no external account binding")


def _acme_role(role: Role, config: AcmeConfig) -> Role:
    """Return a role as ACME uses it: names from the CSR, for TLS servers, for 90 days at most, always kept."""
    role = replace(
        role, require_cn=False, use_csr_common_name=True, use_csr_sans=True, no_store=False, generate_lease=False,
        not_after="", not_after_bound="permit",
        ttl=Seconds(min(role.ttl or LONGEST_TTL, role.max_ttl or LONGEST_TTL, LONGEST_TTL)),
        max_ttl=Seconds(min(role.max_ttl or LONGEST_TTL, LONGEST_TTL)),
    )  # fmt: skip
    if config.allow_role_ext_key_usage:
        return role
    return replace(role, server_flag=True, client_flag=False, code_signing_flag=False, email_protection_flag=False,
                   ext_key_usage=Names(()), ext_key_usage_oids=Names(()))  # fmt: skip
