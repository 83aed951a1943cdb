"""Issuers: the keys that sign certificates. One of them is the default, which is all that Vault's API knows of."""

import asyncio
import re
import uuid
from dataclasses import dataclass, replace
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.engines.ssh import keys
from strongroom_server.engines.ssh.keys import PrivateKey
from strongroom_server.lib.folders import Page
from strongroom_server.lib.folders import keys as listed
from strongroom_server.lib.rsa_keys import RsaKeys
from strongroom_server.sdk.engine import Engine, delete, list_, read, write
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.request import Raw, Response
from strongroom_server.sdk.storage import Change, Storage, load, put, remove, save
from strongroom_server.sdk.system import System

DEFAULT = "default"
_NAME = re.compile(r"\w(?:[\w.-]*\w)?", re.ASCII)
_NONE = "no default issuer currently configured"


@dataclass(frozen=True)
class Issuer:
    """A stored issuer; the public key is kept as it was given, comment included."""

    issuer_id: str
    issuer_name: str
    public_key: str
    private_key: Secret[str]

    def facts(self) -> dict[str, str]:
        """Return what a read shows."""
        return {"issuer_id": self.issuer_id, "issuer_name": self.issuer_name, "public_key": self.public_key}


@dataclass(frozen=True)
class NewIssuer:
    """Body of a write of an issuer that is to be made or imported."""

    generate_signing_key: Annotated[bool | None, "Whether the key is made here: true unless keys are given."] = None
    public_key: Annotated[str, "Public half of a key to import."] = ""
    private_key: Annotated[Secret[str], "Private half of a key to import, in PEM."] = Secret("")
    key_type: Annotated[str, "Type of a key to make: rsa, ec or ed25519, or SSH's own names."] = "ssh-rsa"
    key_bits: Annotated[int, "Its size; 0 is 4096 for rsa and 256 for ec."] = 0
    set_default: Annotated[bool, "Whether it becomes the default issuer."] = False


@dataclass(frozen=True)
class Name:
    """Body of a write of an issuer."""

    issuer_name: Annotated[str, "The issuer's new name; empty is none."] = ""


@dataclass(frozen=True)
class Default:
    """The default issuer."""

    default: Annotated[str, "Name or id of the issuer."] = ""


class IssuerPaths(Engine):
    """Keeps issuers."""

    def __init__(self, storage: Storage, system: System) -> None:
        super().__init__(storage, system)
        self.rsa_keys = RsaKeys({})  # none ahead: keys of this kind are made seldom
        self._changing = asyncio.Lock()
        self._signers: dict[str, PrivateKey] = {}

    def invalidate(self, key: str) -> None:
        """Forget the keys: another server changed something."""
        del key
        self._signers.clear()

    async def close(self) -> None:
        """End the processes that make keys."""
        await self.rsa_keys.close()

    # -- the default issuer, as Vault knows it ------------------------------------------------------------------

    @write("config/ca")
    async def configure(self, given: Given[NewIssuer]) -> Response:
        """Make or import the key that signs from now on."""
        return await self._add(given.value, "", make_default=True)

    @read("config/ca")
    async def read_ca(self) -> dict[str, str]:
        """Read the default issuer."""
        return (await self.issuer(DEFAULT)).facts()

    @delete("config/ca")
    async def delete_ca(self) -> Response:
        """Delete all issuers."""
        async with self._changing:
            ids = await self.storage.list("issuer/")
            await self.storage.commit([*(remove(f"issuer/{id_}") for id_ in ids), remove("config/issuers")])
        self._signers.clear()
        gone = f"Deleted {len(ids)} issuers, including default issuer if configured."
        return Response(warnings=[gone] if len(ids) > 1 else [])

    @read("public_key", public=True)
    async def public_key(self) -> Response:
        """Read the default issuer's public key, as a file for TrustedUserCAKeys."""
        return await self.issuer_public_key(DEFAULT)

    # -- issuers by name or id ----------------------------------------------------------------------------------

    @list_("issuers")
    async def list_issuers(self, page: Given[Page]) -> dict[str, Any]:
        """List the issuers."""
        default = await self._default_id()
        answer = listed(page.value.cut(await self.storage.list("issuer/")))
        found = [await load(self.storage, f"issuer/{id_}", Issuer) for id_ in answer["keys"]]
        return answer | {"key_info": {
            issuer.issuer_id: {
                "is_default": issuer.issuer_id == default, "issuer_name": issuer.issuer_name,
                "public_key": issuer.public_key,
            } for issuer in found if issuer
        }}  # fmt: skip

    @write("issuers/import")
    @write("issuers/import/{issuer_name}")
    async def import_issuer(
        self, given: Given[NewIssuer], issuer_name: Annotated[str, "Name of the issuer."] = ""
    ) -> Response:
        """Make or import another issuer."""
        return await self._add(given.value, issuer_name, make_default=given.value.set_default)

    @read("issuer/{issuer_ref}")
    async def read_issuer(self, issuer_ref: Annotated[str, "Name or id of an issuer, or default."]) -> dict[str, str]:
        """Read an issuer."""
        return (await self.issuer(issuer_ref)).facts()

    @write("issuer/{issuer_ref}")
    async def write_issuer(self, issuer_ref: str, given: Given[Name]) -> dict[str, str]:
        """Give an issuer a name."""
        async with self._changing:
            issuer = await self.issuer(issuer_ref)
            await self._check_name(given.value.issuer_name, issuer.issuer_id)
            issuer = replace(issuer, issuer_name=given.value.issuer_name)
            await save(self.storage, f"issuer/{issuer.issuer_id}", issuer)
        return issuer.facts()

    @delete("issuer/{issuer_ref}")
    async def delete_issuer(self, issuer_ref: str) -> Response:
        """Delete an issuer."""
        async with self._changing:
            issuer = await self._find(issuer_ref)
            if issuer is None:
                return Response()
            was_default = issuer.issuer_id == await self._default_id()
            changes = [remove(f"issuer/{issuer.issuer_id}")] + ([remove("config/issuers")] if was_default else [])
            await self.storage.commit(changes)
        self._signers.clear()
        warning = (
            f"Deleted issuer {issuer.issuer_id} (via issuer_ref {issuer_ref}), the default issuer: "
            "what names no other issuer does not work until another is made the default."
        )
        return Response(warnings=[warning] if was_default else [])

    @read("issuer/{issuer_ref}/public_key", public=True)
    async def issuer_public_key(self, issuer_ref: str) -> Response:
        """Read an issuer's public key, as a file for TrustedUserCAKeys."""
        return Response(raw=Raw((await self.issuer(issuer_ref)).public_key.encode(), "text/plain"))

    @read("config/issuers")
    async def read_default(self) -> dict[str, str]:
        """Read which issuer is the default."""
        return {"default": (await self.issuer(DEFAULT)).issuer_id}

    @write("config/issuers")
    async def write_default(self, given: Given[Default]) -> Response:
        """Choose the default issuer."""
        wanted = given.value.default
        if wanted in {"", DEFAULT}:
            raise InvalidRequest("invalid issuer specification; must be non-empty and can't be 'default'.")
        async with self._changing:
            issuer, before = await self.issuer(wanted), await self._default_id()
            await save(self.storage, "config/issuers", Default(issuer.issuer_id))
        new = issuer.issuer_id
        told = "The default issuer is already set to the specified issuer."
        if before != new:
            told = f"Previous default ({before}) has been updated with the issuer '{wanted}' (resolved to {new})"
        return Response({"default": new}, warnings=[told] if before else [])

    # -- for the other paths ------------------------------------------------------------------------------------

    async def issuer(self, reference: str) -> Issuer:
        """Return the issuer with a name or id; raises InvalidRequest."""
        issuer = await self._find(reference)
        if issuer is None:
            raise InvalidRequest(_NONE if reference == DEFAULT else f"unable to find issuer for reference: {reference}")
        return issuer

    def signer(self, issuer: Issuer) -> PrivateKey:
        """Return the key of an issuer; an id never gets another one."""
        key = self._signers.get(issuer.issuer_id)
        if key is None:
            key = self._signers[issuer.issuer_id] = keys.load_private(issuer.private_key.reveal(), checked=True)
        return key

    async def _find(self, reference: str) -> Issuer | None:
        id_ = await self._default_id() if reference == DEFAULT else reference
        if issuer := await load(self.storage, f"issuer/{id_}", Issuer):
            return issuer
        return next((issuer for issuer in await self._all() if issuer.issuer_name == id_), None) if id_ else None

    async def _all(self) -> list[Issuer]:
        found = [await load(self.storage, f"issuer/{id_}", Issuer) for id_ in await self.storage.list("issuer/")]
        return [issuer for issuer in found if issuer]

    async def _default_id(self) -> str:
        stored = await load(self.storage, "config/issuers", Default)
        return stored.default if stored else ""

    async def _check_name(self, name: str, own: str = "") -> None:
        if name == DEFAULT:
            raise InvalidRequest("reserved keyword 'default' can not be used as issuer name")
        if name and not _NAME.fullmatch(name):
            raise InvalidRequest("issuer name contained invalid characters")
        taken = await self._find(name) if name else None
        if taken is not None and taken.issuer_id != own:
            raise InvalidRequest("issuer name already in use")

    async def _add(self, wanted: NewIssuer, name: str, *, make_default: bool) -> Response:
        public, private = await self._pair(wanted)
        async with self._changing:
            same = keys.parse_public(public).blob
            stored = [one for one in await self._all() if keys.parse_public(one.public_key).blob == same]
            if not stored:
                await self._check_name(name)
            issuer = stored[0] if stored else Issuer(str(uuid.uuid4()), name, public, Secret(private))
            changes: list[Change] = [] if stored else [put(f"issuer/{issuer.issuer_id}", issuer)]
            if make_default or not await self._default_id():
                changes.append(put("config/issuers", Default(issuer.issuer_id)))
            await self.storage.commit(changes)
        known = "An issuer with the provided public key already exists, returning the existing issuer"
        return Response(issuer.facts(), warnings=[known] if stored else [])

    async def _pair(self, wanted: NewIssuer) -> tuple[str, str]:
        """Return the public and the private key, as texts.

        Security 1: halves that do not belong together are refused, so that hosts never trust a key that another holds.
        """
        public, private = wanted.public_key, wanted.private_key.reveal()
        if bool(public) != bool(private):
            raise InvalidRequest("only one of public_key and private_key set; both must be set to use, or both must be "
                                 "blank to auto-generate")  # fmt: skip
        if public and wanted.generate_signing_key:
            raise InvalidRequest("public_key and private_key must not be set when generate_signing_key is set to true")
        if not public and wanted.generate_signing_key is False:
            raise InvalidRequest("missing public_key")
        if not public:
            key = await keys.make(wanted.key_type, wanted.key_bits, self.rsa_keys)
            return keys.public_line(key), keys.private_text(key)
        loaded = await self.system.run_blocking(keys.load_private, private)
        if keys.parse_public(public).blob != keys.public_blob(loaded):
            raise InvalidRequest("public_key is not the public half of private_key")
        return public, private
