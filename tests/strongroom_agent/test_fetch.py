"""From dependencies to requests, and from answers to lives."""

from collections.abc import Iterator

import pytest

from strongroom_agent.config import Rendering
from strongroom_agent.fetch import Fetched, Fetcher, NoSecret
from strongroom_agent.functions.dependencies import List, Read, Write
from strongroom_agent.watch import seconds_until_next
from strongroom_client import Client, PermissionDenied, Settings
from strongroom_common.clock import FakeClock
from tests.strongroom_agent.vault import Vault


@pytest.fixture
def remarks() -> list[str]:
    return []


@pytest.fixture
def fetcher(vault: Vault, remarks: list[str]) -> Iterator[Fetcher]:
    vault.secrets |= {path: {"a": "1"} for path in ("kv/data/app", "kv/metadata/app", "kv1/app", "kv/data/data")}
    with Client(Settings(vault.address, token="root", retries=0)) as client:
        yield Fetcher(client, FakeClock(), remarks.append)


@pytest.mark.parametrize(
    ("path", "requested"),
    [
        pytest.param("kv/app", "kv/data/app", id="version_2_without_its_folder"),
        pytest.param("kv/data/app", "kv/data/app", id="version_2_with_it"),
        pytest.param("kv/metadata/app", "kv/metadata/app", id="its_metadata"),
        pytest.param("kv1/app", "kv1/app", id="version_1"),
        pytest.param("kv/app?version=1", "kv/data/app", id="a_query_is_no_part_of_the_path"),
    ],
)
def test_paths(vault, fetcher, path, requested):
    fetcher.fetch(Read(path))
    assert vault.requests[-1] == ("GET", requested, "root")


def test_lists_look_into_the_metadata(vault, fetcher):
    assert fetcher.fetch(List("kv")).value == ["app"]
    assert fetcher.fetch(List("kv1")).value == ["app"]
    assert fetcher.fetch(List("kv1/none")).value == []


def test_who_may_not_ask_for_the_mount_is_taken_at_his_word(vault, fetcher, remarks):
    vault.denied.add("sys/internal/ui/mounts/kv/data/app")
    assert fetcher.fetch(Read("kv/data/app")).value.data["data"] == {"a": "1"}
    assert "failed to check if kv/data/app is KVv2, assume not" in remarks[0]


def test_errors_name_the_path(vault, fetcher):
    with pytest.raises(NoSecret, match="no secret exists at kv/data/none"):
        fetcher.fetch(Read("kv/none"))
    vault.denied.add("kv/data/app")
    with pytest.raises(PermissionDenied, match="kv/data/app: 403: permission denied"):
        fetcher.fetch(Write("kv/app", (("a", "b"),)))


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("fetched", "least", "most"),
    [
        pytest.param(Fetched(None), 270, 300, id="without_a_lease_at_the_interval"),
        pytest.param(Fetched(None, "lease", 1000), 810, 900, id="a_lease_before_it_ends"),
        pytest.param(Fetched(None, expires=NOW + 1000), 810, 900, id="a_certificate_before_it_expires"),
        pytest.param(Fetched(None, expires=NOW - 5), 1, 1, id="an_expired_one_at_once"),
        pytest.param(Fetched(None, seconds=60, rotates=True), 61, 61, id="a_rotated_password_after_its_rotation"),
    ],
)
def test_when_to_fetch_again(fetched, least, most):
    rendering = Rendering()
    assert seconds_until_next(fetched, rendering, NOW, 0.0) == pytest.approx(most)
    assert seconds_until_next(fetched, rendering, NOW, 1.0) == pytest.approx(least)
