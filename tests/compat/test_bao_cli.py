"""OpenBao's own command line against this server: every command does what it does against its own."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bao import program
from tests.ours import Ours, dev_server, file_server

pytestmark = [pytest.mark.peer, pytest.mark.slow]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ours]:
    with dev_server(tmp_path_factory.mktemp("home")) as server:
        yield server


SESSIONS: dict[str, list[tuple[str, int, str]]] = {
    # each step: command, exit status, what the output holds (a regular expression)
    "versions_of_a_secret": [
        ("kv put secret/app username=app password=one", 0, r"version +1"),
        ("kv put secret/app username=app password=two", 0, r"version +2"),
        ("kv get secret/app", 0, r"password +two"),
        ("kv get -version=1 -field=password secret/app", 0, r"^one$"),
        ("kv get -mount=secret app", 0, r"password +two"),
        ("kv metadata get secret/app", 0, r"current_version +2"),
        ("kv patch secret/app extra=three", 0, r"version +3"),
        ("kv get -format=json secret/app", 0, r'"extra": "three"'),
        ("kv rollback -version=1 secret/app", 0, r"version +4"),
        ("kv get -field=password secret/app", 0, r"^one$"),
        ("kv delete secret/app", 0, r"Success"),
        ("kv get secret/app", 0, r"deletion_time +2"),
        ("kv undelete -versions=4 secret/app", 0, r"Success"),
        ("kv get -field=password secret/app", 0, r"^one$"),
        ("kv destroy -versions=1,2 secret/app", 0, r"Success"),
        ("kv get -version=1 secret/app", 0, r"destroyed +true"),
        ("kv list secret", 0, r"app"),
        ("kv metadata put -max-versions=5 -custom-metadata=owner=me secret/app", 0, r"Success"),
        ("kv metadata patch -custom-metadata=team=us secret/app", 0, r"Success"),
        ("kv metadata get -format=json secret/app", 0, r'"team": "us"'),
        ("kv metadata delete secret/app", 0, r"Success"),
        ("kv get secret/app", 2, r"No value found"),
    ],
    "the_catalog": [
        ("plugin list", 0, r"approle +auth +v\S+"),
        ("plugin list -detailed secret", 0, r"transit +secret +v\S+ +supported"),
        ("plugin info auth userpass", 0, r"builtin +true"),
        ("plugin register -sha256=aa auth mine", 2, r"plug-ins are not supported"),
        ("plugin reload -plugin=kv", 0, r"Success! Reloaded plugin: kv"),
        ("plugin reload -plugin=nosuch", 2, r"plugin not found in the catalog"),
        ("secrets enable -path=keys transit", 0, r"Success"),
        ("transit import keys/keys/mine vdUgkEKIHWPuHABQra09cUQ9rVK+rHm+Bgxev9s8ju0=", 0, r"Success!"),
        ("transit import-version keys/keys/mine vdUgkEKIHWPuHABQra09cUQ9rVK+rHm+Bgxev9s8ju0=", 0, r"Success!"),
        ("read -field=latest_version keys/keys/mine", 0, r"^2$"),
        ("transit import keys/keys/mine vdUgkEKIHWPuHABQra09cUQ9rVK+rHm+Bgxev9s8ju0=", 3, r"import-version|existing"),
    ],
    "tokens": [
        ("token create -policy=default -ttl=1h -field=token", 0, r"^hvs\."),
        ("token create -policy=default -period=2h", 0, r"token_duration +2h"),
        ("token create -type=batch -ttl=10m -policy=default -field=token", 0, r"^hvb\."),
        ("token lookup", 0, r"path +auth/token/"),
        ("token capabilities secret/data/app", 0, r"root"),
        ("token create -policy=default -id=mine -ttl=1h", 0, r"token +mine"),
        ("token renew -increment=30m mine", 0, r"token_duration +30m"),
        ("token lookup mine", 0, r"ttl +(30m|29m)"),
        ("token revoke mine", 0, r"Success"),
        ("token lookup mine", 2, r"bad token"),
        ("write auth/token/roles/worker allowed_policies=default period=1h", 0, r"Success"),
        ("token create -role=worker", 0, r"token_duration +1h"),
        ("list auth/token/roles", 0, r"worker"),
        ("delete auth/token/roles/worker", 0, r"Success"),
    ],
    "policies": [
        ("policy list", 0, r"default\nroot"),
        ("policy read default", 0, r"lookup-self"),
        ("policy delete default", 2, r"cannot delete"),
        ("policy read none", 2, r"No policy named"),
    ],
    "mounts": [
        ("secrets enable -path=team -version=2 kv", 0, r"Success"),
        ("secrets list", 0, r"team/"),
        ("secrets list -detailed -format=json", 0, r'"version": "2"'),
        ("secrets tune -max-lease-ttl=48h -description=ours team", 0, r"Success"),
        ("secrets move team squad", 0, r"Success"),
        ("kv put squad/a x=1", 0, r"version +1"),
        ("secrets disable squad", 0, r"Success"),
        ("auth enable userpass", 0, r"Success"),
        ("auth list", 0, r"userpass/"),
        ("write auth/userpass/users/alice password=pw policies=default", 0, r"Success"),
        ("login -method=userpass -no-store username=alice password=pw", 0, r"token_meta_username +alice"),
        ("auth tune -default-lease-ttl=2h userpass", 0, r"Success"),
        ("auth disable userpass", 0, r"Success"),
    ],
    "wrapping": [
        ("kv put secret/wrapped x=1", 0, r"version"),
        ("kv get -wrap-ttl=60s secret/wrapped", 0, r"wrapping_token_ttl: +1m"),
        ("write -wrap-ttl=60 sys/wrapping/wrap a=b", 0, r"wrapping_token:?"),
    ],
    "the_server": [
        ("status", 0, r"Sealed +false"),
        ("read sys/health", 0, r"initialized +true"),
        ("operator key-status", 0, r"Key Term"),
        ("operator rotate", 0, r"Success"),
        ("path-help secret", 0, r"PATHS"),
        ("read -format=json sys/leader", 0, r"ha_enabled"),
    ],
}


@pytest.mark.parametrize("session", SESSIONS)
def test_sessions(ours: Ours, session: str) -> None:
    for command, status, pattern in SESSIONS[session]:
        result = ours.run([program(), *command.split()])
        output = result.stdout + result.stderr
        assert result.returncode == status, (command, output)
        assert re.search(pattern, output, re.MULTILINE), (command, output)


def test_policies_are_written_from_standard_input(ours: Ours) -> None:
    text = 'path "secret/data/x" { capabilities = ["read"] }\n'
    assert ours.run([program(), "policy", "write", "mine", "-"], text).returncode == 0
    assert ours.run([program(), "policy", "read", "mine"]).stdout == text
    assert ours.run([program(), "policy", "write", "bad", "-"], 'path "x" { nonsense = 1 }').returncode == 2


def test_init_unseal_and_seal(tmp_path: Path) -> None:
    with file_server(tmp_path) as server:
        bao = program()
        assert server.run([bao, "status"]).returncode == 2
        result = server.run([bao, "operator", "init", "-key-shares=5", "-key-threshold=3", "-format=json"])
        assert result.returncode == 0, result
        answer = json.loads(result.stdout)
        for key in answer["unseal_keys_b64"][:3]:
            assert server.run([bao, "operator", "unseal", key]).returncode == 0
        assert server.run([bao, "status"]).returncode == 0
        server.token = answer["root_token"]
        assert server.run([bao, "secrets", "enable", "-path=secret", "-version=2", "kv"]).returncode == 0
        assert server.run([bao, "kv", "put", "secret/a", "x=1"]).returncode == 0
        assert server.run([bao, "operator", "seal"]).returncode == 0
        assert "Vault is sealed" in server.run([bao, "kv", "get", "secret/a"]).stderr
