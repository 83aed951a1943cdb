import io
import json
import logging

import pytest

from strongroom_common import logs
from strongroom_common.secret import Secret


@pytest.fixture(autouse=True)
def _restore_root():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def _lines(form, level="info", **record):
    stream = io.StringIO()
    logs.configure(level, form, stream)
    logging.getLogger("core").log(
        record.get("level", 20), record["message"], extra={"fields": record.get("fields", {})}
    )
    return stream.getvalue()


def test_json_lines_have_the_names_that_go_s_hclog_gives():
    line = json.loads(_lines("json", message="hello", fields={"path": "a\nb", "token": Secret("hunter2")}))
    assert line.pop("@timestamp").endswith("Z")
    assert line == {"@level": "info", "@module": "core", "@message": "hello", "path": "a\nb", "token": "Secret(…)"}


def test_a_text_line():
    line = _lines("standard", message="hello", fields={"path": "a", "reason": "not found", "empty": ""})
    assert line.endswith('Z [INFO]  core: hello path=a reason="not found" empty=""\n')


def test_a_client_cannot_start_a_line_of_its_own():
    line = _lines("standard", message="no such path: x\n[ERROR] forged", fields={"path": "y\r\n\x1b[31mz"})
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert r"x\n[ERROR] forged" in line


def test_a_traceback_follows_its_line():
    for form in ("standard", "json"):
        stream = io.StringIO()
        logs.configure("info", form, stream)
        try:
            int("broken")
        except ValueError:
            logging.getLogger("core").exception("failed")
        assert "ValueError: invalid literal" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("trace", True),
        ("debug", True),
        ("INFO", True),
        ("notice", True),
        ("warn", False),
        ("error", False),
        ("err", False),
    ],
)
def test_levels(level, shown):
    assert bool(_lines("standard", level, message="x")) is shown


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="unknown log level 'loud'; expected one of trace"):
        logs.configure("loud")
