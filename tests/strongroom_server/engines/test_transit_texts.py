"""Base64 is as strict as the peer's, and what is wrong has the place that OpenBao 2.7.2 says."""

import pytest

from strongroom_server.engines.transit.texts import decode64
from strongroom_server.sdk.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("AAAA=", 4, id="padding_after_a_whole_text"),
        pytest.param("AAAA====", 4, id="much_padding_after_a_whole_text"),
        pytest.param("AAAA=A", 4, id="padding_between_texts"),
        pytest.param("AAAAA===", 5, id="padding_after_one_sign"),
        pytest.param("A===", 1, id="padding_after_the_first_sign"),
        pytest.param("AA===", 4, id="padding_that_is_too_much"),
        pytest.param("AAA==", 4, id="two_signs_of_padding_where_one_is_enough"),
        pytest.param("====", 0, id="padding_alone"),
        pytest.param("AA=A", 2, id="padding_before_the_end"),
        pytest.param("=AAA", 0, id="padding_first"),
        pytest.param("AA==AAAA", 4, id="more_after_the_end"),
        pytest.param("AAAA\nAA=", 8, id="padding_that_is_not_enough"),
        pytest.param("AAAAA", 4, id="no_padding"),
        pytest.param("AAAé", 3, id="a_letter_beyond_ascii"),
        pytest.param("AA AA", 2, id="a_blank"),
    ],
)
def test_it_says_where_base64_is_wrong(text: str, at: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode64(text)
    assert str(caught.value) == f"illegal base64 data at input byte {at}"


@pytest.mark.parametrize("text", ["QQ==", "QR==", "QQ=\n=", "Q\r\nQ==", "QQ==\n"])
def test_line_ends_and_bits_left_over_do_not_matter(text: str) -> None:
    assert decode64(text) == b"A"
