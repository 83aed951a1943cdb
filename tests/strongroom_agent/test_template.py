"""Templates against what OpenBao's agent made of them: the golden cases, and our own collection of tricky ones."""

import pytest

from strongroom_agent.template import ExecutionError, ParseError, TemplateError
from tests.strongroom_agent.rendering import GOLDEN, RECORDED, Absent, golden_recall, render


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in GOLDEN["cases"]])
def test_golden(case, tmp_path):
    body = case["body"].replace("OUTDIR", str(tmp_path))
    delimiters = tuple(case["delims"] or ("{{", "}}"))
    if not case["ok"]:
        with pytest.raises((TemplateError, Absent)):
            render(body, golden_recall, delimiters, case["error_on_missing_key"])
        return
    output = render(body, golden_recall, delimiters, case["error_on_missing_key"])
    if case["nondeterministic"]:
        assert output
    else:
        assert output == case["output"]


@pytest.mark.parametrize("case", RECORDED["rendered"], ids=lambda case: case["template"][:60])
def test_recorded(case):
    assert render(case["template"]) == case["output"]


@pytest.mark.parametrize("template", RECORDED["refused"])
def test_refused(template):
    with pytest.raises(TemplateError):
        render(template)


@pytest.mark.parametrize("case", RECORDED["yaml"], ids=lambda case: case["yaml"][:40])
def test_yaml(case):
    template = f"{{{{ parseYAML `{case['yaml']}` }}}}"
    if case["output"] is None:
        with pytest.raises(ExecutionError):
            render(template)
    else:
        assert render(template) == case["output"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: &x 1\nb: *x", id="anchors"),
        pytest.param("a: !!str 5", id="tags"),
        pytest.param("? x\n: y", id="complex_keys"),
        pytest.param("a: 1\n---\nb: 2", id="two_documents"),
    ],
)
def test_yaml_beyond_the_reader_is_refused_rather_than_misread(text):
    with pytest.raises(ExecutionError):
        render(f"{{{{ parseYAML `{text}` }}}}")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        pytest.param('{{ "x" | b64dec }}', 'template: :1: function "b64dec" not defined', id="unknown_function"),
        pytest.param("a\n\n{{ if true }}", "template: :3: unexpected EOF", id="missing_end"),
        pytest.param("{{ $x }}", 'template: :1: undefined variable "$x"', id="undefined_variable"),
        pytest.param("{{ 1 | 2 }}", "template: :1: non executable command in pipeline stage 2", id="not_executable"),
        pytest.param("{{", "template: :1: unclosed action", id="unclosed"),
    ],
)
def test_parse_errors_name_the_line(template, message):
    with pytest.raises(ParseError) as caught:
        render(template)
    assert str(caught.value) == message


def test_execution_errors_name_the_place_as_go_does():
    with pytest.raises(ExecutionError) as caught:
        render('{{ with secret "database/creds/app-ro" }}{{ .Data.data.username }}{{ end }}', golden_recall)
    assert str(caught.value) == (
        'template: :1:49: executing "" at <.Data.data.username>: nil pointer evaluating interface {}.username'
    )


def test_a_missing_key_is_an_error_when_strict():
    with pytest.raises(ExecutionError, match='map has no entry for key "nope"'):
        render('{{ with secret "kv/data/app/web" }}{{ .Data.data.nope }}{{ end }}', golden_recall, strict=True)


@pytest.mark.parametrize(
    ("action", "output"),
    [
        pytest.param('sprig_swapcase "This Is.A Test aÉß"', "tHIS iS.a tEST Aéß", id="swapcase"),
        pytest.param('sprig_trimall "$" "$5.00$"', "5.00", id="trimall"),
        pytest.param('sprig_osBase "/a/b.c"', "b.c", id="osBase"),
        pytest.param('sprig_osDir "/a/b.c"', "/a", id="osDir"),
        pytest.param('sprig_osExt "a/b.c"', ".c", id="osExt"),
        pytest.param('sprig_osClean "a//b/../c"', "a/c", id="osClean"),
        pytest.param('sprig_osIsAbs "/a"', "true", id="osIsAbs"),
        pytest.param('sprig_date_in_zone "2006-01-02 15:04" 1700000000 "UTC"', "2023-11-14 22:13", id="date_in_zone"),
        pytest.param('sprig_date_modify "-1h" 1700000000 | sprig_unixEpoch', "1699996400", id="date_modify"),
        pytest.param('sprig_htmlDateInZone 1700000000 "UTC"', "2023-11-14", id="htmlDateInZone"),
    ],
)
def test_the_rarer_names_of_sprigs_functions(action, output):
    assert render(f"{{{{ {action} }}}}") == output


@pytest.mark.parametrize(
    ("action", "output"),
    [
        pytest.param('parseYAML "a: yes" | toJSON', '{"a":true}', id="yaml_is_json"),
        pytest.param('parseYAML "1: {b: [1, {c: 2}]}" | toJSON', '{"1":{"b":[1,{"c":2}]}}', id="yaml_within_yaml_too"),
        pytest.param(r'"a\nb" | toYAML', "|-\n  a\n  b", id="lines_as_a_document"),
        pytest.param(r'"a\n" | toYAML', "|\n  a", id="a_line_as_a_document"),
        pytest.param(r'" a\nb" | toYAML', "|2-\n   a\n  b", id="lines_that_begin_with_a_space"),
        pytest.param(r'sprig_list "a\nb" | toYAML', "- |-\n  a\n  b", id="lines_in_a_list"),
        pytest.param('sprig_b64dec "####"', "illegal base64 data", id="what_sprig_cannot_decode_is_no_error"),
        pytest.param('sprig_b32dec "1"', "illegal base32 data", id="nor_in_base32"),
    ],
)
def test_conversions(action, output):
    assert render(f"{{{{ {action} }}}}") == output


def test_json_has_no_name_for_a_boolean():
    with pytest.raises(ExecutionError, match="object member name must be a string"):
        render('{{ parseYAML "yes: 1" | toJSON }}')


def test_a_certificate_has_data_as_a_secret_has():
    text = '{{ with pkiCert "pki/issue/web" "common_name=a" }}{{ .Data.Key }}{{ .Data.Data.CA }}{{ .Cert }}{{ end }}'
    assert render(text, golden_recall) == "key\nca\ncert\n"


def test_errors_do_not_show_values():
    with pytest.raises(ExecutionError) as caught:
        render('{{ with secret "kv/data/app/web" }}{{ .Data.data.username.x }}{{ end }}', golden_recall)
    assert "u1" not in str(caught.value)


@pytest.mark.parametrize(
    "action",
    [
        pytest.param("range .Data.data.username }}{{ end", id="a_range"),
        pytest.param("parseInt .Data.data.username", id="a_function"),
        pytest.param('parseInt (print .Data.data.username "x")', id="a_function_of_a_function"),
        pytest.param(".Data.data.username | parseBool", id="a_piped_function"),
        pytest.param("sprig_toDecimal .Data.data.username", id="the_standard_librarys_own_words"),
        pytest.param("explodeMap (sprig_dict .Data.data.username 1 (print .Data.data.username `/a`) 2)", id="keys"),
    ],
)
def test_errors_do_not_show_what_was_computed_from_secrets(action):
    with pytest.raises(ExecutionError) as caught:
        render('{{ with secret "kv/data/app/web" }}{{ ' + action + " }}{{ end }}", golden_recall)
    assert "u1" not in str(caught.value)


def test_numbers_of_answers_keep_their_digits():
    from strongroom_agent.functions.secrets import Secret
    from strongroom_common import jsonx

    answer = jsonx.loads('{"data":{"a":9007199254740993,"b":1.50,"c":[1E3],"d":true}}')
    body = '{{ with secret "x" }}{{ .Data.a }} {{ .Data.b }} {{ .Data.c }} {{ .Data.d }} {{ .Data | toJSON }}{{ end }}'
    expected = '9007199254740993 1.50 [1E3] true {"a":9007199254740993,"b":1.50,"c":[1E3],"d":true}'
    assert render(body, lambda _: Secret(answer)) == expected


def test_deep_recursion_is_an_error_and_no_crash():
    with pytest.raises(TemplateError):
        render('{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" 1 }}')
    with pytest.raises(TemplateError):
        render("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}")


def test_environment_is_the_agents():
    assert render('{{ env "A" }}{{ mustEnv "A" }}{{ envOrDefault "B" "d" }}', environment={"A": "x"}) == "xxd"
