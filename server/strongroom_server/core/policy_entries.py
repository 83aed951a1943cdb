"""A policy as it is stored: its text, and what was said of it as a whole (OpenBao's API, "sys/policies")."""

from dataclasses import dataclass, replace
from math import inf
from typing import Any

from strongroom_server.core.policies import Policy, parse_policy
from strongroom_server.lib.timestamps import timestamp
from strongroom_server.sdk.errors import InvalidRequest


@dataclass(frozen=True)
class Terms:
    """What holds for the whole policy. ``expiration`` is seconds since the epoch: then it is as if deleted.

    The two flags let values of identity templates hold what they otherwise must not (see ``policy_templates``).
    """

    cas_required: bool = False
    expiration: float | None = None
    allow_slashes_in_identity_templates: bool = False
    allow_wildcards_in_identity_templates: bool = False


@dataclass(frozen=True)
class PolicyEntry:
    """``version`` counts the writes from 1; ``modified`` is the last one's moment. Those of root are 0.

    ``checked`` says whether the last write named the version before it.
    """

    text: str
    version: int = 0
    modified: float = 0
    terms: Terms = Terms()
    checked: bool = False

    def expired(self, now: float) -> bool:
        """Whether its end has come."""
        return self.terms.expiration is not None and self.terms.expiration <= now

    def check_cas(self, cas: int | None, terms: Terms) -> None:
        """Raise InvalidRequest unless a write may follow on this; an entry of version 0 is none. -1 is "none yet"."""
        if cas is None:
            if self.terms.cas_required or terms.cas_required:
                raise InvalidRequest("check-and-set parameter required for this call")
        elif cas == -1:
            if self.version:
                raise InvalidRequest("check-and-set parameter set to -1 on existing entry")
        elif cas != self.version:
            raise InvalidRequest(f"check-and-set parameter {cas} did not match the current version {self.version}")

    def policy(self, name: str) -> Policy:
        """Return the rules, under the terms; raises PolicyError and HclError."""
        parsed, terms = parse_policy(name, self.text), self.terms
        if terms == Terms():
            return parsed
        end = inf if terms.expiration is None else terms.expiration
        unsafe = ("" if terms.allow_wildcards_in_identity_templates else "*+") + (
            "" if terms.allow_slashes_in_identity_templates else "/"
        )
        rules = []
        for rule in parsed.rules:
            last = min(end, inf if rule.expiration is None else rule.expiration)
            rules.append(replace(rule, unsafe=unsafe, expiration=None if last == inf else last))
        return replace(parsed, rules=tuple(rules))

    @property
    def plain(self) -> bool:
        """Whether nothing was said but the text: clients of Vault compare a read with what they wrote (hvac)."""
        return not self.checked and self.terms == Terms()

    def facts(self) -> dict[str, Any]:
        """Return what there is to tell beside name and text."""
        terms = self.terms
        facts: dict[str, Any] = {
            "allow_slashes_in_identity_templates": terms.allow_slashes_in_identity_templates,
            "allow_wildcards_in_identity_templates": terms.allow_wildcards_in_identity_templates,
            "cas_required": terms.cas_required,
            "version": self.version,
        }
        if self.modified:
            facts["modified"] = timestamp(self.modified)
        if terms.expiration is not None:
            facts["expiration"] = timestamp(terms.expiration)
        return facts
