"""sys/metrics: names and labels as Vault's, in both forms."""

import re
from typing import Any

import pytest

from strongroom_server.core.metrics import Metrics, Summary
from strongroom_server.core.usage_gauges import lifetime
from strongroom_server.sdk.request import Operation, Request
from tests.strongroom_server.live import Live


async def scraped(live: Live) -> str:
    request = Request(Operation.READ, "sys/metrics", {"format": "prometheus"}, token="root", id="x")
    response = await live.server.handle(request)
    assert response.raw is not None
    assert response.raw.content_type.startswith("text/plain")
    return response.raw.body.decode()


async def value(live: Live, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (.*)$", await scraped(live), re.MULTILINE)
    assert found, series
    return float(found[1])


@pytest.mark.parametrize(
    "name",
    [
        "vault_core_unsealed", "vault_audit_log_request_count", "vault_token_count", "vault_expire_num_leases",
        "vault_core_handle_request_count", "vault_core_handle_login_request_count", "vault_core_active",
        "vault_core_in_flight_requests", "vault_core_mount_table_num_entries", "vault_core_locked_users",
        "vault_expire_num_irrevocable_leases", "vault_identity_num_entities", "vault_identity_entity_count",
        "vault_audit_log_response_count", "vault_audit_log_request_failure", "vault_audit_log_response_failure",
        "vault_barrier_get_count", "vault_barrier_put_count", "vault_barrier_list_count", "vault_cache_hit",
        "vault_cache_miss", "vault_cache_write", "vault_barrier_estimated_encryptions", "vault_policy_get_policy_count",
        "vault_token_creation", "vault_token_count_by_auth", "vault_token_count_by_policy", "vault_token_count_by_ttl",
        "vault_runtime_alloc_bytes", "vault_runtime_sys_bytes", "vault_runtime_num_goroutines",
        "vault_route_read_secret__count", "process_cpu_seconds_total", "process_resident_memory_bytes",
    ],
)  # fmt: skip
async def test_what_dashboards_ask_for_is_there(live: Live, name: str) -> None:
    token = await live.make_token(policies=["default"])
    await live.get("secret/data/x", token=token)
    assert re.search(rf"^{name}(?:{{.*}})? \d", await scraped(live), re.MULTILINE)


async def test_requests_are_timed_by_kind_and_mount(live: Live) -> None:
    await live.post("sys/auth/userpass", {"type": "userpass"})
    await live.post("auth/userpass/users/u", {"password": "p"})
    before = await value(live, "vault_core_handle_request_count")
    for _ in range(3):
        await live.get("secret/data/x")
    await live.post("auth/userpass/login/u", {"password": "p"}, token="")
    assert await value(live, "vault_core_handle_request_count") == before + 4  # and the look before this one
    assert await value(live, "vault_core_handle_login_request_count") == 1
    assert await value(live, "vault_route_read_secret__count") == 3
    assert await value(live, "vault_route_update_auth_userpass__count") == 1


async def test_tokens_are_counted(live: Live) -> None:
    cluster = live.server.cluster_name
    assert await value(live, f'vault_token_count{{cluster="{cluster}",namespace="root"}}') == 1
    await live.make_token(policies=["default"], ttl="1h")
    assert await value(live, f'vault_token_count{{cluster="{cluster}",namespace="root"}}') == 2
    created = (f'vault_token_creation{{auth_method="token",cluster="{cluster}",creation_ttl="1h",'
               'mount_point="auth/token/",namespace="root",token_type="service"}')  # fmt: skip
    assert await value(live, created) == 1
    await live.clock.advance(601)  # those by facet are taken anew every usage_gauge_period
    by_policy = f'vault_token_count_by_policy{{cluster="{cluster}",namespace="root",policy="default"}}'
    assert await value(live, by_policy) == 1


async def test_root_tokens_are_counted_apart(live: Live) -> None:
    await live.make_token(policies=["default"])
    before = await value(live, "vault_token_create_root")
    await live.make_token(policies=["root"])
    assert await value(live, "vault_token_create_root") == before + 1


async def test_leases_are_counted_by_their_end_and_secrets_by_their_mount(live: Live) -> None:
    cluster = live.server.cluster_name
    await live.post("sys/mounts/old", {"type": "kv"})
    for path in ("old/a", "old/b/c", "secret/data/a"):
        await live.post(path, {"data": {"k": "v"}})
    live.clock.time = 1_700_000_000  # 22:13:20
    for ttl in ("1h", "70m", "1h"):
        await live.make_token(policies=["default"], ttl=ttl)
    for mount, count in (("old/", 2), ("secret/", 1)):
        name = f'vault_secret_kv_count{{cluster="{cluster}",mount_point="{mount}",namespace="root"}}'
        assert await value(live, name) == count
    name = f'vault_expire_leases_by_expiration{{cluster="{cluster}",expiring="2023-11-14 23:00:00 +0000 UTC"}}'
    assert await value(live, name) == 3


async def test_wrapped_answers_are_counted_together(live: Live) -> None:
    for path in ("sys/mounts", "sys/auth"):
        await live.get(path, wrap_ttl=60)
    cluster = live.server.cluster_name
    name = f'vault_token_count_by_auth{{auth_method="response_wrapping",cluster="{cluster}",namespace="root"}}'
    assert await value(live, name) == 2


async def test_the_json_form(live: Live) -> None:
    body = (await live.get("sys/metrics")).body
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", body["Timestamp"])
    gauges = {row["Name"]: row for row in body["Gauges"]}
    assert gauges["vault.core.unsealed"]["Value"] == 1
    assert gauges["vault.core.unsealed"]["Labels"] == {"cluster": live.server.cluster_name}
    samples = {row["Name"]: row for row in body["Samples"]}
    assert samples["vault.core.handle_request"].keys() == {
        "Name", "Labels", "Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev",
    }  # fmt: skip
    assert (await live.get("sys/metrics", body={"format": "x"})).status == 400


def test_a_series_knows_its_quantiles() -> None:
    summary = Summary()
    for number in range(1000):
        summary.observe(number)
    assert summary.sums() == (1000, 499_500, 332_833_500, 0, 999)
    assert 700 <= dict(summary.quantiles())[0.5] <= 900  # of the last few hundred


def test_an_exposition_is_well_formed() -> None:
    metrics = Metrics(prefix="mine")
    metrics.count("vault.a.b", (("name", 'x"\n\\y'),))
    metrics.gauge("vault.c-d", 1.5)
    metrics.summary("vault.t").observe(2)
    assert metrics.prometheus() == (
        '# HELP mine_a_b mine_a_b\n# TYPE mine_a_b counter\nmine_a_b{name="x\\"\\n\\\\y"} 1\n'
        "# HELP mine_c_d mine_c_d\n# TYPE mine_c_d gauge\nmine_c_d 1.5\n"
        "# HELP mine_t mine_t\n# TYPE mine_t summary\n"
        'mine_t{quantile="0.5"} 2\nmine_t{quantile="0.9"} 2\nmine_t{quantile="0.99"} 2\nmine_t_sum 2\nmine_t_count 1\n'
    )


@pytest.mark.parametrize(("seconds", "name"), [(0, "+Inf"), (30, "1m"), (3600, "1h"), (3601, "2h"), (2764800, "+Inf")])
def test_lifetimes_have_buckets(seconds: int, name: Any) -> None:
    assert lifetime(seconds) == name
