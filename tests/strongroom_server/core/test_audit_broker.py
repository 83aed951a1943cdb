"""No record, no answer: what the audit devices must see, and what happens when none does."""

import json
from pathlib import Path
from typing import Any

import pytest

from strongroom_common.clock import FakeClock
from strongroom_common.fields import Pairs
from strongroom_server.config import AuditDevice, Config
from strongroom_server.core.sealing import decode_share
from strongroom_server.core.server import Options
from strongroom_server.storage import open_backend
from tests.strongroom_server.live import Live, start_live


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def enable(live: Live, path: Path, name: str = "file") -> int:
    return (await live.post(f"sys/audit/{name}", {"type": "file", "options": {"file_path": str(path)}})).status


async def test_request_and_answer_are_recorded_without_the_secret(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    assert await enable(live, log) == 204
    await live.post("secret/data/a", {"data": {"password": "hunter2"}})
    await live.get("secret/data/a")
    text = log.read_text()
    assert "hunter2" not in text
    assert '"root"' not in json.dumps([line.get("auth", {}).get("client_token") for line in lines(log)])
    hashed = (await live.post("sys/audit-hash/file", {"input": "hunter2"})).data["hash"]
    assert hashed in text
    kinds = [(line["type"], line["request"]["path"]) for line in lines(log) if "secret" in line["request"]["path"]]
    assert kinds == [("request", "secret/data/a"), ("response", "secret/data/a")] * 2


async def test_refusals_are_recorded_with_the_rule_that_decided(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    await live.post("sys/policies/acl/no", {"policy": 'path "secret/*" { capabilities = ["deny"] }'})
    token = await live.make_token(policies=["no"])
    assert (await live.get("secret/data/a", token=token)).status == 403
    assert (await live.get("secret/data/a", token="nobody")).status == 403
    refused = [line for line in lines(log) if line.get("error") and line["type"] == "request"]
    assert [line["error"] for line in refused] == ["permission denied", "permission denied"]
    assert refused[0]["auth"]["policy_results"]["rule"]


@pytest.mark.parametrize("path", ["sys/health", "sys/seal-status", "sys/leader", "sys/init"])
async def test_what_probes_ask_is_not_recorded(live: Live, tmp_path: Path, path: str) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    before = log.read_text()
    assert (await live.get(path, token="")).status == 200
    assert log.read_text() == before


async def test_who_asks_is_one_client(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    await live.get("secret/data/a")
    shown = [line["request"]["client_id"] for line in lines(log) if line["request"]["path"] == "secret/data/a"]
    assert shown == ["0DHqvq2D77kL2/JTPSZkTMJbkFVmUu0TzMi0jiXcFy8="] * 2  # the peer's for the policy root


async def test_uses_and_lifetime_are_those_that_the_token_came_with(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    token = await live.make_token(policies=["default"], num_uses=2, ttl="1h")
    for _ in range(2):
        await live.clock.advance(60)
        await live.get("auth/token/lookup-self", token=token)
    asked = [line["auth"] for line in lines(log) if line["request"]["path"] == "auth/token/lookup-self"]
    assert [who["remaining_uses"] for who in asked] == [2, 2, 1, 1]
    assert {who["token_ttl"] for who in asked} == {3600}


async def test_what_is_unwrapped_is_recorded_field_by_field(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    wrapped = await live.post("sys/wrapping/wrap", {"password": "hunter2"}, wrap_ttl=60)
    await live.post("sys/wrapping/unwrap", {"token": wrapped.body["wrap_info"]["token"]})
    made = await live.post("auth/token/create", {"policies": ["default"]}, wrap_ttl=60)
    opened = await live.post("sys/wrapping/unwrap", {"token": made.body["wrap_info"]["token"]})
    hashed = [(await live.post("sys/audit-hash/file", {"input": text})).data["hash"]
              for text in ("hunter2", opened.auth["client_token"])]  # fmt: skip
    answers = [line["response"] for line in lines(log)
               if line["request"]["path"] == "sys/wrapping/unwrap" and line["type"] == "response"]  # fmt: skip
    assert answers[0]["data"] == {"password": hashed[0]}
    assert answers[1]["auth"]["client_token"] == hashed[1]
    assert answers[1]["auth"]["policies"] == ["default"]


async def test_a_refusal_by_a_quota_is_recorded_once(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    await live.post("sys/quotas/config", {"enable_rate_limit_audit_logging": True})
    await live.post("sys/quotas/rate-limit/q", {"rate": 1, "interval": "1h", "path": "secret"})
    assert [(await live.get("secret/data/a")).status for _ in range(2)] == [404, 429]
    refused = [line for line in lines(log) if line["request"]["path"] == "secret/data/a"][2:]
    assert [(line["type"], line["error"]) for line in refused] == [
        ("request", 'request path "secret/data/a": rate limit quota exceeded')
    ]


async def test_without_any_device_that_writes_nothing_is_answered(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "audit.log"
    log.parent.mkdir()
    await enable(live, log)
    device = live.server.audit.devices["file/"]

    class Broken:
        async def write(self, line: bytes) -> None:
            from strongroom_server.sdk.errors import AuditError

            raise AuditError("disk full")

        async def reopen(self) -> None: ...

        async def close(self) -> None: ...

    good, device.device = device.device, Broken()
    written = await live.post("secret/data/b", {"data": {"x": 1}})
    assert written.status == 500
    device.device = good
    assert (await live.get("secret/data/b")).status == 404


async def test_one_device_that_writes_is_enough(live: Live, tmp_path: Path) -> None:
    await enable(live, tmp_path / "one.log", "one")
    await enable(live, tmp_path / "two.log", "two")
    await live.server.audit.devices["one/"].device.close()
    assert (await live.post("secret/data/b", {"data": {"x": 1}})).status == 200
    assert "secret/data/b" in (tmp_path / "two.log").read_text()


async def test_a_device_that_cannot_write_is_not_enabled(live: Live, tmp_path: Path) -> None:
    assert await enable(live, tmp_path / "missing" / "x" / "\0") == 400
    assert (await live.get("sys/audit")).data == {}


async def test_devices_come_back_after_unsealing(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    await live.server.sealing.seal()
    await live.post("sys/unseal", {"key": live.unseal_key}, token="")
    before = len(lines(log))
    await live.get("sys/mounts")
    assert len(lines(log)) == before + 2
    await live.delete("sys/audit/file")
    assert (await live.get("sys/audit")).data == {}


async def test_a_fault_of_ours_is_on_record_without_its_cause(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    await enable(live, log)
    mount = live.server.mounts.at("secret/")
    assert mount is not None

    async def fail(*arguments: object) -> None:
        raise RuntimeError("a secret cause")

    mount.engine.call = fail  # type: ignore[assignment, method-assign, union-attr]
    with pytest.raises(RuntimeError):
        await live.get("secret/data/a")
    last = lines(log)[-1]
    assert (last["type"], last["request"]["path"], last["error"]) == ("response", "secret/data/a", "internal error")
    assert "a secret cause" not in log.read_text()


# -- devices that the server file declares ---------------------------------------------------------------------------


def declared(path: Path, name: str = "file", **more: str) -> AuditDevice:
    return AuditDevice("file", name, "from the file", Pairs({"file_path": str(path), **more}))


async def declaring(config: Config) -> Live:
    return await start_live(options=Options(config=config))


async def test_a_declared_device_is_there_at_once_and_the_api_leaves_it_alone(tmp_path: Path) -> None:
    live = await declaring(Config(audit=(declared(tmp_path / "a.log"),)))
    await live.get("sys/mounts")
    assert [line["request"]["path"] for line in lines(tmp_path / "a.log")][-2:] == ["sys/mounts", "sys/mounts"]
    row = (await live.get("sys/audit")).data["file/"]
    assert row == {"type": "file", "description": "from the file", "local": False, "path": "file/",
                   "options": {"file_path": str(tmp_path / "a.log")}}  # fmt: skip
    refused = await live.delete("sys/audit/file")
    assert (refused.status, refused.errors) == (400, ["cannot disable configuration-managed audit device"])


async def test_devices_follow_the_file_and_keep_their_salt(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    live = await declaring(Config(audit=(declared(first, "moves"), declared(tmp_path / "c.log", "goes"))))
    assert await enable(live, tmp_path / "api.log", "api") == 204
    before = (await live.post("sys/audit-hash/moves", {"input": "x"})).data["hash"]
    await live.server.follow(Config(audit=(declared(second, "moves"), declared(tmp_path / "d.log", "comes"))))
    assert sorted((await live.get("sys/audit")).data) == ["api/", "comes/", "moves/"]
    assert (await live.post("sys/audit-hash/moves", {"input": "x"})).data["hash"] == before
    assert lines(second)[-1]["request"]["path"] == "sys/audit-hash/moves"
    assert lines(first)[-1]["request"]["path"] == "sys/audit-hash/moves"  # the first time


async def test_a_changed_device_that_does_not_open_leaves_the_old_one(tmp_path: Path) -> None:
    live = await declaring(Config(audit=(declared(tmp_path / "a.log"),)))
    await live.server.follow(Config(audit=(declared(tmp_path),)))
    await live.get("sys/mounts")
    assert lines(tmp_path / "a.log")[-1]["request"]["path"] == "sys/mounts"


async def test_a_declared_device_that_does_not_open_refuses_every_request(tmp_path: Path) -> None:
    live = await declaring(Config(audit=(declared(tmp_path),)))
    assert (await live.get("sys/mounts")).status == 500


async def test_a_device_outlives_sealing_and_goes_with_its_stanza(tmp_path: Path) -> None:
    backend = await open_backend("inmem", {}, FakeClock())
    live = await start_live(backend=backend, options=Options(config=Config(audit=(declared(tmp_path / "a.log"),))))
    before = (await live.post("sys/audit-hash/file", {"input": "x"})).data["hash"]
    await live.server.sealing.seal()
    await live.server.sealing.unseal(decode_share(live.unseal_key))
    assert (await live.post("sys/audit-hash/file", {"input": "x"})).data["hash"] == before
    await live.server.sealing.seal()
    await live.server.follow(Config())
    await live.server.sealing.unseal(decode_share(live.unseal_key))
    assert (await live.get("sys/audit")).body["data"] in ({}, None)


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        pytest.param(Config(unsafe_allow_api_audit_creation=False), {}, "cannot enable audit device via API",
                     id="none_by_the_api"),
        pytest.param(Config(), {"prefix": "x"}, "audit log prefixing is not allowed", id="no_prefix_unless_allowed"),
        pytest.param(Config(allow_audit_log_prefixing=True), {"prefix": "x"}, "", id="a_prefix_where_allowed"),
        pytest.param(Config(), {"mode": "0755"}, "expected permissions to read and write only", id="no_programs"),
        pytest.param(Config(), {"format": "jsonx"}, "expected json", id="no_other_format"),
    ],
)  # fmt: skip
async def test_what_the_api_may_enable(config: Config, options: dict[str, str], message: str, tmp_path: Path) -> None:
    live = await declaring(config)
    body = {"type": "file", "options": {"file_path": str(tmp_path / "a.log"), **options}}
    answer = await live.post("sys/audit/a", body)
    assert answer.status == (400 if message else 204)
    assert message in (answer.errors[0] if message else "")


async def test_a_prefix_stands_before_each_line(tmp_path: Path) -> None:
    device = declared(tmp_path / "a.log", prefix="@cee: ")
    live = await declaring(Config(allow_audit_log_prefixing=True, audit=(device,)))
    await live.get("sys/mounts")
    assert all(line.startswith('@cee: {"time"') for line in (tmp_path / "a.log").read_text().splitlines())


async def test_who_may_do_all_is_named_as_granted_by_root(live: Live, tmp_path: Path) -> None:
    await enable(live, tmp_path / "a.log")
    await live.get("sys/mounts")
    granting = lines(tmp_path / "a.log")[-1]["auth"]["policy_results"]["granting_policies"]
    assert granting == [{"name": "root", "namespace_id": "root", "type": "acl"}]
