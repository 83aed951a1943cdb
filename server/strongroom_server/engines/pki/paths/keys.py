"""Keys: listing, making, importing, naming and deleting them, and which one is the default."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from strongroom_common.fields import Given
from strongroom_common.secret import Secret
from strongroom_server.engines.pki import building
from strongroom_server.engines.pki.bundles import SHORTEST, give_keys
from strongroom_server.engines.pki.keys import Key
from strongroom_server.engines.pki.mount import Mount
from strongroom_server.engines.pki.role import checked_bits
from strongroom_server.lib.folders import Page, described
from strongroom_server.lib.x509 import PrivateKey, PublicKey, colons, key_pem, load_signing_key, pem_blocks
from strongroom_server.sdk.engine import delete, list_, read, write
from strongroom_server.sdk.errors import Internal, InvalidRequest
from strongroom_server.sdk.request import Response

_TOO_SHORT = (
    "provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM "
    "file"
)


@dataclass(frozen=True)
class GenerateInput:
    """Body of keys/generate."""

    key_type: Annotated[str, '"rsa", "ec", "ed25519" or "mldsa".'] = "rsa"
    key_bits: Annotated[int, "Key size; 0 is the usual one of the type."] = 0
    key_name: Annotated[str | None, "Name for the key."] = None
    external_key_ref: Annotated[str, "Must be empty: keys are made here, not found in a KMS."] = ""


@dataclass(frozen=True)
class ImportInput:
    """Body of keys/import."""

    pem_bundle: Annotated[Secret[str], "PEM of one private key."] = Secret("")
    key_name: Annotated[str | None, "Name for the key."] = None


@dataclass(frozen=True)
class NameInput:
    """Body of a write of a key."""

    key_name: Annotated[str, "Name for the key."] = ""


@dataclass(frozen=True)
class DefaultInput:
    """Body of config/keys."""

    default: Annotated[str, "Key for calls that name none."] = ""


class KeyPaths(Mount):
    """Keeps keys."""

    @list_("keys")
    async def list_keys(self, page: Given[Page]) -> dict[str, Any]:
        """List the keys."""
        default, found = (await self.keys.config()).default, (await self.keys.all()).values()
        return described(page.value, {one.id: {"is_default": one.id == default, "key_name": one.name} for one in found})

    @write("keys/generate/internal")
    async def generate_key(self, given: Given[GenerateInput]) -> dict[str, Any]:
        """Make a key."""
        key, _ = await self._generate(given.value)
        return key.facts()

    @write("keys/generate/exported")
    async def generate_exported_key(self, given: Given[GenerateInput]) -> dict[str, Any]:
        """Make a key and show it, once."""
        key, private = await self._generate(given.value)
        return key.facts() | {"private_key": key_pem(private)}

    async def _generate(self, body: GenerateInput) -> tuple[Key, PrivateKey]:
        if body.external_key_ref:
            raise InvalidRequest('cannot specify "external_key_ref" on non-kms typed key generation request')
        try:
            bits = checked_bits("unknown" if body.key_type == "any" else body.key_type, body.key_bits)
        except InvalidRequest as error:
            raise InvalidRequest(f"Validation for key_type, key_bits failed: {error}") from None
        async with self.changing:
            name = await self.keys.chosen_name(body.key_name)
            private = await self.make_key(body.key_type, bits)
            key, _ = await self.keys.add(private, name)
        return key, private

    @write("keys/import")
    async def import_key(self, given: Given[ImportInput]) -> Response:
        """Take in a key; issuers that are here already and lack it have it then."""
        text = given.value.pem_bundle.reveal()
        if len(text) < SHORTEST:
            raise InvalidRequest(_TOO_SHORT)
        blocks = [block for label, block in pem_blocks(text) if label.endswith("PRIVATE KEY")]
        if not pem_blocks(text):
            raise InvalidRequest("error when parsing block 1: invalid PEM data")
        if len(blocks) != 1:
            raise InvalidRequest("only a single key can be present within the pem_bundle for importing")
        async with self.changing:
            name = await self.keys.chosen_name(given.value.key_name)
            try:
                key, new = await self.keys.add(load_signing_key(blocks[0]), name)
            except ValueError as error:
                raise InvalidRequest(str(error)) from None
            await give_keys(self.issuers, self.keys)
        warnings = [] if new else ["Key already imported, use key/ endpoint to update name."]
        return Response(key.facts(), warnings=[*warnings, *await self.rebuild_crls()])

    @read("key/{key_ref}")
    async def read_key(self, key_ref: str) -> dict[str, Any]:
        """Read what is known of a key; never the key itself."""
        key = await self.keys.find(key_ref)
        public: PublicKey = (await self.keys.private(key.id)).public_key()
        return key.facts() | {"subject_key_id": colons(building.key_identifier(public).digest)}

    @write("key/{key_ref}")
    async def write_key(self, key_ref: str, given: Given[NameInput]) -> Response:
        """Name a key."""
        async with self.changing:
            old = await self.keys.find(key_ref)
            name = await self.keys.chosen_name(given.value.key_name or None, old.id)
            key = msgspec.structs.replace(old, name=name)
            await self.keys.save(key)
        unnamed = f"Name successfully deleted, you will now need to reference this key by it's Id: {key.id}"
        return Response(key.facts(), warnings=[unnamed] if old.name and not key.name else [])

    @delete("key/{key_ref}")
    async def delete_key(self, key_ref: str) -> Response | None:
        """Delete a key that no issuer has."""
        async with self.changing:
            try:
                key = await self.keys.find(key_ref)
            except Internal:
                return None
            for issuer in (await self.issuers.all()).values():
                if issuer.key_id == key.id:
                    raise InvalidRequest(f"Failed to Delete Key.  Key in Use by Issuer: {issuer.id}")
            was_default = await self.keys.delete(key)
        if not was_default:
            return None
        return Response(warnings=[
            f"Deleted key {key.id} (via key_ref {key_ref}); this was configured as the default key. Operations without "
            "an explicit key will not work until a new default is configured."
        ])  # fmt: skip

    @read("config/keys")
    async def read_default_key(self) -> dict[str, Any]:
        """Read which key is the default one."""
        return msgspec.structs.asdict(await self.keys.config())

    @write("config/keys")
    async def write_default_key(self, given: Given[DefaultInput]) -> dict[str, Any]:
        """Choose the default key."""
        if given.value.default in {"", "default"}:
            raise InvalidRequest("Invalid key specification; must be non-empty and can't be 'default'.")
        async with self.changing:
            try:
                key = await self.keys.find(given.value.default)
            except Internal as error:
                raise InvalidRequest(f"Error resolving issuer reference: {error}") from None
            await self.keys.set_default(key.id)
        return {"default": key.id}
