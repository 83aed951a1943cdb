"""Proving names: authorizations and their challenges (RFC 8555, section 7.5)."""

import asyncio
import logging
import secrets
import uuid
from dataclasses import replace

from strongroom_common.fields import Given
from strongroom_server.engines.pki.acme.accounts import AccountPaths
from strongroom_server.engines.pki.acme.config import everywhere
from strongroom_server.engines.pki.acme.problems import Problem, malformed
from strongroom_server.engines.pki.acme.records import Account, Authorization, Challenge, Identifier, ways
from strongroom_server.engines.pki.acme.shown import authorization_facts, challenge_facts
from strongroom_server.engines.pki.acme.visit import Answer, Directory, Signed, Visit
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.request import Request, Response
from strongroom_server.sdk.storage import Storage
from strongroom_server.sdk.system import System

log = logging.getLogger("engines.pki.acme")

_TRIES = 5


class ProofPaths(AccountPaths):
    """Lets accounts prove names."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self._proving: set[asyncio.Task[None]] = set()

    @everywhere(write, "authorization/{auth_id}", public=True)
    async def authorization(
        self, signed: Given[Signed], request: Request, auth_id: str, role: str = "", issuer_ref: str = ""
    ) -> Response:
        """Read what must be proven, or give it up."""

        async def work(visit: Visit) -> Answer:
            async with self.records.locks.of(auth_id):
                found = await self.known_authorization(visit.account, auth_id)
                given_up = (visit.message.payload or {}).get("status") == "deactivated"
                if given_up and found.status in {"pending", "valid"}:
                    found.status = "deactivated"
                    await self.records.save_authorization(found)
            return Answer(authorization_facts(visit.directory, found))

        return await self.serve(request.path, signed, role, issuer_ref, work)

    @everywhere(write, "challenge/{auth_id}/{kind}", public=True)
    async def challenge(self, signed: Given[Signed], request: Request, auth_id: str, kind: str, role: str = "",
                        issuer_ref: str = "") -> Response:  # fmt: skip
        """Read a challenge, or say that it can be looked at."""

        async def work(visit: Visit) -> Answer:
            return await self._challenge(visit, auth_id, kind)

        return await self.serve(request.path, signed, role, issuer_ref, work)

    async def stop_proving(self) -> None:
        """Stop looking at challenges."""
        proving = list(self._proving)
        for task in proving:
            task.cancel()
        await asyncio.gather(*proving, return_exceptions=True)

    def to_prove(self, account: Account, identifier: Identifier, expires: float) -> Authorization:
        """Return a new authorization with its challenges."""
        challenges = [Challenge(way, secrets.token_urlsafe(32)) for way in ways(identifier)]
        return Authorization(str(uuid.uuid4()), account.id, identifier, expires, challenges)

    async def known_authorization(self, account: Account, authorization_id: str) -> Authorization:
        """Return an authorization of an account; raises Problem."""
        found = await self.records.authorization(account.id, authorization_id)
        if found is None:
            raise malformed("there is no such authorization", 404)
        if found.status in {"pending", "valid"} and found.expires <= self.now:
            found.status = "expired"
        return found

    async def _challenge(self, visit: Visit, authorization_id: str, kind: str) -> Answer:
        async with self.records.locks.of(authorization_id):
            found = await self.known_authorization(visit.account, authorization_id)
            challenge = _of_kind(found, kind)
            if visit.message.payload is not None and found.status == "pending" and challenge.status == "pending":
                challenge.status = "processing"
                await self.records.save_authorization(found)
                self._prove(found, kind, visit.account.thumbprint, visit.directory)
        up = f'<{visit.directory.url("authorization", found.id)}>;rel="up"'
        return Answer(challenge_facts(visit.directory, found, challenge), links=(up,), retry_after=1)

    def _prove(self, found: Authorization, kind: str, thumbprint: str, directory: Directory) -> None:
        prober = replace(self.prober, resolver=directory.config.dns_resolver)
        token = _of_kind(found, kind).token

        async def run() -> None:
            problem: Problem | None = None
            for number in range(_TRIES):
                await self.system.clock.sleep(2.0**number if number else 0)
                try:
                    await prober.prove(kind, found.identifier, token, thumbprint)
                    problem = None
                    break
                except Problem as error:
                    problem = error
                except Exception:
                    log.exception("a challenge could not be looked at")
                    problem = Problem("serverInternal", "the challenge could not be looked at")
            await self._decide(found, kind, problem)

        task = asyncio.ensure_future(run())
        self._proving.add(task)
        task.add_done_callback(self._proving.discard)

    async def _decide(self, before: Authorization, kind: str, problem: Problem | None) -> None:
        async with self.records.locks.of(before.id):
            found = await self.records.authorization(before.account, before.id)
            if found is None or found.status != "pending":
                return
            challenge = _of_kind(found, kind)
            if problem is None:
                challenge.status, challenge.validated, found.status = "valid", self.now, "valid"
            else:
                challenge.status, challenge.error, found.status = "invalid", problem.facts, "invalid"
            await self.records.save_authorization(found)


def _of_kind(found: Authorization, kind: str) -> Challenge:
    challenge = next((one for one in found.challenges if one.type == kind), None)
    if challenge is None:
        raise malformed("there is no such challenge", 404)
    return challenge
