"""The same commands by ``bao`` and by us, against one server: outputs and exit codes are the same.

Each script runs twice, once by each, with names of its own in place of ``{m}`` (a mount) and ``{m}`` (a word), which
are equally long. Times, tokens and ids are masked.
"""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bao import dev_server, program
from tests.strongroom_cli.running import Ran, masked, ran

pytestmark = pytest.mark.peer

_HEADER = re.compile(r' -H "[^"]*"')  # bao prints them in any order
_HEADERS = re.compile(f"({_HEADER.pattern})+")
_PRODUCT = re.compile(r"OpenBao|Strongroom|Vault|BAO_TOKEN|VAULT_TOKEN")

_FILES = {
    "d.json": '{"a":1,"b":{"c":[1,2]},"h":"<&>","n":null,"t":true,"l":[],"s":"one\\ntwo"}',
    "f.txt": "from a file\n",
    "odd.json": (
        '{"period":90,"x_period":3600,"ttl":"90","duration":0,"a_duration":86400,"lease_max":5,"e":"","sp":"  x  ",'
        '"uni":"日本","日本":"y","nl":"a\\nb\\n","tab":"a\\tb","arr":["a","b c",null,{"z":1,"a":null}],"m":{},'
        '"nested":{"ttl":90},"long":1000000000000,"neg_ttl":-5,"b_ttl":true,"s_ttl":"2h","pipe":"a|b","q":"it\'s",'
        '"dq":"say \\"hi\\"","yes":"yes","no":"no","num":"12","date":"2026-01-01","colon":"a: b","hash":"a #b",'
        '"dash":"- a","star":"*a","amp":"&a","bang":"!a","pct":"%a","at":"@a","tick":"`a","null":"null","tilde":"~",'
        '"brace":"{a}","brack":"[a]","trail":"a:","emptyl":[[],{}],"nl3":"\\na","sp2":"a \\nb","deep":'
        '[{"a":[{"b":1}]}]}'
    ),
    "p.hcl": 'path "secret/*" {\n capabilities = ["read",\n"list"]\n}\n',
    "q.hcl": 'path "secret/*" { capabilities = ["read"] }\n',
    "bad.hcl": 'path "secret/*" { capabilities = ["rea"] }\n',
}

_KV = """
secrets enable -path={m} -version=2 kv
kv put {m}/app/db user=ann password=x port=5432
kv put -format=json {m}/app/db user=ann b=2
kv put -field=version {m}/app/db user=ann b=2
kv put -mount={m} app/two a=1
kv put -format=yaml {m}/app/y a=1
kv get {m}/app/db
kv get -mount={m} app/db
kv get -mount={m}/ /app/db/
kv get /{m}/app/db/
kv get -version=1 {m}/app/db
kv get -version=99 {m}/app/db
kv get -format=json {m}/app/db
kv get -format=yaml {m}/app/db
kv get -format=pretty {m}/app/db
kv get -format=raw {m}/app/db
kv get -format=nosuch {m}/app/db
kv get -field=user {m}/app/db
kv get -field=nosuch {m}/app/db
kv get --field user {m}/app/db
kv get {m}/none
kv get -field=a {m}/none
kv get -format=json {m}/none
kv get {m}/data/app/db
kv get {m}
kv get
kv get a b
kv get -nosuch {m}/app/db
kv get -field
kv put {m}/types @d.json
kv get {m}/types
kv get -format=json {m}/types
kv get -format=yaml {m}/types
kv get -field=b {m}/types
kv get -field=b -format=json {m}/types
kv get -field=b -format=yaml {m}/types
kv get -field=l {m}/types
kv get -field=n {m}/types
kv get -field=t {m}/types
kv get -field=s {m}/types
kv put {m}/odd @odd.json
kv get {m}/odd
kv get -format=yaml {m}/odd
kv get -format=json {m}/odd
kv put {m}/forms b=@f.txt c=\\@lit d= e=b=c n=5 l=1 l=2
kv get -format=json {m}/forms
kv put {m}/forms a=@nofile
kv put {m}/forms @nofile
kv put {m}/ключ "ключ=знач"
kv get {m}/ключ
kv put "{m}/a b" x=1
kv get "{m}/a b"
kv put "{m}/p%2Fq" x=1
kv get -format=json "{m}/p%2Fq"
kv put "{m}/h#h" x=1
kv get "{m}/h#h"
kv put "{m}/q?q=1" x=1
kv get "{m}/q?q=1"
kv put "{m}/e&e=e+e" x=1
kv get "{m}/e&e=e+e"
kv get -output-curl-string "{m}/a b"
kv put {m}/forms x
kv put {m}/forms =1
kv put {m}/forms
kv put {m}
kv put -cas=x {m}/forms a=1
kv put -cas=0 {m}/forms a=1
kv put -cas=2 {m}/forms a=1
kv patch {m}/app/db z=1
kv patch -method=rw {m}/app/db z=1
kv patch -method=patch {m}/app/db z=1
kv patch -method=zz {m}/app/db z=1
kv patch -cas=1 {m}/app/db z=1
kv patch -remove-data=z {m}/app/db
kv patch {m}/app/db
kv patch {m}/nope z=1
kv patch -method=rw {m}/nope z=1
kv patch -field=version {m}/app/db z=1
kv patch -format=json {m}/app/db z=1
kv list {m}
kv list {m}/
kv list -mount={m}
kv list -mount={m} app
kv list -format=json {m}
kv list -format=yaml {m}
kv list {m}/app/db
kv list {m}/none
kv list -format=json {m}/none
kv list -format=yaml {m}/none
kv list
kv scan {m}
kv delete {m}/types
kv get {m}/types
kv get -format=json {m}/types
kv get -field=a {m}/types
kv patch -method=rw {m}/types a=b
kv undelete {m}/types
kv undelete -versions=1 {m}/types
kv get -field=a {m}/types
kv destroy {m}/types
kv destroy -versions=1 {m}/types
kv get {m}/types
kv delete -versions=1,2 {m}/app/db
kv delete -versions=1 -versions=2 {m}/app/db
kv rollback {m}/app/db
kv rollback -version=3 {m}/app/db
kv rollback -version=99 {m}/app/db
kv rollback -version=1 {m}/app/db
kv rollback -version=1 {m}/types
kv rollback -version=-1 {m}/app/db
kv rollback -version=1 {m}/none
kv metadata get {m}/app/db
kv metadata get -format=json {m}/app/db
kv metadata get -format=yaml {m}/app/db
kv metadata get {m}/types
kv metadata get {m}/none
kv metadata get
kv metadata put -custom-metadata=a=b -custom-metadata=foo=bar -max-versions=5 -delete-version-after=1h {m}/app/two
kv metadata put -cas-required {m}/app/two
kv metadata get {m}/app/two
kv metadata patch -custom-metadata=z=b -remove-custom-metadata=a {m}/app/two
kv metadata get -mount={m} app/two
kv metadata put -custom-metadata=a {m}/app/two
kv get {m}/app/two
kv put {m}/app/two x=y
kv put -cas=1 {m}/app/two x=y
kv metadata delete {m}/app/two
kv metadata get {m}/app/two
kv delete {m}/never
kv get -output-curl-string {m}/app/db
kv put -output-curl-string {m}/app/db "a=it's"
kv delete -output-curl-string {m}/app/db
kv list -output-curl-string {m}/app
kv get -output-policy {m}/app/db
kv put -output-policy {m}/app/db a=1
kv list -output-policy {m}/app
secrets disable {m}
kv get {m}/app/db
kv get -mount={m} app
kv list {m}
"""

_KV1 = """
read secret/{m}
list secret/{m}
write secret/{m} a=b
delete secret/{m}
secrets enable -path={m} -version=1 kv
kv put {m}/a x=1
kv put -format=json {m}/a x=1
kv put -field=x {m}/a x=1
kv put -cas=1 {m}/a x=1 ttl=1h
kv get {m}/a
kv get -format=json {m}/a
kv get -format=yaml {m}/a
kv get -version=1 {m}/a
kv get -field=x {m}/a
kv get -field=q {m}/a
kv get {m}/none
read {m}/a
read -format=json {m}/a
read -field=refresh_interval {m}/a
read -field=lease_id {m}/a
kv list {m}
kv list {m}/none
kv patch {m}/a a=1
kv undelete -versions=1 {m}/a
kv destroy -versions=1 {m}/a
kv metadata get {m}/a
kv metadata put {m}/a
kv metadata delete {m}/a
kv rollback -version=1 {m}/a
kv delete {m}/a
kv get {m}/a
kv put {m}/b x=1
kv enable-versioning {m}
kv enable-versioning no{m}
secrets disable {m}
"""

_GENERIC = """
write cubbyhole/{m} a=1 b=2 b=3
write cubbyhole/{m}
write -f cubbyhole/{m}x
write -force cubbyhole/{m}x
write -format=json cubbyhole/{m} a=1 b=2 b=3
write
write cubbyhole/{m} nokey
read cubbyhole/{m}
read -format=json cubbyhole/{m}
read -format=yaml cubbyhole/{m}
read -field=b cubbyhole/{m}
read -field=b -format=json cubbyhole/{m}
read -field=zz cubbyhole/{m}
read -wrap-ttl=5m cubbyhole/{m}
read -wrap-ttl=5m -format=json cubbyhole/{m}
read -wrap-ttl=5m -format=yaml cubbyhole/{m}
read -wrap-ttl=5m -field=b cubbyhole/{m}
read -wrap-ttl=x cubbyhole/{m}
read -tls-skip-verify=maybe cubbyhole/{m}
read -ns=root -policy-override -disable-redirects -non-interactive -mfa=a:b -unlock-key=x cubbyhole/{m}
read -header=foo cubbyhole/{m}
read cubbyhole/{m}none
read -format=json cubbyhole/{m}none
read /cubbyhole/{m}/
read
read a b
read no{m}/x
list cubbyhole
list -format=json cubbyhole
list cubbyhole/none
list -format=json cubbyhole/none
list -format=raw cubbyhole
list
list -mount=x secret
scan cubbyhole
write cubbyhole/{m} @odd.json
read cubbyhole/{m}
read -format=yaml cubbyhole/{m}
read -field=e cubbyhole/{m}
read -field=sp cubbyhole/{m}
delete cubbyhole/{m}
delete -format=json cubbyhole/{m}
delete cubbyhole/{m}x
delete no{m}/x
list cubbyhole
write secret/data/{m} data=x
patch secret/data/{m} a=b
patch secret/data/{m}
read -output-curl-string secret/data/{m} version=1
write -output-curl-string secret/data/{m} a=b
read -output-policy secret/data/{m}
write -output-policy secret/data/{m} a=b
delete -output-policy secret/data/{m}
list -output-policy secret/metadata
auth enable -output-policy userpass
read -output-policy sys/raw/x
write -output-policy sys/mounts/x a=1
patch -output-policy x/y a=1
token create -output-policy
login -output-curl-string root
operator unseal -output-curl-string abc
list -output-curl-string secret/metadata
write -output-curl-string auth/x/login password=y
read -header=X-Foo=1 -field=name sys/policies/acl/default
"""

_TOKEN = """
token create -ttl=24h -policy=default
token create -ttl=24h -policy=default -format=json
token create -ttl=24h -policy=default -format=yaml
token create -ttl=24h -policy=default -field=token
token create -policy=default -metadata=b=1 -field=token_policies
token create -policy=default -metadata=b=1 -field=policies
token create -policy=default -metadata=b=1 -field=token_duration
token create -policy=default -field=policies -format=json
token create -metadata=a=b -display-name=x -period=1h -orphan -policy=p1 -policy=default
token create -wrap-ttl=60
token create -wrap-ttl=60 -format=json
token create -type=batch -policy=default
token create -role=none
token create -ttl=xx
token create x
token create -renewable=false -policy=default -ttl=1h
token create -explicit-max-ttl=2h -ttl=3h -policy=nosuch -no-default-policy
token create -id=tok{m} -use-limit=30 -ttl=1h -policy=nosuch -no-default-policy
token lookup tok{m}
token lookup -format=json tok{m}
token lookup -field=policies tok{m}
token lookup nosuch
token lookup -accessor
token lookup -accessor x
token lookup a b
token renew tok{m}
token renew -increment=30m tok{m}
token renew -format=json tok{m}
token renew
token capabilities sys/
token capabilities tok{m} sys/x
token capabilities root secret/x
token capabilities
token capabilities a b c
token capabilities -format=json root x/y
token revoke tok{m}
token revoke tok{m}
token revoke
token revoke -self x
token revoke -mode=orphan x
token revoke -mode=path auth/no{m}
token lookup tok{m}
token create -policy=a -policy=b,c -ttl=90
token create -period=xx
token create -use-limit=x
token create -type=bad
token create -type=batch -id=x
token create -entity-alias=x
token create -role=x
token create -id=
token create -policy=
token create -metadata=x
token create -display-name
token renew -increment=1h nosuch
token revoke a b
token revoke -accessor x
print token
"""

_POLICY = """
policy write {m} p.hcl
policy write {m} nofile
policy write {m} -
policy write {m} bad.hcl
policy write
policy write UP{m} p.hcl
policy read {m}
policy read -format=json {m}
policy read no{m}
policy read
policy delete {m}
policy delete {m}
policy delete root
policy delete up{m}
policy list
policy list -format=json
policy list -format=yaml
policy list x
policy read a b
policy read -format=yaml up{m}
policy write a
policy write a b c
policy delete
policy fmt
policy fmt nofile
policy fmt a b
policy fmt bad.hcl
policy fmt q.hcl
"""

_MOUNTS = """
secrets enable -path={m} -version=2 kv
secrets enable -path={m} -version=2 kv
secrets enable nosuch
secrets enable
secrets enable -description=hi -default-lease-ttl=1h -max-lease-ttl=2h -path={m}2/ kv-v2
secrets tune -default-lease-ttl=2h {m}2
secrets tune -description=x -listing-visibility=unauth -audit-non-hmac-request-keys=a -options=version=2 {m}
secrets tune no{m}
secrets tune
secrets list
secrets list -detailed
secrets list -format=json
secrets list -format=yaml
secrets move {m} {m}3
secrets move no{m} x
secrets tune -options=a {m}
secrets tune a b
secrets enable a b
secrets enable -version=x kv
secrets enable -version=3 -path={m}9 kv
secrets disable
secrets disable a b
secrets disable sys
secrets disable cubbyhole
secrets list x
secrets move
secrets move a
secrets move a b c
secrets move sys x
secrets disable {m}2
secrets disable {m}3
secrets disable no{m}
auth enable -path={m} -description=d userpass
auth enable -path={m} userpass
auth enable nosuch
auth tune -default-lease-ttl=1h {m}
auth tune no{m}
auth list
auth list -detailed
auth list -format=json
write auth/{m}/users/ann password=pw token_ttl=1h
read auth/{m}/users/ann
read -format=json auth/{m}/users/ann
list auth/{m}/users
login -method=userpass -path={m} username=ann password=pw
login -method=userpass -path={m} -format=json username=ann password=pw
login -method=userpass -path={m} -token-only username=ann password=pw
login -method=userpass -path={m} -no-store username=ann password=pw
login -method=userpass -path={m} -no-print username=ann password=pw
login -method=userpass -path={m} -field=token username=ann password=pw
login -method=userpass -path={m} username=ann password=bad
login -method=userpass -path=no{m} username=ann password=pw
write auth/{m}/login/ann password=pw
write -format=json auth/{m}/login/ann password=pw
write -field=token auth/{m}/login/ann password=pw
login -method=nosuch
login root
login nosuch
login -no-store root
login -token-only root
login -method=token token=root
login a b
auth move auth/{m} auth/{m}3
auth move auth/no{m} auth/x
auth tune -token-type=batch -user-lockout-threshold=3 -user-lockout-duration=5m -user-lockout-disable=false {m}3
auth tune -user-lockout-counter-reset-duration=5m {m}3
read -format=json sys/auth/{m}3/tune
auth tune -token-type=bad {m}3
auth tune
auth enable
auth enable a b
auth list x
auth disable
auth disable token
auth move
auth disable {m}3
auth disable no{m}
auth help nosuch
auth help
"""

_WRAPPED = """
kv put secret/{m} a=1
kv get -wrap-ttl=5m secret/{m}
kv get -wrap-ttl=5m -format=json secret/{m}
kv put -wrap-ttl=5m secret/{m} a=1
kv patch -wrap-ttl=5m secret/{m} a=2
kv list -wrap-ttl=5m secret
kv metadata get -wrap-ttl=5m secret/{m}
list -wrap-ttl=5m secret/metadata
token lookup -wrap-ttl=5m
login -wrap-ttl=5m root
login -wrap-ttl=5m -token-only root
write sys/wrapping/wrap a=b
"""

_BARE = """
read sys/seal-status
read sys/leader
read -format=json sys/leader
read -format=raw sys/seal-status
read sys/init
read -field=sealed sys/seal-status
read sys/mounts/secret
read -format=json sys/mounts/secret
read sys/mounts/secret/tune
read sys/auth/token/tune
write sys/capabilities token=root paths=a paths=b
write -format=json sys/capabilities-self paths=a
write sys/tools/hash input=YQ==
write -field=sum sys/tools/hash input=YQ==
read sys/internal/ui/mounts
list sys/policies/acl
list -format=yaml sys/policies/acl
write identity/entity name={m}
list identity/entity/name
delete identity/entity/name/{m}
write -f sys/leases/tidy
kv metadata patch -mount=secret nosuch{m}
kv metadata put -mount=secret -max-versions=x {m}
kv metadata put -mount=secret -delete-version-after=1.5s {m}
kv metadata get -mount=secret {m}
kv metadata patch -mount=secret -cas-required=false -max-versions=0 {m}
kv metadata delete -mount=secret {m}
kv undelete -mount=secret -versions=x {m}
secrets enable -path={m} -default-lease-ttl=xx kv
secrets enable -path={m} -options=version=2 kv
secrets tune -version=2 {m}
secrets disable {m}/
auth enable -path={m} -token-type=batch approle
read -format=json sys/auth/{m}/tune
auth disable {m}
"""

_REST = """
status
status -format=json
status -format=yaml
status x
status -field=sealed
audit list
audit list -format=json
audit list x
audit enable nosuch
audit enable file bad
audit disable
audit disable a b
audit disable no{m}
operator init
operator init -status
operator init -status -format=json
operator unseal x
operator key-status
operator key-status -format=json
operator rekey -status
operator rekey -status -format=json
operator rekey -cancel
operator rekey -backup-retrieve
operator rekey -backup-delete
operator rekey -target=bad
operator generate-root -status
operator generate-root -cancel
operator diagnose
operator validate-config
operator members
operator raft list-peers
operator step-down
path-help sys/health
path-help secret
path-help no{m}
lease lookup x
lease lookup
lease renew x
lease revoke x
lease revoke -prefix x
lease revoke -force x
lease revoke -sync -prefix x
lease lookup -format=json x
lease renew
lease renew -increment=xx x
lease renew -increment=60 x
lease revoke -prefix nosuch{m}
lease revoke -prefix -sync nosuch{m}
lease revoke -prefix nosuch{m}/creds/
lease revoke -prefix -sync /nosuch{m}/creds/
unwrap nosuch
unwrap
unwrap -field=x nosuch
unwrap -format=json nosuch
namespace list
namespace create {m}
namespace create -field=path {m}
namespace list
namespace lookup {m}
namespace lookup
namespace list -format=json
namespace patch {m}
namespace patch -custom-metadata=a=b -remove-custom-metadata=c {m}
namespace patch -custom-metadata=a=b no{m}
namespace lookup no{m}
namespace scan -ns={m}
secrets list -ns={m}
secrets list -ns=no{m}
token lookup -ns={m}
namespace unlock -unlock-key=x {m}
namespace unlock {m}
namespace lock
namespace unlock no{m}
namespace delete {m}
namespace delete no{m}
kv nosuch
kv metadata
operator raft
nosuch
"""

_CATALOG = """
plugin list
plugin list -format=json
plugin list -detailed
plugin list -detailed -format=json
plugin list auth
plugin list -format=yaml auth
plugin list nosuch
plugin info auth userpass
plugin info -field=name auth userpass
plugin info -field=x auth userpass
plugin info auth nosuch
plugin info x
plugin info nosuch x
plugin info -format=json secret kv
plugin register auth
plugin register -sha256=aa auth myplug
plugin deregister auth nosuch
plugin deregister x
plugin reload
plugin reload -plugin=kv
plugin reload -mounts=secret/
plugin reload -mounts=secret -mounts=cubbyhole
plugin reload -plugin=nosuch
plugin reload -plugin=kv -mounts=secret/
plugin reload -scope=global -plugin=kv
plugin reload-status
plugin reload-status x
secrets enable -path={m} transit
transit import
transit import x
transit import-version a b c
transit import {m}/keys/a vdUgkEKIHWPuHABQra09cUQ9rVK+rHm+Bgxev9s8ju0=
transit import {m}/keys/b @nofile
transit import {m}/b @nofile
transit import {m}/keys/b/c @nofile
transit import-version {m}/keys/a vdUgkEKIHWPuHABQra09cUQ9rVK+rHm+Bgxev9s8ju0=
read -field=latest_version {m}/keys/a
monitor x
"""


@pytest.fixture(scope="module")
def server():
    with dev_server() as peer:
        yield peer


def _theirs(words: list[str], environ: dict[str, str], folder: Path) -> Ran:
    done = subprocess.run(
        [program(), *words], env=environ, cwd=folder, input="", capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _masked(text: str, own: str) -> str:
    text = masked(_PRODUCT.sub("PRODUCT", text.replace(own, "X" * len(own))))
    return _HEADERS.sub(lambda run: "".join(sorted(_HEADER.findall(run[0]))), text)


def _words_of(err: str) -> list[str]:
    """Standard error word by word, without our hints: product names differ in length, and so do line breaks."""
    if err.startswith("Usage: "):
        return ["usage"]
    return err.partition("\n\nHint: ")[0].split()


def _difference(line: str, their: Ran, our: Ran) -> str:
    if (their.code, their.out) != (our.code, our.out):
        return f"--- {line}\nbao: {their.code}\n{their.out}\n{their.err}\nours: {our.code}\n{our.out}\n{our.err}"
    if _words_of(their.err) != _words_of(our.err):
        return f"--- {line} (standard error)\nbao:\n{their.err}\nours:\n{our.err}"
    return ""


@pytest.mark.parametrize(
    ("number", "script"),
    [
        pytest.param(1, _KV, id="key_value_version_2"),
        pytest.param(2, _KV1, id="key_value_version_1"),
        pytest.param(3, _GENERIC, id="read_write_list_delete_patch"),
        pytest.param(4, _TOKEN, id="token"),
        pytest.param(5, _POLICY, id="policy"),
        pytest.param(6, _MOUNTS, id="secrets_auth_login"),
        pytest.param(8, _WRAPPED, id="wrapped_answers"),
        pytest.param(9, _BARE, id="answers_without_the_envelope"),
        pytest.param(4, _CATALOG, id="plugin_transit_monitor"),
        pytest.param(7, _REST, id="everything_else"),
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_outputs_are_those_of_bao(number, script, server, tmp_path, monkeypatch):
    for name, text in _FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    path = os.environ["PATH"]
    environ = {"BAO_ADDR": server.address, "BAO_TOKEN": "root", "HOME": str(tmp_path), "PATH": path}
    lines = [line for line in script.splitlines() if line]
    alpha, bravo = f"alpha{number}", f"bravo{number}"
    theirs = [_theirs(_words(line, alpha), environ, tmp_path) for line in lines]
    ours = [ran(_words(line, bravo), environ, program="bao") for line in lines]
    differences = [
        _difference(line, _mask(their, alpha), _mask(our, bravo))
        for line, their, our in zip(lines, theirs, ours, strict=True)
    ]
    assert not any(differences), "\n".join(filter(None, differences))


def _words(line: str, own: str) -> list[str]:
    return shlex.split(line.replace("{m}", own))


def _mask(done: Ran, own: str) -> Ran:
    return Ran(done.code, _masked(done.out, own), _masked(done.err, own))
