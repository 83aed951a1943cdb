"""sys/in-flight-req: the requests under way."""

from strongroom_server.core.sys.area import Area
from strongroom_server.sdk.engine import read
from strongroom_server.sdk.request import Response


class InFlight(Area):
    """Requests that have not been answered yet."""

    @read("in-flight-req")
    async def read_in_flight(self) -> Response:
        """List the requests under way."""
        flights = sorted(self.server.in_flight.items(), key=lambda item: item[1].started)
        return Response({request_id: flight.facts() for request_id, flight in flights}, bare=True)
