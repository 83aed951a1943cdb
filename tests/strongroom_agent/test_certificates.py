import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from strongroom_agent import certificates


@pytest.mark.parametrize(
    "days", [pytest.param(30, id="utc_time"), pytest.param(40_000, id="generalized_time_beyond_2050")]
)
def test_validity_is_what_openssl_says(days, tmp_path):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-subj", "/CN=x", "-days", str(days), "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run([*command, *files], check=True, capture_output=True)
    pem = (tmp_path / "cert").read_text()
    span = certificates.validity("text before\n" + pem)
    assert span is not None
    assert abs(span[0] - datetime.now(UTC).timestamp()) < 60
    assert span[1] - span[0] == timedelta(days=days).total_seconds()
    pair = certificates.pair((tmp_path / "key").read_text() + pem)
    assert pair is not None
    assert (pair.cert.strip(), pair.ca) == (pem.strip(), "")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", id="no_certificate_inside"),
        pytest.param("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", id="no_base64"),
        pytest.param("-----BEGIN X-----\nAAAA\n-----END X-----", id="something_else"),
    ],
)
def test_what_is_no_certificate_has_no_validity(text):
    assert certificates.validity(text) is None
    assert certificates.pair(text) is None


@pytest.mark.parametrize(
    ("moment", "good"),
    [
        pytest.param(0, True, id="fresh"),
        pytest.param(86, True, id="with_time_left"),
        pytest.param(88, False, id="near_its_end"),
        pytest.param(101, False, id="expired"),
        pytest.param(-1, False, id="not_yet_valid"),
    ],
)
def test_a_kept_certificate_must_have_time_left(moment, good):
    assert certificates.is_good((0, 100), moment) is good
