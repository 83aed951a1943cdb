"""The injector's own configuration: one line per flag, and what the Deployment must give it.

Flags (``-name=value``) and variables (``AGENT_INJECT_NAME``, which win, as in vault-k8s) are the lines of ``Config``
and every setting of annotations.py that has a ``Flag``: ``-vault-address``, ``-vault-image``, ``-memory-limit``, ….
For the Deployment, in words:

* Command: ``python -m strongroom_injector`` (or ``strongroom injector``). Needed: ``-vault-image``,
  ``-tls-auto=NAME-OF-THE-MutatingWebhookConfiguration`` and ``-tls-auto-hosts=SERVICE.NAMESPACE.svc,…`` (or
  ``-tls-cert-file``, ``-tls-key-file``, ``-tls-ca-cert-file`` for cert-manager). Usual: ``-vault-address``.
* Own namespace: the service account's; elsewhere ``-namespace`` (AGENT_INJECT_NAMESPACE).
* ``-defaults-config-map=NAME`` (own namespace): its data are flags by name (``vault-address``, ``vault-cacert-bytes``,
  ``vault-auth-path``, …) that win over flags and variables; it is read again every 15 seconds. For the operator.
* Ports: 8080 TLS (``POST /mutate``, ``/lint``, and all of the other), 8081 plain (``GET /health/ready``,
  ``/health/live``, ``/metrics``). readinessProbe and livenessProbe use the plain one: before the first certificate
  TLS is not open. The webhook's Service forwards to 8080. /health/ready is 503, with the reason, unless the API server
  knows a caBundle that trusts what this replica serves.
* ``-native-sidecar=false`` while some node's kubelet is older than 1.29 though the API server is not.
* No files are written: readOnlyRootFilesystem works without any volume. SIGTERM ends it after ``-shutdown-delay``.
* ClusterRole: ``mutatingwebhookconfigurations`` (admissionregistration.k8s.io) get, patch (resourceNames: the one of
  ``-tls-auto``); ``pods`` get, list, watch; ``events`` create, list, watch. Role in the own namespace: ``secrets``
  create, and get, update (resourceNames: ``-tls-secret``, strongroom-injector-certs); ``configmaps`` get.
* MutatingWebhookConfiguration: leave ``clientConfig.caBundle`` out (the injector owns it by server-side apply, field
  manager strongroom-injector-ca-bundle); rule CREATE pods v1, path /mutate, sideEffects None, timeoutSeconds 10,
  reinvocationPolicy IfNeeded, matchPolicy Equivalent, admissionReviewVersions [v1]; namespaceSelector without
  kube-system, kube-public, kube-node-lease and the own namespace (label kubernetes.io/metadata.name). On 1.28 and newer
  failurePolicy Fail with the match condition below, on older ones Ignore:
  ``['strongroom.dev', 'vault.hashicorp.com', 'openbao.org'].exists(p, has(object.metadata.annotations) &&
  (p + '/agent-inject') in object.metadata.annotations)``
  A second webhook (lint.strongroom.dev, path /lint, failurePolicy Ignore, timeoutSeconds 3, rules CREATE and UPDATE of
  apps/v1 deployments, statefulsets, daemonsets and batch/v1 jobs, cronjobs) tells authors at once what is wrong.
"""

import argparse
import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple

from strongroom_common.fields import Field, Names, fields
from strongroom_injector.annotations import Settings
from strongroom_injector.errors import ConfigError, Denied
from strongroom_injector.marks import COUNT, Flag
from strongroom_injector.settings import parse_default

PREFIX = "AGENT_INJECT_"


@dataclass(frozen=True)
class Config:
    """What concerns the injector itself."""

    listen: Annotated[str, "Address of the TLS port."] = ":8080"
    health_listen: Annotated[str, "Address of the plain port: health and metrics; empty: none."] = ":8081"
    log_level: Annotated[str, "What to log: trace, debug, info, warn, error."] = "info"
    log_format: Annotated[Literal["standard", "json"], "How to log."] = "standard"
    namespace: Annotated[str, "Own namespace; empty: the service account's."] = ""
    kubeconfig: Annotated[str, "A kubeconfig file; empty: the service account."] = ""
    defaults_config_map: Annotated[str, "ConfigMap of the own namespace whose data win over flags."] = ""
    vault_cacert_bytes: Annotated[str, "CA that agents trust: PEM, or base64 of it."] = ""
    tls_auto: Annotated[str, "The MutatingWebhookConfiguration to make certificates for."] = ""
    tls_auto_hosts: Annotated[Names, "Names that the certificate holds."] = Names(())
    tls_secret: Annotated[str, "Secret that keeps the CA and the certificate."] = "strongroom-injector-certs"  # noqa: S105 - a name
    tls_cert_file: Annotated[str, "A certificate in place of an own one."] = ""
    tls_key_file: Annotated[str, "Its key."] = ""
    tls_ca_cert_file: Annotated[str, "The CA that signed it, to check that it does."] = ""
    tls_min_version: Annotated[Literal["tls12", "tls13"], "Oldest version of TLS."] = "tls12"
    watch_pods: Annotated[bool, "Report pods that were not injected, and agents that fail."] = True
    shutdown_delay: Annotated[int, "Seconds to go on serving after SIGTERM, not ready any more.", COUNT] = 5


@dataclass(frozen=True)
class Defaults:
    """What holds for a pod that does not say otherwise: parsed settings by name, and the CA to trust as PEM."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    ca_pem: str = ""


class _Source(NamedTuple):
    """A flag: the schema and the field that it fills, its variable without prefix."""

    schema: type
    field: Field
    variable: str


def load(argv: Sequence[str], environ: Mapping[str, str]) -> tuple[Config, Defaults]:
    """Read flags and variables; raises ConfigError that names flag and variable, SystemExit for an unknown flag."""
    parsed = vars(_parser().parse_args(argv))
    values: dict[type, dict[str, Any]] = {Config: {}, Settings: {}}
    for flag, source in _sources().items():
        text = environ.get(PREFIX + source.variable, parsed[flag])
        if text is None and flag == "vault-address":
            text = environ.get("VAULT_ADDR")
        if text is not None:
            values[source.schema][source.field.name] = _value(flag, source, text)
    config = Config(**values[Config])
    _check(config)
    return config, Defaults(values[Settings], _pem(config.vault_cacert_bytes))


def overlay(defaults: Defaults, told: Mapping[str, str]) -> tuple[Defaults, list[str]]:
    """Return the defaults with a ConfigMap's data, flags by name, on top; and what could not be used of it."""
    problems = []
    for flag, text in sorted(told.items()):
        try:
            defaults = _with(defaults, flag, text)
        except ConfigError as error:
            problems.append(str(error))
    return defaults, problems


def _with(defaults: Defaults, flag: str, text: str) -> Defaults:
    source = _sources().get(flag)
    if flag == "vault-cacert-bytes":
        return replace(defaults, ca_pem=_pem(text))
    if source is None or source.schema is not Settings:
        raise ConfigError(f"{flag} is no flag that sets a default of pods")
    return replace(defaults, settings={**defaults.settings, source.field.name: _value(flag, source, text)})


def _sources() -> dict[str, _Source]:
    own = {name.replace("_", "-"): _Source(Config, each, name.upper()) for name, each in fields(Config).items()}
    for each in fields(Settings).values():
        for mark in each.marks:
            if isinstance(mark, Flag):
                variable = mark.variable or mark.name.replace("-", "_").upper()
                own[mark.name] = _Source(Settings, each, variable)
    return own


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("strongroom-injector", description="Injects the agent into annotated pods.")
    for flag, source in _sources().items():
        about = f"{source.field.help} ({PREFIX}{source.variable})".replace("%", "%%")
        parser.add_argument(f"-{flag}", f"--{flag}", dest=flag, help=about, metavar="VALUE")
    return parser


def _value(flag: str, source: _Source, text: str) -> Any:
    try:
        return parse_default(source.field, text, f"-{flag} ({PREFIX}{source.variable})")
    except Denied as wrong:
        raise ConfigError(str(wrong)) from None


def _check(config: Config) -> None:
    if not config.tls_auto and not (config.tls_cert_file and config.tls_key_file):
        raise ConfigError(
            "expected -tls-auto (AGENT_INJECT_TLS_AUTO), or -tls-cert-file and -tls-key-file: there is no TLS otherwise"
        )
    if config.tls_auto and not config.tls_auto_hosts:
        raise ConfigError("expected -tls-auto-hosts (AGENT_INJECT_TLS_AUTO_HOSTS) along with -tls-auto")


def _pem(text: str) -> str:
    if not text or "-----BEGIN" in text:
        return text.strip() + "\n" if text else ""
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise ConfigError(
            "-vault-cacert-bytes (AGENT_INJECT_VAULT_CACERT_BYTES): expected PEM or base64 of it"
        ) from None
