"""What anyone may fetch, and not again where nothing has changed."""

import pytest

from strongroom_server.engines.pki import Engine
from strongroom_server.sdk.errors import Internal
from tests.strongroom_server.engines.pki.mounted import issue, mounted, role
from tests.strongroom_server.fakes import Mounted

_START, _LATER = "Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:14:20 GMT"
_OF_ISSUERS = ("ca", "ca/pem", "ca_chain", "cert/ca", "cert/ca_chain", "issuer/default/json", "issuer/default/pem",
               "issuer/default/der")  # fmt: skip
_CRLS = ("crl", "crl/pem", "crl/delta", "crl/delta/pem", "cert/crl", "cert/delta-crl", "issuer/default/crl",
         "issuer/default/crl/pem", "issuer/default/crl/der", "issuer/default/crl/delta")  # fmt: skip


async def asked(pki: Mounted, path: str, since: str) -> tuple[int, str]:
    answer = await pki.ask("read", path, headers={"If-Modified-Since": since} if since else {})
    return answer.raw.status if answer.raw else 200, answer.headers["Last-Modified"]


@pytest.mark.parametrize("path", [*_OF_ISSUERS, *_CRLS])
@pytest.mark.parametrize(("since", "status"), [
    pytest.param("", 200, id="without_a_date"),
    pytest.param("Tue, 14 Nov 2023 22:13:19 GMT", 200, id="changed_since"),
    pytest.param(_START, 304, id="not_changed_since"),
    pytest.param("yesterday", 200, id="what_is_no_date"),
])  # fmt: skip
async def test_dates(path: str, since: str, status: int) -> None:
    assert await asked(await mounted(), path, since) == (status, _START)


async def test_a_change_is_seen() -> None:
    pki = await mounted()
    await role(pki)
    await pki.clock.advance(60)
    await pki("update", "revoke", serial_number=(await issue(pki))["serial_number"])
    assert await asked(pki, "crl", _START) == (200, _LATER)
    assert await asked(pki, "ca", _START) == (304, _START)
    await pki("patch", "issuer/default", issuer_name="x")
    assert await asked(pki, "ca", _START) == (200, _LATER)
    assert await pki.data("config/issuers") == {
        "default": (await pki.data("issuer/x"))["issuer_id"], "default_follows_latest_issuer": False,
    }  # fmt: skip


async def test_without_an_issuer_there_is_no_date() -> None:
    answer = await (await Mounted(Engine).start())("read", "ca")
    assert answer.raw is not None
    assert (answer.raw.status, answer.headers) == (204, {})


async def test_deleting_an_issuer_tells_which_roles_named_it() -> None:
    pki = await mounted(issuer_name="one")
    await role(pki, "a")
    await role(pki, "b", issuer_ref="one")
    warnings = (await pki("delete", "issuer/one")).warnings
    assert "configured as the default issuer" in warnings[0]
    assert warnings[1:] == ["1 roles reference one", "1 roles reference default"]


async def test_an_issuer_that_may_sign_no_crls_is_warned_of() -> None:
    pki = await mounted()
    await pki("patch", "issuer/default", usage="issuing-certificates")
    assert "lacked an issuer with CRL Signing KeyUsage" in (await pki("read", "crl/rotate")).warnings[0]


@pytest.mark.parametrize("path", ["issuers", "keys", "eab"])
async def test_long_lists_come_in_pages(path: str) -> None:
    pki = await mounted()
    for _ in range(3):
        await pki("update", "root/generate/internal", common_name="R", key_type="ec")
        await pki("update", "acme/new-eab")
    all_of_them = await pki.keys(path)
    page = (await pki("list", path, after=all_of_them[0], limit=2)).data
    assert page is not None
    assert page["keys"] == list(page["key_info"]) == all_of_them[1:3]


@pytest.mark.parametrize(("path", "counted"), [
    pytest.param("issuer/none", True, id="reading_counts_the_errors"),
    pytest.param("issuer/none/json", False, id="fetching_does_not"),
    pytest.param("issuer/none/crl", False, id="nor_its_crl"),
])  # fmt: skip
async def test_there_is_no_such_issuer_in_the_words_of_the_path(path: str, *, counted: bool) -> None:
    with pytest.raises(Internal, match="unable to find PKI issuer for reference: none") as refused:
        await (await mounted())("read", path)
    assert refused.value.counted is counted
