"""What ACME's messages must be like, and what is answered to those that are not: asked of the engine itself."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom_server.sdk.request import Response
from tests.strongroom_server.engines.pki.mounted import mounted, role
from tests.strongroom_server.fakes import Mounted

BASE = "https://ca.test/v1/pki"


def b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


class Talker:
    """Signs what it says, or says it otherwise where a test wants that."""

    def __init__(self, pki: Mounted, directory: str = "acme") -> None:
        self.pki, self.directory, self.kid = pki, directory, ""
        self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def jwk(self) -> dict[str, str]:
        point = self.key.public_key().public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": b64(point.x.to_bytes(32)), "y": b64(point.y.to_bytes(32))}

    async def say(self, path: str, payload: Any, /, **header: Any) -> Response:
        nonce = (await self.pki("read", "acme/new-nonce")).headers["Replay-Nonce"]
        path = path.removeprefix(f"{BASE}/") if path.startswith(BASE) else f"{self.directory}/{path}"
        who = {"kid": self.kid} if self.kid else {"jwk": self.jwk}
        protected = {"alg": "ES256", "nonce": nonce, "url": f"{BASE}/{path}", **who} | header
        parts = [b64(json.dumps({name: one for name, one in protected.items() if one is not None}).encode()),
                 b64(json.dumps(payload).encode()) if payload is not None else ""]  # fmt: skip
        r, s = decode_dss_signature(self.key.sign(".".join(parts).encode(), ec.ECDSA(SHA256())))
        signature = b64(r.to_bytes(32) + s.to_bytes(32))
        return await self.pki("update", path, protected=parts[0], payload=parts[1], signature=signature)

    async def join(self, **payload: Any) -> "Talker":
        self.kid = (await self.say("new-account", payload)).headers["Location"]
        return self


def read(answer: Response) -> dict[str, Any]:
    assert answer.raw is not None
    assert isinstance(answer.raw.body, bytes)
    found: dict[str, Any] = json.loads(answer.raw.body)
    return found


def problem(answer: Response) -> tuple[int, str]:
    assert answer.raw is not None
    assert answer.raw.content_type == "application/problem+json", answer
    return answer.raw.status, read(answer)["type"].rpartition(":")[2]


async def speaking(**config: Any) -> Mounted:
    pki = await mounted()
    await role(pki, allow_any_name=False, allowed_domains="example.test", allow_subdomains=True)
    await pki.ask("update", "config/cluster", {"path": BASE})
    await pki("update", "config/acme", enabled=True, **config)
    return pki


@pytest.mark.parametrize(("header", "status", "kind"), [
    pytest.param({"nonce": "x"}, 400, "badNonce", id="a_made_up_nonce"),
    pytest.param({"nonce": None}, 400, "badNonce", id="no_nonce"),
    pytest.param({"url": None}, 400, "malformed", id="no_url"),
    pytest.param({"url": "https://other.test/"}, 401, "unauthorized", id="another_url"),
    pytest.param({"alg": "none"}, 400, "badSignatureAlgorithm", id="no_algorithm"),
    pytest.param({"alg": "HS256"}, 400, "badSignatureAlgorithm", id="a_shared_key"),
    pytest.param({"kid": "x"}, 400, "malformed", id="both_kid_and_jwk"),
    pytest.param({"crit": ["exp"], "exp": 1}, 400, "malformed", id="a_critical_header"),
    pytest.param({"jwk": None}, 400, "malformed", id="neither_kid_nor_jwk"),
    pytest.param({"jwk": None, "kid": "x"}, 400, "accountDoesNotExist", id="an_unknown_account"),
])  # fmt: skip
async def test_headers(header: dict[str, Any], status: int, kind: str) -> None:
    talker = Talker(await speaking())
    assert problem(await talker.say("new-account", {}, **header)) == (status, kind)


@pytest.mark.parametrize(("contact", "kind"), [
    pytest.param("x", "invalidContact", id="no_list"),
    pytest.param(["tel:1"], "unsupportedContact", id="a_telephone"),
    pytest.param(["mailto:a b"], "invalidContact", id="no_address"),
    pytest.param(["mailto:a@b.test,c@d.test"], "invalidContact", id="two_addresses"),
    pytest.param(["mailto:a@b.test?subject=x"], "invalidContact", id="header_fields"),
])  # fmt: skip
async def test_contacts(contact: Any, kind: str) -> None:
    talker = Talker(await speaking())
    assert problem(await talker.say("new-account", {"contact": contact})) == (400, kind)


@pytest.mark.parametrize(("directory", "identifier", "kind"), [
    pytest.param("acme", {"type": "mail", "value": "a"}, "unsupportedIdentifier", id="another_kind"),
    pytest.param("acme", {"type": "dns"}, "malformed", id="no_value"),
    pytest.param("acme", {"type": "dns", "value": "10.0.0.1"}, "malformed", id="an_address_as_name"),
    pytest.param("acme", {"type": "ip", "value": "x"}, "malformed", id="a_name_as_address"),
    pytest.param("acme", {"type": "dns", "value": "a.*.test"}, "rejectedIdentifier", id="a_star_in_the_middle"),
    pytest.param("roles/r/acme", {"type": "dns", "value": "a.test"}, "rejectedIdentifier", id="not_of_the_role"),
])  # fmt: skip
async def test_identifiers(directory: str, identifier: dict[str, str], kind: str) -> None:
    talker = await Talker(await speaking(), directory).join()
    assert problem(await talker.say("new-order", {"identifiers": [identifier]})) == (400, kind)


@pytest.mark.parametrize("span", [
    pytest.param({"notAfter": "x"}, id="no_moment"),
    pytest.param({"notBefore": "x"}, id="no_beginning"),
    pytest.param({"notAfter": "2000-01-01T00:00:00Z"}, id="over_already"),
    pytest.param({"notBefore": "2999-01-02T00:00:00Z", "notAfter": "2999-01-01T00:00:00Z"}, id="backwards"),
])  # fmt: skip
async def test_spans_that_cannot_be(span: dict[str, str]) -> None:
    talker = await Talker(await speaking()).join()
    order = {"identifiers": [{"type": "dns", "value": "a.example.test"}]} | span
    assert problem(await talker.say("new-order", order)) == (400, "malformed")


async def test_a_wildcard_is_proven_by_dns_alone() -> None:
    talker = await Talker(await speaking()).join()
    order = read(await talker.say("new-order", {"identifiers": [{"type": "dns", "value": "*.example.test"}]}))
    found = read(await talker.say(order["authorizations"][0], None))
    assert (found["wildcard"], found["identifier"]["value"]) == (True, "example.test")
    assert [one["type"] for one in found["challenges"]] == ["dns-01"]


async def test_an_order_goes_through_its_states_only() -> None:
    talker = await Talker(await speaking()).join()
    answer = await talker.say("new-order", {"identifiers": [{"type": "dns", "value": "a.example.test"}]})
    order, url = read(answer), answer.headers["Location"]
    assert problem(await talker.say(order["finalize"], {"csr": ""})) == (403, "orderNotReady")
    assert problem(await talker.say(f"{url}/cert", None)) == (403, "orderNotReady")
    assert read(await talker.say("orders", None)) == {"orders": [url]}
    await talker.say(order["authorizations"][0], {"status": "deactivated"})
    assert read(await talker.say(url, None))["status"] == "invalid"
    other = await Talker(talker.pki).join()
    assert problem(await other.say(url, None)) == (404, "malformed")


async def test_an_account_is_named_not_shown_and_ends_for_good() -> None:
    talker = await Talker(await speaking()).join(contact=["mailto:a@b.test"])
    kid, talker.kid = talker.kid, ""
    assert problem(await talker.say(kid, {"contact": []})) == (400, "malformed")
    assert read(await talker.say("new-account", {"onlyReturnExisting": True}))["contact"] == ["mailto:a@b.test"]
    talker.kid = kid
    assert read(await talker.say(kid, {"status": "deactivated"}))["status"] == "deactivated"
    assert problem(await talker.say("orders", None)) == (401, "unauthorized")


async def test_an_account_belongs_to_its_directory() -> None:
    talker = await Talker(await speaking(), "roles/r/acme").join()
    elsewhere = Talker(talker.pki)
    elsewhere.key = talker.key
    assert problem(await elsewhere.say("new-account", {})) == (401, "unauthorized")


async def test_accounts_without_a_binding_may_order_no_more_once_all_need_one() -> None:
    pki = await speaking()
    talker = await Talker(pki).join()
    await pki("update", "config/acme", eab_policy="new-account-required")
    assert problem(await Talker(pki).say("new-account", {})) == (401, "externalAccountRequired")
    assert read(await talker.say("orders", None)) == {"orders": []}
    await pki("update", "config/acme", eab_policy="always-required")
    assert problem(await talker.say("orders", None)) == (401, "externalAccountRequired")


@pytest.mark.parametrize(("config", "path", "status"), [
    pytest.param({}, "acme", 200, id="the_usual"),
    pytest.param({"default_directory_policy": "forbid"}, "acme", 500, id="a_default_that_is_forbidden"),
    pytest.param({"default_directory_policy": "forbid"}, "roles/r/acme", 200, id="but_roles_are_not"),
    pytest.param({"default_directory_policy": "role:r"}, "issuer/default/acme", 200, id="a_role_as_default"),
    pytest.param({}, "roles/none/acme", 400, id="no_such_role"),
    pytest.param({}, "issuer/none/acme", 400, id="no_such_issuer"),
])  # fmt: skip
async def test_directories(config: dict[str, Any], path: str, status: int) -> None:
    answer = await (await speaking(**config))("read", f"{path}/directory")
    assert answer.raw is not None
    assert answer.raw.status == status
    if status == 200:
        assert read(answer)["newAccount"] == f"{BASE}/{path}/new-account"


@pytest.mark.parametrize("field", ["allowed_roles", "allowed_issuers"])
async def test_nobody_allowed_is_no_setting(field: str) -> None:
    pki = await speaking()
    with pytest.raises(Exception, match=f"{field} must take a non-zero length value"):
        await pki("update", "config/acme", **{field: ""})
