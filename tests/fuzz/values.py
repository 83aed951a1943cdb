"""Values for fields: mostly what fits, some of what the server itself answered before, some of what fits nowhere."""

import base64
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any

from strongroom_common.fields import KINDS, LIST_OF_OBJECTS, OBJECT, Field, Kind, fields

MARK = "hush-hush"
"""Part of every secret that is sent; the server's log is searched for it."""

_SECRET = re.compile(
    r"pass(word|phrase)|secret(?!_id_(ttl|num|bound|acc))|plaintext|private_key$|^(otp|input|bindpass)$"
)
_NAMES = ("a", "b", "c", "worker", "team/app", "x.y-z")
_ODD_TEXTS = (
    "", " ", "*", "+", "../a", "a/../b", "\x00", "a\nb", "\x1b[31m", "é€😀", "\ud7ff\ufffd", "%2e%2e", "%s%n{0}{}",
    "null", "-1", "1e400", "NaN", "0x", "true", "{{", "{{identity.entity.id}}", "{{ .X | y }}", "a" * 600,
    "A" * 20_000, ",", "a,,b", "=", "ſecret", "\u202e", "١٢", "1_0", "9" * 500, "2001-02-30T25:61:61Z", "[",
    "(((((", "127.0.0.1/99", "hmac:", "vault:v1:", "vault:v99999999999999999999:AAAA",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "http://[", "a b@c",
    '{"a":' * 3000, "[" * 30_000, "{{" * 9000, "*a" * 300, '"\\' * 9000, "-----BEGIN A-----" * 900, " " * 9000,
)  # fmt: skip
_ODD_OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 0.5, -0.0, 1e300, [], {}, [None],
    [[]], [{}], {"": None}, {"a": {"a": [1, "x", None]}}, ["", "a", 1], [1.5, True], ["a"] * 200,
    {str(n): n for n in range(100)},
)  # fmt: skip
_BY_NAME: Mapping[str, tuple[Any, ...]] = {
    # names of fields, as patterns, and what makes a request with them do something
    r"type$|^plugin_name": (
        "service", "batch", "kv", "pki", "transit", "totp", "userpass", "approle", "internal", "external",
        "aes256-gcm96", "chacha20-poly1305", "ed25519", "ecdsa-p256", "rsa-2048", "hmac", "rsa", "ec",
    ),
    "key_bits|key_size|^bits$": (0, 224, 256, 384, 2048, 32, 64),
    "signature_bits": (0, 256, 384, 512),
    "plaintext|input|^value$|cert_metadata": (base64.b64encode(MARK.encode()).decode(), "AAAA", "not base64"),
    "context|associated_data|nonce": ("AAAA", base64.b64encode(bytes(12)).decode(), "bm9uY2U="),
    "common_name|alt_names|domain|san": ("example.com", "*.example.com", "a.example.com,b.example.com", "10.0.0.1"),
    "ttl|period|interval|duration|skew|increment|lease|max_age": ("1h", 60, "0", "768h", "30s", "87600h", "-1s"),
    "not_(before|after)": ("2030-01-02T03:04:05Z", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z"),
    "cidr": ("127.0.0.0/8", ["127.0.0.1", "::1/128"], "0.0.0.0/0"),
    "polic(y|ies)$": (
        'path "secret/*" { capabilities = ["read"] }', ["default"], "default,worker",
        'length = 20\nrule "charset" { charset = "abc" }', {"path": {"a": {"capabilities": ["list"]}}},
    ),
    "template": ('{"a": {{identity.entity.name}}}', "{{.DisplayName}}", "{{random 8}}"),
    "url|uri|server|host|issuer$|origins": (
        "http://127.0.0.1:1/x", "https://127.0.0.1:1", "ldap://127.0.0.1:1", "*",
        "otpauth://totp/Me:me@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Me&algorithm=SHA1",
    ),
    "metadata|^meta$|options|claim|mappings|values": (
        {"team": "a"}, {"a": "b", "c": "d"}, ["a=b"], {"version": "2"}, {"cas": 0},
    ),
    "batch_input": (
        [{"plaintext": "AAAA"}], [{"input": "AAAA"}, {}, {"ciphertext": "vault:v1:AAAA"}], [{"input": 3}], [{}] * 30,
    ),
    "algorithm": ("sha2-256", "sha2-512", "SHA1", "SHA256", "RS256", "ES256", "EdDSA", "sha3-256", "none"),
    "format": ("pem", "der", "pem_bundle", "hex", "base64", "uuid", "pkcs8"),
    "versions?$|^keys$": (1, [1], "1,2", [1, 2, 3], 0, 2),
    "role_type": ("jwt", "oidc"), "key_usage": (["DigitalSignature"], "KeyAgreement,CertSign"),
    "paths?$": ("secret/data/a", ["sys/health", "a/*"], "auth/token/create"),
    "bytes": (32, "16", 1024), "shares": (3, 5, 1), "threshold": (2, 3, 1), "digits": (6, 8),
}  # fmt: skip


@dataclass
class Values:
    """Makes values, and remembers by name what the server answered."""

    random: random.Random
    forbidden: set[str] = field(default_factory=set)
    """Values that must not come back in a request: the root token's."""
    seen: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    oddness: float = 0.15
    """How many of the values fit nowhere: of each request anew, as one that is wrong early says little of the rest."""

    def begin(self) -> None:
        """Begin a new request."""
        self.oddness = self.random.choice((0, 0, 0.05, 0.3))

    def remember(self, answer: Any) -> None:
        """Keep what may be of use in later requests."""
        for name, value in _pairs(answer):
            if (
                not isinstance(value, str | int | list)
                or value in ("", [], 0)
                or not self.forbidden.isdisjoint(_texts(value))
            ):
                continue
            values = self.seen[name]
            if len(values) < 40:
                values.append(value)
            else:
                values[self.random.randrange(40)] = value

    def body(self, schema: Any) -> dict[str, Any]:
        """Make a request's body: some of the fields, now and then one that is none."""
        known = list(fields(schema).values())
        wanted = [
            f for f in known if self.random.random() < (0.95 if f.default is MISSING else min(0.5, 4 / len(known)))
        ]
        body = {self.random.choice((f.name, *f.aliases)): self.of(f) for f in wanted}
        if self.random.random() < self.oddness:
            body[self.random.choice(_ODD_TEXTS)] = self.odd()
        return body

    def spoil(self, good: Mapping[str, Any], schema: Any) -> dict[str, Any]:
        """Change a little of a good body: a value, a field more, a field less."""
        body = self.filled(good)
        for _ in range(self.random.choice((0, 1, 1, 2))):
            others = self.body(schema) if schema and self.random.random() < 0.5 else {}
            if others:
                body |= dict([self.random.choice(list(others.items()))])
            elif body and self.random.random() < 0.2:
                del body[self.random.choice(list(body))]
            elif body:
                name = self.random.choice(list(body))
                body[name] = self._damaged(body[name])
        return body

    def filled(self, good: Mapping[str, Any]) -> dict[str, Any]:
        """Put in what the server answered."""
        return {name: self._filled(name, value) for name, value in good.items()}

    def _damaged(self, value: Any) -> Any:
        if not isinstance(value, str) or len(value) < 8 or self.random.random() < 0.3:
            return self.odd()
        place = self.random.randrange(len(value))
        return self.random.choice((
            value[:place], value[place:], value[:place] + value[place + 1 :], value + value,
            value[:place] + self.random.choice("A/+=\n-0é\x00") + value[place + 1 :],
        ))  # fmt: skip

    def _filled(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(name, item) for item in value]
        return self.random.choice(self._seen(name) or ("",)) if value is None else value

    def of(self, field: Field) -> Any:
        """Make a value for a field."""
        if field.sensitive or _SECRET.search(field.name):
            return self.secret() if self.random.random() > self.oddness else self.odd()
        if field.choices and self.random.random() > self.oddness:
            return self.random.choice(field.choices)
        if field.nested and self.random.random() > self.oddness:
            return self.body(field.nested) if field.kind is OBJECT else [self.body(field.nested) for _ in range(2)]
        return self.named(field.name, field.kind)

    def named(self, name: str, kind: Kind = KINDS[str]) -> Any:
        """Make a value for a field or a part of a path."""
        if self.random.random() < self.oddness:
            return self.odd()
        luck = self.random.random()
        if luck < 0.4 and (seen := self._seen(name)):
            return self.random.choice(seen)
        fitting = [value for pattern, values in _BY_NAME.items() if re.search(pattern, name) for value in values]
        if fitting and luck < 0.9:
            return self.random.choice(fitting)
        return self._of_kind(kind)

    def name(self, capture: str) -> str:
        """Make a part of a path."""
        luck = self.random.random()
        if luck < 0.5:
            return self.random.choice(_NAMES)
        if luck < 0.9 and (seen := [value for value in self._seen(capture) if isinstance(value, str)]):
            return self.random.choice(seen)
        odd = self.random.random() < self.oddness
        return str(self.random.choice(_ODD_TEXTS) if odd else self.named(capture))[:2000]

    def _seen(self, name: str) -> list[Any]:
        short = name.removeprefix("old_").removeprefix("new_").removeprefix("url_")
        ids = self.seen["id"] if short.endswith(("_id", "ids", "ref")) else []
        tokens = self.seen["client_token"] if short == "token" else []
        return self.seen[name] or self.seen[short] or tokens or ids

    def _of_kind(self, kind: Kind) -> Any:
        match kind.openapi.get("type"):
            case "integer" | "number":
                return self.random.choice((0, 1, 2, 5, 60, 3600, "10", "1m"))
            case "boolean":
                return self.random.choice((True, False, "true", "false", 1, 0))
            case "array" if kind is LIST_OF_OBJECTS:
                return [{}, {"a": "b"}]
            case "array":
                return self.random.choice((["a"], ["a", "b"], "a,b", [], "*"))
            case "object":
                return self.random.choice(({"a": "b"}, {}, {"a": {"b": [1]}}, {"a": self.secret()}))
        return self.random.choice(_NAMES)

    def odd(self) -> Any:
        """Make a value that no field asked for."""
        return self.random.choice(_ODD_TEXTS if self.random.random() < 0.5 else _ODD_OTHERS)

    def secret(self) -> str:
        """Make a secret that can be found again where it should not be."""
        return f"{MARK}-{self.random.randrange(10**6)}"


def _pairs(answer: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(answer, dict):
        for name, value in answer.items():
            yield name, value
            yield from _pairs(value)
        for name in answer.get("keys") or () if isinstance(answer.get("keys"), list) else ():
            yield "name", name
    elif isinstance(answer, list):
        for item in answer:
            yield from _pairs(item)


def _texts(value: Any) -> set[str]:
    return (
        {value}
        if isinstance(value, str)
        else {item for item in value if isinstance(item, str)}
        if isinstance(value, list)
        else set()
    )
