import base64
import json

import pytest

from strongroom_server.engines.database.plugins import mysql, postgresql
from strongroom_server.engines.database.plugins.creation import LOCK, arranged
from strongroom_server.engines.database.statements import UnsafeValue, fill, plain, without

PG, MY = postgresql._DIALECT, mysql._DIALECT


@pytest.mark.parametrize(
    ("text", "value", "filled"),
    [
        pytest.param('CREATE ROLE "{{name}}"', "a-b", 'CREATE ROLE "a-b"', id="a_plain_name_is_put_in"),
        pytest.param('x "{{name}}"', 'a"b', 'x "a""b"', id="a_quote_is_doubled_in_an_identifier"),
        pytest.param("x '{{name}}'", "a'b", "x 'a''b'", id="a_quote_is_doubled_in_a_literal"),
        pytest.param("x '{{name}}'", 'a"b\\', "x 'a\"b\\'", id="other_quotes_and_backslashes_stay_in_a_literal"),
        pytest.param("x E'{{name}}'", "a\\'", "x E'a\\\\'''", id="backslashes_are_doubled_in_an_escaped_literal"),
        pytest.param("x 'it''s {{name}}'", "a'b", "x 'it''s a''b'", id="a_doubled_quote_does_not_end_a_literal"),
        pytest.param("DO $$ x; '{{name}}' $$", "a-b", "DO $$ x; '{{name}}' $$".replace("{{name}}", "a-b"),
                     id="a_dollar_body_takes_plain_values"),
        pytest.param("DO $a$ $b$ '; {{name}} $b$; $a$", "a", "DO $a$ $b$ '; a $b$; $a$", id="dollar_tags_may_nest"),
        pytest.param("-- it's {{name}}\nx '{{name}}'", "a", "-- it's a\nx 'a'",
                     id="a_quote_in_a_comment_opens_nothing"),
        pytest.param("/* ' /* ' */ ' */ '{{name}}'", "a'", "/* ' /* ' */ ' */ 'a'''", id="comments_may_nest"),
        pytest.param("x {{name}} {{other}}", "a", "x a {{other}}", id="an_unknown_placeholder_stays"),
        pytest.param(" x; ;\n", "a", "x", id="empty_statements_at_the_end_go"),
    ],
)  # fmt: skip
def test_values_are_escaped_as_their_place_needs(text: str, value: str, filled: str) -> None:
    assert fill([text], {"name": value}, PG) == [filled]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("CREATE ROLE {{name}}", "a; DROP ROLE b", id="no_second_statement_outside_of_quotes"),
        pytest.param("DO $$ '{{name}}' $$", "a'; x", id="no_quote_in_a_dollar_body"),
        pytest.param("DO $$ {{name}} $$", "a$$ x", id="no_end_of_a_dollar_body"),
        pytest.param("x '{{name}}'", "a\0b", id="no_null_character_anywhere"),
        pytest.param("-- {{name}}\nx", "a\nDROP ROLE b", id="no_new_line_in_a_comment"),
    ],
)
def test_values_that_would_be_run_are_refused(text: str, value: str) -> None:
    with pytest.raises(UnsafeValue, match=r"{{name}}"):
        fill([text], {"name": value}, PG)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        pytest.param("x '{{name}}'", "x 'a\\\\''b'", id="a_literal"),
        pytest.param('x "{{name}}"', 'x "a\\\\\'b"', id="double_quotes_hold_a_literal_too"),
        pytest.param("x `{{name}}`", "x `a\\'b`", id="an_identifier"),
        pytest.param("x 'it\\'s {{name}}'", "x 'it\\'s a\\\\''b'", id="a_backslash_does_not_end_a_literal"),
        pytest.param("# it's\nx '{{name}}'", "# it's\nx 'a\\\\''b'", id="a_comment_opens_nothing"),
    ],
)
def test_mysql_escapes_with_backslashes(text: str, filled: str) -> None:
    assert fill([text], {"name": "a\\'b"}, MY) == [filled]


def test_a_message_is_told_without_its_secrets() -> None:
    assert without('near "hunter2"', ["", "hunter2"]) == 'near "[password]"'


@pytest.mark.parametrize(
    ("statements", "arranged_so"),
    [
        pytest.param(["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'; GRANT x TO \"{{name}}\""],
                     ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD NULL;", "UPDATE", LOCK, ' GRANT x TO "{{name}}"'],
                     id="the_lock_comes_after_the_role"),
        pytest.param(["create user \"{{username}}\" with encrypted password '{{password}}' valid until ';'", "GRANT"],
                     ["create user \"{{username}}\" with PASSWORD NULL valid until ';'", "UPDATE", LOCK, "",
                      "GRANT"], id="whatever_the_case_and_the_options"),
        pytest.param(["CREATE ROLE \"{{name}}\" -- ;\n PASSWORD '{{password}}'"],
                     [LOCK, "CREATE ROLE \"{{name}}\" -- ;\n PASSWORD '{{password}}'"], id="comments_are_not_read"),
        pytest.param(["CREATE ROLE x$y PASSWORD '{{password}}'"], [LOCK, "CREATE ROLE x$y PASSWORD '{{password}}'"],
                     id="another_role_is_left_alone"),
        pytest.param(["CREATE USER MAPPING FOR x OPTIONS (password '{{password}}')"],
                     [LOCK, "CREATE USER MAPPING FOR x OPTIONS (password '{{password}}')"],
                     id="a_user_mappings_password_stays_as_it_is"),
    ],
)  # fmt: skip
def test_roles_are_made_before_the_lock_is_taken(statements: list[str], arranged_so: list[str]) -> None:
    made = arranged(statements, direct=True)
    assert ["UPDATE" if text.startswith("UPDATE pg_catalog.pg_authid") else text for text in made] == arranged_so


def test_without_the_right_to_store_verifiers_statements_stay_as_they_are() -> None:
    statement = "CREATE ROLE \"{{name}}\" PASSWORD '{{password}}';"
    assert arranged([statement], direct=False) == [statement, LOCK, ""]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


TWO = ("CREATE ROLE x", "GRANT y TO x; COMMENT ON ROLE x IS 'é'")


@pytest.mark.parametrize(
    ("texts", "run"),
    [
        pytest.param(TWO, TWO, id="as_they_are"),
        pytest.param((b64("; ".join(TWO)),), ("; ".join(TWO),), id="one_text_in_base64"),
        pytest.param((b64(TWO[0]) + "\n", b64(TWO[1])), TWO, id="each_in_base64"),
        pytest.param((json.dumps(TWO),), TWO, id="a_json_list"),
        pytest.param((b64(json.dumps(TWO)),), TWO, id="a_json_list_in_base64"),
        pytest.param(("ROLLBACK", "COMMIT12", "SELECT"), ("ROLLBACK", "COMMIT12", "SELECT"), id="words_like_base64"),
        pytest.param(("[not json", "[1, 2]", ""), ("[not json", "[1, 2]", ""), id="no_json_list_of_texts"),
        pytest.param((), (), id="none"),
    ],
)
def test_statements_come_in_base64_and_as_lists_too(texts: tuple[str, ...], run: tuple[str, ...]) -> None:
    assert plain(texts) == run


@pytest.mark.parametrize(
    ("text", "secrets", "shown"),
    [
        pytest.param("no such user: p'a", ["p'a"], "no such user: [password]", id="as_it_is"),
        pytest.param("IDENTIFIED BY 'p''a'", ["p'a"], "IDENTIFIED BY '[password]'", id="in_quotes"),
        pytest.param("port 1 is open", ["p"], "[password]ort 1 is o[password]en", id="a_letter_is_replaced_once"),
        pytest.param("nothing", ["", ""], "nothing", id="none"),
    ],
)
def test_messages_come_without_passwords(text: str, secrets: list[str], shown: str) -> None:
    assert without(text, secrets) == shown
