import re

import pytest

from strongroom_server.engines.database import usernames
from strongroom_server.engines.database.plugins import mysql, postgresql, redis
from strongroom_server.engines.database.username_templates import BadTemplate
from strongroom_server.engines.database.usernames import Facts

FACTS = Facts("userpass-alice", "read-only", 1_700_000_000.5, lambda length: "r" * length)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        pytest.param("plain", "plain", id="no_action"),
        pytest.param("{{.RoleName}}", "read-only", id="a_field"),
        pytest.param("{{ .RoleName | uppercase | truncate 4 }}-{{random 3}}", "READ-rrr", id="a_pipeline"),
        pytest.param("{{truncate 4 .DisplayName}}", "user", id="operands"),
        pytest.param("{{unix_time}} {{unix_time_millis}}", "1700000000 1700000000500", id="times"),
        pytest.param('{{replace "-" "_" .RoleName}}', "read_only", id="replace"),
        pytest.param('{{ printf "%s_%d%%" (random 2) 7 | lowercase }}', "rr_7%", id="printf_and_parentheses"),
        pytest.param('{{ "a\\"b" }}{{ `c\\` }}', 'a"bc\\', id="texts"),
        pytest.param("a {{- .RoleName -}} b", "aread-onlyb", id="trimmed_blanks"),
        pytest.param("{{sha256 .RoleName | truncate 6}}", "4fed39", id="a_digest"),
        pytest.param('{{timestamp "2006-01-02 15:04"}}', "2023-11-14 22:13", id="a_time_in_a_layout"),
        pytest.param("{{base64 .RoleName}}", "cmVhZC1vbmx5", id="base64"),
        pytest.param("{{truncate_sha256 13 .DisplayName}}", "userp81a39055", id="an_end_that_is_a_digest"),
        pytest.param("a{{/* for whoever reads this */}}b", "ab", id="a_comment"),
        pytest.param("{{if .RoleName}}r{{else}}n{{end}}!", "r!", id="a_choice"),
        pytest.param('{{if eq .RoleName "x" "y"}}x{{else if ne 1 1}}n{{ else }}o{{end}}', "o", id="choices_in_a_row"),
        pytest.param('{{if not ""}}{{if and 1 ""}}a{{else}}b{{end}}{{end}}', "b", id="a_choice_within"),
        pytest.param('{{or "" .RoleName | len}}{{print "-" (eq 1 1)}}', "9-true", id="functions_of_go"),
        pytest.param(postgresql.USERNAME, f"v-userpass-read-onl-{'r' * 20}-1700000000", id="postgresqls_own"),
        pytest.param(mysql.USERNAME, f"v-userpass-a-read-only-{'r' * 9}", id="mysqls_own"),
        pytest.param(redis.USERNAME, f"V_USERPASS-ALICE_READ-ONLY_{'R' * 20}_1700000000", id="rediss_own"),
    ],
)
def test_a_template_makes_a_name(template: str, name: str) -> None:
    assert usernames.render(template, FACTS) == name


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{{.Nope", id="an_open_action"),
        pytest.param("{{.Nope}}", id="an_unknown_field"),
        pytest.param("{{nope}}", id="an_unknown_function"),
        pytest.param("{{}}", id="nothing"),
        pytest.param("{{.RoleName |}}", id="nothing_after_a_bar"),
        pytest.param("{{(.RoleName}}", id="an_open_parenthesis"),
        pytest.param("{{.RoleName)}}", id="a_closed_parenthesis"),
        pytest.param("{{truncate .RoleName}}", id="an_operand_too_few"),
        pytest.param('{{truncate "x" .RoleName}}', id="an_operand_of_another_kind"),
        pytest.param("{{truncate 0 .RoleName}}", id="nothing_left"),
        pytest.param("{{random 100000}}", id="far_too_long"),
        pytest.param('{{printf "%s" 1 2}}', id="an_operand_too_many"),
        pytest.param('{{"x" "y"}}', id="a_value_with_operands"),
        pytest.param("{{ ; }}", id="no_language_at_all"),
        pytest.param("", id="an_empty_name"),
        pytest.param("{{if .RoleName}}a", id="a_choice_without_an_end"),
        pytest.param("{{if .RoleName}}a{{else}}b{{else}}c{{end}}", id="two_elses"),
        pytest.param("a{{end}}", id="an_end_of_nothing"),
        pytest.param("{{if}}a{{end}}", id="a_choice_without_a_condition"),
        pytest.param("{{if 1}}a{{else 2}}b{{end}}", id="an_else_with_something"),
        pytest.param("{{if 1}}" * 500 + "{{end}}", id="choices_too_deep"),
        pytest.param("{{" + "(" * 4000 + "}}", id="parentheses_too_deep"),
    ],
)
def test_a_template_that_cannot_work_is_refused(template: str) -> None:
    with pytest.raises(BadTemplate):
        usernames.check(template)


def test_uuids_are_fresh() -> None:
    made = {usernames.render("{{uuid}}", FACTS) for _ in range(3)}
    assert len(made) == 3
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name) for name in made)
