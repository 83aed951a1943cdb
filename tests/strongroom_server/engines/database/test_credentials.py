import asyncio
import re

import pytest
from cryptography.hazmat.primitives import serialization

from strongroom_common.fields import Pairs
from strongroom_server.engines.database import credentials, passwords
from strongroom_server.engines.database.plugins.batches import Batches
from strongroom_server.engines.database.plugins.protocol import DatabaseError, Unverified
from strongroom_server.engines.database.schemas import Role
from tests.strongroom_server.fakes import FakeSystem


def test_passwords_have_letters_of_both_cases_digits_and_dashes() -> None:
    made = {passwords.default() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert re.fullmatch("[A-Za-z0-9-]{20}", password)
        assert all(re.search(kind, password) for kind in ("[a-z]", "[A-Z]", "[0-9]", "-"))


async def test_a_password_policy_is_asked_the_roles_own_first() -> None:
    class System(FakeSystem):
        async def generate_password(self, policy: str) -> str:
            return f"by {policy}"

    plain, own = Role(), Role(credential_config=Pairs({"password_policy": "own"}))
    assert (await credentials.make(System(), plain, "general", "u")).password == "by general"
    assert (await credentials.make(System(), own, "general", "u")).password == "by own"


@pytest.mark.slow
async def test_an_rsa_key_is_returned_and_its_public_half_set() -> None:
    role = credentials.checked(Role(credential_type="rsa_private_key"))
    made = await credentials.make(FakeSystem(), role, "", "u")
    private = serialization.load_pem_private_key(made.shown["rsa_private_key"].encode(), None)
    assert serialization.load_pem_public_key(made.public_key.encode()) == private.public_key()
    assert credentials.Credential.restored(made.stored()) == made
    assert made.shown["rsa_private_key"] not in repr(made)


async def test_what_waits_is_done_together_and_alone_where_that_fails() -> None:
    batches: list[list[str]] = []

    async def run(items: list[str]) -> None:
        batches.append(list(items))
        await asyncio.sleep(0)
        if "bad" in items:
            raise DatabaseError("bad")

    work = Batches(run, 3)  # type: ignore[arg-type]
    names = ["first", "a", "bad", "b", "c"]
    outcomes = await asyncio.gather(*(work.add(name) for name in names), return_exceptions=True)
    assert [str(outcome) if outcome else "" for outcome in outcomes] == ["", "", "bad", "", ""]
    assert batches == [["first"], ["a", "bad", "b"], ["a"], ["bad"], ["b"], ["c"]]


async def test_where_the_database_is_away_no_more_is_tried() -> None:
    tried = 0

    async def run(items: list[str]) -> None:
        nonlocal tried
        tried += 1
        await asyncio.sleep(0)
        raise Unverified("away")

    work = Batches(run, 10)  # type: ignore[arg-type]
    outcomes = await asyncio.gather(*(work.add(name) for name in "abc"), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["away"] * 3
    assert tried == 2


async def test_one_that_is_given_up_does_not_hold_up_the_others() -> None:
    started = asyncio.Event()

    async def run(items: list[str]) -> None:
        started.set()
        await asyncio.sleep(0.05)

    work = Batches(run, 10)  # type: ignore[arg-type]
    first = asyncio.ensure_future(work.add("first"))
    await started.wait()
    rest = [asyncio.ensure_future(work.add(name)) for name in "ab"]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(first, *rest, return_exceptions=True) != []
    assert first.cancelled()
    assert all(one.exception() is None for one in rest)
