"""pki health-check, issue, reissue, verify-sign, list-intermediates against a server of ours, and beside the peer's."""

import json
import os
import re
import subprocess

import pytest

from strongroom_cli.pkihealth import findings, settings
from strongroom_cli.pkihealth.findings import Finding
from strongroom_cli.pkihealth.settings import DEFAULTS
from strongroom_cli.pkihealth.spans import span
from strongroom_client import Client, Settings
from tests.bao import program
from tests.strongroom_cli.running import our_server, ran

_DAY = 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(1, "1s", id="a_second"),
        pytest.param(_DAY, "24h0m0s", id="a_unit_must_be_exceeded"),
        pytest.param(30 * _DAY, "2d4w", id="thirty_days_are_no_month"),
        pytest.param(180 * _DAY, "6mo", id="months_without_rest"),
        pytest.param(365 * _DAY, "5d12mo", id="no_year_yet"),
        pytest.param(400_000 * 3600, "16h0m0s1d8mo45y", id="all_units_smallest_first"),
    ],
)
def test_spans(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"ca_validity_period": 5}, "expected an object", id="no_object"),
        pytest.param({"too_many_certs": {"x": 1}}, "unknown configuration option for too_many_certs: x", id="unknown"),
        pytest.param({"crl_validity_period": {"crl_expiry_pct_critical": 0}}, "out of range [1 to 99]: 0", id="range"),
        pytest.param({"tidy_last_run": {"last_run_warning": "4 horses"}}, "last_run_warning=4 horses", id="duration"),
        pytest.param({"ca_validity_period": {"enabled": "maybe"}}, "ca_validity_period.enabled", id="boolean"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(changes, message):
    with pytest.raises(Exception, match=re.escape(message)):
        settings.merged(changes, enabled=True)


def test_what_runs_is_what_is_enabled():
    assert set(settings.merged({}, enabled=True)) == set(DEFAULTS) - {"hardware_backed_root"}
    some = {"hardware_backed_root": {"enabled": "true"}, "too_many_certs": {}}
    assert set(settings.merged(some, enabled=False)) == {"hardware_backed_root"}


@pytest.mark.parametrize(
    ("worst", "codes"),
    [
        pytest.param(findings.OK, [0, 0, 0, 0, 0], id="ok"),
        pytest.param(findings.INFORMATIONAL, [2, 2, 0, 0, 0], id="informational"),
        pytest.param(findings.WARNING, [3, 3, 3, 0, 0], id="warning"),
        pytest.param(findings.CRITICAL, [4, 4, 4, 4, 0], id="critical"),
        pytest.param(findings.DENIED, [6, 6, 6, 6, 6], id="permission"),
    ],
)
def test_exit_codes(worst, codes):
    found = [Finding(findings.OK, "", ""), Finding(worst, "", "")]
    indicators = ("default", "informational", "warning", "critical", "permission")
    assert [findings.exit_code(found, one) for one in indicators] == codes


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with (
        our_server(tmp_path_factory.mktemp("server")) as address,
        Client(Settings(address=address, token="root")) as one,
    ):
        _fill(one)
        yield one


def _fill(client):
    for mount in ("root", "int", "bare"):
        client.write(f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": "87600h"}})
    names = {"common_name": "Example Root", "issuer_name": "top", "key_type": "ec"}
    client.write("root/root/generate/internal", {**names, "ttl": "87599h"})
    client.write("root/roles/loose", {"allowed_domains": ["example.com", "*.example.org"], "allow_glob_domains": True})
    client.write("root/roles/tight", {"allowed_domains": "example.com", "allow_localhost": False, "no_store": True})
    client.write("root/roles/any", {"allow_any_name": True, "key_type": "ec", "no_store": False})
    client.write("root/issue/any", {"common_name": "leaf.example.com"})
    client.write("sys/policies/acl/few", {"policy": 'path "root/roles" { capabilities = ["list"] }'})


def _environ(server, token="root"):
    return {"VAULT_ADDR": server.settings.address, "VAULT_TOKEN": token, "HOME": "/nonexistent"}


def _run(server, line, token="root"):
    return ran(line.split(), _environ(server, token))


def _checked(server, line="", **changes):
    done = _run(server, f"pki health-check -format=json {line} root")
    return {name: [one["status"] for one in found] for name, found in json.loads(done.out).items()}, done.code


def test_every_check_looks_at_the_mount(server):
    found, code = _checked(server)
    assert code == 4
    assert {name: sorted(set(statuses)) for name, statuses in found.items()} == {
        "allow_acme_headers": ["not_applicable"],
        "allow_if_modified_since": ["informational"],
        "audit_visibility": ["informational"],
        "ca_validity_period": ["ok"],
        "crl_validity_period": ["ok"],
        "enable_acme_issuance": ["not_applicable"],
        "enable_auto_tidy": ["informational"],
        "role_allows_glob_wildcards": ["warning"],
        "role_allows_localhost": ["warning"],
        "role_no_store_false": ["warning"],
        "root_issued_leaves": ["warning"],
        "tidy_last_run": ["critical"],
        "too_many_certs": ["ok"],
    }


@pytest.mark.parametrize(
    ("check", "changes", "statuses", "code"),
    [
        pytest.param("ca_validity_period", {"root_expiry_warning": "99999h"}, ["warning"], 3, id="a_root_that_ends"),
        pytest.param("role_no_store_false", {"allowed_roles": ["loose", "any"]}, ["ok"], 0, id="roles_that_may"),
        pytest.param("too_many_certs", {"count_critical": 1}, ["critical"], 4, id="too_many_certificates"),
        pytest.param("hardware_backed_root", {}, ["informational"], 2, id="a_key_in_software"),
    ],
)
def test_a_file_changes_a_check(server, tmp_path, check, changes, statuses, code):
    (tmp_path / "c.json").write_text(json.dumps({check: {"enabled": True, **changes}}))
    assert _checked(server, f"-default-disabled -health-config={tmp_path}/c.json") == ({check: statuses}, code)


def test_a_token_that_may_little_learns_what_it_may_not(server):
    token = server.write("auth/token/create", {"policies": ["few"]}).auth["client_token"]
    done = _run(server, "pki health-check root", token)
    assert done.code == 6
    assert re.search(r"ok +/root/issuer/[0-9a-f-]{36} +Issuer's validity", done.out)
    denied = re.findall(r"insufficient_permissions +(\S+)", done.out)
    assert {"/root/certs", "/root/config/crl", "/root/roles/loose", "/sys/mounts/root/tune"} <= set(denied)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("", "Not enough arguments (expected mount path, got nothing)", id="no_mount"),
        pytest.param("a b", "Too many arguments (expected only mount path, got 2 arguments)", id="two_mounts"),
        pytest.param("-return-indicator=x root", "Invalid flag -return-indicator=x", id="indicator"),
        pytest.param("-health-config=/nonexistent/c.json root", "no such file or directory", id="no_file"),
        pytest.param("nosuch", "refusing to run PKI health-check on non-PKI mount", id="nothing_mounted"),
        pytest.param("secret", "refusing to run PKI health-check on non-PKI mount", id="another_engine"),
        pytest.param("bare", "this mount lacks any configured issuers", id="no_issuers"),
    ],
)
def test_a_health_check_that_cannot_run_says_why(server, line, message):
    done = _run(server, f"pki health-check {line}")
    assert done.code == 1
    assert message in done.err


def test_the_list_of_checks_needs_no_server():
    done = ran(["pki", "health-check", "-list", "-format=json"], {"VAULT_ADDR": "http://127.0.0.1:1"})
    assert (done.code, json.loads(done.out)) == (0, DEFAULTS)


def test_an_intermediate_is_made_and_made_again(server):
    made = _run(
        server,
        "pki issue -format=json -issuer_name=one root/issuer/top int common_name=One key_type=ec ttl=100h"
        " max_path_length=1 permitted_dns_domains=example.com organization=A alt_names=a.example.com ip_sans=10.0.0.1",
    )
    assert made.code == 0, made.err
    data = json.loads(made.out)["data"]
    assert (data["issuer_name"], len(data["ca_chain"])) == ("one", 2)
    again = _run(server, "pki reissue -format=json -issuer_name=two root/issuer/top int/issuer/one int ou=B")
    assert again.code == 0, again.err
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName,nameConstraints,basicConstraints"],
        input=json.loads(again.out)["data"]["certificate"], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for part in ("O = A, OU = B, CN = One", "pathlen:1", "DNS:example.com", "DNS:a.example.com", "IP Address:10.0.0.1"):
        assert part in text
    below = _run(server, "pki list-intermediates -format=json -use_names root/issuer/top")
    assert json.loads(below.out) == dict.fromkeys(
        ["int/issuer/one", "int/issuer/top", "int/issuer/two", "root/issuer/top"], True
    )
    signed = _run(server, "pki verify-sign -format=json root/issuer/top int/issuer/two")
    assert json.loads(signed.out) == {
        "key_id_match": True, "path_match": True, "signature_match": True, "subject_match": True, "trust_match": True,
    }  # fmt: skip
    signed = _run(server, "pki verify-sign -format=json int/issuer/one int/issuer/two")
    assert not any(json.loads(signed.out).values())
    taken = _run(server, "pki issue -issuer_name=one root/issuer/top int common_name=Three key_type=ec")
    assert taken.code == 1
    assert "issuer name already in use" in taken.err
    assert "issuer_name=one`" in taken.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("issue root/issuer/top int", "Not enough arguments", id="nothing_said"),
        pytest.param("issue root int common_name=x", "is Not a PKI Issuer Path", id="a_mount_as_parent"),
        pytest.param("issue root/issuer/no int common_name=x", "Unable to access parent issuer", id="no_such_parent"),
        pytest.param("issue root/issuer/top no common_name=x", "Intermediate Mount no Does Not Exist", id="no_mount"),
        pytest.param("issue root/issuer/top int foo", "format must be key=value", id="no_pair"),
        pytest.param("reissue root/issuer/top int/issuer/no int", "Error fetching template", id="no_template"),
        pytest.param("verify-sign root/issuer/top", "Not enough arguments", id="one_issuer"),
        pytest.param("verify-sign root int/issuer/one", "Failed to read issuer: root", id="a_mount_as_issuer"),
        pytest.param("list-intermediates", "Not enough arguments", id="no_parent"),
    ],
)
def test_wrong_arguments_are_explained(server, line, message):
    done = _run(server, f"pki {line}")
    assert done.code == 1
    assert message in done.err


@pytest.mark.peer
@pytest.mark.parametrize(
    "line",
    [
        "health-check root", "health-check -format=json root", "health-check -list", "health-check nosuch",
        "health-check bare", "verify-sign -format=json root/issuer/top root/issuer/default",
        "verify-sign root/issuer/top root/issuer/no", "list-intermediates root/issuer/top root",
    ],
)  # fmt: skip
def test_the_peers_command_says_the_same(server, line):
    environ = {**os.environ, "BAO_ADDR": server.settings.address, "BAO_TOKEN": "root", "HOME": "/nonexistent"}
    words = ["pki", *line.split(), *(["root"] if "-list" in line.split() else [])]
    theirs = subprocess.run([program(), *words], env=environ, capture_output=True, text=True, timeout=60, check=False)
    ours = _run(server, f"pki {line}")
    assert ours.code == theirs.returncode
    assert sorted(_plain(ours.out)) == sorted(_plain(theirs.stdout))  # the peer prints roles in any order
    assert _plain(ours.err) == _plain(theirs.stderr)


def _plain(text):
    lines = re.sub("OpenBao|Strongroom", "PRODUCT", text).split("\n")
    return [re.sub(r"-{5,}", "-", re.sub(" +", " ", line)).rstrip(",") for line in lines]
