"""What a listener's stanza gives away or holds back, as the core takes it."""

from strongroom_server.config import Listener
from strongroom_server.core.sys.pprof import PROFILES
from strongroom_server.sdk.request import Access

_REKEY = ("sys/rekey/", "sys/rekey-recovery-key/")
_GENERATE_ROOT = ("sys/generate-root",)
_PPROF = ("sys/pprof", *(f"sys/pprof/{name}" for name in PROFILES))


def access_of(listener: Listener) -> Access:
    """Return the rules of a stanza."""
    in_flight = (
        listener.inflight_requests_logging.unauthenticated_in_flight_requests_access
        or listener.profiling.unauthenticated_in_flight_request_access
    )
    public = {"sys/metrics": listener.telemetry.unauthenticated_metrics_access, "sys/in-flight-req": in_flight}
    public |= dict.fromkeys(_PPROF, listener.profiling.unauthenticated_pprof_access)
    redacted = {"addresses": listener.redact_addresses, "cluster_name": listener.redact_cluster_name,
                "version": listener.redact_version}  # fmt: skip
    closed = {}
    if listener.telemetry.disallow_metrics:
        closed["sys/metrics"] = "metrics endpoint is disabled for this listener"
    guarded: tuple[str, ...] = _REKEY if listener.disable_unauthed_rekey_endpoints else ()
    guarded += _GENERATE_ROOT if listener.disable_unauthed_generate_root_endpoints else ()
    return Access(
        public=frozenset(path for path, given in public.items() if given),
        closed=closed,
        guarded=guarded,
        redacted=frozenset(name for name, hidden in redacted.items() if hidden),
    )
