"""The steps of a server's life, each as the operator takes it: initialise, unseal, set up, keep so.

``bootstrap.py`` speaks to the server; here the keys and tokens that it takes are brought and put away.
"""

from collections.abc import Callable

from strongroom_client import ClientError, PermissionDenied
from strongroom_common.clock import Clock
from strongroom_operator import bootstrap, keys
from strongroom_operator.bootstrap import TOKEN_TTL, Wanted
from strongroom_operator.errors import GiveUp, Retry, Stopped
from strongroom_operator.keys import Keys
from strongroom_operator.kube import SECRET, Kube, KubeError
from strongroom_operator.resources import Cluster, Surroundings
from strongroom_operator.state import Member, Seen, Step
from strongroom_operator.tick import REFRESH, Tick
from strongroom_operator.vault import Server


class Steps:
    """Takes steps. ``own_token`` returns the operator's service-account token for the servers."""

    def __init__(self, kube: Kube, around: Surroundings, own_token: Callable[[], str], clock: Clock) -> None:
        self._kube, self._around, self._own_token, self._clock = kube, around, own_token, clock

    async def take(self, step: Step, tick: Tick, seen: Seen) -> None:
        """Take one step; raises Retry, GiveUp, KubeError or ClientError where it cannot be finished."""
        if step == "initialise":
            await self._initialise(tick, seen)
        elif step == "unseal":
            await self._unseal(tick, seen)
        elif step == "set up" and seen.active:
            await self._set_up(tick, tick.server(seen.active))

    async def _initialise(self, tick: Tick, seen: Seen) -> None:
        cluster = tick.cluster
        if await self._keys(cluster):
            raise GiveUp(
                "KeysSecretInUse",
                f"Secret {cluster.keys_secret} holds keys of other data, but the server is empty: "
                "bring the data back, or delete the Secret",
            )
        # Proves that the Secret can be written, before there are keys that could be lost.
        await self._kube.apply(keys.to_secret(cluster, None))
        made = await bootstrap.initialise(tick.server(seen.members[0]), cluster.spec.seal)
        await self._store(cluster, made)
        tick.tell(
            "Initialized", f"{len(made.shares)} key shares are in Secret {cluster.keys_secret}: keep a copy of it"
        )

    async def _store(self, cluster: Cluster, made: Keys, attempts: int = 10) -> None:
        """Store the only copy of the keys, however long the API server takes to come back."""
        for attempt in range(1, attempts + 1):
            try:
                await self._kube.apply(keys.to_secret(cluster, made))
            except KubeError:
                if attempt == attempts:
                    raise
                await self._clock.sleep(attempt)
            else:
                return

    async def _keys(self, cluster: Cluster) -> Keys | None:
        return keys.from_secret(await self._kube.get(SECRET, cluster.namespace, cluster.keys_secret))

    async def _needed_keys(self, cluster: Cluster) -> Keys:
        found = await self._keys(cluster)
        if found is None:
            raise GiveUp("KeysMissing", f"Secret {cluster.keys_secret} with the key shares is gone: restore it")
        return found

    async def _unseal(self, tick: Tick, seen: Seen) -> None:
        if tick.cluster.spec.seal.type == "static":
            raise Retry("Sealed", "the server unseals itself")
        found = await self._needed_keys(tick.cluster)
        for member in seen.sealed:
            await bootstrap.unseal(tick.server(member), found)
            tick.tell("Unsealed", f"{member.pod} is unsealed")

    async def _set_up(self, tick: Tick, server: Server) -> None:
        if not await self.log_in(tick, server):
            await self._set_up_as_root(tick, server)
            if not await self.log_in(tick, server):
                raise _no_login()
        await self._repair(tick, server)
        await self._drop_root_token(tick, server)

    async def _set_up_as_root(self, tick: Tick, server: Server) -> None:
        if self._clock.now() - tick.memory.root_used < REFRESH:
            raise _no_login()
        tick.memory.root_used = self._clock.now()
        found = await self._needed_keys(tick.cluster)
        stored = bool(found.root_token) and await bootstrap.is_valid(server, found.root_token)
        if not stored:
            server.token = (await bootstrap.generate_root(server, found)).reveal()
        try:
            changes = await bootstrap.set_up(server, self._wanted(tick.cluster))
        except (Stopped, ClientError):
            if not stored:  # one from the Secret is known there and serves the next try
                await bootstrap.revoke(server)
            raise
        await bootstrap.revoke(server)
        await self._kube.apply(keys.to_secret(tick.cluster, found.without_root_token()))
        tick.tell("SetUp", "; ".join(changes) or "nothing was left to set up")

    async def _drop_root_token(self, tick: Tick, server: Server) -> None:
        """Finish what an operator that died during bootstrap left: a root token in the Secret."""
        found = await self._keys(tick.cluster)
        if found is None or not found.root_token:
            return
        own = server.token
        if await bootstrap.is_valid(server, found.root_token):
            await bootstrap.revoke(server)
        server.token = own
        await self._kube.apply(keys.to_secret(tick.cluster, found.without_root_token()))

    async def log_in(self, tick: Tick, server: Server) -> bool:
        """Give ``server`` the operator's token; False where it does not let the operator in."""
        memory, now = tick.memory, self._clock.now()
        if memory.token and now < memory.token_ends:
            server.token = memory.token
            return True
        if not await bootstrap.log_in(server, self._wanted(tick.cluster), self._own_token()):
            memory.token, memory.set_up = "", (-1, 0.0)
            return False
        memory.token, memory.token_ends = server.token, now + TOKEN_TTL * 0.8
        return True

    async def repair_if_due(self, tick: Tick, active: Member) -> None:
        """Set up again what somebody changed, every half minute and after a change of the spec."""
        generation, moment = tick.memory.set_up
        if generation == tick.generation and self._clock.now() - moment < REFRESH:
            return
        server = tick.server(active)
        if await self.log_in(tick, server):
            await self._repair(tick, server)

    async def _repair(self, tick: Tick, server: Server) -> None:
        try:
            changes = await bootstrap.set_up(server, self._wanted(tick.cluster))
        except ClientError as error:
            tick.memory.token, tick.memory.set_up = "", (-1, 0.0)  # whatever it was, the next try logs in anew
            if isinstance(error, PermissionDenied):
                raise Retry("LoggedOut", "the server no longer takes the operator's token") from None
            raise
        tick.memory.set_up = (tick.generation, self._clock.now())
        if changes:
            tick.tell("Repaired", "; ".join(changes))

    def _wanted(self, cluster: Cluster) -> Wanted:
        around = self._around
        return Wanted(cluster.spec, around.api_server, around.service_account, around.namespace)


def _no_login() -> Retry:
    return Retry("CannotLogIn", "the server does not let the operator log in by its service account")
