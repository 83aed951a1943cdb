"""operator generate-root: a new root token, by a quorum of the key holders."""

import base64
from typing import Any

from strongroom_cli import gotext, output, pgp, quorum
from strongroom_cli.command import Command
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.quorum import CANCEL, NONCE, STATUS
from strongroom_cli.session import Session
from strongroom_client import ApiError

_STATUS: dict[str, Any] = {
    "nonce": "", "started": False, "progress": 0, "required": 0, "complete": False, "encoded_token": "",
    "encoded_root_token": "", "pgp_fingerprint": "", "otp": "", "otp_length": 0,
}  # fmt: skip
"""What a program finds in every answer, whatever the server leaves out."""


def generate_root(session: Session) -> int:
    """Make a new root token."""
    options = session.options
    if options.on("generate-otp"):
        return _generate_otp(session)
    if options.text("decode"):
        return _decode(session)
    if options.on("cancel"):
        with trouble("Error canceling root token generation"):
            session.call("delete", f"{_base(session)}/attempt")
        session.say("Success! Root token generation canceled (if it was started)")
        return 0
    if options.on("status"):
        with trouble("Error getting root generation status"):
            status = quorum.told(session.learn("read", f"{_base(session)}/attempt"))
        return _root_status(session, status)
    if options.on("init"):
        return _root_init(session)
    return _root_give(session)


def _base(session: Session) -> str:
    """Return where the server makes root tokens: OpenBao closes Vault's path, which needs no token, for another."""
    if session.options.on("recovery-token"):
        return "sys/generate-recovery-token"
    try:
        session.look("sys/generate-root/attempt")
    except ApiError as error:
        if error.status == 405:
            return "sys/generate-root-token"
        raise
    return "sys/generate-root"


def _generate_otp(session: Session) -> int:
    import secrets
    import string

    with trouble("Error getting root generation status"):
        length = quorum.state(session, f"{_base(session)}/attempt").get("otp_length") or 28
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
    body = {"otp": options.text("otp"), "pgp_key": "".join(pgp.keys(options.items("pgp-key")) or [])}
    with trouble("Error initializing root generation"):
        response = session.call("write", f"{_base(session)}/attempt", body)
    if response.wrap_info:
        return output.answer(session, response)
    status = quorum.told(response)
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
        status = quorum.state(session, f"{_base(session)}/attempt")
    if not status.get("started"):
        text = (
            f'No root generation is in progress. Start one with "{session.program} operator generate-root -init".\n'
            f"An OTP of your own must be {status.get('otp_length')} characters long."
        )
        raise UsageError(gotext.wrapped(text))
    nonce, key = quorum.share(session, status["nonce"], "Root generation")
    with trouble("Error posting unseal key"):
        response = session.call("write", f"{_base(session)}/update", {"key": key, "nonce": nonce})
    if response.wrap_info:
        return output.answer(session, response)
    status = quorum.told(response)
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
    whole = {**_STATUS, **{key: value for key, value in status.items() if value is not None}}
    return output.document(session, whole, lambda: gotext.table(found, rule=False))


COMMANDS = {
    "operator generate-root": Command(
        generate_root, "[options] [KEY]",
        "Makes a new root token. -init starts it, then each holder gives a key; the last one gets the token, encoded\n"
        "with the OTP that -init printed.",
        (Flag("init", "Start it.", "bool"), CANCEL, STATUS, NONCE,
         Flag("otp", "One-time password to encode the token with; made up if not given."),
         Flag("generate-otp", "Print a one-time password for later.", "bool"),
         Flag("decode", "Encoded token to decode, with -otp."),
         Flag("pgp-key", "File with a public PGP key to encrypt the token to.", "list"),
         Flag("recovery-token", "Make a token for a server in recovery mode.", "bool")),
        0, 1,
    ),
}  # fmt: skip
