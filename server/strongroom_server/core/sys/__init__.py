"""The sys/ engine: the server itself, one area a file, put together here."""

from strongroom_server.core.areas import Composed
from strongroom_server.core.sys.audit import Audit
from strongroom_server.core.sys.capabilities import Capabilities
from strongroom_server.core.sys.config import ServerConfig
from strongroom_server.core.sys.control_groups import ControlGroups
from strongroom_server.core.sys.counters import Counters
from strongroom_server.core.sys.explain import Explain
from strongroom_server.core.sys.generate_root import GenerateRoot
from strongroom_server.core.sys.in_flight import InFlight
from strongroom_server.core.sys.inspect import Inspect
from strongroom_server.core.sys.internal import Internal
from strongroom_server.core.sys.keys import Keys
from strongroom_server.core.sys.leases import Leases
from strongroom_server.core.sys.locked_users import LockedUsers
from strongroom_server.core.sys.loggers import Loggers
from strongroom_server.core.sys.metrics import Metrics
from strongroom_server.core.sys.mfa import Mfa
from strongroom_server.core.sys.monitor import Monitor
from strongroom_server.core.sys.mounts import Mounts
from strongroom_server.core.sys.namespaces import NamespaceArea
from strongroom_server.core.sys.openapi import OpenApi
from strongroom_server.core.sys.password_policies import PasswordPolicyArea
from strongroom_server.core.sys.plugins import Plugins
from strongroom_server.core.sys.policies import Policies
from strongroom_server.core.sys.pprof import Pprof
from strongroom_server.core.sys.quotas import QuotaArea
from strongroom_server.core.sys.rotate_root import RotateRoot
from strongroom_server.core.sys.sealing import Sealing
from strongroom_server.core.sys.status import Status
from strongroom_server.core.sys.tools import Tools
from strongroom_server.core.sys.unlicensed import Unlicensed
from strongroom_server.core.sys.wrapping import Wrapping


class Sys(Composed):
    """The server itself: its state, mounts, policies, leases and keys."""

    AREAS = (
        Status, Sealing, Mounts, Policies, PasswordPolicyArea, Capabilities, Leases, Audit, Wrapping, Internal, Keys,
        Metrics, RotateRoot, GenerateRoot, ServerConfig, InFlight, Tools, Loggers, Plugins, Unlicensed, Counters,
        Inspect, QuotaArea, LockedUsers, Explain, OpenApi, Monitor, Pprof, NamespaceArea, Mfa, ControlGroups,
    )  # fmt: skip
