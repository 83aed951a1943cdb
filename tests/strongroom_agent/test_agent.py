"""The agent as a process: what it writes, how it ends, what it says."""

import base64
import json
import signal
import stat
import subprocess

import pytest

from tests.strongroom_agent.running import COMMAND, configuration, content, environment, run, running, template, until

SECRET = '{{ with secret "kv/app" }}{{ .Data.data.user }}{{ end }}'


def test_init_mode_renders_and_ends_with_0(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    config = configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, SECRET, "a/b/out")])
    done = run(config, tmp_path)
    assert (done.returncode, content(tmp_path / "a/b/out")) == (0, "ann"), done.stderr
    assert stat.S_IMODE((tmp_path / "a/b/out").stat().st_mode) == 0o644


def test_one_bad_template_does_not_keep_the_others_from_being_written(vault, tmp_path):
    vault.secrets |= {"kv/data/app": {"user": "ann"}, "kv/data/no": {"user": "bob"}}
    vault.denied.add("kv/data/no")
    config = configuration(
        vault, tmp_path, exit_after_auth=True,
        template=[template(tmp_path, SECRET), template(tmp_path, SECRET.replace("app", "no"), "no")],
    )  # fmt: skip
    config["vault"]["retry"] = {"num_retries": 1}
    done = run(config, tmp_path)
    assert (done.returncode, content(tmp_path / "out"), content(tmp_path / "no")) == (1, "ann", None)
    assert "permission denied" in done.stderr
    assert "kv/data/no" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{{ nope }}", 'function "nope" not defined', id="a_template_that_is_none"),
        pytest.param("{{ (parseJSON `{}`).a.b }}", "nil pointer evaluating", id="a_template_that_fails"),
        pytest.param('{{ with secret "kv/absent" }}{{ end }}', "no secret exists at kv/data/absent", id="no_secret"),
    ],
)
def test_init_mode_ends_with_1_and_says_why(vault, tmp_path, text, message):
    config = configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, text)])
    config["vault"]["retry"] = {"num_retries": 1}
    done = run(config, tmp_path)
    assert (done.returncode, content(tmp_path / "out")) == (1, None)
    assert message in done.stderr


def test_a_refused_login_ends_init_mode_with_the_servers_words(vault, tmp_path):
    vault.login_denied = True
    (tmp_path / "jwt").write_text("header.payload.signature")
    method = {"type": "kubernetes", "config": {"role": "app", "token_path": str(tmp_path / "jwt")}}
    config = configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, "x")])
    config["auto_auth"] = {"method": [{**method, "min_backoff": "50ms", "max_backoff": "50ms"}]}
    done = run(config, tmp_path)
    assert done.returncode == 1
    assert "auth/kubernetes/login: 403: permission denied" in done.stderr
    assert "payload" not in done.stderr
    assert vault.logins[0] == {"role": "app", "jwt": "header.payload.signature"}


def test_a_missing_service_account_token_ends_init_mode_too(vault, tmp_path):
    config = configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, "x")])
    method = {"type": "kubernetes", "config": {"role": "app", "token_path": str(tmp_path / "none")}}
    config["auto_auth"] = {"method": [{**method, "min_backoff": "10ms", "max_backoff": "10ms"}]}
    done = run(config, tmp_path)
    assert done.returncode == 1
    assert f"cannot read the service account token from {tmp_path}/none" in done.stderr


def test_a_token_that_the_server_forgot_is_replaced_at_once(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    (tmp_path / "jwt").write_text("j")
    config = configuration(vault, tmp_path, template_config={"static_secret_render_interval": "100ms"})
    method = {"type": "kubernetes", "config": {"role": "app", "token_path": str(tmp_path / "jwt")}}
    config |= {"auto_auth": {"method": [method]}, "template": [template(tmp_path, SECRET)]}
    with running(config, tmp_path):
        until(lambda: content(tmp_path / "out") == "ann")
        vault.tokens.clear()
        vault.secrets["kv/data/app"] = {"user": "bob"}
        until(lambda: content(tmp_path / "out") == "bob")
    assert len(vault.logins) == 2


def test_secrets_are_not_logged(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "hide-me"}
    text = '{{ with secret "kv/app" }}{{ .Data.data.user }}{{ .Data.data.nokey }}{{ end }}'
    config = configuration(vault, tmp_path, exit_after_auth=True)
    config["template"] = [template(tmp_path, text, error_on_missing_key=True)]
    done = run(config, tmp_path, "-log-level=trace")
    assert done.returncode == 1
    assert "map has no entry for key" in done.stderr
    assert "hide-me" not in done.stderr


def test_a_change_is_rendered_and_told_by_the_command(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    config = configuration(vault, tmp_path, template_config={"static_secret_render_interval": "100ms"})
    command = f"cat {tmp_path}/out >> {tmp_path}/log; echo >> {tmp_path}/log"
    config["template"] = [template(tmp_path, SECRET, command=command)]
    with running(config, tmp_path, f"-ready-file={tmp_path}/ready") as agent:
        until(lambda: content(tmp_path / "ready"))
        assert content(tmp_path / "out") == "ann"
        vault.secrets["kv/data/app"] = {"user": "bob"}
        until(lambda: content(tmp_path / "log") == "ann\nbob\n")
        polls = vault.count("kv/data/app")
        until(lambda: vault.count("kv/data/app") > polls + 2)
        assert content(tmp_path / "log") == "ann\nbob\n"
        assert vault.count("sys/internal/ui/mounts/kv/app") == 1
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(5) == 0


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param({"exit_after_auth": True}, 0, id="an_agent_that_runs_once_has_nobody_to_tell_yet"),
        pytest.param({"template_config": {"exit_on_retry_failure": True}}, 1, id="an_agent_that_stays_ends"),
    ],
)
def test_a_command_that_fails(more, status, vault, tmp_path):
    command = f"echo told >> {tmp_path}/log; exit 3"
    both = [template(tmp_path, "x", command=command), template(tmp_path, "y", "out2")]
    done = run(configuration(vault, tmp_path, template=both, **more), tmp_path)
    assert (done.returncode, content(tmp_path / "out"), content(tmp_path / "log")) == (status, "x", "told\n")
    assert "exit status 3" in done.stderr


def test_a_command_that_fails_before_the_pods_containers_start_holds_nothing_up(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    often = {"exit_on_retry_failure": True, "static_secret_render_interval": "100ms"}
    one = template(tmp_path, SECRET, command="exit 3")
    config = configuration(vault, tmp_path, template=[one], template_config=often)
    with running(config, tmp_path, f"-ready-file={tmp_path}/ready") as agent:
        until(lambda: content(tmp_path / "ready"))
        assert agent.poll() is None
        vault.secrets["kv/data/app"] = {"user": "bob"}
        assert agent.wait(20) == 1  # now there was somebody to tell


def test_a_denied_function_and_a_file_outside_of_the_sandbox_fail(vault, tmp_path):
    (tmp_path / "in").write_text("x")
    for settings, message in (
        ({"function_denylist": ["file"]}, "function is disabled"),
        ({"sandbox_path": str(tmp_path / "box")}, "outside of sandbox"),
    ):
        one = template(tmp_path, f'{{{{ file "{tmp_path}/box/../in" }}}}', **settings)
        done = run(configuration(vault, tmp_path, exit_after_auth=True, template=[one]), tmp_path)
        assert (done.returncode, content(tmp_path / "out")) == (1, None)
        assert message in done.stderr


def test_readiness_is_a_command(vault, tmp_path):
    ready = tmp_path / "ready"
    probe = [*COMMAND, f"-check-ready={ready}"]

    def look() -> tuple[int, str]:
        done = subprocess.run(probe, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    assert look() == (1, "not ready: the agent is still starting\n")
    ready.write_text("stale")
    config = configuration(vault, tmp_path, template=[template(tmp_path, SECRET)])
    with running(config, tmp_path, f"-ready-file={ready}"):
        until(lambda: content(ready) is None)  # what an earlier run left says nothing
        until(lambda: look() == (1, "not ready: vault.read(kv/app): no secret exists at kv/data/app\n"))
        vault.secrets["kv/data/app"] = {"user": "ann"}
        until(lambda: content(ready))
        assert look() == (0, "")


def test_equal_dependencies_share_one_request(vault, tmp_path):
    vault.secrets["db/creds/app"] = {"user": "v"}
    vault.leases["db/creds/app"] = 60
    text = '{{ with secret "db/creds/app" }}{{ .Data.count }}{{ end }}'
    config = configuration(vault, tmp_path, exit_after_auth=True)
    config["template"] = [template(tmp_path, text, "a"), template(tmp_path, text, "b")]
    assert run(config, tmp_path).returncode == 0
    assert (content(tmp_path / "a"), content(tmp_path / "b")) == ("1", "1")


@pytest.mark.slow
def test_a_lease_that_cannot_be_renewed_is_replaced_before_it_ends(vault, tmp_path):
    vault.secrets["db/creds/app"] = {"user": "v"}
    vault.leases["db/creds/app"] = 1
    config = configuration(vault, tmp_path)
    config["template"] = [template(tmp_path, '{{ with secret "db/creds/app" }}{{ .Data.count }}{{ end }}')]
    with running(config, tmp_path):
        until(lambda: content(tmp_path / "out") == "1")
        until(lambda: content(tmp_path / "out") == "3")


@pytest.mark.slow
def test_the_token_is_renewed_and_replaced_once_it_cannot_be(vault, tmp_path):
    vault.ttl = 2
    (tmp_path / "jwt").write_text("j")
    method = {"type": "kubernetes", "config": {"role": "app", "token_path": str(tmp_path / "jwt")}}
    config = configuration(vault, tmp_path)
    config["auto_auth"] = {"method": [method], "sink": [{"type": "file", "config": {"path": str(tmp_path / "sink")}}]}
    with running(config, tmp_path):
        until(lambda: content(tmp_path / "sink") == "token-1")
        assert stat.S_IMODE((tmp_path / "sink").stat().st_mode) == 0o640
        until(lambda: vault.count("auth/token/renew-self"))
        vault.tokens.discard("token-1")
        (tmp_path / "jwt").write_text("fresh")
        until(lambda: content(tmp_path / "sink") == "token-2")
    assert [login["jwt"] for login in vault.logins] == ["j", "fresh"]


def test_sighup_takes_new_templates_and_keeps_the_old_ones_when_they_are_wrong(vault, tmp_path):
    config = configuration(vault, tmp_path, template=[template(tmp_path, "one")])
    with running(config, tmp_path) as agent:
        until(lambda: content(tmp_path / "out") == "one")
        (tmp_path / "agent.json").write_text("{ wrong")
        agent.send_signal(signal.SIGHUP)
        until(lambda: "configuration not reloaded" in (content(tmp_path / "agent.log") or ""))
        config["template"] = [template(tmp_path, "two")]
        (tmp_path / "agent.json").write_text(json.dumps(config))
        agent.send_signal(signal.SIGHUP)
        until(lambda: content(tmp_path / "out") == "two")


def test_a_stopped_agent_can_give_its_token_back_and_removes_its_pid_file(vault, tmp_path):
    config = configuration(vault, tmp_path, template=[template(tmp_path, "x")], pid_file=str(tmp_path / "pid"))
    with running(config, tmp_path, "-revoke-on-shutdown") as agent:
        until(lambda: content(tmp_path / "out"))
        assert content(tmp_path / "pid") == f"{agent.pid}\n"
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(5) == 0
    assert "root" not in vault.tokens
    assert content(tmp_path / "pid") is None


def test_a_lost_server_ends_a_sidecar_that_asked_for_it_and_leaves_the_file(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    settings = {"static_secret_render_interval": "100ms", "exit_on_retry_failure": True}
    config = configuration(vault, tmp_path, template_config=settings, template=[template(tmp_path, SECRET)])
    config["vault"]["retry"] = {"num_retries": 1}
    with running(config, tmp_path) as agent:
        until(lambda: content(tmp_path / "out") == "ann")
        vault.down = True
        assert agent.wait(10) == 1
    assert content(tmp_path / "out") == "ann"


def test_without_it_the_agent_tries_on(vault, tmp_path):
    vault.secrets["kv/data/app"] = {"user": "ann"}
    vault.down = True
    config = configuration(vault, tmp_path, template=[template(tmp_path, SECRET)])
    config["auto_auth"]["method"][0] |= {"min_backoff": "50ms", "max_backoff": "100ms"}
    with running(config, tmp_path) as agent:
        until(lambda: vault.count("auth/token/lookup-self") > 2)
        vault.down = False
        until(lambda: content(tmp_path / "out") == "ann")
        assert agent.poll() is None


@pytest.mark.parametrize("name", ["VAULT_AGENT_CONFIG_PATH", "BAO_PROXY_CONFIG_PATH"])
def test_the_environment_may_name_the_file_and_flags_the_log(vault, tmp_path, name):
    config = configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, "x")])
    (tmp_path / "agent.json").write_text(json.dumps(config))
    flags = [f"-log-file={tmp_path}/logs/", "-log-rotate-bytes=1", "-log-rotate-max-files=1"]
    named = environment(**{name: str(tmp_path / "agent.json")})
    done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, timeout=20, env=named, check=False)
    assert (done.returncode, content(tmp_path / "out")) == (0, "x"), done.stderr
    assert "stopped" in (tmp_path / "logs" / "agent.log").read_text()
    assert len(list((tmp_path / "logs").glob("agent-*.log"))) == 1


def test_the_config_may_come_from_the_environment(vault, tmp_path):
    text = json.dumps(configuration(vault, tmp_path, exit_after_auth=True, template=[template(tmp_path, "x")]))
    for value in (text, base64.b64encode(text.encode()).decode()):
        (tmp_path / "out").unlink(missing_ok=True)
        done = subprocess.run(
            [*COMMAND, "-config-env=VAULT_CONFIG"], env=environment(VAULT_CONFIG=value), check=False, timeout=20
        )
        assert (done.returncode, content(tmp_path / "out")) == (0, "x")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "no configuration", id="no_config"),
        pytest.param(["-config=/no/such.hcl"], "/no/such.hcl", id="no_such_file"),
        pytest.param(["generate-config", "-type=env-template"], "this agent starts none", id="no_supervisor"),
        pytest.param(["-nope"], "flag provided but not defined: -nope", id="unknown_flag"),
        pytest.param(["-config-env=NOT_THERE"], "NOT_THERE is empty", id="empty_variable"),
        pytest.param(["-revoke-on-shutdown=perhaps"], "expected true or false", id="wrong_switch"),
    ],
)
def test_a_wrong_command_line_ends_with_1(arguments, message):
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.slow
def test_file_dependencies_are_watched(vault, tmp_path):
    (tmp_path / "in").write_text("1")
    config = configuration(vault, tmp_path, template=[template(tmp_path, f'{{{{ file "{tmp_path}/in" }}}}')])
    with running(config, tmp_path):
        until(lambda: content(tmp_path / "out") == "1")
        (tmp_path / "in").write_text("2")
        until(lambda: content(tmp_path / "out") == "2")


def test_a_wrapped_sink_holds_the_wrapping(vault, tmp_path):
    sink = {"type": "file", "wrap_ttl": "5m", "config": {"path": str(tmp_path / "sink")}}
    config = configuration(vault, tmp_path, exit_after_auth=True)
    config["auto_auth"]["sink"] = [sink]
    assert run(config, tmp_path).returncode == 0
    assert json.loads(content(tmp_path / "sink") or "")["token"] == "wrapping"
