"""Forgetting what is long over: expired certificates, revocations, issuers, ACME accounts and orders."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from strongroom_common.durations import go_duration, parse_duration
from strongroom_common.fields import Given, Seconds
from strongroom_server.sdk.errors import InvalidRequest

_DAY = 86400
SMALLEST_PAGE = 5
OPERATIONS = (
    "tidy_cert_store", "tidy_revoked_certs", "tidy_invalid_certs", "tidy_revoked_cert_issuer_associations",
    "tidy_expired_issuers", "tidy_move_legacy_ca_bundle", "tidy_acme",
)  # fmt: skip
_CHOOSE = f"Enable at least one tidy operation to be run ({' / '.join(OPERATIONS)})."
NOTHING = f"Manual tidy requested but no tidy operations were set. {_CHOOSE}"
AUTO_NOTHING = f"Auto-tidy enabled but no tidy operations were requested. {_CHOOSE}"


class Plan(msgspec.Struct, frozen=True):
    """What one round does. Buffers are seconds that must have passed since the end of what is forgotten."""

    tidy_cert_store: bool = False
    tidy_revoked_certs: bool = False
    tidy_invalid_certs: bool = False
    tidy_revoked_cert_issuer_associations: bool = False
    tidy_expired_issuers: bool = False
    tidy_move_legacy_ca_bundle: bool = False
    tidy_acme: bool = False
    safety_buffer: int = 3 * _DAY
    revoked_safety_buffer: int | None = None
    issuer_safety_buffer: int = 365 * _DAY
    acme_account_safety_buffer: int = 30 * _DAY
    pause_duration: str = "0s"
    page_size: int = 1000

    @property
    def empty(self) -> bool:
        """Tell whether there is nothing to do."""
        return not any(getattr(self, name) for name in OPERATIONS)

    @property
    def revoked_buffer(self) -> int:
        """Return the buffer for revoked certificates: its own, or that of all."""
        return self.safety_buffer if self.revoked_safety_buffer is None else self.revoked_safety_buffer

    def facts(self) -> dict[str, Any]:
        """Return the plan as it is shown."""
        return msgspec.structs.asdict(self) | {"revoked_safety_buffer": self.revoked_buffer}


class AutoTidy(msgspec.Struct, frozen=True):
    """The mount's rules for tidying by itself."""

    enabled: bool = False
    interval_duration: int = 12 * 3600
    maintain_stored_certificate_counts: bool = False
    publish_stored_certificate_count_metrics: bool = False
    plan: Plan = Plan()

    def facts(self) -> dict[str, Any]:
        """Return what a read of config/auto-tidy shows."""
        own = msgspec.structs.asdict(self)
        del own["plan"]
        return own | self.plan.facts()


@dataclass(frozen=True)
class TidyInput:
    """Body of tidy."""

    tidy_cert_store: Annotated[bool, "Whether to forget expired certificates."] = False
    tidy_revoked_certs: Annotated[bool, "Whether to forget expired certificates that were revoked."] = False
    tidy_revocation_list: Annotated[bool, "The same by its older name."] = False
    tidy_invalid_certs: Annotated[bool, "Whether to forget certificates that cannot be read."] = False
    tidy_revoked_cert_issuer_associations: Annotated[bool, "Whether to find issuers of revocations."] = False
    tidy_expired_issuers: Annotated[bool, "Whether to forget expired issuers (but the default one)."] = False
    tidy_move_legacy_ca_bundle: Annotated[bool, "Of old releases; has nothing to do."] = False
    tidy_acme: Annotated[bool, "Whether to forget unused ACME accounts and finished orders."] = False
    safety_buffer: Annotated[Seconds, "How long ago certificates must have ended."] = Seconds(3 * _DAY)
    revoked_safety_buffer: Annotated[Seconds | None, "How long ago revoked certificates must have ended."] = None
    issuer_safety_buffer: Annotated[Seconds, "How long ago issuers must have ended."] = Seconds(365 * _DAY)
    acme_account_safety_buffer: Annotated[Seconds, "How long ACME accounts must have been unused."] = Seconds(30 * _DAY)
    pause_duration: Annotated[str, "How long to rest between certificates."] = "0s"
    page_size: Annotated[int, "How many certificates to look at between rests."] = 1000


@dataclass(frozen=True)
class AutoTidyInput(TidyInput):
    """Body of config/auto-tidy."""

    enabled: Annotated[bool, "Whether to tidy by itself."] = False
    interval_duration: Annotated[Seconds, "How often."] = Seconds(12 * 3600)
    maintain_stored_certificate_counts: Annotated[bool, "Whether tidy-status tells how many there are."] = False
    publish_stored_certificate_count_metrics: Annotated[bool, "Whether metrics tell it too."] = False


def planned(given: Given[Any], stored: Plan) -> Plan:
    """Return a plan with what was sent; raises InvalidRequest for one that would forget too soon."""
    names = {*Plan.__struct_fields__} & given.sent
    changes = {name: getattr(given.value, name) for name in names}
    if "tidy_revocation_list" in given.sent and "tidy_revoked_certs" not in given.sent:
        changes["tidy_revoked_certs"] = given.value.tidy_revocation_list
    plan = msgspec.structs.replace(stored, **changes)
    buffers = ("safety_buffer", "revoked_safety_buffer", "issuer_safety_buffer", "acme_account_safety_buffer")
    for name in buffers:
        value = getattr(plan, name)
        if value is not None and value < 1:
            raise InvalidRequest(f"{name} must be greater than zero")
    try:
        paused = parse_duration(plan.pause_duration)
    except ValueError:
        raise InvalidRequest(f"Error parsing pause_duration: {plan.pause_duration!r}") from None
    if paused < 0:
        raise InvalidRequest("received invalid, negative pause_duration")
    return msgspec.structs.replace(plan, pause_duration=go_duration(paused))


@dataclass
class Status:
    """How the newest round goes."""

    plan: Plan | None = None
    state: str = "Inactive"
    started: float = 0
    finished: float = 0
    error: str | None = None
    message: str | None = None
    cert_store_deleted: int = 0
    revoked_deleted: int = 0
    missing_issuer: int = 0
    acme_accounts: int = 0
    acme_deleted: int = 0
    acme_revoked: int = 0
    acme_orders: int = 0
