"""No record, no answer: what the audit devices must see, and what happens when none does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.strongroom_server.live import Live


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
