"""The server: one object that owns what a request may need, made in ``main`` and opened when the barrier opens.

It holds parts and starts them in order; what each does is in the module that owns its data.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from strongroom_common.clock import Clock
from strongroom_common.fields import Names
from strongroom_server.barrier import Barrier
from strongroom_server.barrier.cache import ENTRIES, EntryCache
from strongroom_server.config import Config
from strongroom_server.core.areas import Composed
from strongroom_server.core.audit_broker import AuditBroker
from strongroom_server.core.client_trust import ClientTrust
from strongroom_server.core.cors import Cors
from strongroom_server.core.gauges import Gauges
from strongroom_server.core.holder import Holder
from strongroom_server.core.identity.engine import IdentityEngine
from strongroom_server.core.identity.store import Identity
from strongroom_server.core.in_flight import Flights
from strongroom_server.core.key_rotation import Rotation
from strongroom_server.core.leases import LeaseStore
from strongroom_server.core.lockout import Lockouts
from strongroom_server.core.metrics import Metrics
from strongroom_server.core.mounts import Mount, MountConfig, MountEntry, Mounts, Table, new_entry, storage_prefix
from strongroom_server.core.password_policies import PasswordPolicies
from strongroom_server.core.pipeline import serve
from strongroom_server.core.policy_store import PolicyStore
from strongroom_server.core.quotas import Quotas
from strongroom_server.core.renewal import Renewal
from strongroom_server.core.request_timings import RequestTimings
from strongroom_server.core.revocation import Revocation
from strongroom_server.core.sealing import Sealing
from strongroom_server.core.sys import Sys
from strongroom_server.core.sys.quotas import load_quotas
from strongroom_server.core.system_view import MountSystem
from strongroom_server.core.token_auth import TokenAuth
from strongroom_server.core.tokens import Token, TokenStore
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.backend import Backend, Change
from strongroom_server.sdk.engine import Engine
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied
from strongroom_server.sdk.parts import UnknownPart, load_part
from strongroom_server.sdk.request import Auth, Request, Response
from strongroom_server.sdk.seal import Seal
from strongroom_server.sdk.storage import Storage, load
from strongroom_server.sdk.system import Places

if TYPE_CHECKING:
    from strongroom_server.core.control_groups import Held
    from strongroom_server.core.namespace import Namespace

log = logging.getLogger("core")

_TICK = 60.0
Reload = Callable[[], Awaitable[None]]

_MONTH = 768 * 3600


@dataclass(frozen=True)
class Options:
    """What the core needs of the server file. TTLs are in seconds."""

    storage_kind: str = "inmem"
    cluster_name: str = ""
    api_addr: str = ""
    default_lease_ttl: int = _MONTH
    max_lease_ttl: int = _MONTH
    cache_entries: int = ENTRIES
    raw_storage_endpoint: bool = False
    introspection_endpoint: bool = False
    config: Config = field(default_factory=Config)
    """The whole file, for those who ask what it says."""


class Server:
    """One secrets server over one store: the root namespace, and what all namespaces share."""

    SYS: ClassVar[type[Sys]] = Sys
    KIND: ClassVar[str] = ""
    """What the types of the default mounts begin with."""
    parent: "Server | None" = None
    tokens: TokenStore
    identity: Identity
    path = ""
    id = "root"
    suffix = ""
    prefix = ""
    ending = False
    """Whether it is being deleted, as namespaces can be."""

    def __init__(self, backend: Backend, clock: Clock, options: Options, seal: Seal | None = None) -> None:
        from strongroom_server.core.namespaces import Namespaces

        self.root = self
        self.children: dict[str, Namespace] = {}
        self.clock = clock
        self.options = options
        self.backend = backend
        self.metrics = Metrics(options.config.telemetry.metrics_prefix or "vault")
        self.timings = RequestTimings(self.metrics)
        self.gauges = Gauges(self)
        cache = EntryCache(max_entries=options.cache_entries)
        self.barrier = Barrier(backend, clock=clock, cache=cache,
                               series=lambda name: self.metrics.summary(name).observe)  # fmt: skip
        self.sealing = Sealing(backend, self.barrier, seal, self._open, self._close)
        self.default_lease_ttl = options.default_lease_ttl
        self.max_lease_ttl = options.max_lease_ttl
        self.in_flight: Flights = {}
        self.cors = Cors()
        self.client_trust = ClientTrust()
        self.places = Places()
        self.quotas = Quotas()
        self.rotation = Rotation()
        self.metrics_enabled = True
        self.cluster_id = ""
        self.reload: Reload = self._reopen
        self.cluster_name = options.cluster_name
        self.stopping = False
        self.seal_asked = False
        self.active_since = 0.0
        self._tick: asyncio.Task[None] | None = None
        self._make_parts()
        self.audit = AuditBroker(self.view("core/audit/"), clock, self.metrics, options.config)
        self.namespaces = Namespaces(self, self.view("core/namespaces/"))
        self.sealed_sys = Sys(self.barrier.view("sealed/"), MountSystem(self, "secret", new_entry("sys", "system")))
        self.sealed_sys.attach(self)

    def _make_parts(self) -> None:
        """Make what each namespace has for itself."""
        view = self.view
        above, entities = (self.parent.tokens, self.parent.identity) if self.parent is not None else (None, None)
        self.visitors: set[str] = set()  # hashes of the tokens from above that were here: see ``reached``
        self.revocation = Revocation(self)
        self.renewal = Renewal(self)
        self.identity = Identity(view("core/identity/"), self.clock, self._forget_entity, self.id, entities)
        self.tokens = TokenStore(view("sys/token/"), self.clock, self._clear_cubbyhole, self.suffix, above)
        self.policies = PolicyStore(view("sys/policy/"), self.identity, self.clock, self.metrics,
                                    lists_root=self.parent is None)  # fmt: skip
        self.leases = LeaseStore(view("sys/expire/"), self.clock, self.revocation.take_back, self.tokens,
                                 self.suffix)  # fmt: skip
        self.mounts = Mounts(view("core/"), self._start_engine, self.children)
        self.settings = view("core/settings/")
        self.releasing = KeyedLocks()
        self.lockouts = Lockouts(self.settings, self.clock, self.options.config.user_lockout)
        self.passwords = PasswordPolicies(view("sys/policy-password/"))

    def view(self, prefix: str) -> Storage:
        """Return a part of what is stored of this namespace."""
        return self.barrier.view(self.prefix + prefix)

    # -- life -----------------------------------------------------------------------------------------------------

    @property
    def sealed(self) -> bool:
        """Whether the barrier is closed."""
        return self.barrier.sealed

    async def start(self) -> None:
        """Unseal where the seal can; raises SealError and BackendError."""
        await self.sealing.start()

    async def _open(self) -> None:
        self._make_parts()
        self.audit = AuditBroker(self.view("core/audit/"), self.clock, self.metrics, self.options.config)
        await self._identify()
        self.cors = await load(self.settings, "cors", Cors) or Cors()
        self.quotas = await load_quotas(self.settings)
        self.rotation = await load(self.settings, "rotation", Rotation) or Rotation()
        self.metrics_enabled = await load(self.settings, "metrics", bool) is not False
        await self.audit.start()
        await self._start_parts()
        await self.namespaces.start()
        self.active_since = self.clock.now()
        self._tick = asyncio.ensure_future(self._ticking())
        log.info("unsealed", extra={"fields": {"cluster": self.cluster_name}})

    async def _start_parts(self) -> None:
        await self.tokens.start()
        await self.policies.start()
        await self.identity.start()
        await self.mounts.start({
            "secret": (
                new_entry("cubbyhole", f"{self.KIND}cubbyhole", description="per-token private secret storage",
                          local=True),
                new_entry("sys", f"{self.KIND}system", seal_wrap=True,
                          description="system endpoints used for control, policy and debugging"),
                new_entry("identity", f"{self.KIND}identity", description="identity store",
                          config=MountConfig(passthrough_request_headers=Names(("Authorization",)))),
            ),
            "auth": (new_entry("token", "token", "auth", description="token based credentials"),),
        })  # fmt: skip
        await self.lockouts.start()
        self.leases.start()

    async def _stop_parts(self) -> None:
        await self.leases.close()
        await self.mounts.close()

    async def _close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        await self.namespaces.close()
        await self._stop_parts()
        await self.audit.close()
        self.active_since = 0.0
        log.info("sealed")

    async def stop(self) -> None:
        """Seal and release the store."""
        if not self.sealed:
            await self.barrier.save_count()
        await self.sealing.seal()
        await self.backend.close()

    async def _reopen(self) -> None:
        """Read anew what can be while serving; ``main`` puts its own in place, which knows the listeners too."""
        await self.audit.reopen()

    async def follow(self, config: Config) -> None:
        """Take what of a changed server file may change while serving: audit devices and lockout."""
        self.options = replace(self.options, config=config)
        for namespace in self.tree():
            namespace.lockouts.settings = config.user_lockout
        if not self.sealed:
            await self.audit.follow(config)

    def seal_after_answer(self) -> None:
        """Ask that the server be sealed once the present request is on record, and before it is answered."""
        self.root.seal_asked = True

    async def seal_if_asked(self) -> None:
        """Seal where the request that is ending asked for it."""
        if self.seal_asked:
            self.seal_asked = False
            await self.sealing.seal()

    async def _identify(self) -> None:
        storage = self.barrier.view("core/cluster/")
        name, identifier = await storage.get("name"), await storage.get("id")
        if name is None or identifier is None:
            name = (self.options.cluster_name or f"vault-cluster-{secrets.token_hex(4)}").encode()
            raw = secrets.token_hex(16)
            identifier = "-".join((raw[:8], raw[8:12], raw[12:16], raw[16:20], raw[20:])).encode()
            await storage.commit([Change("name", name), Change("id", identifier)])
        self.cluster_name, self.cluster_id = self.options.cluster_name or name.decode(), identifier.decode()

    async def _ticking(self) -> None:
        while True:
            await self.clock.sleep(_TICK)
            if self.rotation.due(self.barrier.key_info(), self.clock.now()):
                await self.barrier.rotate()
            self.namespaces.go_on()
            for mount in [mount for server in list(self.tree()) for mount in server.mounts]:
                if mount.engine is None:
                    continue
                try:
                    await mount.engine.tick()
                except Exception:
                    log.exception("periodic work failed", extra={"fields": {"mount": mount.point}})

    # -- namespaces -------------------------------------------------------------------------------------------------

    def tree(self) -> "Iterator[Server]":
        """Yield this namespace and all below it."""
        yield self
        for child in self.children.values():
            yield from child.tree()

    def reached(self, token_hash: str) -> "Iterator[Server]":
        """Yield this namespace, where a token was made, and those below in which it has leases or a cubbyhole."""
        yield self
        for below in self.tree():
            if token_hash in below.visitors and below is not self:
                yield below

    def home_of(self, text: str) -> "Server":
        """Return the namespace that a token, an accessor or a lease was made in."""
        return self.root.namespaces.home_of(text) if self.root.children else self

    def named(self, text: str) -> "Server":
        """Return where a token or a lease that someone names here was made; raises PermissionDenied.

        Security 1: only what is of this namespace or of one below can be named in it, whoever asks.
        """
        home = self.home_of(text)
        if not home.path.startswith(self.path):
            raise PermissionDenied
        return home

    async def holder(self, text: str) -> Holder | None:
        """Return the live token of a text, wherever it was made, as it is seen from here."""
        home = self.home_of(text)
        token = await home.tokens.lookup(text) if text else None
        return None if token is None else Holder(token, home, self)

    def holder_at_hand(self, text: str) -> Holder | None:
        """Return the same for a token that is in memory, as that of a request nearly always is."""
        home = self.home_of(text)
        token = home.tokens.at_hand(text)
        return None if token is None else Holder(token, home, self)

    async def holder_by_accessor(self, accessor: str) -> Holder | None:
        """Return the token of an accessor, of this namespace alone."""
        token = await self.tokens.by_accessor(accessor)
        return None if token is None else Holder(token, self, self)

    # -- engines --------------------------------------------------------------------------------------------------

    async def _start_engine(self, table: Table, entry: MountEntry) -> Mount:
        storage = self.view(storage_prefix(table, entry))
        mount = Mount(table, entry, None, storage)
        try:
            kind = self._engine_type(table, entry.type).choose(entry.options or {})
            engine = kind(storage, MountSystem(self, table, entry))
            if isinstance(engine, Composed | TokenAuth):  # those that are the server's own
                engine.attach(self)
            await engine.start()
            mount.engine = engine
        except (UnknownPart, InvalidRequest) as error:
            mount.broken = str(error)
        except Exception as error:  # one engine's fault must not keep the others from serving
            log.exception("a mount did not start", extra={"fields": {"mount": mount.point}})
            mount.broken = type(error).__name__
        return mount

    def _engine_type(self, table: Table, kind: str) -> type[Engine]:
        kind = kind.removeprefix(self.KIND)
        if table == "secret" and kind == "system":
            return self.SYS
        if table == "secret" and kind == "identity":
            return IdentityEngine
        if table == "auth" and kind == "token":
            return TokenAuth
        found: type[Engine] = load_part(f"strongroom_server.{'auth' if table == 'auth' else 'engines'}", kind).Engine
        return found

    # -- requests -------------------------------------------------------------------------------------------------

    def handle(self, request: Request, held: "Held | None" = None) -> Coroutine[Any, Any, Response]:
        """Serve one request, or one that was ``held`` until others approved it; raises RequestError."""
        return serve(self, request, held)

    # -- what several parts share ---------------------------------------------------------------------------------

    async def store_token(self, token: Token) -> None:
        """Store a token, then watch its end."""
        await self.tokens.add(token)
        if token.lease_id:
            self.leases.track(token.lease_id, token.expires)

    def cubbyhole(self, token_hash: str) -> Storage:
        """Return the private storage of a token."""
        mount = self.mounts.at("cubbyhole/")
        assert mount is not None  # noqa: S101 - a default mount that nothing can remove
        return self.view(f"logical/{mount.entry.uuid}/{token_hash}/")

    async def _clear_cubbyhole(self, token_hash: str) -> None:
        from strongroom_server.core.mounts import clear

        for server in self.reached(token_hash):
            await clear(server.cubbyhole(token_hash))
            server.visitors.discard(token_hash)

    def _forget_entity(self, entity_id: str) -> None:
        self.policies.forget_entity(entity_id)

    async def make_root_token(self, token: str = "") -> str:
        """Make a root token without an end and return it; one that was chosen (dev mode) looks like a created one."""
        from strongroom_server.core.registration import create_token

        name, path = ("token", "auth/token/create") if token else ("root", "auth/token/root")
        auth = Auth(policies=("root",), display_name=name, renewable=False)
        await create_token(self, auth, path, mount="auth/token/", token=token)
        return auth.client_token

    async def generate_password(self, policy: str) -> str:
        """Make a password by a named password policy."""
        return await self.passwords.generate(policy)
