"""ssh: get a certificate or a one-time password from the ssh engine, and log in to a host with it."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from getpass import getuser
from pathlib import Path

from strongroom_cli import output
from strongroom_cli.command import FIELD, Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_common.environment import variable

_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
_EXTENSIONS = ("permit-X11-forwarding", "permit-agent-forwarding", "permit-port-forwarding", "permit-pty",
               "permit-user-rc")  # fmt: skip


def ssh(session: Session) -> int:
    """Log in to a host; returns the exit code of ssh."""
    mode, role = session.options.text("mode"), session.options.text("role")
    if mode not in {"ca", "otp"}:
        raise UsageError(f"Unknown SSH mode: {mode}" if mode else "Missing -mode: expected ca or otp")
    if not role:
        raise UsageError("Missing -role")
    user, at, host = session.arguments[0].rpartition("@")
    destination = (user if at else getuser(), host)
    with tempfile.TemporaryDirectory(prefix="ssh-") as folder:
        run = _with_certificate if mode == "ca" else _with_password
        return run(session, destination, Path(folder))


def _with_certificate(session: Session, destination: tuple[str, str], folder: Path) -> int:
    private, public = _key_files(session)
    user, _ = destination
    body = {
        "public_key": public.read_text(),
        "valid_principals": session.options.text("valid-principals") or user,
        "cert_type": "user",
        "extensions": dict.fromkeys(_EXTENSIONS, ""),
    }
    with trouble("failed to sign public key"):
        response = session.call("write", f"{_mount(session)}/sign/{session.options.text('role')}", body)
    if session.options.on("no-exec"):
        return output.answer(session, response)
    certificate = folder / "certificate.pub"
    certificate.write_text(response.data["signed_key"])
    options = {"CertificateFile": certificate, "IdentityFile": private, **_host_checks(session, folder)}
    return _run(session, options, destination)


def _with_password(session: Session, destination: tuple[str, str], folder: Path) -> int:
    user, host = destination
    try:
        body = {"ip": socket.gethostbyname(host), "username": user}
    except OSError as error:
        raise UsageError(f"no address of {host} is known: {error}") from error
    with trouble("failed to generate credential"):
        response = session.call("write", f"{_mount(session)}/creds/{session.options.text('role')}", body)
    if session.options.on("no-exec"):
        return output.answer(session, response)
    password = response.data["key"]
    sshpass = shutil.which("sshpass")
    if sshpass is None:
        session.warn("sshpass is not installed, so you type the password yourself.")
        session.say(f"OTP for the session is: {password}")
    secret = {"SSHPASS": password} if sshpass else {}
    before = [sshpass, "-e"] if sshpass else []
    return _run(session, _host_checks(session, folder), destination, before, secret)


def _run(
    session: Session, options: Mapping[str, object], destination: tuple[str, str], before: Sequence[str] = (),
    secret: Mapping[str, str] | None = None,
) -> int:  # fmt: skip
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    program = _setting(session, "ssh-executable") or "ssh"
    command = [*before, program, *words, "@".join(destination), *session.arguments[1:]]
    try:
        return subprocess.run(command, env={**os.environ, **(secret or {})}, check=False).returncode  # noqa: S603
    except OSError as error:
        raise CommandError(f"failed to run ssh: {error}", 1) from error


def _host_checks(session: Session, folder: Path) -> dict[str, object]:
    """Return how ssh checks the host: by the engine that signs host keys where one is named, else as the user says."""
    if mount := _setting(session, "host-key-mount-point").strip("/"):
        with trouble("failed to get the host signing key"):
            response = session.call("read", f"{mount}/config/ca")
        names = _setting(session, "host-key-hostnames") or "*"
        known = folder / "known_hosts"
        known.write_text(f"@cert-authority {names} {response.data['public_key'].strip()}\n")
        return {"UserKnownHostsFile": known, "StrictHostKeyChecking": "yes"}
    given = {"UserKnownHostsFile": "user-known-hosts-file", "StrictHostKeyChecking": "strict-host-key-checking"}
    return {option: text for option, flag in given.items() if (text := _setting(session, flag))}


def _key_files(session: Session) -> tuple[Path, Path]:
    given = session.options.text("private-key-path"), session.options.text("public-key-path")
    home = Path(session.terminal.environ.get("HOME", "~")).expanduser() / ".ssh"
    found = next((home / name for name in _KEYS if (home / f"{name}.pub").exists()), None)
    public = Path(given[1]) if given[1] else found.with_suffix(".pub") if found else None
    if public is None or not public.exists():
        raise UsageError("Could not find an SSH public key. Specify with -public-key-path.")
    return Path(given[0]) if given[0] else public.with_suffix(""), public


def _mount(session: Session) -> str:
    return (session.options.text("mount-point") or "ssh").strip("/")


def _setting(session: Session, flag: str) -> str:
    """Return a flag, or its environment variable: -host-key-hostnames, VAULT_SSH_HOST_KEY_HOSTNAMES."""
    name = flag.replace("-", "_").upper()
    named = name if name.startswith("SSH_") else f"SSH_{name}"
    return session.options.text(flag) or variable(session.terminal.environ, named) or ""


COMMANDS = {
    "ssh": Command(
        ssh, "[options] USER@HOST [SSH OPTIONS] [COMMAND]",
        "Logs in to a host with what the ssh engine gives: a certificate for your key (-mode=ca), or a one-time\n"
        "password (-mode=otp; sshpass types it for you).\n\n"
        "    $ {program} ssh -mode=ca -role=my-role user@host.example.com\n\n"
        "What follows the host is ssh's own.",
        (Flag("mode", "What to log in with: ca or otp."),
         Flag("role", "Role of the ssh engine."),
         Flag("mount-point", "Path of the engine. Default ssh/."),
         Flag("no-exec", "Print what the engine gives and do not log in.", "bool"),
         Flag("public-key-path", "Key to have signed. Default id_ed25519.pub, id_ecdsa.pub or id_rsa.pub in ~/.ssh."),
         Flag("private-key-path", "Its other half. Default the same path without .pub."),
         Flag("valid-principals", "User names to be put into the certificate. Default the one of the login."),
         Flag("host-key-mount-point", "Path of the engine that signs host keys, to check the host by; also "
              "VAULT_SSH_HOST_KEY_MOUNT_POINT."),
         Flag("host-key-hostnames", "Hosts that it may sign for. Default *; also VAULT_SSH_HOST_KEY_HOSTNAMES."),
         Flag("user-known-hosts-file", "ssh's UserKnownHostsFile; also VAULT_SSH_USER_KNOWN_HOSTS_FILE."),
         Flag("strict-host-key-checking", "ssh's StrictHostKeyChecking; also VAULT_SSH_STRICT_HOST_KEY_CHECKING."),
         Flag("ssh-executable", "The program to run. Default ssh; also VAULT_SSH_EXECUTABLE."),
         FIELD),
        1, None,
    ),
}  # fmt: skip
