"""operator rekey, rotate-keys: new unseal keys, by a quorum of the holders of the old ones.

They do the same by two sets of paths: those of rotate-keys, which OpenBao prefers, need a token.
"""

from typing import Any, NamedTuple

from strongroom_cli import gotext, output, pgp, quorum
from strongroom_cli.command import Command
from strongroom_cli.errors import UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.pgp import PGP_KEYS
from strongroom_cli.quorum import CANCEL, NONCE, STATUS
from strongroom_cli.session import Session

_STATUS: dict[str, Any] = {
    "nonce": "", "started": False, "t": 0, "n": 0, "progress": 0, "required": 0, "pgp_fingerprints": None,
    "backup": False, "verification_required": False, "verification_nonce": "",
}  # fmt: skip
"""What a program finds in every answer, whatever the server leaves out."""


class _Way(NamedTuple):
    command: str
    base: str
    backup: str


def rekey(session: Session) -> int:
    """Make new unseal keys."""
    recovery = _is_recovery(session)
    base, kept = ("-recovery-key", "recovery-key-backup") if recovery else ("", "backup")
    return _make_keys(session, _Way("rekey", f"sys/rekey{base}", f"sys/rekey/{kept}"))


def rotate_keys(session: Session) -> int:
    """Make new unseal keys, with a token."""
    base = "sys/rotate/recovery" if _is_recovery(session) else "sys/rotate/root"
    return _make_keys(session, _Way("rotate-keys", base, f"{base}/backup"))


def _is_recovery(session: Session) -> bool:
    target = session.options.text("target")
    if target not in ("barrier", "unseal", "recovery", "hsm"):
        raise UsageError(f"Unknown target: {target}")
    return target in ("recovery", "hsm")


def _make_keys(session: Session, way: _Way) -> int:
    options, base = session.options, way.base
    part = "verify" if options.on("verify") and not options.on("init") else "init"
    if options.on("backup-retrieve") or options.on("backup-delete"):
        return _backup(session, way.backup)
    if options.on("init"):
        return _rekey_init(session, base)
    if options.on("cancel"):
        with trouble("Error canceling rekey"):
            session.call("delete", f"{base}/{part}")
        session.say("Success! Canceled rekeying (if it was started)")
        return 0
    if options.on("status"):
        with trouble("Error reading rekey status"):
            status = quorum.told(session.learn("read", f"{base}/{part}"))
        return _rekey_status(session, status)
    return _rekey_give(session, way, part)


def _backup(session: Session, path: str) -> int:
    """Print or delete the shares that -backup had the server keep, encrypted to their holders."""
    if session.options.on("backup-delete"):
        with trouble("Error deleting rekey backed up keys"):
            session.call("delete", path)
        session.say("Success! Deleted backed up keys (if they existed)")
        return 0
    with trouble("Error retrieving rekey backed up keys"):
        response = session.call("read", path)
    return output.answer(session, response)


def _rekey_init(session: Session, base: str) -> int:
    options = session.options
    body = {
        "secret_shares": options.number("key-shares"),
        "secret_threshold": options.number("key-threshold"),
        "pgp_keys": pgp.keys(options.items("pgp-keys")) or [],
        "backup": options.on("backup"),
        "require_verification": options.on("verify"),
    }
    with trouble("Error initializing rekey"):
        response = session.call("write", f"{base}/init", body)
        status = {} if response.wrap_info else quorum.told(response)
        status = status or quorum.state(session, f"{base}/init")
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
    return output.document(session, {**_STATUS, **status}, lambda: output.pairs(found))


def _rekey_give(session: Session, way: _Way, part: str) -> int:
    base = way.base
    with trouble("Error getting rekey status"):
        status = quorum.state(session, f"{base}/{part}")
    if not status.get("started", part == "verify"):
        raise UsageError(
            gotext.wrapped(f'No rekey is in progress. Start one with "{session.program} operator {way.command} -init".')
        )
    nonce, key = quorum.share(session, status["nonce"], "Rekey")
    where = f"{base}/verify" if part == "verify" else f"{base}/update"
    with trouble("Error posting unseal key"):
        response = session.call("write", where, {"key": key, "nonce": nonce})
    if response.wrap_info:
        return output.answer(session, response)
    done = quorum.told(response)
    if not done.get("complete"):
        return _rekey_status(session, {**status, **done})
    return output.document(session, done, lambda: _rekey_text(session, done, part, way.command))


def _rekey_text(session: Session, done: dict[str, Any], part: str, command: str) -> str:
    if part == "verify":
        return "Success! The new keys are verified and in force."
    prints = done.get("pgp_fingerprints") or []
    names = [f" fingerprint: {fingerprint}; value" for fingerprint in prints]
    keys = done.get("keys_base64") or []
    lines = [f"Key {number + 1}{names[number] if names else ''}: {key}" for number, key in enumerate(keys)]
    text = "Please securely distribute the key shares printed above. The old ones are void."
    if done.get("verification_required"):
        text = (
            "The new keys are not in force yet: each holder must prove to have one, with "
            f'"{session.program} operator {command} -verify -nonce={done.get("verification_nonce")}".'
        )
    return "\n".join([*lines, "", f"Operation nonce: {done.get('nonce')}", "", gotext.wrapped(text)])


_FLAGS = (
    Flag("init", "Start it.", "bool"),
    CANCEL,
    STATUS,
    NONCE,
    Flag("key-shares", "How many shares to make.", "int", 5, "n"),
    Flag("key-threshold", "How many of them unseal the server.", "int", 3, "t"),
    PGP_KEYS,
    Flag("backup", "Keep the encrypted shares in the server, with -pgp-keys.", "bool"),
    Flag("backup-retrieve", "Print the shares that were kept.", "bool"),
    Flag("backup-delete", "Delete the shares that were kept.", "bool"),
    Flag("verify", "The new keys count once enough holders have proved to have them.", "bool"),
    Flag("target", "barrier or recovery.", default="barrier"),
)
_HELP = "Makes new unseal keys. -init starts it, then each holder gives a key; the last one gets the new keys."

COMMANDS = {
    "operator rekey": Command(rekey, "[options] [KEY]", _HELP, _FLAGS, 0, 1),
    "operator rotate-keys": Command(
        rotate_keys, "[options] [KEY]", f"{_HELP} As rekey, but only with a token.", _FLAGS, 0, 1
    ),
}
