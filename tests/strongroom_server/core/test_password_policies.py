"""Password policies: what is accepted, and what comes out."""

import base64

import pytest

from strongroom_server.core.password_policies import DEFAULT, parse_password_policy
from tests.strongroom_server.live import Live

LETTERS = 'rule "charset" { charset = "abc" }'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("x", "At 1:", id="no_hcl"),
        pytest.param("length = 20", "no charset", id="no_rule"),
        pytest.param(LETTERS, "length must be > 0", id="no_length"),
        pytest.param(f"length=3\n{LETTERS}", "between 4 and 100", id="too_short"),
        pytest.param(f"length=101\n{LETTERS}", "between 4 and 100", id="too_long"),
        pytest.param(f'length="20"\n{LETTERS}', "length: expected a number", id="a_length_in_quotes"),
        pytest.param('length=20\nrule "charset" { charset = "" }', "no charset", id="no_characters"),
        pytest.param('length=20\nrule "charset" {\n charset="abc"\n min-chars=21\n}', "at least 21", id="too_many"),
        pytest.param('length=20\nrule "chars" { charset = "abc" }', "unrecognized rule type", id="no_such_rule"),
        pytest.param('length=20\nrule "charset" { charset = ["a"] }', "charset: expected", id="a_list"),
        pytest.param('length=20\nrule "charset" { charset = "a\\n" }', "printable", id="a_line_break"),
        pytest.param("", "length", id="nothing"),
    ],
)
def test_wrong_policies_say_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_password_policy(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('length = 20\nrule "charset" {\n charset = "abcde"\n min-chars = 19\n}\n'
                     'rule "charset" {\n charset = "0123"\n min-chars = 1\n}', id="hcl"),
        pytest.param('{"length": 20, "rule": [{"charset": {"charset": "abcde", "min-chars": 19}},'
                     ' {"charset": {"charset": "0123", "min-chars": 1}}]}', id="json"),
    ],
)  # fmt: skip
def test_passwords_are_as_the_policy_says(text: str) -> None:
    policy = parse_password_policy(text)
    for password in (policy.generate() for _ in range(50)):
        assert len(password) == 20
        assert sum(letter in "abcde" for letter in password) == 19
        assert sum(letter in "0123" for letter in password) == 1


def test_the_default_has_some_of_each() -> None:
    password = DEFAULT.generate()
    assert len(password) == 20
    assert "-" in password
    assert any(letter.isdigit() for letter in password)


async def test_policies_over_the_api(live: Live) -> None:
    path, text = "sys/policies/password", f"length = 12\n{LETTERS}"
    assert (await live.list(path)).status == 404
    assert (await live.post(f"{path}/a", {"policy": base64.b64encode(text.encode()).decode()})).status == 204
    assert (await live.get(f"{path}/a")).data == {"policy": text}
    assert (await live.list(path)).data == {"keys": ["a"]}
    assert len((await live.get(f"{path}/a/generate")).data["password"]) == 12
    assert len(await live.server.generate_password("a")) == 12
    assert len(await live.server.generate_password("")) == 20
    assert (await live.post(f"{path}/a", {"policy": "x"})).status == 400
    assert (await live.post(f"{path}/a", {})).errors == ["missing policy"]
    assert (await live.get(f"{path}/none/generate")).status == 404
    assert (await live.delete(f"{path}/a")).status == 204
    assert (await live.get(f"{path}/a")).status == 404
