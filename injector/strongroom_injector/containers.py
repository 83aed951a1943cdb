"""The agent's container in its three shapes, as pure data.

A ``native`` sidecar is an init container that stays: the pod's containers start once its startup probe says that the
files are there, and a Job ends though it runs. ``init`` ends after rendering; ``sidecar`` runs beside the containers.
Each meets the restricted Pod Security profile: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Literal

import jsonpatch

from strongroom_injector.agent_config import HOME, agent_config
from strongroom_injector.errors import Denied
from strongroom_injector.quantities import parse_quantity
from strongroom_injector.settings import Reading
from strongroom_injector.volumes import CONFIGS, Json, fresh

Shape = Literal["native", "init", "sidecar"]

READY_FILE = f"{HOME}/.ready"
LONGEST_VARIABLE = 128 * 1024
"""Linux takes no longer "NAME=value" when a program starts (MAX_ARG_STRLEN)."""
_RESOURCES = (("cpu", "cpu"), ("mem", "memory"), ("ephemeral", "ephemeral-storage"))


@dataclass(frozen=True)
class Place:
    """Where an agent's container goes and what it finds there: ``taken`` are the names of the pod's containers."""

    spec: Json
    mounts: list[Json]
    token_path: str
    taken: frozenset[str]
    pair: bool
    ca_pem: str = ""


def agent_container(shape: Shape, reading: Reading, place: Place) -> Json:
    """Return the container; raises Denied where the settings cannot be met."""
    settings = reading.settings
    container: Json = {
        "name": fresh("vault-agent-init" if shape == "init" else "vault-agent", place.taken),
        "image": settings.agent_image,
        "command": _command(shape, reading),
        "env": _environment(shape, reading, place),
        "resources": _resources(reading),
        "volumeMounts": place.mounts,
        "terminationMessagePolicy": "FallbackToLogsOnError",  # why a login failed shows in the pod's status
    }
    if _wants_security_context(reading):
        container["securityContext"] = _security_context(reading, place.spec)
    if shape == "sidecar" and settings.agent_revoke_on_shutdown:  # a native one ends after the pod's containers anyway
        container["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", str(settings.agent_revoke_grace)]}}}
    if shape == "native":
        container["restartPolicy"] = "Always"
        if settings.agent_pre_populate:
            container["startupProbe"] = _startup_probe()
    container = _patched(shape, container, reading)
    if container["name"] in place.taken:
        raise Denied(f'the pod has a container "{container["name"]}" of its own, expected another name for it')
    return container


def _command(shape: Shape, reading: Reading) -> list[str]:
    settings, config = reading.settings, "-config-env=VAULT_CONFIG"
    if settings.agent_configmap:
        config = f"-config={CONFIGS}/{'config-init.hcl' if shape == 'init' else 'config.hcl'}"
    options = [f"-ready-file={READY_FILE}"] if shape == "native" else []
    if settings.agent_revoke_on_shutdown and shape != "init":
        options.append("-revoke-on-shutdown")  # by the agent itself: it knows the server's address, TLS and namespace
    logs = [name for name in ("log_level", "log_format") if name in reading.given]
    options += [f"-{name.replace('_', '-')}={getattr(settings, name)}" for name in logs]
    return ["strongroom", "agent", config, *options]


def _startup_probe() -> Json:
    return {
        "exec": {"command": ["strongroom", "agent", f"-check-ready={READY_FILE}"]},
        "periodSeconds": 1,
        "timeoutSeconds": 5,
        "failureThreshold": 600,
    }


def _environment(shape: Shape, reading: Reading, place: Place) -> list[Json]:
    settings = reading.settings
    fields = {"NAMESPACE": "metadata.namespace", "HOST_IP": "status.hostIP", "POD_IP": "status.podIP"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    plain = {
        "VAULT_CACERT_BYTES": "" if settings.ca_cert or settings.ca_key else place.ca_pem,
        "HTTPS_PROXY": settings.proxy_address,
        "NO_PROXY": "127.0.0.1,localhost,.svc,.cluster.local" if settings.proxy_address else "",
        "VAULT_CLIENT_TIMEOUT": settings.client_timeout,
        "VAULT_MAX_RETRIES": _number(settings.client_max_retries),
        "GOMAXPROCS": _number(settings.go_max_procs),
    }
    if not settings.agent_configmap:
        plain["VAULT_CONFIG"] = _encoded_config(shape, reading, place)
    return env + [{"name": name, "value": value} for name, value in plain.items() if value]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _encoded_config(shape: Shape, reading: Reading, place: Place) -> str:
    config = agent_config(reading, place.token_path, once=shape == "init", pair=place.pair)
    encoded = base64.b64encode(json.dumps(config, ensure_ascii=False).encode()).decode()
    if len(f"VAULT_CONFIG={encoded}") >= LONGEST_VARIABLE:
        raise Denied(
            f"{reading.prefix}agent-inject-template-…: the agent's config is too long ({len(encoded)} bytes encoded), "
            f"expected less than {LONGEST_VARIABLE}; move templates to files ({reading.prefix}agent-extra-secret)"
        )
    return encoded


def _resources(reading: Reading) -> Json:
    """Return requests and limits; one that the pod set moves the other one's default out of its way."""
    requests, limits = {}, {}
    for short, name in _RESOURCES:
        request: str = getattr(reading.settings, f"agent_requests_{short}")
        limit: str = getattr(reading.settings, f"agent_limits_{short}")
        if request and limit and parse_quantity(request) > parse_quantity(limit):
            own_request, own_limit = (f"agent_{each}_{short}" in reading.given for each in ("requests", "limits"))
            if own_request and own_limit:
                where = f"{reading.prefix}agent-requests-{short}"
                raise Denied(f'{where}: "{request}" is not valid, expected no more than the limit {limit}')
            request, limit = (request, request) if own_request else (limit, limit)
        requests[name], limits[name] = request, limit
    kept = {"limits": _filled(limits), "requests": _filled(requests)}
    return {key: amounts for key, amounts in kept.items() if amounts}


def _filled(amounts: dict[str, str]) -> dict[str, str]:
    return {name: amount for name, amount in amounts.items() if amount}


def _wants_security_context(reading: Reading) -> bool:
    """Whether to write one: a pod that names its user means it, whatever the injector's default is."""
    asks = {"agent_run_as_user", "agent_run_as_group", "agent_run_as_same_user"} & reading.given
    said = "agent_set_security_context" in reading.given
    return reading.settings.agent_set_security_context or (bool(asks) and not said)


def _security_context(reading: Reading, spec: Json) -> Json:
    settings = reading.settings
    user = _same_user(spec, reading.prefix) if settings.agent_run_as_same_user else settings.agent_run_as_user
    return {
        "runAsUser": user,
        "runAsGroup": settings.agent_run_as_group,
        "runAsNonRoot": user != 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _same_user(spec: Json, prefix: str) -> int:
    """Return the user of the first container, or the pod's, with vault-k8s's words where there is none."""
    context = (spec.get("containers") or [{}])[0].get("securityContext")
    user = (context or {}).get("runAsUser", (spec.get("securityContext") or {}).get("runAsUser"))
    if user:
        return int(user)
    problem = (
        "container not allowed to run as root" if user == 0 else "RunAsUser is nil for Container 0's SecurityContext"
    )
    if user is None and context is None:
        problem = "No SecurityContext found for Container 0"
    raise Denied(f'{prefix}agent-run-as-same-user: "true" is not valid, {problem}, expected runAsUser above 0 there')


def _patched(shape: Shape, container: Json, reading: Reading) -> Json:
    """Apply the pod's own JSON patch; a native sidecar takes the sidecar's, or init's where that is the only one."""
    texts = {"agent-json-patch": reading.settings.agent_json_patch}
    if shape == "init" or (shape == "native" and not reading.settings.agent_json_patch):
        texts = {"agent-init-json-patch": reading.settings.agent_init_json_patch}
    for name, text in texts.items():
        for number, operation in enumerate(json.loads(text or "[]"), start=1):
            container = _apply(operation, container, f"{reading.prefix}{name}: failed to apply JSON patch: {number}.")
    if not isinstance(container, dict) or not isinstance(container.get("name"), str):
        raise Denied(f"{reading.prefix}{next(iter(texts))}: failed to apply JSON patch: expected to leave a name")
    return container


def _apply(operation: Json, container: Json, where: str) -> Json:
    try:
        patched: Any = jsonpatch.apply_patch(container, [operation])
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError, ValueError, IndexError):
        shown = f'"{operation.get("op")}" of "{operation.get("path")}"'
        raise Denied(f"{where} {shown} is not valid, expected an operation that fits the container") from None
    return patched  # type: ignore[no-any-return]  # checked by the caller
