"""Where ACL policies are kept, and the compiled rules of each token that asks."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from strongroom_common.clock import Clock
from strongroom_server.core.acl import Acl, compile_acl
from strongroom_server.core.builtin_policies import DEFAULT_POLICY, RESPONSE_WRAPPING, RESPONSE_WRAPPING_POLICY, ROOT
from strongroom_server.core.metrics import Metrics
from strongroom_server.core.policies import Policy, parse_policy
from strongroom_server.core.policy_entries import PolicyEntry, Terms
from strongroom_server.core.policy_templates import UnsafeTemplateValue
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied
from strongroom_server.sdk.storage import Change, Storage, load, save

IMMUTABLE = (ROOT, RESPONSE_WRAPPING)
_KEPT = 50_000


class PolicySource(Protocol):
    """Whoever adds policies to a token's own: identity."""

    async def policies_of(self, entity_id: str) -> tuple[str, ...]:
        """Return the policies of an entity and its groups."""
        ...

    async def template_values(self, entity_id: str) -> dict[str, str]:
        """Return what templated paths of the entity's policies are filled with."""
        ...


class PolicyStore:
    """Named policies in storage, parsed ones in memory, compiled sets of them beside (dropped at every change)."""

    def __init__(
        self, storage: Storage, identity: PolicySource, clock: Clock, metrics: Metrics | None = None, *,
        lists_root: bool = True,
    ) -> None:  # fmt: skip
        self._listed = (ROOT,) if lists_root else ()
        self._metrics = metrics or Metrics()
        self._storage = storage
        self._identity = identity
        self._clock = clock
        self._parsed: dict[str, Policy | None] = {}
        self._by_token: dict[str, Acl] = {}
        self._tokens_of: dict[str, set[str]] = {}  # those in _by_token, by entity
        self._by_names: dict[tuple[str, ...], Acl] = {}
        self._writing = asyncio.Lock()  # a write reads the version before it
        self._changes = 0  # what was read before a change must not be kept after it

    async def start(self) -> None:
        """Store the policies that every server has, where they are not yet."""
        for name, text in (("default", DEFAULT_POLICY), (RESPONSE_WRAPPING, RESPONSE_WRAPPING_POLICY)):
            if await self._storage.get(name) is None:
                await save(self._storage, name, PolicyEntry(text, 1, self._clock.now()))

    async def names(self, folder: str = "") -> list[str]:
        """Return the names of all policies below ``folder`` ("" or ending in a slash), sorted.

        Those that have expired are left out; root, which is not stored, is the last of all, in the root namespace.
        """
        with self._metrics.timed("vault.policy.list_policies", self._clock):
            found = [name for name in await self._below(folder) if await self.entry(name) is not None]
        return sorted({*found} - {*IMMUTABLE}) + ([] if folder else [*self._listed])

    async def _below(self, folder: str) -> list[str]:
        names = [folder + name for name in await self._storage.list(folder)]
        deeper = [await self._below(name) for name in names if name.endswith("/")]
        return [name for name in names if not name.endswith("/")] + [name for below in deeper for name in below]

    async def entry(self, name: str) -> PolicyEntry | None:
        """Return a policy as it was written, unless it has expired."""
        if name == ROOT:
            return PolicyEntry("")
        with self._metrics.timed("vault.policy.get_policy", self._clock):
            entry = await load(self._storage, name, PolicyEntry)
        return None if entry is None or entry.expired(self._clock.now()) else entry

    async def text(self, name: str) -> str | None:
        """Return a policy's text as it was written."""
        entry = await self.entry(name)
        return None if entry is None else entry.text

    async def write(self, name: str, text: str, terms: Terms | None = None, cas: int | None = None) -> None:
        """Check and store a policy; raises InvalidRequest, with line and column for a bad one.

        ``cas`` is the version that it must follow on, where the client says so: 0 or -1 where there must be none.
        """
        if name in IMMUTABLE:
            raise InvalidRequest(f'cannot update "{name}" policy')
        terms = terms or Terms()
        _parse(name, text)
        async with self._writing:
            before = await self.entry(name) or PolicyEntry("")
            before.check_cas(cas, terms)
            entry = PolicyEntry(text, before.version + 1, self._clock.now(), terms, cas is not None)
            if entry.expired(entry.modified):
                raise InvalidRequest("refusing to update policy as expiration time has already elapsed")
            with self._metrics.timed("vault.policy.set_policy", self._clock):
                await save(self._storage, name, entry)
            self._parsed.pop(name, None)
            self.forget()

    async def delete(self, name: str) -> None:
        """Remove a policy; removing none is fine."""
        if name in (*IMMUTABLE, "default"):
            raise InvalidRequest(f'cannot delete "{name}" policy')
        with self._metrics.timed("vault.policy.delete_policy", self._clock):
            await self._storage.commit([Change(name, None)])
        self._parsed.pop(name, None)
        self.forget()

    def forget(self) -> None:
        """Drop all compiled rules: a policy has changed."""
        self._by_names.clear()
        self.forget_entity("")

    def forget_entity(self, entity_id: str) -> None:
        """Drop the rules of an entity's tokens: what it is or has changed. "" is every entity."""
        self._changes += 1
        if entity_id:
            for token_hash in self._tokens_of.pop(entity_id, ()):
                self._by_token.pop(token_hash, None)
        else:
            self._by_token.clear()
            self._tokens_of.clear()

    def known(self, token: Token) -> Acl | None:
        """Return a token's rules if they are at hand; the request path asks this first."""
        return self._still_valid(self._by_token.get(token.hash))

    async def rules(self, token: Token) -> Acl:
        """Return a token's rules: those of its own policies and of its entity's."""
        names, changes = token.policies, self._changes
        if token.entity_id:
            names = tuple(sorted({*names, *await self._identity.policies_of(token.entity_id)}))
        compiled = await self.compile(names, token.entity_id)
        if len(self._by_token) >= _KEPT:
            self.forget_entity("")
        elif changes == self._changes:
            self._by_token[token.hash] = compiled
            if token.entity_id:
                self._tokens_of.setdefault(token.entity_id, set()).add(token.hash)
        return compiled

    async def compile(self, names: tuple[str, ...], entity_id: str = "") -> Acl:
        """Return the compiled rules of a set of policies; a name without a policy grants nothing."""
        changes = self._changes
        compiled = self._still_valid(self._by_names.get(names))
        if compiled is None:
            compiled = compile_acl(await self.load(names), self._clock.now())
            if changes == self._changes:
                self._by_names[names] = compiled
        values = await self._identity.template_values(entity_id) if entity_id else {}
        try:
            return compiled.for_entity(values)
        except UnsafeTemplateValue as error:
            raise PermissionDenied(rule=str(error)) from error

    def _still_valid(self, compiled: Acl | None) -> Acl | None:
        """Return what has no rule that has expired meanwhile."""
        if compiled is None or compiled.valid_until is None or self._clock.now() < compiled.valid_until:
            return compiled
        return None

    async def load(self, names: Iterable[str]) -> list[Policy]:
        """Return the parsed policies that exist."""
        found = [await self._policy(name) for name in names]
        return [policy for policy in found if policy is not None]

    async def missing(self, names: Iterable[str]) -> list[str]:
        """Return those of ``names`` that are no policy: a token may have them, and they grant nothing."""
        known = self._parsed
        return [name for name in names if name != ROOT and not (known.get(name) or await self._policy(name))]

    async def _policy(self, name: str) -> Policy | None:
        if name in self._parsed:
            return self._parsed[name]
        changes = self._changes
        entry = await self.entry(name)
        policy = None if entry is None else entry.policy(name)
        if changes == self._changes:
            self._parsed[name] = policy
        return policy


def _parse(name: str, text: str) -> None:
    try:
        parse_policy(name, text)
    except ValueError as error:
        raise InvalidRequest(f"failed to parse policy: {error}") from error
