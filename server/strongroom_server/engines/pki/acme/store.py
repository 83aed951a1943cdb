"""Reading and writing ACME's records; nonces, which are kept in memory alone."""

import secrets
from collections import OrderedDict
from typing import TypeVar

from strongroom_common.clock import Clock
from strongroom_server.engines.pki.acme.records import Account, Authorization, Binding, Order
from strongroom_server.lib.locks import KeyedLocks
from strongroom_server.sdk.storage import Change, Storage, load, put, remove, save

T = TypeVar("T")

_NONCE_LIFE = 900.0  # seconds
_NONCES = 100_000


class Nonces:
    """Values that sign a request once (RFC 8555, section 6.5). One that is forgotten costs the client a second try."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, float] = OrderedDict()

    def new(self) -> str:
        """Return a fresh one."""
        now = self._clock.now()
        while self._open and (len(self._open) >= _NONCES or next(iter(self._open.values())) <= now):
            self._open.popitem(last=False)
        nonce = secrets.token_urlsafe(24)
        self._open[nonce] = now + _NONCE_LIFE
        return nonce

    def spend(self, nonce: object) -> bool:
        """Use one up; tell whether it was good."""
        return isinstance(nonce, str) and self._open.pop(nonce, 0.0) > self._clock.now()


class Records:
    """Accounts, orders, authorizations, bindings. ``locks`` has one for each order and authorization."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.locks = KeyedLocks()

    async def account(self, account_id: str) -> Account | None:
        """Return an account."""
        return await load(self._storage, f"acme/account/{account_id}", Account)

    async def account_of(self, thumbprint: str) -> Account | None:
        """Return the account of a key."""
        account_id = await load(self._storage, f"acme/thumbprint/{thumbprint}", str)
        return None if account_id is None else await self.account(account_id)

    async def add_account(self, account: Account) -> None:
        """Store a new account; its binding is used up in the same step."""
        changes = [put(f"acme/account/{account.id}", account), put(f"acme/thumbprint/{account.thumbprint}", account.id)]
        if account.eab:
            changes.append(remove(f"acme/eab/{account.eab}"))
        await self._storage.commit(changes)

    async def save_account(self, account: Account, *more: Change) -> None:
        """Store a changed account."""
        await self._storage.commit([put(f"acme/account/{account.id}", account), *more])

    async def change_key(self, account: Account, old: str) -> None:
        """Store an account under its new key's thumbprint instead of the ``old`` one."""
        await self.save_account(
            account, remove(f"acme/thumbprint/{old}"), put(f"acme/thumbprint/{account.thumbprint}", account.id)
        )

    async def order(self, account: Account, order_id: str) -> Order | None:
        """Return an order of an account."""
        return await load(self._storage, f"acme/order/{account.id}/{order_id}", Order)

    async def add_order(self, order: Order, authorizations: list[Authorization]) -> None:
        """Store a new order with what must be proven for it."""
        await self._storage.commit([put(_order_key(order), order), *(put(_key(one), one) for one in authorizations)])

    async def save_order(self, order: Order) -> None:
        """Store a changed order."""
        await save(self._storage, _order_key(order), order)

    async def orders(self, account_id: str) -> list[str]:
        """Return the ids of an account's orders."""
        return await self._storage.list(f"acme/order/{account_id}/")

    async def authorization(self, account_id: str, authorization_id: str) -> Authorization | None:
        """Return an authorization of an account."""
        return await load(self._storage, f"acme/authorization/{account_id}/{authorization_id}", Authorization)

    async def save_authorization(self, authorization: Authorization) -> None:
        """Store a changed authorization."""
        await save(self._storage, _key(authorization), authorization)

    async def bindings(self) -> list[Binding]:
        """Return the keys that no account has used."""
        ids = await self._storage.list("acme/eab/")
        return [found for one in ids if (found := await self.binding(one)) is not None]

    async def binding(self, binding_id: str) -> Binding | None:
        """Return a key for one account."""
        return await load(self._storage, f"acme/eab/{binding_id}", Binding)

    async def add_binding(self, binding: Binding) -> None:
        """Store a key for one account."""
        await save(self._storage, f"acme/eab/{binding.id}", binding)

    async def remove_binding(self, binding_id: str) -> None:
        """Forget a key."""
        await self._storage.commit([remove(f"acme/eab/{binding_id}")])

    async def accounts(self) -> list[Account]:
        """Return all accounts."""
        ids = await self._storage.list("acme/account/")
        return [found for one in ids if (found := await self.account(one)) is not None]

    async def remove_order(self, order: Order) -> None:
        """Forget an order with what was proven for it."""
        folder = f"acme/authorization/{order.account}/"
        await self._storage.commit([remove(_order_key(order)), *(remove(folder + one) for one in order.authorizations)])

    async def remove_account(self, account: Account) -> None:
        """Forget an account."""
        await self._storage.commit([
            remove(f"acme/account/{account.id}"), remove(f"acme/thumbprint/{account.thumbprint}"),
        ])  # fmt: skip


def _order_key(order: Order) -> str:
    return f"acme/order/{order.account}/{order.id}"


def _key(authorization: Authorization) -> str:
    return f"acme/authorization/{authorization.account}/{authorization.id}"
