"""Texts that clients and operators write: any is read or refused in the way its reader promises, and soon."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom_agent.functions import find
from strongroom_agent.functions.context import Context
from strongroom_agent.template import parse as parse_template
from strongroom_agent.template.errors import TemplateError
from strongroom_common.durations import parse_duration
from strongroom_common.hcl import HclError, parse, plain
from strongroom_common.settings import SettingsError
from strongroom_server.config_reader import Source, load
from strongroom_server.core.identity.index import Index
from strongroom_server.core.identity.oidc.template import claims
from strongroom_server.core.identity.records import Entity
from strongroom_server.core.password_policies import parse_password_policy
from strongroom_server.core.policies import parse_policy
from strongroom_server.core.policy_templates import UnsafeTemplateValue, resolve
from strongroom_server.engines.database.usernames import BadTemplate, check
from strongroom_server.engines.ssh.keys import load_private, parse_public
from strongroom_server.http.limits import JsonLimits
from strongroom_server.lib.globs import fits
from strongroom_server.lib.identity_templates import fill
from strongroom_server.lib.pgp import encrypt
from strongroom_server.lib.x509 import load_certificates, load_key, normal_serial, pem_blocks
from strongroom_server.sdk import codec
from strongroom_server.sdk.errors import InvalidRequest

SOON = 3.0  # seconds of a core for the longest text
LENGTH = 200_000


def _render(text: str) -> None:
    context = Context(lambda _: None, {}, lambda: 1.7e9, "/out")
    parse_template(text, find(context)).execute()


def _body(text: str) -> None:
    raw, limits = b'"' + text.encode(), JsonLimits(300, 10_000, 100, 100, 100, 1000)
    limits.check_text(raw)
    with suppress(ValueError, RecursionError):
        limits.check(raw, codec.loads(raw))


def _words(words: str) -> list[str]:
    return [word.replace("␣", " ") for word in words.split(" ")]


Reader = tuple[Callable[[str], Any], tuple[type[Exception], ...], str]
READERS: dict[str, Reader] = {
    # what reads, what it may raise, words that its texts are made of (␣ is a blank in one)
    "hcl": (lambda text: plain(parse(text)), (HclError,), 'a = " ${ } { [ ] , <<E \n E 1 0x -1.5e3 # // /* */ \\ "b"'),
    "json": (lambda text: plain(parse("{" + text)), (HclError,), '"a" : { } [ ] , null true 1 1e9 "\\u00e9" "\\ \n'),
    "policy": (
        lambda text: parse_policy("p", text),
        (HclError,),
        'path "a/+/*" { } capabilities = ["read"] policy "write" allowed_parameters {"x"=["1"]} {{ }} , \n',
    ),
    "password_policy": (
        parse_password_policy,
        (ValueError,),
        'length = 20 rule "charset" { } charset = "ab" min-chars 1 \n',
    ),
    "server_file": (
        lambda text: load([Source("f", text)], {}),
        (SettingsError, HclError),
        'listener "tcp" { } address = "127.0.0.1:1" storage "inmem" seal "shamir" {} 1 "1h" api_addr \n ,',
    ),
    "template": (
        _render,
        (TemplateError,),
        '{{ }} {{- -}} "a" | . $x := range end if else with define template printf "%d" 1 ( ) `b` \n key "x" {{/* */}}',
    ),
    "username_template": (
        check,
        (BadTemplate,),
        '{{ }} . .RoleName | truncate 8 random ( ) printf "%s" {{- -}} replace "a" uppercase',
    ),
    "duration": (parse_duration, (ValueError,), "1 . - + h m s ms us ns d 9999999999 1.5 0x ١"),
    "policy_path": (
        lambda text: resolve(text, {"a": "b/*"}),
        (UnsafeTemplateValue,),
        "{{ }} a / + * {{a}} identity.entity.id",
    ),
    "identity_template": (
        lambda text: fill(text, {"a": "b"}, globs=False),
        (),
        "{{ }} a {{a}} * { } identity.entity.id",
    ),
    "pem": (
        lambda text: load_certificates([block for _, block in pem_blocks(text)]),
        (ValueError,),
        "-----BEGIN␣CERTIFICATE----- -----END␣CERTIFICATE----- \n MIIB AAAA = -----BEGIN␣A----- -----END",
    ),
    "private_key": (
        load_key,
        (ValueError,),
        "-----BEGIN␣EC␣PRIVATE␣KEY----- -----END␣EC␣PRIVATE␣KEY----- \n MC4CAQAwBQYDK2Vw BCIEI = é",
    ),
    "ssh_private_key": (
        load_private,
        (InvalidRequest,),
        "-----BEGIN␣OPENSSH␣PRIVATE␣KEY----- -----END␣OPENSSH␣PRIVATE␣KEY----- \n b3Bl = é",
    ),
    "ssh_public_key": (
        parse_public,
        (InvalidRequest,),
        "ssh-ed25519 ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAI AAAA = é \n comment",
    ),
    "pgp_key": (lambda text: encrypt(b"x", text), (InvalidRequest,), "mQENB AAAA = \n é"),
    "serial": (normal_serial, (), "0a : - 1 g é"),
    "body": (_body, (InvalidRequest,), '{ } [ ] " , : \\" \\" \\, \\ "a" 1 1e9'),
    "oidc_template": (
        lambda text: claims(text, Index(), Entity("", "", "", ""), 0),
        (InvalidRequest,),
        '{ } {{ }} "a" : {{identity.entity.name}} {{time.now.plus.1h}} , =',
    ),
    "glob": (lambda text: (fits([text], "a" * 100), fits(["*a" * 20 + "b"], text)), (), "* a b a* *a /"),
}


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_any_text_is_read_or_refused(name: str, data: st.DataObject) -> None:
    read, refusals, words = READERS[name]
    some = st.lists(st.sampled_from([*_words(words), " "]), max_size=25).map("".join)
    spaced = st.lists(st.sampled_from(_words(words)), max_size=25).map(" ".join)
    text = data.draw(some | spaced | st.text(max_size=60))
    with suppress(*refusals):
        read(text)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_no_text_keeps_its_reader_busy(name: str) -> None:
    """A word over and over is what readers that go back and forth do worst with."""
    read, refusals, words = READERS[name]
    for word in {*_words(words), "{{", "(", "[", "a*"} - {""}:
        began = time.process_time()
        with suppress(*refusals):
            read(word * (LENGTH // len(word)))
        assert time.process_time() - began < SOON, (name, word)
