"""What a server file may leave to the machine."""

import pytest

from strongroom_common.settings import SettingsError
from strongroom_server.addresses import filled, with_addresses
from strongroom_server.config import Config, Listener


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("https://vault:8200", "https://vault:8200", id="no_template"),
        pytest.param('{{ GetInterfaceIP "lo" }}:8200', "127.0.0.1:8200", id="the_address_of_an_interface"),
        pytest.param('http://{{GetInterfaceIP "lo"}}:8200', "http://127.0.0.1:8200", id="in_a_url_without_blanks"),
    ],
)
def test_addresses_are_filled_in(text: str, expected: str) -> None:
    assert filled(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param('{{ GetInterfaceIP "none0" }}:1', "no such interface", id="no_interface"),
        pytest.param("{{ GetAllInterfaces }}:1", "expected {{ GetPrivateIP }}", id="an_unknown_word"),
        pytest.param("{{ GetInterfaceIP }}:1", "expected {{ GetPrivateIP }}", id="no_name"),
        pytest.param("{{ GetPrivateInterfaces | attr }}:1", "expected {{ GetPrivateIP }}", id="a_pipe"),
    ],
)
def test_others_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        filled(text)


def test_a_whole_file_is_filled_in() -> None:
    lo = '{{ GetInterfaceIP "lo" }}'
    config = with_addresses(Config(api_addr=f"http://{lo}:1", listeners=(Listener(address=f"{lo}:2"),)))
    assert (config.api_addr, config.listeners[0].address) == ("http://127.0.0.1:1", "127.0.0.1:2")
