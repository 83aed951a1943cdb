import asyncio
import logging
import os
import signal
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding

from strongroom_server.engines.pki import Engine
from strongroom_server.engines.pki.leaf_process import LeafProcess
from strongroom_server.lib.leaf_worker import PrintedKey, Signatory
from strongroom_server.lib.signing import Signing
from strongroom_server.lib.x509 import key_bits, key_kind, load_certificate, load_key, spki
from strongroom_server.sdk.errors import InvalidRequest
from strongroom_server.sdk.system import Places
from tests.strongroom_server.engines.pki.mounted import certificate, issue, mounted, role
from tests.strongroom_server.fakes import Mounted
from tests.waiting import gone, until

_FOREVER = 3600.0


@asynccontextmanager
async def leaves(pki: Mounted, **settings: Any) -> AsyncIterator[LeafProcess]:
    """Give a mount a child that starts with the first wish, unless ``settings`` say otherwise."""
    assert isinstance(pki.engine, Engine)
    usual = {"places": pki.engine.system.places, "few": 0, "idle": _FOREVER}
    process = LeafProcess(pki.engine.issuers, **(usual | settings))
    pki.engine.leaf_process = process
    try:
        yield process
    finally:
        await process.close()


async def working(pki: Mounted, process: LeafProcess) -> int:
    """Issue until a child is ready, and return its process id."""
    async with asyncio.timeout(60):
        while not (child := process.child()):
            await issue(pki)
            await asyncio.sleep(0.01)
    return child


async def stopped(pki: Mounted, process: LeafProcess) -> tuple[int, "asyncio.Task[dict[str, Any]]"]:
    """Return a child that does nothing more, and a request that waits for it."""
    child = await working(pki, process)
    os.kill(child, signal.SIGSTOP)
    waiting = asyncio.ensure_future(issue(pki))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    return child, waiting


@pytest.mark.parametrize(
    ("kind", "bits", "body"),
    [
        pytest.param("ec", 224, {}, id="p_224"),
        pytest.param("ec", 256, {}, id="p_256"),
        pytest.param("ec", 384, {}, id="p_384"),
        pytest.param("ec", 521, {}, id="p_521"),
        pytest.param("ed25519", 0, {}, id="ed25519"),
        pytest.param("ed25519", 0, {"private_key_format": "pkcs8"}, id="ed25519_pkcs8"),
        pytest.param("ec", 256, {"private_key_format": "pkcs8"}, id="pkcs8"),
        pytest.param("ec", 256, {"format": "pem_bundle"}, id="a_bundle"),
        pytest.param("ec", 256, {"format": "pem_bundle", "private_key_format": "pkcs8"}, id="a_bundle_and_pkcs8"),
        pytest.param("ec", 256, {"format": "der"}, id="der"),
        pytest.param("ec", 256, {"format": "der", "private_key_format": "pkcs8"}, id="der_of_pkcs8"),
    ],
)
async def test_a_leaf_is_the_same_wherever_it_is_made(kind: str, bits: int, body: dict[str, Any]) -> None:
    pki = await mounted()
    await role(pki, key_type=kind, key_bits=bits, organization="Org", key_usage=["DigitalSignature"])
    names = {"alt_names": "b.test", "ip_sans": "10.0.0.1"}
    here = await issue(pki, **names, **body)
    async with leaves(pki) as process:
        child = await working(pki, process)
        there = await issue(pki, **names, **body)
        assert process.child() == child
    assert set(there) == set(here)
    assert {name: type(value) for name, value in there.items()} == {name: type(value) for name, value in here.items()}
    same = ("issuing_ca", "ca_chain", "private_key_type")
    assert [there[name] for name in same] == [here[name] for name in same]
    for name in ("certificate", "private_key"):
        assert there[name] != here[name]
        assert shape(there[name]) == shape(here[name])
    if body.get("format") != "pem_bundle":
        found, key = load_certificate(raw(there["certificate"])), load_key(raw(there["private_key"]))
        assert spki(found.public_key()) == spki(key)  # type: ignore[arg-type]
        assert (key_kind(key), key_bits(key)) == (kind, bits)


def raw(text: str) -> bytes:
    """Return PEM as it is and DER out of its Base64."""
    return text.encode() if text.startswith("-----") else b64decode(text)


def shape(text: str) -> list[str]:
    """Return what does not differ from one key to the next: the lines that name what follows."""
    return [line for line in text.split("\n") if line.startswith("-----")]


@pytest.mark.parametrize(
    ("root", "fields"),
    [
        pytest.param({"key_type": "rsa"}, {}, id="by_rsa"),
        pytest.param({"key_type": "rsa"}, {"use_pss": True, "signature_bits": 384}, id="by_rsa_with_pss"),
        pytest.param({"key_type": "ec", "key_bits": 521}, {}, id="by_a_larger_curve"),
        pytest.param({"key_type": "ed25519"}, {}, id="by_ed25519"),
    ],
)  # fmt: skip
async def test_any_issuer_signs_there(root: dict[str, Any], fields: dict[str, Any]) -> None:
    pki = await mounted(**root)
    await role(pki, **fields)
    async with leaves(pki) as process:
        await working(pki, process)
        data = await issue(pki, alt_names="b.test")
        assert process.child()
    found, ca = certificate(data), x509.load_pem_x509_certificate(data["issuing_ca"].encode())
    found.verify_directly_issued_by(ca)
    assert isinstance(found.signature_algorithm_parameters, padding.PSS) == bool(fields)
    key = load_key(data["private_key"])
    assert (key_kind(key), key_bits(key), spki(key)) == ("ec", 256, spki(found.public_key()))  # type: ignore[arg-type]
    own = found.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(found.public_key())


async def test_one_child_signs_for_all_issuers_in_all_ways() -> None:
    pki = await mounted(key_type="rsa")
    await pki("update", "root/generate/internal", common_name="Second", key_type="ec", issuer_name="second")
    await role(pki)
    await role(pki, "long", signature_bits=512)
    await role(pki, "second", issuer_ref="second")
    async with leaves(pki) as process:
        child = await working(pki, process)
        for _ in range(2):
            found = [certificate(await issue(pki, name)) for name in ("r", "long", "second")]
            assert [one.issuer.rfc4514_string() for one in found] == ["CN=Root", "CN=Root", "CN=Second"]
            hashes = [one.signature_hash_algorithm for one in found]
            assert [one and one.name for one in hashes] == ["sha256", "sha512", "sha256"]
        assert process.child() == child


async def test_many_at_once_each_get_a_leaf_of_their_own() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki) as process:
        await working(pki, process)
        before = await pki.keys("certs")
        made = await asyncio.gather(*(issue(pki, common_name=f"{number}.test") for number in range(100)))
    for number, data in enumerate(made):
        assert certificate(data).subject.rfc4514_string() == f"CN={number}.test"
    assert len({data["private_key"] for data in made}) == len({data["serial_number"] for data in made}) == 100
    assert len(await pki.keys("certs")) == len(before) + 100


async def test_what_cannot_be_made_there_is_refused_as_it_is_here() -> None:
    pki = await mounted()
    await role(pki, not_before_bound="permit")
    async with leaves(pki) as process:
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="before 1950"):
                await issue(pki, not_before="1900-01-01T00:00:00Z")
            await working(pki, process)


async def test_rsa_keys_are_made_elsewhere() -> None:
    pki = await mounted()
    await role(pki, key_type="rsa")
    async with leaves(pki) as process:
        await issue(pki)
        await asyncio.sleep(0)
        assert not process.child()
    await pki.engine.close()


async def test_a_few_leaves_are_not_worth_a_child() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, few=3) as process:
        for _ in range(3):
            await issue(pki)
        await asyncio.sleep(0.3)
        assert not process.child()
        await working(pki, process)


async def test_many_leaves_that_come_far_apart_are_not_worth_a_child() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, few=1, idle=0.01):
        before = asyncio.all_tasks()
        for _ in range(4):
            await issue(pki)
            assert asyncio.all_tasks() == before
            await asyncio.sleep(0.05)


async def test_a_child_without_wishes_ends_and_another_serves_the_next() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, idle=1) as process:
        for _ in range(2):
            child = await working(pki, process)
            await until(lambda: process.child() == 0)
            await until(lambda pid=child: gone(pid))  # type: ignore[misc]


async def test_a_killed_child_is_replaced_and_who_waited_for_it_is_served(caplog: pytest.LogCaptureFixture) -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, retry=0) as process:
        child, waiting = await stopped(pki, process)
        with caplog.at_level(logging.ERROR, "engines.pki.leaf_process"):
            os.kill(child, signal.SIGKILL)
            assert certificate(await waiting)
            await until(lambda: gone(child))
        assert await working(pki, process) != child
    assert [record.message for record in caplog.records] == ["the process that makes leaves failed"]


async def test_a_child_that_hangs_is_ended_and_who_waited_for_it_is_served() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, idle=1) as process:
        child, waiting = await stopped(pki, process)
        assert certificate(await waiting)
        await until(lambda: gone(child))


async def test_who_does_not_wait_any_more_keeps_nobody_from_a_leaf() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki) as process:
        child, waiting = await stopped(pki, process)
        waiting.cancel()
        other = asyncio.ensure_future(issue(pki, common_name="other.test"))
        await asyncio.sleep(0)
        os.kill(child, signal.SIGCONT)
        assert certificate(await other).subject.rfc4514_string() == "CN=other.test"
        assert process.child() == child


async def test_a_child_does_not_outlive_a_change_of_issuers() -> None:
    pki = await mounted()
    await pki("update", "root/generate/internal", common_name="Second", key_type="ec", issuer_name="second")
    await role(pki)
    async with leaves(pki) as process:
        child = await working(pki, process)
        await pki("delete", "issuer/second")
        await issue(pki)
        await until(lambda: gone(child))
        assert await working(pki, process) != child


async def test_mounts_together_have_no_more_children_than_places() -> None:
    places = Places(1)
    first, second = await mounted(), await mounted()
    for pki in (first, second):
        await role(pki)
    async with leaves(second, places=places) as waits:
        async with leaves(first, places=places) as works:
            await working(first, works)
            for _ in range(3):
                assert certificate(await issue(second)), "who has no child makes leaves all the same"
                await asyncio.sleep(0.01)
            assert not waits.child()
        assert await working(second, waits)


async def test_closing_ends_the_child() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki) as process:
        child, waiting = await stopped(pki, process)
        await process.close()
        assert gone(child)
        assert process.child() == 0
        assert certificate(await waiting), "the rest is made here"
        assert certificate(await issue(pki))
        await process.close()
        assert process.child() == 0


async def test_closing_while_the_child_starts_leaves_none() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki) as process:
        await issue(pki)
        await asyncio.sleep(0)
        await process.close()
        assert process.child() == 0


async def test_closing_after_a_failure_does_not_wait() -> None:
    pki = await mounted()
    await role(pki)
    async with leaves(pki, retry=_FOREVER) as process:
        os.kill(await working(pki, process), signal.SIGKILL)
        await until(lambda: process.child() == 0)
        async with asyncio.timeout(60):
            await process.close()


def test_keys_do_not_show_themselves() -> None:
    assert repr(PrintedKey("secret", "ec")) == "PrintedKey(...)"
    assert repr(Signatory(b"", b"", b"secret", Signing())) == "Signatory(...)"
