"""Accounts (RFC 8555, section 7.3)."""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from strongroom_common.fields import Given
from strongroom_server.engines.pki.acme import jws
from strongroom_server.engines.pki.acme.config import everywhere
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.records import Account, Binding
from strongroom_server.engines.pki.acme.visit import Answer, Directory, Signed, Visit, VisitPaths
from strongroom_server.sdk.engine import read, write
from strongroom_server.sdk.request import Request, Response

_MAX_CONTACTS = 10
_ADDRESS = re.compile(r"mailto:[^\s@?,]+@[^\s@?,]+")  # neither several addresses nor header fields: RFC 8555, 7.3


class AccountPaths(VisitPaths):
    """The directory, nonces, accounts."""

    @everywhere(read, "directory", public=True)
    async def acme_directory(self, role: str = "", issuer_ref: str = "") -> Response:
        """Read where everything is."""
        return await self.open(role, issuer_ref, _directory)

    @everywhere(read, "new-nonce", public=True)
    async def new_nonce(self, role: str = "", issuer_ref: str = "") -> Response:
        """Fetch a nonce, which is in the header."""
        return await self.open(role, issuer_ref, _nothing)

    @everywhere(write, "new-account", public=True)
    async def new_account(
        self, signed: Given[Signed], request: Request, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Make an account, or find it."""
        return await self.serve(request.path, signed, role, issuer_ref, self._new_account)

    @everywhere(write, "account/{kid}", public=True)
    async def account(
        self, signed: Given[Signed], request: Request, kid: str, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Read, change or deactivate an account."""

        async def work(visit: Visit) -> Answer:
            if visit.account.id != kid:
                raise Problem("unauthorized", "the account is not the one that signed")
            return await self._change_account(visit)

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(write, "key-change", public=True)
    async def key_change(
        self, signed: Given[Signed], request: Request, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Give an account another key."""
        return await self.serve(request.path, signed, role, issuer_ref, self._change_key)

    async def _new_account(self, visit: Visit) -> Answer:
        if visit.message.jwk is None:
            raise malformed("a new account's key comes as jwk")
        if visit.found is not None:
            return _shown(visit, visit.found, 200)
        if visit.payload.get("onlyReturnExisting"):
            raise Problem("accountDoesNotExist", "there is no account with this key")
        binding = await self._binding(visit)
        account = Account(
            str(uuid.uuid4()), dict(visit.jwk), jws.thumbprint(visit.jwk), visit.directory.path, self.now,
            contact=_contacts(visit.payload), terms_agreed=bool(visit.payload.get("termsOfServiceAgreed")),
            eab=binding.id if binding else "", last_used=self.now,
        )  # fmt: skip
        await self.records.add_account(account)
        return _shown(visit, account, 201)

    async def _binding(self, visit: Visit) -> Binding | None:
        """Return the key that binds a new account to somebody known here (RFC 8555, section 7.3.4).

        Security 1: the binding is signed with that key, for this URL, over the account's own public key.
        """
        raw = visit.payload.get("externalAccountBinding")
        if raw is None:
            if visit.directory.config.eab_policy != "not-required":
                raise Problem("externalAccountRequired", "an account here needs an external account binding")
            return None
        inner = jws.parse(raw if isinstance(raw, dict) else {})
        kid = inner.header.get("kid")
        binding = await self.records.binding(kid) if isinstance(kid, str) and "/" not in kid else None
        if binding is None or binding.directory != visit.directory.path:
            raise Problem("unauthorized", "the external account binding names no key of this directory")
        jws.verify_hmac(inner, jws.decode(binding.key.reveal(), "key"))
        if inner.header.get("url") != visit.url or dict(inner.payload or {}) != dict(visit.jwk):
            raise malformed("the external account binding is for another account or URL")
        return binding

    async def _change_account(self, visit: Visit) -> Answer:
        account, payload = visit.account, visit.message.payload
        if payload:
            if payload.get("status") == "deactivated":
                account.status = "deactivated"
            if "contact" in payload:
                account.contact = _contacts(payload)
            account.last_used = self.now
            await self.records.save_account(account)
        return _shown(visit, account, 200)

    async def _change_key(self, visit: Visit) -> Answer:
        """Take over a new key (RFC 8555, section 7.3.5): it signs the change, which the old one signs around it."""
        inner, account = jws.parse(visit.payload), visit.account
        jwk = inner.jwk
        if jwk is None or inner.header.get("url") != visit.url:
            raise malformed("the inner signature names no key or another URL")
        jws.check_key(jwk)
        jws.verify(inner, jwk)
        asked = inner.payload or {}
        if asked.get("account") != visit.directory.url("account", account.id):
            raise malformed("the change is for another account")
        old_key = asked.get("oldKey")
        if not isinstance(old_key, Mapping) or jws.thumbprint(old_key) != account.thumbprint:
            raise malformed("the old key is not the account's")
        thumbprint = jws.thumbprint(jwk)
        if await self.records.account_of(thumbprint) is not None:
            raise Problem("malformed", "another account has this key", 409)
        old, account.jwk, account.thumbprint = account.thumbprint, jwk, thumbprint
        await self.records.change_key(account, old)
        return _shown(visit, account, 200)


async def _directory(directory: Directory) -> Answer:
    urls = {"newNonce": "new-nonce", "newAccount": "new-account", "newOrder": "new-order", "revokeCert": "revoke-cert",
            "keyChange": "key-change", "renewalInfo": "renewal-info"}  # fmt: skip
    meta = {"externalAccountRequired": directory.config.eab_policy != "not-required"}
    return Answer({name: directory.url(path) for name, path in urls.items()} | {"meta": meta})


async def _nothing(directory: Directory) -> Answer:
    del directory
    return Answer(status=204)


def _shown(visit: Visit, account: Account, status: int) -> Answer:
    url = visit.directory.url("account", account.id)
    data: dict[str, Any] = {
        "status": account.status,
        "contact": account.contact,
        "termsOfServiceAgreed": account.terms_agreed,
        "orders": visit.directory.url("orders"),
    }
    return Answer(data, status, location=url)


def _contacts(payload: Mapping[str, Any]) -> list[str]:
    contacts = payload.get("contact") or []
    if not isinstance(contacts, list) or not all(isinstance(one, str) for one in contacts):
        raise Problem("invalidContact", "contact is no list of URLs")
    if len(contacts) > _MAX_CONTACTS:
        raise Problem("invalidContact", f"more than {_MAX_CONTACTS} contacts")
    if any(not one.startswith("mailto:") for one in contacts):
        raise Problem("unsupportedContact", "only mailto: contacts are supported")
    if not all(_ADDRESS.fullmatch(one) for one in contacts):
        raise Problem("invalidContact", "a mailto: contact is one address and nothing else")
    return list(contacts)
