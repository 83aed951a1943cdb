from dataclasses import dataclass, field
from typing import Annotated

import pytest

from strongroom_common.fields import Alias, Names, Object, Pairs, Seconds
from strongroom_common.settings import NoEffect, Reader, SettingsError, parse_file


@dataclass(frozen=True)
class Sink:
    path: Annotated[str, "Where to."]
    mode: Annotated[int, "File mode."] = 0o640


@dataclass(frozen=True)
class Agent:
    address: Annotated[str, "The server.", Alias("addr")]
    ttl: Annotated[Seconds, "How long."] = Seconds(60)
    names: Annotated[Names, "Words."] = Names(())
    headers: Annotated[Pairs, "Headers."] = field(default_factory=lambda: Pairs({}))
    extra: Annotated[Object, "Anything."] = field(default_factory=lambda: Object({}))
    old: Annotated[bool, "Once had an effect.", NoEffect()] = False
    sink: Sink = Sink("-")


def _read(text):
    reader = Reader("agent.hcl")
    return reader.read(Agent, parse_file("agent.hcl", text)), reader.warnings


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        pytest.param('address = "a"', Agent("a"), id="defaults"),
        pytest.param('addr = "a"', Agent("a"), id="an_alias"),
        pytest.param('address = "a" address = "b"', Agent("b"), id="the_last_wins"),
        pytest.param('address = "a" ttl = "1h" names = "x,y"', Agent("a", Seconds(3600), Names(("x", "y"))),
                     id="kinds"),
        pytest.param('address = "a" names = ["x", "y"]', Agent("a", names=Names(("x", "y"))), id="a_list"),
        pytest.param('address = "a" headers { X = 1 }', Agent("a", headers=Pairs({"X": "1"})), id="a_map_as_a_block"),
        pytest.param('{"address": "a", "headers": [{"X": "1"}, {"Y": "2"}]}',
                     Agent("a", headers=Pairs({"X": "1", "Y": "2"})), id="a_map_as_a_list_of_maps"),
        pytest.param('address = "a" extra { b = { c = [1] } }', Agent("a", extra=Object({"b": {"c": [1]}})), id="map"),
        pytest.param('address = "a" sink { path = "p" mode = 0600 }', Agent("a", sink=Sink("p", 0o600)), id="a_block"),
        pytest.param('{"address": "a", "sink": [{"path": "p"}]}', Agent("a", sink=Sink("p")), id="a_block_in_a_list"),
    ],
)  # fmt: skip
def test_a_file_is_read(text, settings):
    assert _read(text) == (settings, [])


def test_what_is_not_used_is_a_warning():
    _, warnings = _read('address = "a"\nold = true\nsink {\n path = "p"\n color = 1 }')
    assert warnings == [
        "agent.hcl:2: field old has no effect",
        "agent.hcl:5: unknown or unsupported field sink: color",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("ttl = 1", "agent.hcl:1: address: expected a string", id="a_missing_value"),
        pytest.param("", "agent.hcl: address: expected a string", id="an_empty_file"),
        pytest.param('address = "a"\nttl = "soon"', "agent.hcl:2: ttl: expected a duration", id="a_wrong_value"),
        pytest.param(
            'address = "a"\nsink { mode = 1 }', "agent.hcl:2: sink: path: expected a string", id="missing_inside"
        ),
        pytest.param('address = "a"\nsink = 1', "agent.hcl:2: sink should be a block", id="a_number_for_a_block"),
        pytest.param("address = [", "error parsing agent.hcl: At 1:12: unexpected token", id="no_hcl"),
    ],
)
def test_what_is_wrong_is_told_by_file_line_and_key(text, message):
    with pytest.raises(SettingsError) as caught:
        _read(text)
    assert message in str(caught.value)
