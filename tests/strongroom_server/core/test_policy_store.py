import pytest

from strongroom_common.clock import FakeClock
from strongroom_server.core.policy_store import PolicyStore
from strongroom_server.core.tokens import Token
from strongroom_server.sdk.errors import InvalidRequest, PermissionDenied
from tests.strongroom_server.fakes import PlainStore


class Identity:
    """An entity ``e-1`` named ``svc`` whose group adds a policy."""

    def __init__(self, name="svc"):
        self.name = name

    async def policies_of(self, entity_id):
        return ("group",) if entity_id else ()

    async def template_values(self, entity_id):
        return {"identity.entity.name": self.name}


@pytest.fixture
def clock():
    return FakeClock(time=100)


@pytest.fixture
async def policies(clock):
    store = PolicyStore(PlainStore(), Identity(), clock)
    await store.start()
    return store


def _token(*names, entity_id=""):
    return Token("h" + "-".join(names), "a", names, "auth/token/create", "token", 0, entity_id=entity_id)


async def test_the_default_policy_is_there_from_the_start(policies):
    assert await policies.names() == ["default", "root"]
    assert "auth/token/lookup-self" in await policies.text("default")


async def test_a_change_is_in_force_at_once(policies):
    token = _token("p")
    assert (await policies.rules(token)).capabilities("a") == ["deny"]
    await policies.write("p", 'path "a" { capabilities = ["read"] }')
    assert policies.known(token) is None
    assert (await policies.rules(token)).capabilities("a") == ["read"]
    await policies.delete("p")
    assert (await policies.rules(token)).capabilities("a") == ["deny"]


async def test_groups_and_templates_count(policies):
    await policies.write("group", 'path "s/{{identity.entity.name}}/*" { capabilities = ["read"] }')
    rules = await policies.rules(_token("default", entity_id="e-1"))
    assert (rules.capabilities("s/svc/x"), rules.capabilities("s/other/x")) == (["read"], ["deny"])


async def test_a_rule_that_expires_is_no_longer_served_from_memory(policies, clock):
    await policies.write("p", 'path "a" { capabilities = ["read"] expiration = 200 }')
    token = _token("p")
    assert (await policies.rules(token)).capabilities("a") == ["read"]
    assert policies.known(token) is not None
    clock.time = 200
    assert policies.known(token) is None
    assert (await policies.rules(token)).capabilities("a") == ["deny"]


async def test_a_deny_that_cannot_be_put_in_force_denies_everything(clock):
    policies = PolicyStore(PlainStore(), Identity(name="*"), clock)
    await policies.write("p", 'path "s/{{identity.entity.name}}" { capabilities = ["deny"] }\n'
                              'path "a" { capabilities = ["read"] }')  # fmt: skip
    with pytest.raises(PermissionDenied):
        await policies.rules(_token("p", entity_id="e-1"))


async def test_a_bad_policy_changes_nothing(policies):
    await policies.write("p", 'path "a" { capabilities = ["read"] }')
    with pytest.raises(InvalidRequest, match='At 1:12: path "a": invalid capability "fly"'):
        await policies.write("p", 'path "a" { capabilities = ["fly"] }')
    assert (await policies.rules(_token("p"))).capabilities("a") == ["read"]


class SlowStorage(PlainStore):
    """Lets something happen between reading a value and handing it out."""

    meanwhile = None

    async def get(self, key):
        value = await super().get(key)
        if (meanwhile := self.meanwhile) is not None:
            self.meanwhile = None
            await meanwhile()
        return value


async def test_what_was_read_before_a_change_is_not_kept(clock):
    storage = SlowStorage()
    policies = PolicyStore(storage, Identity(), clock)
    await policies.write("p", 'path "a" { capabilities = ["read"] }')
    storage.meanwhile = lambda: policies.write("p", 'path "a" { capabilities = ["deny"] }')
    await policies.rules(_token("p"))
    assert policies.known(_token("p")) is None
    assert (await policies.rules(_token("p"))).capabilities("a") == ["deny"]
