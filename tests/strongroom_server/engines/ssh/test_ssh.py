import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from strongroom_server.engines.ssh import Engine
from strongroom_server.sdk.errors import InvalidRequest, NotFound
from strongroom_server.sdk.request import Caller, Response
from tests.strongroom_server.engines.ssh import keygen
from tests.strongroom_server.engines.ssh.keygen import make_key, show
from tests.strongroom_server.fakes import FakeSystem, Mounted

USER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKbuZ2leFILt/q/X2k8Y4mbCUTTHCK88j2dsRooc0oIP me@host"
DIGEST = "c3c3f2bd53117b4b3b1ba509afe6c1ec61f78f7ae8a80a8ffb853086e5c1fd9f"
HARDWARE_KEY = (
    "sk-ssh-ed25519@openssh.com "
    + base64.b64encode(b"\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20" + b"k" * 32 + b"\0\0\0\x04ssh:").decode()
)
ROLE = {"key_type": "ca", "allow_user_certificates": True}
ANYONE = {"allowed_users": "*", "default_user": "d"}


@dataclass
class Known(FakeSystem):
    """A server that knows one entity."""

    details: dict[str, Any] = field(default_factory=lambda: {
        "id": "e1", "name": "alice",
        "metadata": {"user": "ali", "list": "p,q", "star": "*", "team": "blue"},
        "aliases": [{"mount_accessor": "userpass_1", "id": "a1", "name": "al", "metadata": None}],
    })  # fmt: skip

    async def entity(self, entity_id: str) -> Mapping[str, Any] | None:
        return self.details if entity_id == "e1" else None

    async def groups(self, entity_id: str) -> list[Mapping[str, Any]]:
        return [{"id": "g1", "name": "ops", "metadata": {"host": "db"}}]


@dataclass
class Ssh:
    """A mounted engine with an issuer, and a folder for OpenSSH's programs."""

    mounted: Mounted
    folder: Path

    async def __call__(self, operation: str, path: str, **body: Any) -> Any:
        return (await self.mounted(operation, path, **body)).data

    async def role(self, name: str = "r", **body: Any) -> None:
        await self("update", f"roles/{name}", **ROLE | body)

    async def sign(self, caller: Caller | None = None, role: str = "r", **body: Any) -> keygen.Shown:
        answer = await self.mounted.ask("update", f"sign/{role}", {"public_key": USER_KEY} | body, caller=caller)
        assert answer.data is not None
        assert set(answer.data) == {"issuer_id", "serial_number", "signed_key"}
        shown = show(answer.data["signed_key"], self.folder)
        assert f"{shown.serial:x}" == answer.data["serial_number"]
        return shown


@pytest.fixture
async def ssh(tmp_path: Path) -> Ssh:
    mounted = Mounted(Engine)
    mounted.system = Known(clock=mounted.clock)
    mounted.engine.system = mounted.system
    await mounted.start()
    await mounted("update", "config/ca", key_type="ed25519")
    return Ssh(mounted, tmp_path)


ALICE = Caller(display_name="userpass-al", entity_id="e1")


# -- certificates -----------------------------------------------------------------------------------------------


async def test_a_certificate_says_what_the_role_and_the_client_say(ssh: Ssh) -> None:
    await ssh.role(
        **ANYONE, ttl="20m", default_extensions={"permit-pty": "", "a@b.c": "v"},
        default_critical_options={"source-address": "1.2.3.4/32", "force-command": "/bin/x"},
    )  # fmt: skip
    ssh.mounted.clock.time = 1_700_000_000
    shown = await ssh.sign(Caller(display_name="token"), valid_principals="u3, u1,u1")
    assert shown.kind == "user"
    assert shown.signer.startswith("ED25519 ")
    assert shown.key_id == f"vault-token-{DIGEST}"
    assert shown.valid == "from 2023-11-14T22:12:50 to 2023-11-14T22:33:20"
    assert shown.principals == ["u1", "u3"]
    assert shown.critical_options == ["force-command /bin/x", "source-address 1.2.3.4/32"]
    assert shown.extensions == ["a@b.c UNKNOWN OPTION: 0000000176 (len 5)", "permit-pty"]


@pytest.mark.parametrize(
    ("kind", "algorithm", "signed_with"),
    [
        pytest.param("ssh-ed25519", "", "ssh-ed25519", id="ed25519"),
        pytest.param("ecdsa-sha2-nistp256", "default", "ecdsa-sha2-nistp256", id="ecdsa_256"),
        pytest.param("ecdsa-sha2-nistp384", "", "ecdsa-sha2-nistp384", id="ecdsa_384"),
        pytest.param("ecdsa-sha2-nistp521", "", "ecdsa-sha2-nistp521", id="ecdsa_521"),
    ],
)
async def test_issuers_of_each_kind_sign(ssh: Ssh, kind: str, algorithm: str, signed_with: str) -> None:
    line = (await ssh("update", "config/ca", key_type=kind))["public_key"]
    assert line.startswith(kind)
    await ssh.role(**ANYONE, algorithm_signer=algorithm)
    assert (await ssh.sign()).algorithm == signed_with


async def test_an_issuer_with_an_rsa_key_signs_as_the_role_says(ssh: Ssh) -> None:
    public, private = make_key("rsa", 2048)
    await ssh("update", "config/ca", public_key=public, private_key=private)
    for algorithm, signed_with in (
        ("default", "rsa-sha2-256"), ("rsa-sha2-256", "rsa-sha2-256"), ("rsa-sha2-512", "rsa-sha2-512"),
        ("ssh-rsa", "ssh-rsa"),
    ):  # fmt: skip
        await ssh.role(**ANYONE, algorithm_signer=algorithm)
        assert (await ssh.sign()).algorithm == signed_with


async def test_extensions_may_come_as_a_list_as_in_vaults_examples(ssh: Ssh) -> None:
    # hashicorp/vault#3019 and the documentation: "default_extensions": [{"permit-pty": ""}]
    await ssh.role(**ANYONE, default_extensions=[{"permit-pty": ""}, {"a@b.c": "v"}])
    assert (await ssh("read", "roles/r"))["default_extensions"] == {"permit-pty": "", "a@b.c": "v"}


@pytest.mark.parametrize("lengths", ["256,384", [256, "384"]])
async def test_lengths_of_keys_may_come_as_a_text(ssh: Ssh, lengths: Any) -> None:
    await ssh.role(**ANYONE, allowed_user_key_lengths={"ec": lengths})
    assert (await ssh("read", "roles/r"))["allowed_user_key_lengths"] == {"ec": [256, 384]}


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ed25519", "ecdsa-sha2-nistp384"])
async def test_pairs_are_made_by_sshs_names_too(ssh: Ssh, kind: str) -> None:
    await ssh.role(**ANYONE)
    made = await ssh("update", "issue/r", key_type=kind)
    assert made["private_key_type"] == kind
    assert "PRIVATE KEY" in made["private_key"]


async def test_an_algorithm_for_rsa_needs_an_issuer_with_an_rsa_key(ssh: Ssh) -> None:
    await ssh.role(**ANYONE, algorithm_signer="rsa-sha2-256")
    with pytest.raises(InvalidRequest, match="needs an issuer with an RSA key"):
        await ssh.sign()


async def test_keys_of_clients_of_every_kind_are_signed(ssh: Ssh) -> None:
    await ssh.role(**ANYONE)
    for kind, bits in (("rsa", 2048), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("ed25519", 0)):
        public, _ = make_key(kind, bits)
        assert (await ssh.sign(public_key=public)).principals == ["d"]
    assert (await ssh.sign(public_key=HARDWARE_KEY)).principals == ["d"]
    assert (await ssh.sign(public_key=USER_KEY.split()[1])).principals == ["d"]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("junk", id="junk"),
        pytest.param("ssh-ed25519 AAAA", id="short"),
        pytest.param(USER_KEY.replace("Zo=", "").replace("IKbu", "IKb"), id="cut"),
        pytest.param("ssh-ed25519 " + base64.b64encode(b"\0\0\0\x07ssh-dss").decode(), id="another_type"),
        pytest.param(HARDWARE_KEY[:-12], id="a_hardware_key_cut_short"),
    ],
)
async def test_what_is_no_key_is_refused(ssh: Ssh, key: str) -> None:
    await ssh.role(**ANYONE)
    with pytest.raises(InvalidRequest, match="failed to parse public_key as SSH key"):
        await ssh.sign(public_key=key)


async def test_a_certificate_is_no_key_to_sign(ssh: Ssh) -> None:
    await ssh.role(**ANYONE)
    line = (await ssh("update", "sign/r", public_key=USER_KEY))["signed_key"]
    with pytest.raises(InvalidRequest, match="failed to parse"):
        await ssh.sign(public_key=line)


# -- rules ------------------------------------------------------------------------------------------------------

HOSTS = {"allow_host_certificates": True, "allowed_domains": "example.com, b.org"}


@pytest.mark.parametrize(
    ("role", "wish", "principals"),
    [
        pytest.param({"allowed_users": "a,b", "default_user": "a"}, {}, ["a"], id="the_default_user"),
        pytest.param(ANYONE, {"valid_principals": ""}, ["d"], id="nobody_in_particular_is_the_default_user"),
        pytest.param({"default_user": "a"}, {"valid_principals": ""}, ["a"], id="the_default_user_alone"),
        pytest.param({"default_user": "a"}, {"valid_principals": "a"}, ["a"], id="the_default_user_as_asked"),
        pytest.param({"default_user": "b,a", "allowed_users": "*"}, {}, ["a", "b"], id="two_default_users"),
        pytest.param({"allowed_users": "a, b"}, {"valid_principals": "b,a"}, ["a", "b"], id="several"),
        pytest.param({"allowed_users": "*"}, {"valid_principals": "root"}, ["root"], id="anyone"),
        pytest.param({"allowed_users": "*"}, {}, [], id="anyone_may_be_nobody_in_particular"),
        pytest.param({"allow_empty_principals": True}, {}, [], id="empty_where_that_is_allowed"),
        pytest.param(
            HOSTS | {"allow_bare_domains": True}, {"cert_type": "host", "valid_principals": "b.org,example.com"},
            ["b.org", "example.com"], id="bare_domains",
        ),
        pytest.param(
            HOSTS | {"allow_subdomains": True}, {"cert_type": "host", "valid_principals": "a.b.example.com"},
            ["a.b.example.com"], id="subdomains",
        ),
        pytest.param(
            HOSTS | {"allowed_domains": "*"}, {"cert_type": "host", "valid_principals": "x"}, ["x"], id="any_host",
        ),
    ],
)  # fmt: skip
async def test_principals(ssh: Ssh, role: dict[str, Any], wish: dict[str, Any], principals: list[str]) -> None:
    await ssh.role(**role)
    assert (await ssh.sign(**wish)).principals == principals


@pytest.mark.parametrize(
    ("role", "wish", "message"),
    [
        pytest.param({}, {}, "refusing to issue unsafe", id="nothing_allowed_nothing_asked"),
        pytest.param({}, {"valid_principals": "a"}, "not configured to allow any principals", id="nothing_allowed"),
        pytest.param({"allowed_users": "a"}, {}, "refusing to issue unsafe", id="no_default"),
        pytest.param(
            ANYONE | {"default_user": "{{identity.entity.name}}", "default_user_template": True}, {},
            "default_user could not be rendered", id="a_default_of_an_entity_that_is_not_there",
        ),
        pytest.param({"default_user": "a"}, {"valid_principals": "b"}, "b is not a valid value", id="only_a_default"),
        pytest.param({"allowed_users": "a", "default_user": "b"}, {}, "b is not a valid value", id="a_default_beside"),
        pytest.param(
            {"allowed_users": "a,b"}, {"valid_principals": "a,root"}, "root is not a valid value", id="root",
        ),
        pytest.param({"allowed_users": "a*"}, {"valid_principals": "ab"}, "ab is not a valid", id="no_patterns"),
        pytest.param({"allowed_users": "*,a"}, {"valid_principals": "b"}, "b is not a valid", id="a_star_among_others"),
        pytest.param(ANYONE, {"cert_type": "host"}, "cert_type 'host' is not allowed", id="no_host_certificates"),
        pytest.param(ANYONE, {"cert_type": "x"}, "cert_type must be", id="no_such_kind"),
        pytest.param(
            HOSTS | {"default_user": "d"}, {"cert_type": "host"}, "refusing to issue unsafe", id="a_host_is_no_user",
        ),
        pytest.param(
            HOSTS, {"cert_type": "host", "valid_principals": "example.com"}, "not a valid value", id="no_bare_domain",
        ),
        pytest.param(
            HOSTS | {"allow_bare_domains": True}, {"cert_type": "host", "valid_principals": "a.b.org"},
            "not a valid value", id="no_subdomain",
        ),
        pytest.param(
            HOSTS | {"allow_subdomains": True}, {"cert_type": "host", "valid_principals": "xb.org"},
            "not a valid value", id="a_domain_that_only_ends_alike",
        ),
        pytest.param(ANYONE | {"max_ttl": "10m"}, {"ttl": "11m"}, "ttl is larger than maximum allowed 600", id="ttl"),
        pytest.param(ANYONE, {"ttl": "1000h"}, "ttl is larger than maximum allowed 2764800", id="ttl_of_the_mount"),
        pytest.param(ANYONE, {"key_id": "me"}, "key_id is not allowed", id="key_id"),
        pytest.param(ANYONE, {"public_key": ""}, "missing public_key", id="no_key"),
        pytest.param(ANYONE, {"extensions": {"x": ""}}, r"extensions \[x\] are not on allowed", id="extensions"),
        pytest.param(
            ANYONE | {"allowed_extensions": "a"}, {"extensions": {"a": "", "x": "", "y": ""}}, r"\[x y\]",
            id="other_extensions",
        ),
        pytest.param(
            ANYONE | {"allowed_critical_options": "a"}, {"critical_options": {"b": ""}}, r"allowed list: \[b\]",
            id="other_critical_options",
        ),
        pytest.param(
            ANYONE | {"allowed_user_key_lengths": {"rsa": 2048}}, {}, "key of type ed25519 is not allowed",
            id="another_type_of_key",
        ),
        pytest.param(ANYONE | {"issuer_ref": "none"}, {}, "unable to find issuer for reference: none", id="no_issuer"),
    ],
)  # fmt: skip
async def test_what_the_role_does_not_allow_is_refused(
    ssh: Ssh, role: dict[str, Any], wish: dict[str, Any], message: str
) -> None:
    await ssh.role(**role)
    with pytest.raises(InvalidRequest, match=message):
        await ssh.sign(**wish)


async def test_the_clients_options_replace_the_roles(ssh: Ssh) -> None:
    await ssh.role(
        **ANYONE, default_extensions={"permit-pty": ""}, default_critical_options={"force-command": "ls"},
        allowed_extensions="*", allow_user_key_ids=True,
    )  # fmt: skip
    wish: dict[str, Any] = {"extensions": {"permit-X11-forwarding": ""}, "critical_options": {"force-command": "id"}}
    shown = await ssh.sign(**wish, key_id="me")
    assert shown.extensions == ["permit-X11-forwarding"]
    assert shown.critical_options == ["force-command id"]
    assert shown.key_id == "me"
    assert (await ssh.sign(extensions={})).extensions == ["permit-pty"]


@pytest.mark.parametrize(
    ("role", "wish", "until"),
    [
        pytest.param({"ttl": "20m"}, {}, "22:33:20", id="the_roles"),
        pytest.param({"ttl": "20m"}, {"ttl": "1h"}, "23:13:20", id="the_clients"),
        pytest.param({"ttl": "20m"}, {"ttl": 0}, "22:33:20", id="zero_is_the_roles"),
        pytest.param({"max_ttl": "10m"}, {}, "22:23:20", id="the_roles_maximum"),
    ],
)
async def test_how_long_a_certificate_holds(ssh: Ssh, role: dict[str, Any], wish: dict[str, Any], until: str) -> None:
    ssh.mounted.clock.time = 1_700_000_000
    await ssh.role(**ANYONE, **role, not_before_duration="5m")
    shown = await ssh.sign(**wish)
    assert shown.valid == f"from 2023-11-14T22:08:20 to 2023-11-14T{until}"


async def test_the_maximum_of_a_role_may_be_above_the_mounts(ssh: Ssh) -> None:
    await ssh.role(**ANYONE, max_ttl="2000h")
    await ssh.sign(ttl="1000h")


async def test_the_roles_format_makes_the_key_id(ssh: Ssh) -> None:
    form = "{{token_display_name}}|{{role_name}}|{{public_key_hash}}|{{other}}"
    await ssh.role(**ANYONE, key_id_format=form)
    caller = Caller(display_name="{{role_name}}")
    assert (await ssh.sign(caller)).key_id == "{{role_name}}|r|" + DIGEST + "|{{other}}"


@pytest.mark.parametrize(
    ("lengths", "kind", "bits", "fits"),
    [
        pytest.param({"rsa": 2048}, "rsa", 2048, True, id="rsa"),
        pytest.param({"ssh-rsa": "2048"}, "rsa", 2048, True, id="ssh_rsa"),
        pytest.param({"rsa": [3072, 4096]}, "rsa", 2048, False, id="other_sizes"),
        pytest.param({"ec": [256, 384]}, "ecdsa", 384, True, id="ec"),
        pytest.param({"ecdsa-sha2-nistp521": 521}, "ecdsa", 384, False, id="another_curve"),
        pytest.param({"ed25519": 0}, "ed25519", 0, True, id="ed25519"),
    ],
)
async def test_types_and_sizes_of_keys(ssh: Ssh, lengths: dict[str, Any], kind: str, bits: int, fits: bool) -> None:
    await ssh.role(**ANYONE, allowed_user_key_lengths=lengths)
    public, _ = make_key(kind, bits)
    if fits:
        await ssh.sign(public_key=public)
        return
    with pytest.raises(InvalidRequest, match="public_key failed to meet the key requirements"):
        await ssh.sign(public_key=public)


# -- identity templates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "wish", "principals"),
    [
        pytest.param(
            {"allowed_users": "{{identity.entity.metadata.user}},x", "allowed_users_template": True},
            {"valid_principals": "ali,x"}, ["ali", "x"], id="allowed_users",
        ),
        pytest.param(
            ANYONE | {"default_user": "{{identity.entity.name}}", "default_user_template": True}, {}, ["alice"],
            id="default_user",
        ),
        pytest.param(
            ANYONE | {"default_user": "{{identity.entity.aliases.userpass_1.name}}", "default_user_template": True}, {},
            ["al"], id="the_name_of_an_alias",
        ),
        pytest.param(
            ANYONE | {"default_user_template": True,
                      "default_user": "{{ identity.groups.names.ops.metadata.host }}-op"}, {}, ["db-op"], id="a_group",
        ),
        pytest.param(
            {"allowed_users": "{{identity.entity.metadata.list}}", "allowed_users_template": True,
             "allow_commas_in_identity_templates": True}, {"valid_principals": "p"}, ["p"], id="commas_if_wanted",
        ),
        pytest.param(
            {"allowed_users": "{{identity.entity.metadata.star}}", "allowed_users_template": True,
             "allow_wildcards_in_identity_templates": True}, {"valid_principals": "z"}, ["z"], id="a_star_if_wanted",
        ),
        pytest.param(
            HOSTS | {"allowed_domains": "{{identity.entity.name}}.org", "allowed_domains_template": True,
                     "allow_subdomains": True},
            {"cert_type": "host", "valid_principals": "a.alice.org"}, ["a.alice.org"], id="allowed_domains",
        ),
    ],
)  # fmt: skip
async def test_templates_are_filled_in(
    ssh: Ssh, role: dict[str, Any], wish: dict[str, Any], principals: list[str]
) -> None:
    await ssh.role(**role)
    assert (await ssh.sign(ALICE, **wish)).principals == principals


@pytest.mark.parametrize(
    ("value", "wish"),
    [
        pytest.param("{{identity.entity.metadata.list}}", "p", id="commas"),
        pytest.param("{{identity.entity.metadata.star}}", "z", id="a_star"),
        pytest.param("{{identity.entity.metadata.none}},x", "x", id="a_missing_value"),
        pytest.param("{{nonsense}},x", "x", id="no_template"),
    ],
)
async def test_a_template_that_cannot_be_filled_in_allows_nothing(ssh: Ssh, value: str, wish: str) -> None:
    await ssh.role(allowed_users=value, allowed_users_template=True)
    with pytest.raises(InvalidRequest, match="could not be rendered"):
        await ssh.sign(ALICE, valid_principals=wish)


async def test_a_token_without_an_entity_gets_what_has_no_template(ssh: Ssh) -> None:
    await ssh.role(
        allowed_users="{{identity.entity.name}},x", allowed_users_template=True, default_extensions_template=True,
        default_extensions={"login@github.com": "{{identity.entity.name}}", "permit-pty": ""},
    )  # fmt: skip
    shown = await ssh.sign(valid_principals="x")
    assert shown.extensions == ["permit-pty"]
    with pytest.raises(InvalidRequest, match="not a valid value"):
        await ssh.sign(valid_principals="{{identity.entity.name}}")
    shown = await ssh.sign(ALICE, valid_principals="x")
    assert shown.extensions == ["login@github.com UNKNOWN OPTION: 00000005616c696365 (len 9)", "permit-pty"]


# -- key pairs made here ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "bits", "begins"),
    [
        pytest.param("rsa", 2048, "-----BEGIN RSA PRIVATE KEY-----", id="rsa"),
        pytest.param("ec", 0, "-----BEGIN EC PRIVATE KEY-----", id="ec"),
        pytest.param("ec", 521, "-----BEGIN EC PRIVATE KEY-----", id="ec_521"),
        pytest.param("ed25519", 0, "-----BEGIN OPENSSH PRIVATE KEY-----", id="ed25519"),
    ],
)
async def test_a_key_pair_is_issued(ssh: Ssh, kind: str, bits: int, begins: str) -> None:
    await ssh.role(**ANYONE)
    data = await ssh("update", "issue/r", key_type=kind, key_bits=bits)
    assert set(data) == {"issuer_id", "serial_number", "signed_key", "private_key", "private_key_type"}
    assert data["private_key"].startswith(begins)
    assert data["private_key_type"] == kind
    file = ssh.folder / "issued"
    file.write_text(data["private_key"])
    file.chmod(0o600)
    show(data["signed_key"], ssh.folder)
    assert keygen.fingerprint(file) == keygen.fingerprint(ssh.folder / "shown-cert.pub")
    await ssh.mounted.engine.close()


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("issue/r", {"key_type": "dsa"}, "unknown ssh key pair algorithm: dsa", id="dsa"),
        pytest.param("issue/r", {"key_type": "rsa", "key_bits": 1024}, "refusing to generate", id="a_weak_key"),
        pytest.param("issue/r", {"key_type": "rsa", "key_bits": 10**6}, "refusing to generate", id="a_huge_key"),
        pytest.param("issue/r", {"key_type": "ec", "key_bits": 111}, "unknown ECDSA", id="no_curve"),
        pytest.param("issue/none", {}, "Unknown role: none", id="no_role"),
        pytest.param("issue/o", {}, "role key type 'otp' not allowed", id="a_role_for_passwords"),
        pytest.param("sign/o", {"public_key": USER_KEY}, "role key type 'otp' not allowed", id="sign_with_such"),
    ],
)
async def test_what_is_not_issued(ssh: Ssh, path: str, body: dict[str, Any], message: str) -> None:
    await ssh.role(**ANYONE)
    await ssh("update", "roles/o", key_type="otp", default_user="u")
    with pytest.raises(InvalidRequest, match=message):
        await ssh("update", path, **body)


# -- issuers ----------------------------------------------------------------------------------------------------


async def raw(ssh: Ssh, path: str) -> str:
    response: Response = await ssh.mounted("read", path)
    assert response.raw is not None
    assert response.raw.content_type == "text/plain"
    return response.raw.body.decode()


async def test_issuers_are_added_named_chosen_and_deleted(ssh: Ssh) -> None:
    first = (await ssh("read", "config/ca"))["issuer_id"]
    second = await ssh("update", "issuers/import/two", key_type="ec")
    assert second["issuer_name"] == "two"
    assert (await ssh("read", "config/issuers")) == {"default": first}
    assert await raw(ssh, "issuer/two/public_key") == second["public_key"]
    assert await raw(ssh, "public_key") != second["public_key"]
    listed = await ssh("list", "issuers")
    assert listed["keys"] == sorted([first, second["issuer_id"]])
    assert listed["key_info"][first]["is_default"] is True
    assert listed["key_info"][second["issuer_id"]] == {
        "is_default": False, "issuer_name": "two", "public_key": second["public_key"],
    }  # fmt: skip
    assert (await ssh("update", "config/issuers", default="two")) == {"default": second["issuer_id"]}
    assert (await ssh("update", "issuer/default", issuer_name="three"))["issuer_name"] == "three"
    assert (await ssh("read", "issuer/three"))["issuer_id"] == second["issuer_id"]
    gone = await ssh.mounted("delete", "issuer/three")
    assert "default issuer" in gone.warnings[0]
    for path in ("config/ca", "config/issuers", "public_key"):
        with pytest.raises(InvalidRequest, match="no default issuer currently configured"):
            await ssh("read", path)
    assert (await ssh.mounted("delete", "config/ca")) == Response()
    with pytest.raises(NotFound):
        await ssh("list", "issuers")
    assert (await ssh("update", "issuers/import", key_type="ed25519"))["issuer_id"] == (
        await ssh("read", "config/issuers")
    )["default"]


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        pytest.param("ed25519", "", id="ed25519"),
        pytest.param("rsa", "PEM", id="rsa_in_the_old_form"),
        pytest.param("rsa", "PKCS8", id="rsa_in_pkcs8"),
        pytest.param("ecdsa", "PEM", id="ecdsa_in_the_old_form"),
        pytest.param("ecdsa", "", id="ecdsa"),
    ],
)
async def test_keys_are_imported_with_their_comment_and_once(ssh: Ssh, kind: str, form: str) -> None:
    public, private = make_key(kind, 2048 if kind == "rsa" else 0, form=form)
    made = await ssh("update", "config/ca", public_key=public, private_key=private)
    assert made["public_key"] == public
    await ssh.role(**ANYONE)
    await ssh.sign()
    again = await ssh.mounted("update", "issuers/import", public_key=public, private_key=private)
    assert again.data == made
    assert "already exists" in again.warnings[0]


async def test_what_is_no_pair_of_keys_is_refused(ssh: Ssh) -> None:
    public, private = make_key("ed25519")
    _, locked = make_key("ed25519", passphrase="secret")
    for body, message in (
        ({"public_key": public}, "only one of public_key and private_key set"),
        ({"private_key": private}, "only one of public_key and private_key set"),
        ({"public_key": USER_KEY, "private_key": private}, "not the public half"),
        ({"public_key": "junk", "private_key": private}, "failed to parse public_key"),
        ({"public_key": public, "private_key": "junk"}, "could not parse private_key"),
        ({"public_key": public, "private_key": locked}, "protected by a passphrase"),
        ({"public_key": public, "private_key": private, "generate_signing_key": True}, "must not be set when"),
        ({"generate_signing_key": False}, "missing public_key"),
        ({"key_type": "dsa"}, "unknown ssh key pair algorithm: dsa"),
        ({"key_type": "ecdsa-sha2-nistp999"}, "unknown ECDSA"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            await ssh("update", "config/ca", **body)
    assert len((await ssh("list", "issuers"))["keys"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("issuers/import/default", {"key_type": "ec"}, "reserved keyword", id="the_word_default"),
        pytest.param("issuers/import/two", {"key_type": "ec"}, "already in use", id="a_name_in_use"),
        pytest.param("issuer/default", {"issuer_name": "two"}, "already in use", id="a_new_name_in_use"),
        pytest.param("issuer/default", {"issuer_name": "a b"}, "invalid characters", id="a_name_with_a_blank"),
        pytest.param("issuer/none", {"issuer_name": "x"}, "unable to find issuer", id="no_issuer"),
        pytest.param("config/issuers", {"default": "none"}, "unable to find issuer", id="no_default"),
        pytest.param("config/issuers", {}, "invalid issuer specification", id="nothing"),
        pytest.param("config/issuers", {"default": "default"}, "invalid issuer specification", id="itself"),
    ],
)
async def test_what_issuers_cannot_be(ssh: Ssh, path: str, body: dict[str, Any], message: str) -> None:
    await ssh("update", "issuers/import/two", key_type="ec")
    with pytest.raises(InvalidRequest, match=message):
        await ssh("update", path, **body)


# -- roles ------------------------------------------------------------------------------------------------------


async def test_roles_show_the_fields_of_their_kind(ssh: Ssh) -> None:
    await ssh("update", "roles/o", key_type="otp", default_user="root")
    assert await ssh("read", "roles/o") == {
        "allowed_users": "", "cidr_list": "", "default_user": "root", "exclude_cidr_list": "", "key_type": "otp",
        "port": 22,
    }  # fmt: skip
    await ssh.role("c", allowed_users="a, b", ttl="5m", allowed_user_key_lengths={"rsa": 2048, "ec": [256, "384"]})
    assert await ssh("read", "roles/c") == {
        "algorithm_signer": "default", "allow_bare_domains": False, "allow_commas_in_identity_templates": False,
        "allow_empty_principals": False, "allow_host_certificates": False, "allow_subdomains": False,
        "allow_user_certificates": True, "allow_user_key_ids": False, "allow_wildcards_in_identity_templates": False,
        "allowed_critical_options": "", "allowed_domains": "", "allowed_domains_template": False,
        "allowed_extensions": "", "allowed_user_key_lengths": {"rsa": [2048], "ec": [256, 384]},
        "allowed_users": "a, b", "allowed_users_template": False, "default_critical_options": {},
        "default_extensions": {}, "default_extensions_template": False, "default_user": "",
        "default_user_template": False, "issuer_ref": "default", "key_id_format": "", "key_type": "ca", "max_ttl": 0,
        "not_before_duration": 30, "ttl": 300,
    }  # fmt: skip
    assert await ssh("list", "roles") == {
        "keys": ["c", "o"],
        "key_info": {"c": {"key_type": "ca", "issuer_ref": "default"}, "o": {"key_type": "otp"}},
    }
    await ssh("delete", "roles/c")
    await ssh("delete", "roles/none")
    with pytest.raises(NotFound):
        await ssh("read", "roles/c")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param({}, "missing key type", id="nothing"),
        pytest.param({"key_type": "x"}, "invalid key type", id="another_kind"),
        pytest.param({"key_type": "dynamic"}, "no longer supported", id="dynamic"),
        pytest.param({"key_type": "otp"}, "missing default user", id="passwords_for_nobody"),
        pytest.param({"key_type": "ca"}, "must be set to 'true'", id="certificates_for_nobody"),
        pytest.param(ROLE | {"ttl": "1h", "max_ttl": "30m"}, "must be less than", id="ttl"),
        pytest.param(ROLE | {"algorithm_signer": "x"}, "unknown algorithm signer", id="algorithm"),
        pytest.param(ROLE | {"allowed_user_key_lengths": {"rsa": "x"}}, "allowed_user_key_lengths", id="sizes"),
        pytest.param(
            {"key_type": "otp", "default_user": "u", "cidr_list": "10.0.0.0/8,x"}, "validate cidr_list", id="networks",
        ),
        pytest.param(
            {"key_type": "otp", "default_user": "u", "exclude_cidr_list": "x"}, "validate exclude_cidr_list",
            id="networks_kept_out",
        ),
    ],
)  # fmt: skip
async def test_what_makes_no_role_is_refused(ssh: Ssh, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await ssh("update", "roles/r", **body)
    with pytest.raises(NotFound):
        await ssh("list", "roles")


# -- one-time passwords -----------------------------------------------------------------------------------------


@pytest.fixture
async def otp(ssh: Ssh) -> Ssh:
    await ssh(
        "update", "roles/o", key_type="otp", default_user="u", allowed_users="x,y", cidr_list="10.0.0.0/8,fd00::/8",
        exclude_cidr_list="10.1.0.0/16", port=2222,
    )  # fmt: skip
    await ssh("update", "roles/bare", key_type="otp", default_user="u")
    await ssh.role("ca", **ANYONE)
    return ssh


async def give(otp: Ssh, **body: Any) -> Response:
    response = await otp.mounted("update", "creds/o", **body)
    assert response.lease is not None
    await otp.mounted.store.commit(response.lease.beside)  # as the core does with the lease
    return response


async def test_a_password_is_for_one_login_on_one_host(otp: Ssh) -> None:
    response = await give(otp, ip="10.0.0.5", username="x")
    assert response.data is not None
    key = response.data.pop("key")
    assert response.data == {"ip": "10.0.0.5", "key_type": "otp", "port": 2222, "username": "x"}
    assert response.lease is not None
    assert (response.lease.kind, response.lease.ttl, response.lease.renewable) == ("otp", 2764800, False)
    assert key not in str(response.lease)
    answers = await asyncio.gather(*(otp("update", "verify", otp=key) for _ in range(5)), return_exceptions=True)
    assert answers.count({"ip": "10.0.0.5", "role_name": "o", "username": "x"}) == 1
    assert sum(isinstance(answer, InvalidRequest) for answer in answers) == 4


async def test_a_revoked_password_is_worth_nothing(otp: Ssh) -> None:
    response = await give(otp, ip="10.0.0.5")
    assert response.lease is not None
    assert response.data is not None
    assert response.data["username"] == "u"
    for _ in range(2):
        await otp.mounted.engine.revoke(response.lease, None)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="OTP not found"):
        await otp("update", "verify", otp=response.data["key"])


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        pytest.param("creds/o", {}, "Missing ip", id="no_address"),
        pytest.param("creds/o", {"ip": "host"}, "Invalid IP", id="a_name"),
        pytest.param("creds/o", {"ip": "11.0.0.1"}, "IP does not belong to role", id="another_network"),
        pytest.param("creds/o", {"ip": "10.1.0.1"}, "IP does not belong to role", id="a_network_kept_out"),
        pytest.param("creds/o", {"ip": "::1"}, "IP does not belong to role", id="another_network_of_ipv6"),
        pytest.param("creds/o", {"ip": "10.0.0.1", "username": "z"}, "not present is allowed users", id="user"),
        pytest.param("creds/bare", {"ip": "10.0.0.1"}, "IP does not belong to role", id="no_networks"),
        pytest.param("creds/bare", {"ip": "1.1.1.1", "username": "z"}, "has to be either", id="no_users"),
        pytest.param("creds/none", {"ip": "10.0.0.1"}, 'Role "none" not found', id="no_role"),
        pytest.param("creds/ca", {"ip": "10.0.0.1"}, "not allowed to create one-time", id="certificates"),
        pytest.param("lookup", {}, "Missing ip", id="look_up_nothing"),
        pytest.param("lookup", {"ip": "x"}, "Invalid IP", id="look_up_a_name"),
        pytest.param("verify", {}, "OTP not found", id="verify_nothing"),
        pytest.param("verify", {"otp": "x"}, "OTP not found", id="verify_another"),
        pytest.param("config/zeroaddress", {}, "Missing roles", id="no_roles"),
        pytest.param("config/zeroaddress", {"roles": "o,none"}, 'Role "none" does not exist', id="no_such_role"),
    ],
)
async def test_whom_no_password_is_for(otp: Ssh, path: str, body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        await otp("update", path, **body)


async def test_roles_for_any_host(otp: Ssh) -> None:
    assert await otp("update", "lookup", ip="10.0.0.1") == {"roles": ["o"]}
    assert await otp("update", "lookup", ip="fd00::1") == {"roles": ["o"]}
    assert await otp("update", "lookup", ip="9.0.0.1") == {"roles": None}
    with pytest.raises(NotFound):
        await otp("read", "config/zeroaddress")
    await otp("update", "config/zeroaddress", roles="bare")
    assert await otp("read", "config/zeroaddress") == {"roles": ("bare",)}
    assert await otp("update", "lookup", ip="9.0.0.1") == {"roles": ["bare"]}
    assert (await otp("update", "creds/bare", ip="9.0.0.1"))["username"] == "u"
    await otp("delete", "roles/bare")
    assert await otp("read", "config/zeroaddress") == {"roles": ()}
    await otp("delete", "config/zeroaddress")
    with pytest.raises(NotFound):
        await otp("read", "config/zeroaddress")


async def test_a_helper_can_test_its_configuration(otp: Ssh) -> None:
    assert await otp("update", "verify", otp="verify-echo-request") == {"message": "verify-echo-response"}


async def test_there_are_no_dynamic_keys_to_tidy(ssh: Ssh) -> None:
    assert await ssh("delete", "tidy/dynamic-keys") == {"message": "Removed 0 of 0 host keys."}
