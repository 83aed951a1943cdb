"""pki issue, reissue, verify-sign, list-intermediates: CAs above and below each other, over several mounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from strongroom_cli import data, gotext, output, reissue, x509
from strongroom_cli.command import Command
from strongroom_cli.commands.generic import clean
from strongroom_cli.errors import CommandError, UsageError, describe, trouble
from strongroom_cli.flags import Flag
from strongroom_cli.session import Session
from strongroom_client import ClientError, NotFound, Response

_TRY = "\n\nTO CONTINUE: \n{how}\n"


class Issuer(NamedTuple):
    """A CA's certificate at a path, and those above it."""

    path: str
    pem: str
    certificate: "x509.Certificate"
    chain: list[str]
    name: str


def _issuer(session: Session, path: str) -> Issuer:
    """Read an issuer; raises ClientError, or ValueError where there is none or its certificate cannot be read."""
    response = session.look(path)
    found = (response.data or {}) if response is not None else {}
    if not found.get("certificate"):
        raise ValueError("nil response received, certificate field unavailable")
    chain = [pem.strip() for pem in found.get("ca_chain") or ()]
    pem = found["certificate"].strip()
    return Issuer(path, pem, x509.certificate(pem), chain, found.get("issuer_name") or "")


class _reading:  # noqa: N801 reads as a statement
    """Turns what goes wrong while an issuer is read into a CommandError that begins with ``what``."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ClientError):
            raise CommandError(f"{self._what}: {describe(error)}", 1, error.hint) from error
        if isinstance(error, ValueError):
            raise CommandError(f"{self._what}: {error}", 1) from error


def _compared(above: Issuer, below: Issuer) -> dict[str, bool]:
    between = [x509.certificate(pem) for pem in below.chain]
    return {
        "key_id_match": x509.names_key_of(below.certificate, above.certificate),
        "path_match": above.pem in below.chain,
        "signature_match": x509.has_signed(above.certificate, below.certificate),
        "subject_match": above.certificate.subject == below.certificate.issuer,
        "trust_match": x509.is_trusted_by(above.certificate, below.certificate, between, datetime.now(UTC)),
    }


def verify_sign(session: Session) -> int:
    """Print how one certificate relates to another that may have signed it."""
    if not session.arguments:
        raise UsageError("Not enough arguments (expected potential issuer and issued, got nothing)")
    if len(session.arguments) < 2:
        raise UsageError("Not enough arguments (expected both potential issuer and issued, got only one)")
    if len(session.arguments) > 2:
        count = len(session.arguments)
        raise UsageError(f"Too many arguments (expected only potential issuer and issued, got {count} arguments)")
    above, below = map(clean, session.arguments)
    with _reading(f"Failed to read issuer: {above}"):
        issuer = _issuer(session, above)
    with _reading(f"Failed to run verification: error: unable to fetch issuer {below}"):
        found = _compared(issuer, _issuer(session, below))
    rows = [("field", "value"), *((name, gotext.text(value)) for name, value in found.items())]
    return output.document(session, found, lambda: f"issuer:{above}\nissued:{below}\n\n{gotext.table(rows)}\n\n")


_WANTED = {
    "subject_match": "subject_match", "key_id_match": "key_id_match", "path_match": "path_match",
    "direct_sign": "signature_match", "indirect_sign": "trust_match",
}  # fmt: skip
"""What must be true by the flag that asks for it."""


def list_intermediates(session: Session) -> int:
    """Print which CAs stand below another."""
    if not session.arguments:
        raise UsageError("Not enough arguments (expected potential parent, got nothing)")
    path, *children = map(clean, session.arguments)
    with _reading(f"Failed to read parent issuer on path {path}"):
        parent = _issuer(session, path)
    wanted = [what for flag, what in _WANTED.items() if session.options.on(flag)]
    found = {}
    for child in [one for given in children or _mounts(session) for one in _issuers(session, given)]:
        with _reading(f"Failed to run verification: error: unable to fetch issuer {child}"):
            compared = _compared(parent, _issuer(session, child))
        found[child] = all(compared[what] for what in wanted)
    rows = [("intermediate", "match?"), *((one, gotext.text(found[one])) for one in sorted(found))]
    return output.document(session, found, lambda: f"{gotext.table(rows)}\n\n", sort=True)


def _mounts(session: Session) -> list[str]:
    with trouble("Failed to list mounts", 1):
        response = session.look("sys/mounts")
    mounts = (response.data or {}) if response is not None else {}
    return [path.rstrip("/") for path, mount in sorted(mounts.items()) if mount.get("type") == "pki"]


def _issuers(session: Session, path: str) -> list[str]:
    """Return the issuers' paths at ``path``: itself, or those of the mount that it is."""
    if "/issuer/" in path:
        return [path]
    try:
        with trouble(f"Failed to list issuers on mount {path}", 1):
            found = session.client.list(f"{path}/issuers").data or {}
    except CommandError as error:
        if isinstance(error.__cause__, NotFound):
            return []
        raise
    info: Mapping[str, Any] = found.get("key_info") or {}
    named = session.options.on("use_names")
    return [
        f"{path}/issuer/{(named and (info.get(one) or {}).get('issuer_name')) or one}"
        for one in found.get("keys") or ()
    ]


def issue(session: Session) -> int:
    """Make an intermediate in one mount, signed by an issuer of another."""
    if len(session.arguments) < 3:
        raise UsageError(
            "Not enough arguments expected parent issuer and child-mount location and some key_value argument"
        )
    parent, child, *words = session.arguments
    return _make(session, (clean(parent), clean(child)), data.parse(words, session.read_stdin))


def reissue_issuer(session: Session) -> int:
    """Make an intermediate like another."""
    if len(session.arguments) < 3:
        raise UsageError(
            "Not enough arguments: expected parent issuer and child-mount location and some key_value argument"
        )
    parent, path, child, *words = session.arguments
    given = data.parse(words, session.read_stdin)
    with _reading(f"Error fetching template certificate {clean(path)} "):
        template = reissue.parameters(_issuer(session, clean(path)).certificate)
    if session.options.text("type") == "existing":
        template = {name: value for name, value in template.items() if not name.startswith("key_")}
    return _make(session, (clean(parent), clean(child)), {**template, **given})


def _make(session: Session, where: tuple[str, str], given: dict[str, Any]) -> int:
    """Have a request made at the child, signed by the parent, taken in at the child and named; print the issuer."""
    parent, child = where
    mount, issuer, ref = parent.rpartition("/issuer/")
    if not (mount and issuer and ref):
        raise UsageError(f"Parent Issuer {parent} is Not a PKI Issuer Path of the format /mount/issuer/issuer-ref")
    with _reading(f"Unable to access parent issuer {parent}"):
        above = _issuer(session, parent)
    csr = _request(session, child, given)
    done = f"A failure has occurred after \n a Certificate Signing Request was successfully generated on mount {child}"
    how = f"Have {parent}/sign-intermediate sign it, and import the certificate into {child}:\n{csr}"
    with trouble(done + _TRY.format(how=how) + "\nError Signing the Request", 1):
        signed = session.client.write(f"{parent}/sign-intermediate", {**given, "csr": csr}).data or {}
    done += f" and after \n that Certificate Signing Request was successfully signed by mount {mount}"
    how = f"Import this certificate into {child}:\n{signed.get('certificate')}"
    with trouble(done + _TRY.format(how=how) + "\nError Importing the Certificate", 1):
        made = _take_in(session, child, signed["certificate"], above)
    done += f" and after \n the signed certificate was reimported into mount {child} , with issuerID {made}"
    return _named(session, f"{child}/issuer/{made}", done)


def _request(session: Session, child: str, given: dict[str, Any]) -> str:
    kind = session.options.text("type")
    try:
        return str((session.client.write(f"{child}/intermediate/generate/{kind}", given).data or {})["csr"])
    except NotFound as error:
        what = f"Given Intermediate Mount {child} Does Not Exist: {describe(error)}"
        raise CommandError(what, 1, error.hint) from error
    except ClientError as error:
        what = f"Failed to Generate Intermediate CSR on {child}: {describe(error)}"
        raise CommandError(what, 1, error.hint) from error


def _take_in(session: Session, child: str, pem: str, above: Issuer) -> str:
    """Import a certificate and the one above it; return the issuer's id. The one above gets the name it has there."""
    upper = _imported(session, child, above.pem)
    if upper.new and above.name:
        with trouble(f"Error Naming the Imported Parent {above.name}", 1):
            session.client.patch(f"{child}/issuer/{upper.id}", {"issuer_name": above.name})
    return _imported(session, child, pem).id


class _Imported(NamedTuple):
    id: str
    new: bool


def _imported(session: Session, child: str, pem: str) -> _Imported:
    found = session.client.write(f"{child}/issuers/import/cert", {"pem_bundle": f"{pem.strip()}\n"}).data or {}
    new = found.get("imported_issuers") or []
    return _Imported((new or found.get("existing_issuers") or list(found["mapping"]))[0], bool(new))


def _named(session: Session, path: str, done: str) -> int:
    if name := session.options.text("issuer_name"):
        how = f"You can name the newly imported issuer by calling `{session.program} patch {path} issuer_name={name}`"
        what = f"Error Naming Newly Imported Issuer: error naming issuer {path.rpartition('/')[2]} to {name}"
        with trouble(f"{done}{_TRY.format(how=how)}\n{what}", 1):
            session.client.patch(path, {"issuer_name": name})
    with trouble(f"Error reading {path}"):
        response: Response = session.client.read(path)
    return output.answer(session, response)


_NEW = (
    Flag("issuer_name", "Name for the new issuer."),
    Flag("type", "Its key: internal (a new one that never leaves the server), exported, or existing (by key_ref).",
         default="internal"),
)  # fmt: skip

COMMANDS = {
    "pki issue": Command(
        issue, "PARENT CHILD_MOUNT [options] KEY=VALUE...",
        "Makes a CA at CHILD_MOUNT whose certificate the issuer PARENT signs, a path such as pki-root/issuer/default.\n"
        "KEY=VALUE pairs are what generate/intermediate and sign-intermediate take.\n\n"
        "  {program} pki issue pki-root/issuer/default pki-int common_name=\"Example CA\" ttl=8760h",
        _NEW, 0, None,
    ),
    "pki reissue": Command(
        reissue_issuer, "PARENT TEMPLATE CHILD_MOUNT [options] [KEY=VALUE...]",
        "Makes a CA at CHILD_MOUNT, signed by the issuer PARENT, with names and settings as the issuer TEMPLATE has\n"
        "them, apart from what KEY=VALUE pairs say.\n\n"
        "  {program} pki reissue -type=existing pki-root/issuer/default pki-int/issuer/old pki-int key_ref=old",
        _NEW, 0, None,
    ),
    "pki verify-sign": Command(
        verify_sign, "[options] POSSIBLE-ISSUER POSSIBLE-ISSUED",
        "Compares two issuers, paths such as pki-int/issuer/default, and prints\n\n"
        "  signature_match  whether the key of the first signed the second\n"
        "  path_match       whether the first is in the chain of the second\n"
        "  key_id_match     whether the second names the key of the first\n"
        "  subject_match    whether the second names the first as its issuer\n"
        "  trust_match      whether who trusts the first trusts the second, with its chain",
        (), 0, None,
    ),
    "pki list-intermediates": Command(
        list_intermediates, "[options] PARENT [CHILD...]",
        "Prints which issuers stand below the issuer PARENT. A CHILD is the path of an issuer or of a mount; without,\n"
        "all issuers of all pki mounts that the token may see are compared. Flags choose what must be true.",
        (Flag("subject_match", "The child names the parent as its issuer.", "bool", default=True),
         Flag("key_id_match", "The child names the parent's key.", "bool", default=True),
         Flag("direct_sign", "The parent's key signed the child.", "bool", default=True),
         Flag("indirect_sign", "Who trusts the parent trusts the child.", "bool", default=True),
         Flag("path_match", "The parent is in the child's chain.", "bool"),
         Flag("use_names", "Print issuers by their names where they have one.", "bool")),
        0, None,
    ),
}  # fmt: skip
