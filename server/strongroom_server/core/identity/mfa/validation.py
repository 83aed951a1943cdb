"""Whether a login has shown its second factor. It raises PermissionDenied with the reasons."""

import asyncio
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from strongroom_common.secret import Secret
from strongroom_server.core.identity.mfa import duo, okta, pingid
from strongroom_server.core.identity.mfa.kinds import Duo, Okta, PingId, Settings, Totp
from strongroom_server.core.identity.mfa.services import PATIENCE, Failed, Person, connected
from strongroom_server.core.identity.mfa.store import Enforcement, Method, MfaStore
from strongroom_server.core.identity.store import Identity
from strongroom_server.core.mounts import Mount
from strongroom_server.engines.totp.codes import code, step
from strongroom_server.engines.totp.keys import Key
from strongroom_server.lib.identity_templates import fill
from strongroom_server.sdk.errors import PermissionDenied
from strongroom_server.sdk.request import Auth

Shown = Mapping[str, list[str]]
"""What was typed for a method, by its id or its name."""

_AT_MOST = PATIENCE + 20  # seconds that a login waits for a service, all requests together
_WRONG = "MFA credentials not supplied or incorrect"


async def due(identity: Identity, auth: Auth, mount: Mount) -> dict[str, Enforcement]:
    """Return the enforcements that a login is subject to, by name.

    Security 1: who was merged into another entity is subject as before, as that other one.
    """
    known = await identity.mfa.enforcements()
    if not known:
        return {}
    entity = identity.index.entity(auth.entity_id)
    ids = {entity.id, *entity.merged_ids} if entity else set()
    groups = {group_id for group_ids in identity.index.groups_of(entity) for group_id in group_ids} if entity else set()
    return {
        name: enforcement
        for name, enforcement in sorted(known.items())
        if mount.entry.accessor in enforcement.auth_method_accessors
        or mount.entry.type in enforcement.auth_method_types
        or ids & set(enforcement.identity_entity_ids)
        or groups & set(enforcement.identity_group_ids)
    }


async def requirement(store: MfaStore, request_id: str, enforcements: Mapping[str, Enforcement]) -> dict[str, Any]:
    """Return what the client is told: one of the methods of each enforcement is needed."""
    methods = await store.methods()
    return {
        "mfa_request_id": request_id,
        "mfa_constraints": {
            name: {"any": [_told(methods[i]) for i in enforcement.mfa_method_ids if i in methods]}
            for name, enforcement in enforcements.items()
        },
    }


def _told(method: Method) -> dict[str, Any]:
    told: dict[str, Any] = {"type": method.kind, "id": method.id}
    told |= {"uses_passcode": True} if method.settings.uses_passcode else {}
    return told | ({"name": method.settings.method_name} if method.settings.method_name else {})


def from_headers(lines: Iterable[str]) -> dict[str, list[str]]:
    """Return what X-Vault-MFA says: ``<method>[:<code>]``, several with commas or in lines of their own."""
    shown: dict[str, list[str]] = {}
    for part in (part.strip() for line in lines for part in line.split(",")):
        method, colon, typed = part.partition(":")
        if method:
            shown.setdefault(method, []).extend([typed] if colon else [])
    return shown


@dataclass(frozen=True)
class Claimant:
    """Who logs in, and from where."""

    entity_id: str
    address: str = ""


async def validate(
    identity: Identity, claimant: Claimant, enforcements: Mapping[str, Enforcement], shown: Shown
) -> None:
    """Raise PermissionDenied unless each enforcement is met by one of its methods."""
    methods = await identity.mfa.methods()
    passed: set[str] = set()  # a code is good once, and for all enforcements that its method is one of
    for name, enforcement in enforcements.items():
        if passed & set(enforcement.mfa_method_ids):
            continue
        wanted = [methods[method_id] for method_id in enforcement.mfa_method_ids if method_id in methods]
        given = [(method, _typed(method, shown)) for method in wanted]
        answered = [(method, typed) for method, typed in given if typed is not None]
        if not answered:
            first = wanted[0] if wanted else None
            raise PermissionDenied(
                f"failed to satisfy enforcement {name}. error: failed to sanitize MFA creds, 1 error occurred:\n\t* "
                "failed to find MFA credentials associated with an MFA method ID "
                f"{first.id if first else ''}, method name {first.settings.method_name if first else ''}\n\n"
            )
        passed.add(await _one_of(identity, claimant, name, answered))


async def _one_of(identity: Identity, claimant: Claimant, name: str, answered: list[tuple[Method, list[str]]]) -> str:
    """Return the id of the first method whose answer is right."""
    reasons = []
    for method, typed in answered:
        try:
            await _check(identity, method, claimant, typed)
        except Failed as failed:
            reasons.append(str(failed))
        else:
            return method.id
    reasons.append(f"login MFA validation failed for methodID: [{' '.join(method.id for method, _ in answered)}]")
    lines = "".join(f"\t* {reason}\n" for reason in reasons)
    raise PermissionDenied(f"failed to satisfy enforcement {name}. error: {len(reasons)} errors occurred:\n{lines}\n")


def _typed(method: Method, shown: Shown) -> list[str] | None:
    found = shown.get(method.id)
    return found if found is not None else shown.get(method.settings.method_name or method.id)


async def _check(identity: Identity, method: Method, claimant: Claimant, typed: list[str]) -> None:
    settings, entity_id, store = method.settings, claimant.entity_id, identity.mfa
    if len(typed) > 1:
        raise Failed("failed to parse MFA factor, found multiple passcodes for the same MFA method")
    passcode = typed[0].removeprefix("passcode=").strip() if typed else ""
    if not isinstance(settings, Totp):
        await _ask_service(identity, settings, claimant, passcode)
        return
    secret = await store.secret(method.id, entity_id)
    if secret is None:
        raise Failed(f'MFA secret for method name "{settings.method_name}" not present in entity "{entity_id}"')
    _check_code(store, (method.id, entity_id), settings, secret, passcode)


async def _ask_service(identity: Identity, settings: Settings, claimant: Claimant, passcode: str) -> None:
    """Return once the vendor's service is content. Security 1: whatever else happens is a refusal."""
    service = type(settings).__name__
    person = Person(await _name(identity, settings, claimant.entity_id), passcode, claimant.address)
    clock = identity.mfa.clock
    try:
        async with asyncio.timeout(_AT_MOST), connected(service) as web:
            match settings:
                case Duo():
                    await duo.prove(settings, person, web, clock)
                case Okta():
                    await okta.prove(settings, person, web, clock)
                case PingId():
                    await pingid.prove(settings, person, web, clock)
                case _:
                    raise Failed(f"MFA type {service} cannot be validated")
    except TimeoutError as error:
        raise Failed(f"{service} did not answer in time") from error


async def _name(identity: Identity, settings: Settings, entity_id: str) -> str:
    """Return the name that a service knows an entity by: as the method's template says, else the entity's own."""
    values = await identity.template_values(entity_id)
    template = getattr(settings, "username_format", "") or "{{identity.entity.name}}"
    try:
        name = fill(template, values, globs=False)
    except ValueError:
        name = None
    if not name:
        raise Failed("the entity has no name at the service: username_format cannot be filled in")
    return name


def _check_code(store: MfaStore, holder: tuple[str, str], settings: Totp, secret: Secret[str], typed: str) -> None:
    """Security 1: a try is counted before it is looked at, and nothing waits in between, so that many tries at once
    are no more than one after the other.
    """
    if not typed:
        raise Failed(_WRONG)
    allowed = settings.max_validation_attempts or 5
    number, seconds = store.tries.count(holder, settings.period)
    if number > allowed:
        raise Failed(f"maximum TOTP validation attempts {number} exceeded the allowed attempts {allowed}. Please try "
                      f"again in {seconds:.0f} seconds")  # fmt: skip
    key = Key("", settings.algorithm, settings.digits, "", settings.period, settings.skew, secret)
    present = step(key, store.tries.now())
    for at in range(present - settings.skew, present + settings.skew + 1):
        if at >= 0 and hmac.compare_digest(code(key, at).encode(), typed.encode()):
            if not store.tries.use(holder, at, (at + settings.skew + 1) * settings.period):
                raise Failed(_WRONG)
            return
    raise Failed(_WRONG)
