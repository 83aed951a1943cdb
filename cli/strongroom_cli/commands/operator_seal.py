"""operator init, unseal, seal, key-status, rotate."""

from typing import Any

from strongroom_cli import gotext, output, pgp, quorum, sealstatus
from strongroom_cli.command import Command
from strongroom_cli.errors import CommandError, UsageError, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.pgp import PGP_KEYS
from strongroom_cli.session import Session
from strongroom_client import ApiError, Response


def init(session: Session) -> int:
    """Initialize a server, or tell whether it is."""
    options = session.options
    if options.on("status"):
        return _init_status(session)
    body: dict[str, Any] = {
        "secret_shares": options.number("key-shares"),
        "secret_threshold": options.number("key-threshold"),
        "pgp_keys": pgp.keys(options.items("pgp-keys")),
        "stored_shares": options.number("stored-shares") or None,
        "root_token_pgp_key": "".join(pgp.keys(options.items("root-token-pgp-key")) or []) or None,
        "recovery_shares": options.number("recovery-shares") or None,
        "recovery_threshold": options.number("recovery-threshold") or None,
        "recoverypgp_keys": pgp.keys(options.items("recovery-pgp-keys")),
    }
    with trouble("Error initializing"):
        seal = quorum.state(session, "sys/seal-status")
        if seal.get("recovery_seal") or (seal.get("type") not in (None, "", "shamir") and not seal.get("initialized")):
            body = _for_recovery(session, body)
        made = session.call("write", "sys/init", {key: value for key, value in body.items() if value is not None}).body
    return output.document(session, _init_document(made, body), lambda: _init_text(session, made, body))


def _for_recovery(session: Session, body: dict[str, Any]) -> dict[str, Any]:
    """Ask for recovery keys in place of unseal keys, as a seal that opens by itself has them."""
    if session.options.given("key-shares") or session.options.given("key-threshold"):
        return body  # the server says what is wrong with it
    shares = {"recovery_shares": body["recovery_shares"] or 5, "recovery_threshold": body["recovery_threshold"] or 3}
    return {**body, **shares, "secret_shares": None, "secret_threshold": None}


def _init_status(session: Session) -> int:
    with trouble("Error checking init status", code=1):
        made = session.call("read", "sys/init").body["initialized"]
    text = "Strongroom is initialized" if made else "Strongroom is not initialized"
    output.document(session, {"Initialized": made}, lambda: text)
    return 0 if made else 2


def _init_document(made: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    recovery = made.get("recovery_keys_base64")
    return {
        "unseal_keys_b64": made.get("keys_base64") or [],
        "unseal_keys_hex": made.get("keys") or [],
        "unseal_shares": asked["secret_shares"] or 1,
        "unseal_threshold": asked["secret_threshold"] or 1,
        "recovery_keys_b64": recovery,
        "recovery_keys_hex": made.get("recovery_keys"),
        "recovery_keys_shares": asked["recovery_shares"] or 0 if recovery else 0,
        "recovery_keys_threshold": asked["recovery_threshold"] or 0 if recovery else 0,
        "root_token": made.get("root_token"),
    }


def _init_text(session: Session, made: dict[str, Any], asked: dict[str, Any]) -> str:
    recovery = made.get("recovery_keys_base64")
    word, keys = ("Recovery", recovery) if recovery else ("Unseal", made.get("keys_base64") or [])
    lines = [f"{word} Key {number}: {key}" for number, key in enumerate(keys, 1)]
    shares, threshold = (
        (asked["recovery_shares"], asked["recovery_threshold"])
        if recovery
        else (asked["secret_shares"], asked["secret_threshold"])
    )
    advice = (
        f"Recovery key initialized with {shares} key shares and a key threshold of {threshold}. Please securely "
        "distribute the key shares printed above: they authorize what needs a quorum, such as a new root token."
        if recovery
        else f"The server is initialized with {shares} key shares and a key threshold of {threshold}. Please securely "
        "distribute the key shares printed above. When the server is sealed again, restarted or stopped, at least "
        f"{threshold} of these keys must be given to unseal it before it can serve requests.\n\n"
        f"The server does not keep the root key. Without at least {threshold} keys to rebuild it, the server stays "
        f"sealed for ever!\n\nA quorum of these keys can make new ones: {session.program} operator rekey."
    )
    return "\n".join([*lines, "", f"Initial Root Token: {made.get('root_token')}", "", gotext.wrapped(advice)])


def unseal(session: Session) -> int:
    """Give one unseal key, or start over."""
    options = session.options
    if options.on("reset"):
        body: dict[str, Any] = {"reset": True}
    else:
        body = {"key": _key(session), "reset": False, "migrate": options.on("migrate")}
    with trouble("Error unsealing"):
        seal = session.call("write", "sys/unseal", body).body
        leader = {} if seal["sealed"] else _leader(session)
    return output.document(session, sealstatus.document(seal, leader), lambda: sealstatus.table(seal, leader))


def _leader(session: Session) -> dict[str, Any]:
    try:
        return quorum.state(session, "sys/leader")
    except ApiError:  # right after unsealing a node may still be looking for its leader
        return {}


def _key(session: Session) -> str:
    if session.arguments:
        given = session.arguments[0].strip()
        return session.read_stdin().strip() if given == "-" else given
    try:
        return session.ask_secret("Unseal Key (will be hidden): ")
    except CommandError as error:
        advice = (
            "An unseal key is asked for on the terminal, so that it leaves no trace. Where there is none, - reads it "
            f"from standard input: {session.program} operator unseal -\nThe error was: {error}"
        )
        raise UsageError(gotext.wrapped(advice)) from error


def seal(session: Session) -> int:
    """Seal the server."""
    with trouble("Error sealing"):
        session.call("write", "sys/seal")
    session.say("Success! Strongroom is sealed.")
    return 0


def key_status(session: Session) -> int:
    """Print the encryption key's state."""
    with trouble("Error reading key status"):
        response = session.learn("read", "sys/key-status")
    return _print_key(session, response)


def rotate(session: Session) -> int:
    """Make a new encryption key for what is written from now on."""
    with trouble("Error rotating key"):
        session.call("post", "sys/rotate")
        response = session.learn("read", "sys/key-status")
    if session.format == "table":
        session.say("Success! Rotated key\n")
    return _print_key(session, response)


def _print_key(session: Session, response: Response) -> int:
    found = response.data or response.body or {}
    document = {key: found.get(key) for key in ("term", "install_time", "encryptions")}
    return output.document(session, document, lambda: gotext.table(_key_rows(document), rule=False))


def _key_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Key Term", gotext.text(found["term"])),
        ("Install Time", _short_time(str(found["install_time"]))),
        ("Encryption Count", gotext.text(found["encryptions"])),
    ]


def _short_time(moment: str) -> str:
    """Print an RFC 3339 time as RFC 822 does: 25 Nov 26 17:43 UTC."""
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    year, month, day = moment[:10].split("-")
    return f"{day} {months[int(month) - 1]} {year[2:]} {moment[11:16]} UTC"


COMMANDS = {
    "operator init": Command(
        init, "[options]",
        "Initializes a server: makes its root key, splits it into shares and prints them with the first root token.\n"
        "This happens once; the shares are never shown again.",
        (Flag("key-shares", "How many shares to make.", "int", 5, "n"),
         Flag("key-threshold", "How many of them unseal the server.", "int", 3, "t"),
         PGP_KEYS,
         Flag("root-token-pgp-key", "File with a public PGP key to encrypt the root token to.", "list"),
         Flag("stored-shares", "Kept for compatibility.", "int"),
         Flag("recovery-shares", "With a seal that opens by itself: how many recovery shares.", "int"),
         Flag("recovery-threshold", "How many recovery shares make a quorum.", "int"),
         Flag("recovery-pgp-keys", "As -pgp-keys, for the recovery shares.", "list"),
         Flag("status", "Only tell whether it is initialized: exit code 0 if so, 2 if not.", "bool")),
    ),
    "operator unseal": Command(
        unseal, "[options] [KEY]",
        "Gives one unseal key; with the last of the threshold the server opens. Without KEY it is asked for; - reads\n"
        "it from standard input.",
        (Flag("reset", "Forget the keys given so far.", "bool"),
         Flag("migrate", "The key is for moving to another seal.", "bool")),
        0, 1,
    ),
    "operator seal": Command(
        seal, "[options]", "Seals the server: it forgets its keys and answers nothing until it is unsealed.",
        formats=(),
    ),
    "operator key-status": Command(key_status, "[options]", "Prints the encryption key's number, age and use."),
    "operator rotate": Command(
        rotate, "[options]", "Makes a new encryption key for what is written from now on; older ones still read.",
    ),
}  # fmt: skip
