"""Settings and the way to the API server."""

from pathlib import Path

import pytest

from strongroom_operator import main


def test_settings_come_from_the_environment_and_flags_win() -> None:
    environ = {"POD_NAMESPACE": "here", "STRONGROOM_SERVER_IMAGE": "a:1", "STRONGROOM_HEALTH_PORT": "0"}
    settings = main.read_settings(["--image=b:2"], environ)
    assert (settings.namespace, settings.image, settings.health_port) == ("here", "b:2", 0)


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.read_settings(["--health-port=high"], {})
    assert "--health-port: expected a number, not 'high'" in capsys.readouterr().err


def test_a_kubeconfig_is_used_outside_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config"
    file.write_text(
        "current-context: c\n"
        "contexts: [{name: c, context: {cluster: k, user: u}}]\n"
        "clusters: [{name: k, cluster: {server: 'https://10.0.0.1:6443'}}]\n"
        "users: [{name: u, user: {token: t}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(file))
    assert main.log_in(main.kopf_settings(), {}).server == "https://10.0.0.1:6443"


def test_only_handlers_post_events() -> None:
    settings = main.kopf_settings()
    assert settings.posting.enabled
    assert not settings.posting.loggers, "security: what is logged is not shown to everyone who reads Events"
