"""What a command is: its flags, its arguments, its help, and the function that does it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from strongroom_cli.flags import Flag
from strongroom_cli.session import Session


class Command(NamedTuple):
    """One command. ``usage`` follows its name; ``help`` is paragraphs, with ``{program}`` for the program's name.

    ``least`` and ``most`` are the numbers of arguments (``most`` None: any). ``formats`` are the output formats that
    it knows. ``local`` commands ask no server. ``run`` returns the exit code.
    """

    run: Callable[[Session], int]
    usage: str
    help: str
    flags: Sequence[Flag] = ()
    least: int = 0
    most: int | None = 0
    formats: Sequence[str] = ("table", "json", "yaml")
    local: bool = False


FIELD = Flag("field", "Print only this field, without anything around it.")
FORMAT = Flag("format", "How to print: table, json or yaml. Also VAULT_FORMAT.")
MOUNT = Flag("mount", "Path of the mount; the argument is then the path inside it.")

HTTP_FLAGS = (
    Flag("address", "Address of the server. Default https://127.0.0.1:8200. Also VAULT_ADDR."),
    Flag("agent-address", "Address of an agent to go through. Also VAULT_AGENT_ADDR."),
    Flag("ca-cert", "PEM file with the CA certificates to trust. Also VAULT_CACERT."),
    Flag("ca-path", "Folder of PEM files with CA certificates to trust. Also VAULT_CAPATH."),
    Flag("client-cert", "PEM file with a certificate to show to the server. Also VAULT_CLIENT_CERT."),
    Flag("client-key", "PEM file with the key of that certificate. Also VAULT_CLIENT_KEY."),
    Flag("disable-redirects", "Do not follow the server's redirect. Also VAULT_DISABLE_REDIRECTS.", "bool"),
    Flag("header", "A further HTTP header, as name=value; may be repeated. X-Vault-… is not for this.", "pairs"),
    Flag("mfa", "Credentials for the X-Vault-MFA header; may be repeated. Also VAULT_MFA.", "list"),
    Flag("namespace", "Namespace to work in. Also VAULT_NAMESPACE.", alias="ns"),
    Flag("non-interactive", "Never ask on the terminal.", "bool"),
    Flag("output-curl-string", "Print the request as a curl command instead of sending it.", "bool"),
    Flag("output-policy", "Print the policy that the request needs instead of sending it.", "bool"),
    Flag("policy-override", "Override a soft-mandatory policy (kept for compatibility).", "bool"),
    Flag("tls-server-name", "Name that the server's certificate must carry. Also VAULT_TLS_SERVER_NAME."),
    Flag("tls-skip-verify", "Do not check the server's certificate: for tests only. Also VAULT_SKIP_VERIFY.", "bool"),
    Flag("token", "Token to use. Prefer VAULT_TOKEN: other users can see a command line."),
    Flag("unlock-key", "Key that unlocks a locked namespace."),
    Flag("wrap-ttl", "Wrap the answer for this long; it is read with unwrap. Also VAULT_WRAP_TTL.", "ttl"),
)


def all_flags(command: Command) -> tuple[Flag, ...]:
    """Return every flag that ``command`` takes."""
    http = () if command.local else HTTP_FLAGS
    return (*command.flags, *((FORMAT,) if command.formats else ()), *http)
