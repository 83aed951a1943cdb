import pytest

from strongroom_server.engines.database.plugins.url import fill_url, for_libpq, hidden


@pytest.mark.parametrize(
    ("template", "escape", "filled"),
    [
        pytest.param("pg://{{username}}:{{password}}@h/d", True, "pg://u%40:p%3A%2F%25%27@h/d", id="a_url"),
        pytest.param("user={{username}} password='{{password}}'", True, "user=u@ password='p:/%\\''", id="words"),
        pytest.param("pg://{{username}}:{{password}}@h/d", False, "pg://u@:p:/%'@h/d", id="as_they_are"),
    ],
)
def test_credentials_are_put_in_as_the_url_needs(template: str, escape: bool, filled: str) -> None:
    assert fill_url(template, "u@", "p:/%'", escape=escape) == filled


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        pytest.param("pg://me:secret@h/d", "pg://me:xxxxx@h/d", id="a_url"),
        pytest.param("pg://:secret@h/d", "pg://:xxxxx@h/d", id="without_a_user"),
        pytest.param("pg://h/d?user=me&password=secret&x=1", "pg://h/d?user=me&password=xxxxx&x=1", id="a_parameter"),
        pytest.param("host=h password='se cr\\'et' x=1", "host=h password=xxxxx x=1", id="words"),
        pytest.param("me:s@e:c(r/et@tcp(h:1)/d", "me:xxxxx@tcp(h:1)/d", id="as_gos_driver_has_it"),
        pytest.param("pg://{{username}}:{{password}}@h/d", "pg://{{username}}:{{password}}@h/d", id="a_template"),
        pytest.param("{{username}}:{{password}}@tcp(h)/", "{{username}}:{{password}}@tcp(h)/", id="a_template_of_gos"),
        pytest.param("password='{{password}}' x=1", "password='{{password}}' x=1", id="a_template_of_words"),
        pytest.param("pg://h:5432/d", "pg://h:5432/d", id="no_password"),
    ],
)
def test_a_password_in_a_url_is_not_shown(url: str, shown: str) -> None:
    assert hidden(url) == shown


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        pytest.param("pg://{{username}}@h/d?sslmode=disable", "pg://{{username}}@h/d?sslmode=disable", id="all_known"),
        pytest.param("pg://h/d?search_path=a%20b&sslmode=x", "pg://h/d?sslmode=x&options=-c%20search_path%3Da%5C%20b",
                     id="a_setting_of_the_session"),
        pytest.param("pg://h/d?options=-c%20x%3D1&y=2", "pg://h/d?options=-c%20x%3D1%20-c%20y%3D2", id="with_others"),
        pytest.param("pg://h/d?pool_max_conns=4", "pg://h/d?", id="what_is_pgxs_own_goes"),
        pytest.param("host=h x=1", "host=h x=1", id="words"),
        pytest.param("pg://h/d", "pg://h/d", id="no_parameters"),
    ],
)  # fmt: skip
def test_libpq_gets_what_it_knows(url: str, taken: str) -> None:
    assert for_libpq(url, {"sslmode", "options"}) == taken
