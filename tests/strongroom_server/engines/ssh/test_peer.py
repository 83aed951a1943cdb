"""The same requests to our ssh and totp engines and to OpenBao's: status and answer are the same, random parts aside.

Where the peer answers 500 to a request that is at fault, ours is 400.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.sdk.request import Operation
from tests.bao import Peer, dev_server
from tests.strongroom_server.engines.ssh.keygen import show
from tests.strongroom_server.engines.ssh.test_ssh import USER_KEY
from tests.strongroom_server.live import Live

pytestmark = pytest.mark.peer

Step = tuple[str, str, dict[str, Any] | None]
KEY = {"public_key": USER_KEY}
CA = {"key_type": "ca", "allow_user_certificates": True}
OTP = {"key_type": "otp", "default_user": "u"}
_METHODS = {"GET": Operation.READ, "POST": Operation.UPDATE, "LIST": Operation.LIST, "DELETE": Operation.DELETE}
_RANDOM = ("issuer_id", "serial_number", "private_key", "key", "code", "generated", "expire_time", "barcode")


def role(**fields: Any) -> Step:
    return "POST", "roles/r", CA | fields


def sign(**fields: Any) -> Step:
    return "POST", "sign/r", KEY | fields


ISSUERS: list[Step] = [
    ("GET", "config/ca", None), ("GET", "config/issuers", None), ("LIST", "issuers", None),
    ("POST", "config/ca", {"generate_signing_key": False}),
    ("POST", "config/ca", {"public_key": "x"}),
    ("POST", "config/ca", {"public_key": "x", "private_key": "y"}),
    ("POST", "config/ca", {"public_key": "x", "private_key": "y", "generate_signing_key": True}),
    ("POST", "config/ca", {"key_type": "foo"}),
    ("POST", "config/ca", {"key_type": "rsa", "key_bits": 1024}),
    ("POST", "config/ca", {"key_type": "ec", "key_bits": 1}),
    ("POST", "config/ca", {"key_type": "ed25519"}),
    ("GET", "config/ca", None), ("GET", "issuer/default", None),
    ("POST", "issuers/import/two", {"key_type": "ecdsa-sha2-nistp384"}),
    ("POST", "issuers/import/default", {"key_type": "ec"}),
    ("POST", "issuer/two", {"issuer_name": "three"}),
    ("GET", "issuer/three", None), ("GET", "issuer/two", None), ("POST", "issuer/two", {}),
    ("POST", "config/issuers", {"default": "none"}), ("POST", "config/issuers", {}),
    ("DELETE", "issuer/none", None), ("DELETE", "issuer/three", None),
    ("POST", "issuers/import/four", {"key_type": "ec"}), ("DELETE", "config/ca", None),
    ("DELETE", "config/ca", None),
]  # fmt: skip

ROLES: list[Step] = [
    ("POST", "roles/r", {}), ("POST", "roles/r", {"key_type": "x"}), ("POST", "roles/r", {"key_type": "dynamic"}),
    ("POST", "roles/r", {"key_type": "otp"}), ("POST", "roles/r", {"key_type": "ca"}),
    ("POST", "roles/r", {"ttl": "5m"}),
    role(ttl="1h", max_ttl="30m"), role(algorithm_signer="x"), role(allowed_user_key_lengths={"rsa": "x"}),
    role(allowed_users="a, b", allowed_user_key_lengths={"rsa": [2048, 3072], "ec": 256}, ttl="5m",
         default_extensions={"permit-pty": ""}),
    ("GET", "roles/r", None), role(allow_host_certificates=True, foo=1), ("GET", "roles/r", None),
    ("POST", "roles/o", OTP | {"cidr_list": "x"}), ("POST", "roles/o", OTP), ("GET", "roles/o", None),
    ("LIST", "roles", None), ("GET", "roles/none", None), ("DELETE", "roles/none", None),
]  # fmt: skip

SIGNING: list[Step] = [
    ("POST", "config/ca", {"key_type": "ed25519"}),
    ("POST", "sign/none", KEY), ("POST", "issue/none", {}),
    role(default_user="a", allowed_users="a,b", ttl="20m", default_extensions={"permit-pty": "", "x@y": "v"},
         default_critical_options={"force-command": "/bin/x"}),
    sign(), sign(valid_principals="b, a"), sign(valid_principals="root"), sign(ttl="1h"), sign(ttl="1000h"),
    sign(ttl="-1m"), sign(cert_type="host"), sign(cert_type="x"), sign(extensions={"permit-pty": ""}),
    sign(critical_options={"force-command": "y"}), sign(key_id="me"), sign(public_key=""), sign(public_key="x"),
    sign(foo=1), ("POST", "sign/r", {}),
    role(allowed_users="*", allowed_extensions="permit-pty", allowed_critical_options="a", allow_user_key_ids=True),
    sign(), sign(extensions={"permit-pty": ""}, key_id="me"), sign(extensions={"x": ""}),
    sign(critical_options={"b": ""}), sign(critical_options={"a": "b"}), sign(extensions={}),
    sign(valid_principals="*"), sign(extensions="x"),
    role(), sign(), sign(valid_principals="a"), role(allow_empty_principals=True), sign(), sign(valid_principals="a"),
    role(default_user="d", allowed_users="*", max_ttl="10m", not_before_duration="5m",
         key_id_format="{{token_display_name}}|{{role_name}}|{{public_key_hash}}|{{x}}"),
    sign(), sign(ttl="11m"),
    role(allowed_users="*", default_user="d", allowed_user_key_lengths={"rsa": 2048}), sign(),
    role(allowed_users="*", default_user="d", allowed_user_key_lengths={"ssh-ed25519": 1}), sign(),
    role(allowed_users="*", default_user="d", issuer_ref="none"), sign(),
    role(allowed_users="*", default_user="d", algorithm_signer="rsa-sha2-256"), sign(),
    role(allow_host_certificates=True, allowed_domains="a.org,b.org", allow_bare_domains=True),
    *(sign(cert_type="host", valid_principals=name) for name in ("a.org,b.org", "x.a.org", "c.org", "")),
    role(allow_host_certificates=True, allowed_domains="a.org,b.org", allow_subdomains=True),
    *(sign(cert_type="host", valid_principals=name) for name in ("a.org", "x.y.a.org", "xa.org", "*.b.org")),
    role(allow_host_certificates=True, allowed_domains="*"), sign(cert_type="host", valid_principals="z"),
    role(allow_host_certificates=True, allow_subdomains=True), sign(cert_type="host", valid_principals="z"),
    role(allowed_users="*", default_user="d"),
    ("POST", "issue/r", {"key_type": "ed25519"}), ("POST", "issue/r", {"key_type": "ec", "key_bits": 521}),
    ("POST", "issue/r", {"key_type": "ec", "key_bits": 1}), ("POST", "issue/r", {"key_type": "dsa"}),
    ("POST", "issue/r", {"key_type": "rsa", "key_bits": 1024}), ("GET", "issue/r", None),
    ("POST", "roles/o", OTP), ("POST", "sign/o", KEY), ("POST", "issue/o", {}),
]  # fmt: skip

PASSWORDS: list[Step] = [
    ("POST", "roles/o", OTP | {"allowed_users": "x,y", "cidr_list": "10.0.0.0/8", "exclude_cidr_list": "10.1.0.0/16",
                               "port": 2222}),
    ("POST", "roles/bare", OTP), ("POST", "roles/r", CA),
    *(("POST", "creds/o", {"ip": ip}) for ip in ("10.0.0.1", "10.1.0.1", "11.0.0.1", "::1", "x", "")),
    ("POST", "creds/o", {}), ("POST", "creds/o", {"ip": "10.0.0.1", "username": "x"}),
    ("POST", "creds/o", {"ip": "10.0.0.1", "username": "z"}), ("POST", "creds/none", {"ip": "10.0.0.1"}),
    ("POST", "creds/r", {"ip": "10.0.0.1"}), ("POST", "creds/bare", {"ip": "10.0.0.1"}),
    *(("POST", "lookup", {"ip": ip}) for ip in ("10.0.0.1", "9.0.0.1", "x")), ("POST", "lookup", {}),
    ("GET", "config/zeroaddress", None), ("POST", "config/zeroaddress", {}),
    ("POST", "config/zeroaddress", {"roles": "none"}), ("POST", "config/zeroaddress", {"roles": "bare"}),
    ("GET", "config/zeroaddress", None), ("POST", "creds/bare", {"ip": "9.0.0.1"}),
    ("POST", "creds/bare", {"ip": "9.0.0.1", "username": "z"}), ("POST", "lookup", {"ip": "9.0.0.1"}),
    ("DELETE", "roles/bare", None), ("GET", "config/zeroaddress", None), ("DELETE", "config/zeroaddress", None),
    ("POST", "verify", {}), ("POST", "verify", {"otp": "x"}), ("POST", "verify", {"otp": "verify-echo-request"}),
]  # fmt: skip

NEW = {"generate": True, "issuer": "I", "account_name": "a"}
URL = "otpauth://totp/Org:me?secret=JBSWY3DPEHPK3PXP"
KEYS: list[dict[str, Any]] = [
    {}, {"generate": True}, {"generate": True, "issuer": "I"}, NEW | {"key": "AAAA"}, NEW | {"url": URL},
    *(NEW | {name: value} for name, value in (
        ("digits", 7), ("period", 0), ("period", -1), ("algorithm", "MD5"), ("skew", 2), ("skew", -1),
        ("key_size", 0), ("key_size", -1), ("qr_size", -1), ("qr_size", 5), ("exported", False), ("qr_size", 0),
        ("foo", 1),
    )),
    {"key": "JBSW Y3DP"}, {"key": "JBSWY3DP!"}, {"key": "JBSWY3DP========"}, {"key": "jbswy3d="},
    {"url": "::%zz"}, {"url": "otpauth://totp/me?digits=6"}, {"url": URL + "&digits=x"},
    {"url": URL + "&period=x"}, {"url": URL + "&period=0"}, {"url": URL + "&algorithm=sha1"},
    {"url": URL + ";digits=8"},
]  # fmt: skip
TOTP: list[Step] = [("POST", "keys/k", body) for body in KEYS]
TOTP += [
    step
    for url in (URL, URL + "&issuer=Other&digits=8&period=60", "otpauth://totp/Org:%20me:x?secret=JBSWY3DP",
                "otpauth://hotp/me?secret=JBSWY3DP", URL + "&foo=%zz", URL + "&digits=8&digits=6")
    for step in [("POST", "keys/u", {"url": url, "issuer": "Z", "account_name": "q"}), ("GET", "keys/u", None)]
]  # fmt: skip
TOTP += [
    ("LIST", "keys", None), ("GET", "keys/none", None), ("GET", "code/none", None), ("DELETE", "keys/none", None),
    ("POST", "code/none", {"code": "123456"}), ("GET", "code/u", None),
    *(("POST", "code/u", {"code": code}) for code in ("", "12345", "12345a", " 12345", "1234567")),
    ("POST", "code/u", {}),
]  # fmt: skip

STORIES = {"issuers": ("ssh", ISSUERS), "roles": ("ssh", ROLES), "signing": ("ssh", SIGNING),
           "passwords": ("ssh", PASSWORDS), "totp": ("totp", TOTP)}  # fmt: skip


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    with dev_server() as server:
        yield server


@pytest.mark.parametrize("name", STORIES)
async def test_every_step_is_answered_as_the_peer_does(name: str, live: Live, peer: Peer, tmp_path: Path) -> None:
    kind, steps = STORIES[name]
    assert (await live.post(f"sys/mounts/{name}", {"type": kind})).status == 204
    assert peer.call("POST", f"sys/mounts/{name}", {"type": kind})[0] == 204
    for method, path, body in steps:
        ours = await live.ask(_METHODS[method], f"{name}/{path}", body)
        status, theirs = peer.call(method, f"{name}/{path}", body)
        place = f"{method} {path} {body}"
        assert ours.status == (400 if status == 500 else status), f"{place}: {ours.body} but the peer: {theirs}"
        if status == 200:
            assert shown(ours.body, tmp_path) == shown(theirs, tmp_path), place


TEMPLATED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"allowed_users": "{{identity.entity.metadata.user}},x", "allowed_users_template": True}, {"valid_principals": u})
    for u in ("ali", "x", "alice")
]
TEMPLATED += [
    ({"allowed_users": f"{{{{identity.{selector}}}}}", "allowed_users_template": True} | flags, {"valid_principals": u})
    for selector, flags, u in (
        ("entity.name", {}, "alice"),
        ("entity.metadata.none", {}, "x"),
        ("entity.metadata.list", {}, "p"),
        ("entity.metadata.list", {"allow_commas_in_identity_templates": True}, "p"),
        ("entity.metadata.star", {}, "z"),
        ("groups.names.ops.name", {}, "ops"),
        ("groups.names.none.name", {}, "none"),
    )
]
TEMPLATED += [
    ({"default_user": "{{identity.entity.name}}", "default_user_template": True, "allowed_users": "alice"}, {}),
    ({"default_extensions": {"a@b": "{{identity.entity.name}}", "c": ""}, "default_extensions_template": True,
      "allowed_users": "*"}, {"valid_principals": "x"}),
    ({"allow_host_certificates": True, "allowed_domains": "{{identity.entity.name}}.org", "allow_subdomains": True,
      "allowed_domains_template": True}, {"cert_type": "host", "valid_principals": "x.alice.org"}),
]  # fmt: skip


async def test_identity_templates_are_filled_in_as_the_peer_does(live: Live, peer: Peer, tmp_path: Path) -> None:
    async def both(method: str, path: str, body: dict[str, Any] | None = None, user: int = 0) -> list[tuple[int, Any]]:
        ours = await live.ask(_METHODS[method], path, body, token=tokens[user][0])
        return [(ours.status, ours.body), peer.call(method, path, body, tokens[user][1])]

    tokens = [("root", "root")]
    await both("POST", "sys/mounts/t", {"type": "ssh"})
    await both("POST", "t/config/ca", {"key_type": "ed25519"})
    await both("POST", "sys/auth/userpass", {"type": "userpass"})
    await both("POST", "sys/policies/acl/all", {"policy": 'path "t/*" { capabilities = ["create", "update"] }'})
    await both("POST", "auth/userpass/users/al", {"password": "p", "policies": "all"})
    logins = [body["auth"] for _, body in await both("POST", "auth/userpass/login/al", {"password": "p"})]
    tokens.append((logins[0]["client_token"], logins[1]["client_token"]))
    about = {"name": "alice", "metadata": {"user": "ali", "list": "p,q", "star": "*"}}
    entities = [login["entity_id"] for login in logins]
    group = {"name": "ops", "type": "internal"}
    await live.post(f"identity/entity/id/{entities[0]}", about)
    await live.post("identity/group", group | {"member_entity_ids": [entities[0]]})
    peer.call("POST", f"identity/entity/id/{entities[1]}", about)
    peer.call("POST", "identity/group", group | {"member_entity_ids": [entities[1]]})
    for fields, wish in TEMPLATED:
        await both("POST", "t/roles/r", CA | fields)
        for user in (0, 1):
            ours, theirs = await both("POST", "t/sign/r", KEY | wish, user)
            assert ours[0] == (400 if theirs[0] == 500 else theirs[0]), f"{fields} {user}: {ours} but {theirs}"
            if ours[0] == 200:
                assert shown(ours[1], tmp_path) == shown(theirs[1], tmp_path), fields


def shown(body: Any, folder: Path) -> Any:
    """Return an answer without what is random; certificates as OpenSSH shows them."""
    data = dict(body["data"] or {})
    hidden = {name: f"<{name}>" for name in data if name in _RANDOM}
    if "signed_key" in data:
        one = show(data["signed_key"], folder)
        begin, end = re.findall(r"[\d-]+T[\d:]+", one.valid)
        held = datetime.fromisoformat(end) - datetime.fromisoformat(begin)
        issued = "private_key" in data
        key_id = re.sub(r"[0-9a-f]{64}", "<hash>", one.key_id) if issued else one.key_id
        hidden["signed_key"] = (one.kind, one.algorithm, key_id, held, one.principals, one.critical_options,
                                one.extensions)  # type: ignore[assignment]  # fmt: skip
    if "public_key" in data:
        hidden["public_key"] = data["public_key"].split()[0]
    if "url" in data:
        hidden["url"] = re.sub(r"secret=\w+", "secret=", data["url"])
    if "default" in data:
        hidden["default"] = "<default>"
    return data | hidden, [bool(warning) for warning in body.get("warnings") or ()]
