"""What an idle agent costs: every pod pays it. Budget: 25 MB resident, 14 MB of it anonymous."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.strongroom_agent.running import configuration, content, running, template, until
from tests.strongroom_agent.vault import serving


def _memory(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    return {name: int(kilobytes) / 1024 for name, kilobytes in re.findall(r"(VmRSS|RssAnon):\s+(\d+)", status)}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    openssl = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=vault", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*openssl, *names, *files], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "cert.pem").read_text() + (folder / "key.pem").read_text())
    return both


@pytest.mark.parametrize("tls", [pytest.param(False, id="plain"), pytest.param(True, id="tls")])
def test_an_idle_agent_is_small(tls, tmp_path, certificate):
    with serving(certificate if tls else None) as vault:
        vault.secrets["kv/data/app"] = {"user": "ann"}
        config = configuration(vault, tmp_path, template_config={"static_secret_render_interval": "50ms"})
        config["vault"]["ca_cert"] = str(certificate)
        each = "{{ range $k, $v := .Data.data }}{{ $k }}={{ $v | toJSON }}\n{{ end }}"
        text = '{{ with secret "kv/app" }}' + each + "{{ end }}"
        config["template"] = [template(tmp_path, text, command=["true"])]
        with running(config, tmp_path) as agent:
            until(lambda: content(tmp_path / "out") == 'user="ann"\n')
            until(lambda: vault.count("kv/data/app") > 20)
            memory = _memory(agent.pid)
    assert memory["VmRSS"] <= 25, memory
    assert memory["RssAnon"] <= 14, memory
