"""Steps that the tests of identity share: mounts, users, entities, logins."""

from typing import Any

from tests.strongroom_server.live import Answer, Live


async def mount(live: Live, path: str = "up", kind: str = "approle") -> str:
    """Mount an auth method that is quick to start; returns the accessor."""
    assert (await live.post(f"sys/auth/{path}", {"type": kind})).status == 204
    accessor: str = (await live.get("sys/auth")).data[f"{path}/"]["accessor"]
    return accessor


async def userpass(live: Live, path: str = "up") -> str:
    """Mount userpass with the users alice and bob; returns the accessor."""
    accessor = await mount(live, path, "userpass")
    for user in ("alice", "bob"):
        await live.post(f"auth/{path}/users/{user}", {"password_hash": HASH, "token_policies": ["own"]})
    return accessor


HASH = "$2b$04$JS7DcfCMIcRJENi7sBKLmORV0me2Rl2DLWq1jU1jDajYch0Tjeb6S"  # of "pw", at the least cost


async def login(live: Live, user: str = "alice", path: str = "up") -> Answer:
    return await live.post(f"auth/{path}/login/{user}", {"password": "pw"}, token="")


async def entity(live: Live, name: str, **fields: Any) -> str:
    answer = await live.post("identity/entity", {"name": name, **fields})
    assert answer.status == 200, answer
    entity_id: str = answer.data["id"]
    return entity_id


async def group(live: Live, name: str, **fields: Any) -> str:
    answer = await live.post("identity/group", {"name": name, **fields})
    assert answer.status == 200, answer
    group_id: str = answer.data["id"]
    return group_id


async def alias(live: Live, name: str, accessor: str, entity_id: str = "") -> str:
    body = {"name": name, "mount_accessor": accessor, "canonical_id": entity_id}
    answer = await live.post("identity/entity-alias", body)
    assert answer.status == 200, answer
    alias_id: str = answer.data["id"]
    return alias_id
