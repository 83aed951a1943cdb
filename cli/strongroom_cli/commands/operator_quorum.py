"""operator rekey and generate-root: what several key holders do together, one key each."""

import base64
from typing import Any

from strongroom_cli import gotext, output
from strongroom_cli.command import Command
from strongroom_cli.commands.operator_seal import PGP, pgp_keys
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session

_ROOT = "sys/generate-root"


def rekey(session: Session) -> int:
    """Make new unseal keys."""
    options = session.options
    target = options.text("target")
    if target not in ("barrier", "unseal", "recovery", "hsm"):
        raise UsageError(f"Unknown target: {target}")
    base = "sys/rekey-recovery-key" if target in ("recovery", "hsm") else "sys/rekey"
    part = "verify" if options.on("verify") and not options.on("init") else "init"
    if options.on("init"):
        return _rekey_init(session, base)
    if options.on("cancel"):
        with trouble("Error canceling rekey"):
            session.call("delete", f"{base}/{part}")
        session.say("Success! Canceled rekeying (if it was started)")
        return 0
    if options.on("status"):
        with trouble("Error reading rekey status"):
            status = session.call("read", f"{base}/{part}").body
        return _rekey_status(session, status)
    return _rekey_give(session, base, part)


def _rekey_init(session: Session, base: str) -> int:
    options = session.options
    body = {
        "secret_shares": options.number("key-shares"),
        "secret_threshold": options.number("key-threshold"),
        "pgp_keys": pgp_keys(options.items("pgp-keys")) or [],
        "backup": options.on("backup"),
        "require_verification": options.on("verify"),
    }
    with trouble("Error initializing rekey"):
        response = session.call("write", f"{base}/init", body)
        status = response.body or session.call("read", f"{base}/init").body
    if not body["pgp_keys"]:
        warning = (
            "WARNING! Who loses the new keys loses the data. -pgp-keys has them printed encrypted, one to each holder."
        )
        session.warn(gotext.wrapped(warning) + "\n")
    return _rekey_status(session, status)


def _rekey_status(session: Session, status: dict[str, Any]) -> int:
    found = [("Nonce", status.get("nonce") or ""), ("Started", gotext.text(bool(status.get("started"))))]
    if status.get("started"):
        found += [
            ("Progress", f"{status.get('progress')}/{status.get('required')}"),
            ("New Shares", gotext.text(status.get("n"))),
            ("New Threshold", gotext.text(status.get("t"))),
        ]
        if "verification_required" in status:
            found.append(("Verification Required", gotext.text(status["verification_required"])))
    return output.document(session, status, lambda: output.pairs(found))


def _rekey_give(session: Session, base: str, part: str) -> int:
    with trouble("Error getting rekey status"):
        status = session.client.read(f"{base}/{part}").body
    if not status.get("started", part == "verify"):
        raise UsageError(
            gotext.wrapped(f'No rekey is in progress. Start one with "{session.program} operator rekey -init".')
        )
    nonce, key = _share(session, status["nonce"], "Rekey")
    where = f"{base}/verify" if part == "verify" else f"{base}/update"
    with trouble("Error posting unseal key"):
        done = session.call("write", where, {"key": key, "nonce": nonce}).body
    if not done.get("complete"):
        return _rekey_status(session, {**status, **done})
    return output.document(session, done, lambda: _rekey_text(session, done, part))


def _rekey_text(session: Session, done: dict[str, Any], part: str) -> str:
    if part == "verify":
        return "Success! The new keys are verified and in force."
    prints = done.get("pgp_fingerprints") or []
    lines = []
    for number, key in enumerate(done.get("keys_base64") or [], 1):
        fingerprint = f" fingerprint: {prints[number - 1]};" if prints else ""
        lines.append(f"Key {number}{fingerprint}: {key}" if not prints else f"Key {number}{fingerprint} value: {key}")
    text = "Please securely distribute the key shares printed above. The old ones are void."
    if done.get("verification_required"):
        text = (
            "The new keys are not in force yet: each holder must prove to have one, with "
            f'"{session.program} operator rekey -verify -nonce={done.get("verification_nonce")}".'
        )
    return "\n".join([*lines, "", f"Operation nonce: {done.get('nonce')}", "", gotext.wrapped(text)])


def _share(session: Session, nonce: str, what: str) -> tuple[str, str]:
    """Return nonce and key share; a share from the command line or a pipe must come with the nonce it is for."""
    given = session.options.text("nonce")
    if session.arguments:
        word = session.arguments[0].strip()
        key = session.read_stdin().strip() if word == "-" else word
        if not given:
            raise UsageError("Missing nonce value: specify it via the -nonce flag")
        return given, key
    session.warn(f"{what} operation nonce: {nonce}")
    return given or nonce, session.ask_secret("Unseal Key (will be hidden): ")


def generate_root(session: Session) -> int:
    """Make a new root token."""
    options = session.options
    if options.on("generate-otp"):
        return _generate_otp(session)
    if options.text("decode"):
        return _decode(session)
    if options.on("cancel"):
        with trouble("Error canceling root token generation"):
            session.call("delete", f"{_ROOT}/attempt")
        session.say("Success! Root token generation canceled (if it was started)")
        return 0
    if options.on("status"):
        with trouble("Error getting root generation status"):
            status = session.call("read", f"{_ROOT}/attempt").body
        return _root_status(session, status)
    if options.on("init"):
        return _root_init(session)
    return _root_give(session)


def _generate_otp(session: Session) -> int:
    import secrets
    import string

    with trouble("Error getting root generation status"):
        length = session.client.read(f"{_ROOT}/attempt").body.get("otp_length") or 28
    letters = string.ascii_letters + string.digits
    otp = "".join(secrets.choice(letters) for _ in range(length))
    return _alone(session, {"otp": otp, "otp_length": length}, otp)


def _alone(session: Session, document: dict[str, Any], text: str) -> int:
    """Print ``text`` without a newline for a program that reads it, or the whole ``document``."""
    return output.value(session, text if session.format == "table" else document)


def _decode(session: Session) -> int:
    encoded, otp = session.options.text("decode"), session.options.text("otp")
    if encoded == "-":
        encoded = session.read_stdin().strip()
    if not otp:
        raise UsageError("Missing otp: use -otp to supply it")
    try:
        token = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError as error:
        raise UsageError(f"Error decoding: {error}") from error
    if len(token) != len(otp):
        raise UsageError("Error decoding: the token and the OTP have different lengths")
    text = bytes(a ^ b for a, b in zip(token, otp.encode(), strict=True)).decode("utf-8", "replace")
    return _alone(session, {"token": text}, text)


def _root_init(session: Session) -> int:
    options = session.options
    body = {"otp": options.text("otp"), "pgp_key": "".join(pgp_keys(options.items("pgp-key")) or [])}
    with trouble("Error initializing root generation"):
        status = session.call("write", f"{_ROOT}/attempt", body).body
    if status.get("otp"):
        session.warn(
            gotext.wrapped(
                "A One-Time-Password has been generated for you and is shown in the OTP field. You will need this "
                "value to decode the resulting root token, so keep it safe."
            )
        )
    return _root_status(session, status)


def _root_give(session: Session) -> int:
    with trouble("Error getting root generation status"):
        status = session.client.read(f"{_ROOT}/attempt").body
    if not status.get("started"):
        text = (
            f'No root generation is in progress. Start one with "{session.program} operator generate-root -init".\n'
            f"An OTP of your own must be {status.get('otp_length')} characters long."
        )
        raise UsageError(gotext.wrapped(text))
    nonce, key = _share(session, status["nonce"], "Root generation")
    with trouble("Error posting unseal key"):
        status = session.call("write", f"{_ROOT}/update", {"key": key, "nonce": nonce}).body
    return _root_status(session, status)


def _root_status(session: Session, status: dict[str, Any]) -> int:
    found = [
        ("Nonce", status.get("nonce") or ""),
        ("Started", gotext.text(bool(status.get("started")))),
        ("Progress", f"{status.get('progress')}/{status.get('required')}"),
        ("Complete", gotext.text(bool(status.get("complete")))),
    ]
    for key, title in (
        ("pgp_fingerprint", "PGP Fingerprint"),
        ("encoded_token", "Encoded Token"),
        ("otp", "OTP"),
        ("otp_length", "OTP Length"),
    ):
        if status.get(key):
            found.append((title, gotext.text(status[key])))
    return output.document(session, status, lambda: gotext.table(found, rule=False))


_NONCE = Flag("nonce", "Which operation the key is for; shown when it was started.")
_STATUS = Flag("status", "Print how far it is.", "bool")
_CANCEL = Flag("cancel", "Give it up and forget the keys given so far.", "bool")

COMMANDS = {
    "operator rekey": Command(
        rekey, "[options] [KEY]",
        "Makes new unseal keys. -init starts it, then each holder gives a key; the last one gets the new keys.",
        (Flag("init", "Start it.", "bool"), _CANCEL, _STATUS, _NONCE,
         Flag("key-shares", "How many shares to make.", "int", 5, "n"),
         Flag("key-threshold", "How many of them unseal the server.", "int", 3, "t"),
         PGP,
         Flag("backup", "Keep the encrypted shares in the server, with -pgp-keys.", "bool"),
         Flag("verify", "The new keys count once enough holders have proved to have them.", "bool"),
         Flag("target", "barrier or recovery.", default="barrier")),
        0, 1,
    ),
    "operator generate-root": Command(
        generate_root, "[options] [KEY]",
        "Makes a new root token. -init starts it, then each holder gives a key; the last one gets the token, encoded\n"
        "with the OTP that -init printed.",
        (Flag("init", "Start it.", "bool"), _CANCEL, _STATUS, _NONCE,
         Flag("otp", "One-time password to encode the token with; made up if not given."),
         Flag("generate-otp", "Print a one-time password for later.", "bool"),
         Flag("decode", "Encoded token to decode, with -otp."),
         Flag("pgp-key", "File with a public PGP key to encrypt the token to.", "list")),
        0, 1,
    ),
}  # fmt: skip
