"""sys/mfa/validate: the second half of a login that needs a second factor."""

from dataclasses import dataclass, field
from typing import Annotated

from strongroom_common.fields import Given, Object
from strongroom_server.core.identity.mfa.validation import Claimant, due, validate
from strongroom_server.core.registration import finish_login
from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import write
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied
from strongroom_server.sdk.request import Request, Response


@dataclass(frozen=True)
class Factors:
    """What is shown for which login."""

    mfa_request_id: Annotated[str, "Id of the login, from mfa_requirement of its answer."] = ""
    mfa_payload: Annotated[
        Object, "A list for each method, by its id or name: the code, or nothing where a service asks the user."
    ] = field(default_factory=lambda: Object({}))


class Mfa(Area):
    """Second factors of logins."""

    @write("mfa/validate", public=True)
    async def validate(self, body: Given[Factors], request: Request) -> Response:
        """Show the second factor of a login and get its token."""
        identity, request_id = self.server.identity, body.value.mfa_request_id
        if not request_id:
            raise InvalidRequest("missing request ID")
        login, shown = identity.mfa.waiting.find(request_id), _shown(body.value.mfa_payload)
        mount = self.server.mounts.at(login.mount) if login else None
        if login is None or mount is None:
            raise InvalidRequest("invalid request ID")
        claimant = Claimant(login.auth.entity_id, request.connection.remote_address)
        await validate(identity, claimant, await due(identity, login.auth, mount), shown)
        # Security 1: a login is finished once, and by nobody who was shut out since it began.
        if identity.mfa.waiting.take(request_id) is None:
            raise InvalidRequest("invalid request ID")
        if not identity.usable(login.auth.entity_id):
            raise PermissionDenied
        await finish_login(self.server, login)
        return Response(auth=login.auth)


def _shown(payload: Object) -> dict[str, list[str]]:
    for typed in payload.values():
        if not isinstance(typed, list) or not all(isinstance(text, str) for text in typed):
            raise InvalidRequest("invalid mfa payload")
    return dict(payload)
