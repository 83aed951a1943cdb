"""sys/control-group: look at requests that wait for approval, and approve them."""

from dataclasses import dataclass
from typing import Annotated, Any

from strongroom_common.fields import Given
from strongroom_server.core import control_groups
from strongroom_server.core.control_groups import Held
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.request import Request


@dataclass(frozen=True)
class Waiting:
    """Which request."""

    accessor: Annotated[str, "Accessor of the wrapping token that the requester was given."] = ""


class ControlGroups(Area):
    """Requests that wait for approval."""

    @write("control-group/authorize")
    async def authorize(self, body: Given[Waiting], request: Request) -> dict[str, Any]:
        """Approve a request that waits."""
        entity_id = request.caller.entity_id if request.caller else ""
        return {"approved": await control_groups.approve(self.server, body.value.accessor, entity_id)}

    @write("control-group/request")
    async def describe(self, body: Given[Waiting], request: Request) -> dict[str, Any]:
        """Describe a request that waits: whose it is, what it asks for, and who has approved it.

        Security 1: what it writes may be secret, so that it is shown to its requester and to approvers alone.
        """
        _, held = await control_groups.by_accessor(self.server, body.value.accessor)
        caller = request.caller
        shown = caller is not None and (caller.root or control_groups.concerns(self.server, held, caller.entity_id))
        return {
            "approved": control_groups.is_approved(self.server, held),
            "request_operation": held.operation,
            "request_path": held.path,
            "request_data": (held.data or None) if shown else None,
            "request_entity": self._requester(held),
            "authorizations": [
                {"entity_id": one.entity_id, "entity_name": self._name(one.entity_id)} for one in held.approvals
            ],
        }

    def _name(self, entity_id: str) -> str:
        entity = self.server.identity.index.entity(entity_id)
        return entity.name if entity else ""

    def _requester(self, held: Held) -> dict[str, str] | None:
        if not held.entity_id:
            return None
        return {"id": held.entity_id, "ID": held.entity_id, "name": self._name(held.entity_id)}
