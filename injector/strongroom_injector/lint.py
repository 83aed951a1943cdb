"""What is likely a mistake though it is allowed: warnings that kubectl shows, from a list of small pure checks."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches

from strongroom_common.fields import fields
from strongroom_injector.agent_config import folder
from strongroom_injector.annotations import SecretSettings, Settings, Telemetry
from strongroom_injector.pod import of_job
from strongroom_injector.settings import INJECT, PREFIXES, Reading, already_injected, dashed, used_prefix
from strongroom_injector.volumes import Json

_LONGEST = 250  # the API server cuts off what is longer than 256
_READERS = ("secret", "pkiCert", "pkiCsr")
_LOGINS = ("kubernetes", "jwt", "approle", "cert", "token_file")
_LIKELY_MEANT = {
    "agent-inject-vault-addr": "service",
    "vault-addr": "service",
    "address": "service",
    "agent-inject-env": "agent-inject-template-NAME",
    "agent-inject-role": "role",
    "auth-role": "role",
    "agent-inject-secret": "agent-inject-secret-NAME",
    "agent-inject-template": "agent-inject-template-NAME",
    "agent-inject-file": "agent-inject-file-NAME",
    "agent-inject-command": "agent-inject-command-NAME",
    "agent-inject-perms": "agent-inject-perms-NAME",
}


@dataclass(frozen=True)
class _Subject:
    pod: Json
    annotations: Mapping[str, str]
    reading: Reading
    native: bool

    @property
    def settings(self) -> Settings:
        return self.reading.settings

    @property
    def prefix(self) -> str:
        return self.reading.prefix


def warnings(pod: Json, reading: Reading, *, native: bool) -> list[str]:
    """Return the warnings for a pod that is injected, in a fixed order."""
    subject = _Subject(pod, pod["metadata"]["annotations"], reading, native)
    return [text[:_LONGEST] for check in _CHECKS for text in check(subject)]


def misplaced(manifest: Json, inner: Mapping[str, str]) -> list[str]:
    """Return the warnings for a Deployment or the like whose own metadata has annotations that belong to its pods.

    ``inner`` are the annotations of its pods.
    """
    own = manifest.get("metadata", {}).get("annotations") or {}
    lost = sorted(key for key in own if key.startswith(PREFIXES) and key not in inner)
    return [f"{key} is on the {manifest.get('kind')} and not on its pods: move it to the template" for key in lost]


def skipped(annotations: Mapping[str, str]) -> list[str]:
    """Return the warnings for a pod that says it was injected already."""
    used, done = used_prefix(annotations), already_injected(annotations)
    if used is None or done is None or used == done:
        return []
    return [f"{used}{INJECT} is ignored: an injector has been here before ({done}agent-inject-status)"]


def _several_prefixes(subject: _Subject) -> Iterator[str]:
    used = subject.prefix
    for prefix in PREFIXES:
        count = sum(key.startswith(prefix) for key in subject.annotations)
        if prefix != used and count:
            yield f"{used} is used, {count} annotation(s) under {prefix} are ignored: one pod has one prefix"


def _unknown(subject: _Subject) -> Iterator[str]:
    for name in subject.reading.unknown:
        meant = _meant(name)
        hint = f": did you mean {subject.prefix}{meant}?" if meant else ""
        yield f"{subject.prefix}{name} is not an annotation of the injector and is ignored{hint}"


def _meant(name: str) -> str | None:
    """Guess the annotation: one known to be mistaken, one much like it, or a family much like its beginning."""
    for wrong, right in _LIKELY_MEANT.items():
        if name == wrong or (name.startswith(wrong + "-") and not right.endswith("NAME")):
            return right
    if name.startswith("agent-inject-env-"):
        return "agent-inject-template-NAME"
    if close := get_close_matches(name, dashed(Settings), n=1, cutoff=0.85):
        return close[0]
    return _meant_of_a_secret(name.split("-"))


def _meant_of_a_secret(parts: list[str]) -> str | None:
    guesses = []
    for count in range(2, len(parts)):
        begin, rest = "-".join(parts[:count]), "-".join(parts[count:])
        close = get_close_matches(begin, dashed(SecretSettings), n=1, cutoff=0.85)
        guesses += [(SequenceMatcher(a=each, b=begin).ratio(), f"{each}-{rest}") for each in close]
    return max(guesses)[1] if guesses else None


def _orphans(subject: _Subject) -> Iterator[str]:
    prefix, names = subject.prefix, [secret.name for secret in subject.reading.secrets]
    for annotation, name in subject.reading.orphans.items():
        if annotation in subject.reading.blank:
            continue
        like = [each for each in names if each in name or name in each]
        close = like or get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f" (did you mean the secret {close[0]}?)" if close else ""
        yield f"{prefix}{annotation} is ignored: there is no {prefix}agent-inject-secret-{name}{hint}"


def _blank(subject: _Subject) -> Iterator[str]:
    for name in subject.reading.blank:
        yield f"{subject.prefix}{name} is empty and is ignored"


def _nothing_to_render(subject: _Subject) -> Iterator[str]:
    settings = subject.settings
    others = settings.agent_inject_token or settings.agent_configmap or settings.agent_cache_enable
    if not subject.reading.secrets and not others:
        yield f"{subject.prefix}agent-inject is true but no secret is named: agent-inject-secret-NAME"


def _own_config(subject: _Subject) -> Iterator[str]:
    if subject.settings.agent_configmap and subject.reading.secrets:
        yield f"{subject.prefix}agent-configmap holds the whole config: the secrets named by annotations are ignored"


def _template_without_secret(subject: _Subject) -> Iterator[str]:
    prefix = subject.prefix
    for secret in subject.reading.secrets:
        own, name = secret.settings, secret.name
        reads = own.agent_inject_secret or own.agent_inject_template_file
        if not reads and not any(word in own.agent_inject_template for word in _READERS):
            yield f"{prefix}agent-inject-template-{name} reads no secret, and there is no agent-inject-secret-{name}"
        if own.agent_inject_template and own.agent_inject_template_file:
            yield f"{prefix}agent-inject-template-file-{name} is ignored: agent-inject-template-{name} wins"


def _path_slashes(subject: _Subject) -> Iterator[str]:
    for secret in subject.reading.secrets:
        path = secret.settings.agent_inject_secret
        if path != path.strip("/"):
            where = f"{subject.prefix}agent-inject-secret-{secret.name}"
            yield f'{where}: the path "{path}" begins or ends with a slash, which no secret does'


def _kv_shape(subject: _Subject) -> Iterator[str]:
    default = subject.settings.agent_inject_default_template
    for secret in subject.reading.secrets:
        own, where = secret.settings, f"{subject.prefix}agent-inject-secret-{secret.name}"
        parts = own.agent_inject_secret.strip("/").split("/")
        templated = own.agent_inject_template or own.agent_inject_template_file
        if len(parts) > 1 and parts[0] in ("secret", "kv") and parts[1] not in ("data", "metadata"):
            yield f"{where}: if {parts[0]}/ is KV version 2, the path is {parts[0]}/data/{'/'.join(parts[1:])}"
        elif "data" in parts[1:-1] and not templated and default == "map":
            yield f"{where}: without a template a KV version 2 secret is written as data: map[…], metadata: map[…]"


def _containers(subject: _Subject) -> Iterator[str]:
    spec = subject.pod.get("spec", {})
    names = {each.get("name") for key in ("containers", "initContainers") for each in spec.get(key) or []}
    for name in subject.settings.agent_inject_containers:
        if name not in names:
            yield f'{subject.prefix}agent-inject-containers: the pod has no container "{name}"'


def _tls(subject: _Subject) -> Iterator[str]:
    settings, prefix = subject.settings, subject.prefix
    if settings.ca_cert.startswith("/vault/tls/") and not settings.tls_secret:
        yield f"{prefix}ca-cert lies below /vault/tls, but no {prefix}tls-secret is mounted there"
    if settings.ca_key:
        yield f"{prefix}ca-key is a folder of CA certificates, whatever its name says"
    if settings.tls_skip_verify and "tls_skip_verify" in subject.reading.given:
        yield f"{prefix}tls-skip-verify: anyone between pod and server can read its secrets"


def _privileges(subject: _Subject) -> Iterator[str]:
    settings, prefix = subject.settings, subject.prefix
    if not settings.agent_set_security_context:
        yield f"{prefix}agent-set-security-context is false: a namespace that enforces restricted will refuse the pod"
    elif settings.agent_run_as_user == 0 and not settings.agent_run_as_same_user:
        yield f"{prefix}agent-run-as-user is root: a namespace that enforces restricted will refuse the pod"


def _shape(subject: _Subject) -> Iterator[str]:
    settings, prefix = subject.settings, subject.prefix
    native = subject.native and settings.agent_native_sidecar and not settings.agent_pre_populate_only
    if native and settings.agent_init_json_patch and settings.agent_json_patch:
        yield f"{prefix}agent-init-json-patch is ignored: init and sidecar are one here, agent-json-patch wins"
    only = settings.agent_pre_populate_only or settings.agent_enable_quit or not settings.agent_pre_populate
    if of_job(subject.pod) and not native and not only:
        yield "this cluster knows no native sidecars: the Job gets an init container only, so that it can end"


def _telemetry(subject: _Subject) -> Iterator[str]:
    known = fields(Telemetry)
    for key in sorted(subject.settings.agent_telemetry):
        if key not in known:
            name, close = key.replace("_", "-"), get_close_matches(key, known, n=1)
            hint = f": did you mean {close[0].replace('_', '-')}?" if close else ""
            yield f"{subject.prefix}agent-telemetry-{name} is no key of the agent's telemetry{hint}"


def _login(subject: _Subject) -> Iterator[str]:
    kind = subject.settings.auth_type
    if kind not in _LOGINS and not subject.settings.agent_configmap:
        yield f"{subject.prefix}auth-type: the agent cannot log in by {kind}, expected one of {', '.join(_LOGINS)}"


def _windows(subject: _Subject) -> Iterator[str]:
    spec = subject.pod.get("spec", {})
    system = (spec.get("os") or {}).get("name") or (spec.get("nodeSelector") or {}).get("kubernetes.io/os")
    if system == "windows":
        yield "the agent's image and its memory volumes are for Linux: this pod will not start on a Windows node"


def _nested_folders(subject: _Subject) -> Iterator[str]:
    settings = subject.settings
    for secret in subject.reading.secrets:
        path = secret.settings.agent_inject_file
        if path.startswith("/"):
            where = f"{subject.prefix}agent-inject-file-{secret.name}"
            yield f"{where}: the file is below {folder(secret, settings)} though its name begins with a slash"


_CHECKS: tuple[Callable[[_Subject], Iterator[str]], ...] = (
    _several_prefixes,
    _unknown,
    _orphans,
    _blank,
    _nothing_to_render,
    _own_config,
    _template_without_secret,
    _path_slashes,
    _nested_folders,
    _kv_shape,
    _containers,
    _tls,
    _privileges,
    _shape,
    _telemetry,
    _login,
    _windows,
)
