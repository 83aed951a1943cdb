from typing import Any

import pytest

from strongroom_server.engines.pki import Engine
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from tests.strongroom_server.fakes import Mounted


@pytest.fixture
async def pki() -> Mounted:
    return await Mounted(Engine).start()


async def test_a_role_is_shown_with_its_defaults(pki: Mounted) -> None:
    answer = await pki("update", "roles/r", allowed_domains="a.test, b.test", ttl="1h")
    assert answer.warnings[0].startswith("Issuing Certificate was set to default, but no default")
    read = await pki.data("roles/r")
    assert read == answer.data
    assert (read["key_type"], read["key_bits"], read["ttl"]) == ("rsa", 2048, 3600)
    assert read["allowed_domains"] == ("a.test", "b.test")
    assert read["key_usage"] == ("DigitalSignature", "KeyAgreement", "KeyEncipherment")
    assert await pki.keys("roles") == ["r"]


async def test_a_write_replaces_and_a_patch_changes(pki: Mounted) -> None:
    await pki("update", "roles/r", allow_any_name=True, ttl="1h")
    await pki("patch", "roles/r", max_ttl="2h")
    assert (await pki.data("roles/r"))["ttl"] == 3600
    await pki("update", "roles/r", max_ttl="2h")
    assert (await pki.data("roles/r"))["ttl"] == 0
    await pki("delete", "roles/r")
    with pytest.raises(NotFound):
        await pki.data("roles/r")
    with pytest.raises(InvalidRequest, match="Unable to fetch role entry to patch"):
        await pki("patch", "roles/r", ttl=1)


@pytest.mark.parametrize(("fields", "message"), [
    pytest.param({"key_type": "foo"}, "unknown key type foo", id="a_key_type_that_is_none"),
    pytest.param({"key_bits": 1024}, "RSA keys < 2048 bits are unsafe", id="a_small_key"),
    pytest.param({"key_type": "ec", "key_bits": 300}, "unsupported bit length for EC key: 300", id="no_such_curve"),
    pytest.param({"ttl": "2h", "max_ttl": "1h"}, '"ttl" value must be less than', id="ttl_beyond_max_ttl"),
    pytest.param({"ext_key_usage_oids": "x"}, "could not be parsed as a valid oid", id="no_oid"),
    pytest.param({"cn_validations": "foo"}, "unknown type: `foo`", id="no_such_validation"),
    pytest.param({"cn_validations": "disabled,email"}, "cannot specify `disabled`", id="disabled_and_enabled"),
    pytest.param({"allowed_other_sans": "foo"}, "expected a semicolon", id="no_other_name"),
    pytest.param({"policy_identifiers": "x"}, "neither a valid OID", id="no_policy"),
    pytest.param({"not_after_bound": "x"}, "Unknown value for field `not_after_bound`", id="no_such_bound"),
    pytest.param({"not_before_bound": "ttl-limited"}, "value for field `not_before_bound`", id="a_bound_of_the_end"),
    pytest.param({"allowed_ip_sans_cidr": "x"}, "is not a network", id="no_network"),
])  # fmt: skip
async def test_what_cannot_be_changes_nothing(pki: Mounted, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await pki("update", "roles/r", **fields)
    with pytest.raises(NotFound):
        await pki.data("roles/r")


async def test_empty_validations_are_the_usual_ones_and_leases_are_warned_of(pki: Mounted) -> None:
    answer = await pki("update", "roles/r", cn_validations="", not_after_bound="2030-01-01T00:00:00Z",
                       generate_lease=True)  # fmt: skip
    assert (answer.data or {})["cn_validations"] == ("email", "hostname")
    assert "disable generate_lease" in answer.warnings[0]


async def test_no_store_wins_over_a_lease(pki: Mounted) -> None:
    answer = await pki("update", "roles/r", no_store=True, generate_lease=True)
    assert answer.warnings[0].startswith("mutually exclusive values")
    assert (await pki.data("roles/r"))["generate_lease"] is False


async def test_policies_are_kept_one_by_one(pki: Mounted) -> None:
    given = '[{"oid":"1.3.6.1.4.1.7.8","notice":"A notice, with a comma"},{"oid":"1.2.3","cps":"https://x"}]'
    await pki("update", "roles/r", policy_identifiers=given)
    assert (await pki.data("roles/r"))["policy_identifiers"] == (
        '{"oid":"1.3.6.1.4.1.7.8","notice":"A notice, with a comma"}', '{"oid":"1.2.3","cps":"https://x"}',
    )  # fmt: skip
    await pki("update", "roles/r", policy_identifiers="1.2.3, 1.2.4")
    assert (await pki.data("roles/r"))["policy_identifiers"] == ("1.2.3", "1.2.4")
