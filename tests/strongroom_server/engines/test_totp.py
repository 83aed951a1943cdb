import asyncio
import base64
import zlib
from typing import Any

import pytest

from strongroom_server.engines.totp import Engine
from strongroom_server.engines.totp.keys import secret_bytes
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from tests.strongroom_server.fakes import Mounted

ORG = "otpauth://totp/Org:me?secret=JBSWY3DPEHPK3PXP&issuer=Org"


@pytest.fixture
async def totp() -> Mounted:
    return await Mounted(Engine).start()


async def code_of(totp: Mounted, name: str) -> str:
    code: str = (await totp.data(f"code/{name}"))["code"]
    return code


async def valid(totp: Mounted, name: str, code: str) -> Any:
    return (await totp("update", f"code/{name}", code=code)).data


SECRETS = {"SHA1": b"1234567890" * 2, "SHA256": (b"1234567890" * 4)[:32], "SHA512": (b"1234567890" * 7)[:64]}


@pytest.mark.parametrize(
    ("algorithm", "moment", "code"),
    [
        # RFC 6238, appendix B
        pytest.param("SHA1", 1111111109, "07081804", id="sha1_1111111109"),
        pytest.param("SHA1", 1111111111, "14050471", id="sha1_1111111111"),
        pytest.param("SHA1", 1234567890, "89005924", id="sha1_1234567890"),
        pytest.param("SHA1", 2000000000, "69279037", id="sha1_2000000000"),
        pytest.param("SHA1", 20000000000, "65353130", id="sha1_20000000000"),
        pytest.param("SHA256", 1111111109, "68084774", id="sha256_1111111109"),
        pytest.param("SHA256", 1111111111, "67062674", id="sha256_1111111111"),
        pytest.param("SHA256", 1234567890, "91819424", id="sha256_1234567890"),
        pytest.param("SHA256", 2000000000, "90698825", id="sha256_2000000000"),
        pytest.param("SHA256", 20000000000, "77737706", id="sha256_20000000000"),
        pytest.param("SHA512", 1111111109, "25091201", id="sha512_1111111109"),
        pytest.param("SHA512", 1111111111, "99943326", id="sha512_1111111111"),
        pytest.param("SHA512", 1234567890, "93441116", id="sha512_1234567890"),
        pytest.param("SHA512", 2000000000, "38618901", id="sha512_2000000000"),
        pytest.param("SHA512", 20000000000, "47863826", id="sha512_20000000000"),
    ],
)
async def test_codes_are_the_standards(totp: Mounted, algorithm: str, moment: int, code: str) -> None:
    key = base64.b32encode(SECRETS[algorithm]).decode().rstrip("=")
    await totp("update", "keys/k", key=key, algorithm=algorithm, digits=8)
    totp.clock.time = moment
    assert await totp.data("code/k") == {
        "code": code, "expire_time": moment // 30 * 30 + 30, "generated": moment, "period": "30s",
    }  # fmt: skip
    assert await valid(totp, "k", code) == {"valid": True}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        pytest.param(
            {"key": "JBSWY3DPEHPK3PXP"},
            {"account_name": "", "algorithm": "SHA1", "digits": 6, "issuer": "", "period": 30},
            id="a_key_alone",
        ),
        pytest.param(
            {"key": "jbswy3d=", "issuer": "I", "account_name": "a", "period": "1m", "algorithm": "SHA512", "digits": 8},
            {"account_name": "a", "algorithm": "SHA512", "digits": 8, "issuer": "I", "period": 60},
            id="a_key_with_everything",
        ),
        pytest.param(
            {"url": ORG + "2&period=60&digits=8&algorithm=SHA256"},
            {"account_name": "me", "algorithm": "SHA256", "digits": 8, "issuer": "Org2", "period": 60},
            id="the_urls_issuer_goes_before_its_labels",
        ),
        pytest.param(
            {"url": "otpauth://totp/Org:%20me:x?secret=JBSWY3DPEHPK3PXP"},
            {"account_name": " me:x", "algorithm": "SHA1", "digits": 6, "issuer": "Org", "period": 30},
            id="a_label_alone",
        ),
        pytest.param(
            {"url": ORG, "key": "AAAA", "issuer": "Z", "account_name": "q", "digits": 8, "period": 17},
            {"account_name": "me", "algorithm": "SHA1", "digits": 8, "issuer": "Org", "period": 17},
            id="the_url_goes_before_the_fields",
        ),
    ],
)
async def test_a_key_of_another_service_is_stored(totp: Mounted, body: dict[str, Any], shown: dict[str, Any]) -> None:
    assert (await totp.ask("update", "keys/k", body)).data is None
    assert await totp.data("keys/k") == shown
    assert len(await code_of(totp, "k")) == shown["digits"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "the key value is required", id="nothing"),
        pytest.param({"key": "JBSW Y3DP"}, "invalid key value", id="blanks_in_a_key"),
        pytest.param({"key": "JBSWY3DP!"}, "invalid key value", id="other_letters_in_a_key"),
        pytest.param({"key": "JBSWY3DP========"}, "invalid key value", id="padding_without_need"),
        pytest.param({"key": "JBSWY3DP", "skew": 2}, "skew", id="skew"),
        pytest.param({"key": "JBSWY3DP", "digits": 7}, "digits", id="digits"),
        pytest.param({"key": "JBSWY3DP", "period": 0}, "period", id="no_period"),
        pytest.param({"key": "JBSWY3DP", "period": -3}, "period", id="negative_period"),
        pytest.param({"key": "JBSWY3DP", "algorithm": "MD5"}, "algorithm", id="algorithm"),
        pytest.param({"key": "JBSWY3DP", "algorithm": "sha1"}, "algorithm", id="algorithm_in_lower_case"),
        pytest.param({"url": "::%zz"}, "parsing url", id="no_url"),
        pytest.param({"url": "otpauth://totp/%zz?secret=AAAA"}, "parsing url", id="a_label_that_is_not_encoded"),
        pytest.param({"url": "otpauth://totp/a?secret=&secret=AAAA"}, "the key value is required", id="empty_first"),
        pytest.param({"key": "AAAA", "qr_size": -1}, "greater than or equal to zero", id="a_qr_code_of_no_size"),
        pytest.param({"url": "otpauth://totp/me?digits=6"}, "the key value is required", id="a_url_without_a_key"),
        pytest.param({"url": ORG + "&digits=x"}, "digits value in url", id="digits_in_a_url"),
        pytest.param({"url": ORG + "&period=x"}, "period value in url", id="period_in_a_url"),
        pytest.param({"url": ORG + "&period=0"}, "period", id="no_period_in_a_url"),
        pytest.param({"generate": True, "account_name": "a"}, "issuer", id="generated_without_issuer"),
        pytest.param({"generate": True, "issuer": "I"}, "account_name", id="generated_without_account"),
    ],
)
async def test_what_makes_no_key_is_refused_and_changes_nothing(
    totp: Mounted, body: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await totp.ask("update", "keys/k", body)
    assert await totp.store.list() == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        pytest.param({"key": "JBSWY3DP"}, "a key should not be passed", id="a_key"),
        pytest.param({"url": ORG}, "a url should not be passed", id="a_url"),
        pytest.param({"key_size": 0}, "key_size", id="an_empty_key"),
        pytest.param({"key_size": 3000}, "key_size", id="a_huge_key"),
        pytest.param({"key_size": 1024, "digits": 6, "qr_size": 40}, "qr_size", id="a_picture_too_small"),
        pytest.param({"qr_size": -1}, "qr_size", id="a_negative_picture"),
        pytest.param({"qr_size": 10**9}, "qr_size", id="a_huge_picture"),
    ],
)
async def test_what_cannot_be_generated_is_refused(totp: Mounted, more: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await totp.ask("update", "keys/k", {"generate": True, "issuer": "I", "account_name": "a"} | more)
    assert await totp.store.list() == []


async def test_a_generated_key_is_answered_as_url_and_picture(totp: Mounted) -> None:
    body = {"generate": True, "issuer": "My Org", "account_name": "a@b c/:&", "algorithm": "SHA256", "digits": 8}
    data = (await totp.ask("update", "keys/k", body)).data
    assert data is not None
    start, _, secret = data["url"].rpartition("&secret=")
    assert start == "otpauth://totp/My%20Org:a@b%20c/:&?algorithm=SHA256&digits=8&issuer=My%20Org&period=30"
    assert len(secret_bytes(secret)) == 20
    pixels = decoded(base64.b64decode(data["barcode"]))
    assert len(pixels) == 200
    assert {len(row) for row in pixels} == {200}
    assert not any(pixels[0])
    dark = [index for index, row in enumerate(pixels) if any(row)]
    finder = pixels[dark[0]][dark[0] :]  # seven dark modules at the corner
    width = next(index for index, bit in enumerate(finder) if not bit)
    assert width % 7 == 0
    assert (dark[-1] - dark[0] + 1) % (width // 7) == 0


def decoded(raw: bytes) -> list[list[bool]]:
    """Return the dark pixels of our own kind of PNG."""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    width = int.from_bytes(raw[16:20])
    start = raw.index(b"IDAT") + 4
    lines = zlib.decompress(raw[start : start + int.from_bytes(raw[start - 8 : start - 4])])
    wide = (width + 7) // 8 + 1
    rows = [lines[at + 1 : at + wide] for at in range(0, len(lines), wide)]
    return [[not byte >> (7 - bit) & 1 for byte in row for bit in range(8)][:width] for row in rows]


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        pytest.param({"qr_size": 0}, {"url"}, id="no_picture"),
        pytest.param({"exported": False}, set[str](), id="nothing"),
        pytest.param({"key_size": 4}, {"url", "barcode"}, id="a_short_key"),
    ],
)
async def test_how_much_is_answered_is_chosen(totp: Mounted, more: dict[str, Any], keys: set[str]) -> None:
    answer = await totp.ask("update", "keys/k", {"generate": True, "issuer": "I", "account_name": "a"} | more)
    assert set(answer.data or ()) == keys


async def test_a_code_passes_once(totp: Mounted) -> None:
    await totp("update", "keys/k", url=ORG)
    code = await code_of(totp, "k")
    assert await valid(totp, "k", code) == {"valid": True}
    for again in (code, code):
        with pytest.raises(InvalidRequest, match="code already used; wait until the next time period"):
            await valid(totp, "k", again)
    for spelling in (f" {code}", f"{code[:3]} {code[3:]}", code[1:]):
        with pytest.raises(InvalidRequest, match="invalid number of digits"):
            await valid(totp, "k", spelling)


async def test_a_code_passes_once_also_when_asked_in_parallel(totp: Mounted) -> None:
    await totp("update", "keys/k", url=ORG)
    code = await code_of(totp, "k")
    answers = await asyncio.gather(*(valid(totp, "k", code) for _ in range(20)), return_exceptions=True)
    assert answers.count({"valid": True}) == 1
    assert sum(isinstance(answer, InvalidRequest) for answer in answers) == 19


async def test_a_used_code_stays_used_after_a_restart_and_a_rewritten_key(totp: Mounted) -> None:
    await totp("update", "keys/k", url=ORG)
    code = await code_of(totp, "k")
    await valid(totp, "k", code)
    await totp("update", "keys/k", url=ORG)
    restarted = await Mounted(Engine, totp.store).start()
    with pytest.raises(InvalidRequest, match="already used"):
        await valid(restarted, "k", code)


@pytest.mark.parametrize(
    ("skew", "later", "passes"),
    [
        pytest.param(1, 30, True, id="one_period_late"),
        pytest.param(1, -30, True, id="one_period_early"),
        pytest.param(1, 60, False, id="two_periods_late"),
        pytest.param(1, -60, False, id="two_periods_early"),
        pytest.param(0, 30, False, id="late_without_skew"),
        pytest.param(0, -30, False, id="early_without_skew"),
    ],
)
async def test_neighbouring_periods_are_accepted_by_skew(totp: Mounted, skew: int, later: int, passes: bool) -> None:
    await totp("update", "keys/k", key="JBSWY3DPEHPK3PXP", skew=skew)
    totp.clock.time = 3_000_000_000
    code = await code_of(totp, "k")
    totp.clock.time += later
    assert await valid(totp, "k", code) == {"valid": passes}


async def test_used_codes_are_forgotten_when_they_can_pass_no_more(totp: Mounted) -> None:
    await totp("update", "keys/k", url=ORG)
    for _ in range(10):
        await valid(totp, "k", await code_of(totp, "k"))
        totp.clock.time += 30
    raw = await totp.store.get("used/k")
    assert raw is not None
    assert raw.count(b":") <= 3


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("", "the code value is required", id="none"),
        pytest.param("12345", "invalid number of digits", id="short"),
        pytest.param("1234567", "invalid number of digits", id="long"),
        pytest.param(" 12345", "invalid number of digits", id="a_blank_in_place_of_a_digit"),
    ],
)
async def test_what_is_no_code_is_refused(totp: Mounted, code: str, message: str) -> None:
    await totp("update", "keys/k", url=ORG)
    with pytest.raises(InvalidRequest, match=message):
        await valid(totp, "k", code)


async def test_a_wrong_code_is_not_valid(totp: Mounted) -> None:
    await totp("update", "keys/k", url=ORG)
    wrong = "000000" if await code_of(totp, "k") != "000000" else "000001"
    assert await valid(totp, "k", wrong) == {"valid": False}
    assert await valid(totp, "k", "12345é") == {"valid": False}


async def test_keys_are_listed_and_deleted(totp: Mounted) -> None:
    for name in ("b", "a", "x@y.z"):
        await totp("update", f"keys/{name}", url=ORG)
    assert await totp.keys("keys") == ["a", "b", "x@y.z"]
    assert await totp.keys("keys", after="a", limit=1) == ["b"]
    code = await code_of(totp, "a")
    await valid(totp, "a", code)
    for name in ("a", "b", "x@y.z", "none"):
        await totp("delete", f"keys/{name}")
    with pytest.raises(NotFound):
        await totp.keys("keys")
    with pytest.raises(NotFound):
        await totp.data("keys/a")
    with pytest.raises(InvalidRequest, match="unknown key: a"):
        await code_of(totp, "a")
    with pytest.raises(InvalidRequest, match="unknown key: a"):
        await valid(totp, "a", code)
    assert await totp.store.list() == []
