import json
from dataclasses import fields as dataclass_fields
from pathlib import Path

import pytest

from strongroom_common.fields import fields
from strongroom_injector.annotations import SecretSettings, Settings, Telemetry
from strongroom_injector.errors import Denied
from strongroom_injector.settings import Reading, dashed, read, used_prefix, wants_injection
from tests.strongroom_injector.pods import P, V

KNOWN = json.loads((Path(__file__).parent / "annotations.json").read_text())


def reading(annotations: dict[str, str], **defaults: object) -> Reading:
    return read({P + name: text for name, text in annotations.items()}, P, defaults)


@pytest.mark.parametrize("name", KNOWN)
def test_every_annotation_of_vault_k8s_is_declared(name: str) -> None:
    bare = name.removesuffix("-N").removesuffix("-*")
    assert bare in dashed(SecretSettings if name.endswith("-N") else Settings)


def test_every_line_has_a_help_text() -> None:
    for schema in (Settings, SecretSettings, Telemetry):
        assert all(field.help.endswith((".", "…")) for field in fields(schema).values()), schema
        assert len(fields(schema)) == len(dataclass_fields(schema))


@pytest.mark.parametrize(
    ("annotations", "default", "value"),
    [
        pytest.param({}, {}, "auth/kubernetes", id="built_in_default"),
        pytest.param({}, {"auth_path": "auth/k1"}, "auth/k1", id="injector_default"),
        pytest.param({"auth-path": "auth/k2"}, {"auth_path": "auth/k1"}, "auth/k2", id="annotation_wins"),
        pytest.param({"auth-path": " "}, {"auth_path": "auth/k1"}, "auth/k1", id="blank_annotation_is_absent"),
    ],
)
def test_precedence(annotations: dict[str, str], default: dict[str, object], value: str) -> None:
    assert reading(annotations, **default).settings.auth_path == value


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        pytest.param("agent-inject", "maybe", "true or false", id="boolean"),
        pytest.param("agent-run-as-user", "root", "an integer", id="integer"),
        pytest.param("agent-run-as-user", "-1", "a number of 0 or more", id="user_below_zero"),
        pytest.param("agent-limits-cpu", "5x", "a quantity", id="quantity"),
        pytest.param("agent-inject-perms-s", "rw-r--r--", "an octal mode", id="mode"),
        pytest.param("agent-inject-file-s", "../../etc/passwd", "stays below its folder", id="file_that_climbs"),
        pytest.param("secret-volume-path", "secrets", "an absolute path", id="relative_folder"),
        pytest.param("secret-volume-path-s", "/", "an absolute path", id="root_folder"),
        pytest.param("auth-min-backoff", "soon", "a duration", id="duration"),
        pytest.param("auth-max-backoff", "-5s", "a duration", id="duration_below_zero"),
        pytest.param("agent-cache-listener-port", "70000", "a port", id="port"),
        pytest.param("agent-inject-default-template", "yaml", "map or json", id="choice"),
        pytest.param("agent-json-patch", "{}", "a JSON patch", id="patch_that_is_no_list"),
        pytest.param("agent-init-json-patch", "[", "a JSON patch", id="patch_that_is_no_json"),
        pytest.param("agent-disable-keep-alives", "auto-auth,all", "auto-auth, caching", id="list_of_words"),
        pytest.param("agent-service-account-token-expiration", "60", "600 seconds", id="token_too_short"),
        pytest.param("template-lease-renewal-threshold", "90", "a share", id="share"),
        pytest.param("tls-secret", "My Secret", "an object's name", id="name_of_an_object"),
        pytest.param("error-on-missing-key-s", "si", "true or false", id="of_a_secret"),
        pytest.param("client-max-retries", " ١ ", "an integer", id="laxer_python_is_refused"),
    ],
)
def test_a_bad_annotation_is_refused_with_its_name_value_and_expectation(
    annotation: str, value: str, expected: str
) -> None:
    with pytest.raises(Denied) as refused:
        reading({"agent-inject-secret-s": "secret/data/s", annotation: value})
    assert str(refused.value).startswith(f'{P}{annotation}: "{value}" is not valid, expected ')
    assert expected in str(refused.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(Denied, match=r"agent-revoke-grace: .*; .*log-format: "):
        reading({"agent-revoke-grace": "x", "log-format": "y"})


@pytest.mark.parametrize(
    ("annotations", "prefix"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({V + "role": "a"}, None, id="a_role_alone_asks_for_nothing"),
        pytest.param({V + "agent-inject": "true"}, V, id="vault"),
        pytest.param({"openbao.org/agent-inject": "true"}, "openbao.org/", id="openbao"),
        pytest.param({V + "agent-inject": "true", P + "agent-inject": "true"}, P, id="own_wins"),
        pytest.param({V + "agent-inject": "true", P + "role": "a"}, V, id="the_one_with_agent_inject"),
    ],
)
def test_the_prefix_that_counts(annotations: dict[str, str], prefix: str | None) -> None:
    assert used_prefix(annotations) == prefix


@pytest.mark.parametrize("text", ["", "  ", "yes", "on", "2"])
def test_what_is_no_boolean_is_refused(text: str) -> None:
    with pytest.raises(Denied, match=r"agent-inject: .* is not valid, expected true or false"):
        wants_injection({P + "agent-inject": text})


@pytest.mark.parametrize("text", ["1", "t", "true", "TRUE", "True"])
def test_what_counts_as_true(text: str) -> None:
    assert wants_injection({V + "agent-inject": text})


@pytest.mark.parametrize("text", ["0", "f", "false", "FALSE"])
def test_what_counts_as_false(text: str) -> None:
    assert not wants_injection({V + "agent-inject": text})


def test_an_opt_out_under_the_own_prefix_wins() -> None:
    assert not wants_injection({P + "agent-inject": "false", V + "agent-inject": "true"})


def names(annotations: dict[str, str]) -> dict[str, dict[str, str]]:
    found = reading(annotations).secrets
    return {s.name: {k: v for k, v in vars(s.settings).items() if v != getattr(SecretSettings(), k)} for s in found}


def test_secrets_come_sorted_by_name_whatever_the_order_of_annotations() -> None:
    given = {"agent-inject-secret-b": "2", "agent-inject-secret-a": "1", "agent-inject-template-c": "3"}
    assert list(names(given)) == list(names(dict(reversed(given.items())))) == ["a", "b", "c"]


def test_a_secret_named_like_a_file_can_have_an_inline_template() -> None:  # defect l
    assert names({"agent-inject-secret-file-x": "p", "agent-inject-template-file-x": "hello"}) == {
        "file-x": {"agent_inject_secret": "p", "agent_inject_template": "hello"}
    }


def test_where_both_names_exist_it_is_the_template_file_of_the_shorter() -> None:
    given = {"agent-inject-secret-x": "p", "agent-inject-secret-file-x": "q", "agent-inject-template-file-x": "/t"}
    assert names(given) == {
        "x": {"agent_inject_secret": "p", "agent_inject_template_file": "/t"},
        "file-x": {"agent_inject_secret": "q"},
    }


def test_white_space_counts_in_templates_and_nowhere_else() -> None:
    given = names({"agent-inject-secret-s": " p ", "agent-inject-template-s": "\n a \n", "agent-inject-file-s": " f\n"})
    assert given["s"] == {"agent_inject_secret": "p", "agent_inject_template": "\n a \n", "agent_inject_file": "f"}


def test_families_give_keys_with_underscores() -> None:
    settings = reading({"auth-config-secret-id-file-path": "/s", "agent-telemetry-disable-hostname": "true"}).settings
    assert settings.auth_config == {"secret_id_file_path": "/s"}
    assert settings.agent_telemetry == {"disable_hostname": "true"}


def test_what_belongs_to_no_secret_is_known_as_such() -> None:
    found = reading({"agent-inject-secret-a": "p", "agent-inject-perms-b": "0400", "agent-injekt": "true"})
    assert found.orphans == {"agent-inject-perms-b": "b"}
    assert found.unknown == ("agent-injekt",)
