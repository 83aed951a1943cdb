"""How PostgreSQL is asked to make a role, so that many can be made at once. Pure.

Two things take their time there. Transactions that grant on the same table must not meet (one of them fails): a lock
that lasts until the commit is taken, but after the role is made, for that is when the password is hashed. And that
hashing takes PostgreSQL four times as long as OpenSSL takes here; it hashes even where it is handed the verifier, to
see that the password is not empty. A superuser can store the verifier without that.
"""

import re
from collections.abc import Sequence

LOCK = "SELECT pg_catalog.pg_advisory_xact_lock(6010276514390152813)"  # a number that nobody else uses
_STORE = "UPDATE pg_catalog.pg_authid SET rolpassword = '{{verifier}}' WHERE rolname = '{{name}}'"
_CREATE = re.compile(
    r"""\A\s*create\s+(?:role|user)\s+"{{(?:name|username)}}"(?:[^;'"$/-]|-(?!-)|/(?!\*)|'[^'$]*'|"[^"$]*")*(?:;|\Z)""",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"\b(?:encrypted\s+)?password\s+'{{password}}'", re.IGNORECASE)


def arranged(statements: Sequence[str], *, direct: bool) -> list[str]:
    """Return the statements with the lock among them; with ``direct`` the role's verifier is stored as it is."""
    first, *rest = statements
    made = _CREATE.match(first)
    if made is None:
        return [LOCK, *statements]
    role, then = [made[0]], first[made.end() :]
    if direct and _PASSWORD.search(made[0]):
        role = [_PASSWORD.sub("PASSWORD NULL", made[0], count=1), _STORE]
    return [*role, LOCK, then, *rest]
