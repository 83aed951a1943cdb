"""ACME's objects as clients see them (RFC 8555, section 7.1)."""

from typing import Any

from strongroom_server.engines.pki.acme.records import Authorization, Challenge, Order
from strongroom_server.engines.pki.acme.visit import Answer, Directory
from strongroom_server.lib.x509 import moment, zulu


def order_answer(directory: Directory, order: Order) -> Answer:
    """Return an order."""
    url = directory.url("order", order.id)
    data: dict[str, Any] = {
        "status": order.status,
        "expires": zulu(moment(order.expires)),
        "identifiers": [one.facts() for one in order.identifiers],
        "authorizations": [directory.url("authorization", one) for one in order.authorizations],
        "finalize": f"{url}/finalize",
    }
    if order.status == "valid":
        data["certificate"] = f"{url}/cert"
    if order.not_before:
        data["notBefore"] = order.not_before
    if order.not_after:
        data["notAfter"] = order.not_after
    return Answer(data, location=url)


def authorization_facts(directory: Directory, found: Authorization) -> dict[str, Any]:
    """Return an authorization."""
    facts: dict[str, Any] = {
        "identifier": {"type": found.identifier.type, "value": found.identifier.value},
        "status": found.status,
        "expires": zulu(moment(found.expires)),
        "challenges": [challenge_facts(directory, found, one) for one in found.challenges],
    }
    if found.identifier.wildcard:
        facts["wildcard"] = True
    return facts


def challenge_facts(directory: Directory, found: Authorization, challenge: Challenge) -> dict[str, Any]:
    """Return a challenge."""
    facts: dict[str, Any] = {
        "type": challenge.type, "url": directory.url("challenge", found.id, challenge.type),
        "status": challenge.status, "token": challenge.token,
    }  # fmt: skip
    if challenge.validated:
        facts["validated"] = zulu(moment(challenge.validated))
    if challenge.error is not None:
        facts["error"] = challenge.error
    return facts
