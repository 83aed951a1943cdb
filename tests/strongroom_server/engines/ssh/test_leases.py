"""Passwords in a whole server: they are on record as leases, and end with them."""

from tests.strongroom_server.live import Answer, Live


async def password(live: Live, token: str = "root") -> Answer:
    return await live.post("ssh/creds/o", {"ip": "10.0.0.1"}, token=token)


async def verify(live: Live, answer: Answer) -> int:
    return (await live.post("ssh/verify", {"otp": answer.data["key"]}, token="")).status


async def test_a_password_ends_with_its_lease_its_token_or_its_mount(live: Live) -> None:
    assert (await live.post("sys/mounts/ssh", {"type": "ssh", "config": {"default_lease_ttl": "1h"}})).status == 204
    await live.post("ssh/roles/o", {"key_type": "otp", "default_user": "u", "cidr_list": "10.0.0.0/8"})
    await live.post("sys/policies/acl/ssh", {"policy": 'path "ssh/creds/*" { capabilities = ["update"] }'})
    kept, revoked = await password(live), await password(live)
    assert kept.body["lease_id"].startswith("ssh/creds/o/")
    assert (kept.body["lease_duration"], kept.body["renewable"]) == (3600, False)
    token = await live.make_token(policies=["ssh"])
    of_token = await password(live, token)

    await live.post("sys/leases/revoke", {"lease_id": revoked.body["lease_id"], "sync": True})
    await live.post("auth/token/revoke", {"token": token})
    await live.clock.advance(60)
    assert [await verify(live, answer) for answer in (kept, revoked, of_token)] == [200, 400, 400]

    late = await password(live)
    await live.clock.advance(3700)
    assert await verify(live, late) == 400
