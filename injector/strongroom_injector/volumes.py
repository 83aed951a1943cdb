"""The volumes of an injected pod and where they are mounted, as pure data.

Names are vault-k8s's where people rely on them. Whatever holds secrets lies in memory, and has a size limit: what is
written there counts as memory of the pod.
"""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from strongroom_injector.agent_config import CACHE, HOME, folder
from strongroom_injector.errors import Denied
from strongroom_injector.settings import Reading

Json = dict[str, Any]

HOME_SIZE, SECRETS_SIZE, CACHE_SIZE = "4Mi", "16Mi", "16Mi"
TOKEN_FOLDER = "/var/run/secrets/strongroom.dev/serviceaccount"  # noqa: S105 - a folder
NAMED_TOKEN_FOLDER = "/var/run/secrets/vault.hashicorp.com/serviceaccount"  # noqa: S105 - a folder
CLUSTER_TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a folder
CONFIGS = "/vault/configs"


@dataclass(frozen=True)
class Mounted:
    """A volume and where it goes; ``volume`` is None where the pod has it already."""

    mount: Json
    volume: Json | None = None


def fresh(name: str, taken: Iterable[str]) -> str:
    """Return ``name``, or with the first number behind it that makes it nobody else's."""
    used = set(taken)
    candidates = (name, *(f"{name}-{number}" for number in range(1, len(used) + 1)))
    return next(candidate for candidate in candidates if candidate not in used)


def home(which: str, taken: Iterable[str]) -> Mounted:
    """Return the agent's home: ``which`` is init or sidecar."""
    return _memory(fresh(f"home-{which}", taken), HOME, HOME_SIZE)


def secret_volumes(reading: Reading, taken: list[str]) -> list[Mounted]:
    """Return the volume of the pod's secrets folder and one more for each other folder, in order of secret names."""
    main = posixpath.normpath(reading.settings.secret_volume_path)
    others = dict.fromkeys(folder(secret, reading.settings) for secret in reading.secrets)
    mounted = [_memory(fresh("vault-secrets", taken), main, SECRETS_SIZE)]
    for index, path in enumerate(path for path in others if path != main):
        mounted.append(_memory(fresh(f"vault-secrets-custom-{index}", taken), path, SECRETS_SIZE))
    return mounted


def given_volumes(reading: Reading, taken: list[str]) -> list[Mounted]:
    """Return what annotations ask to mount into the agent: TLS files, an extra Secret, its config."""
    settings, wanted = reading.settings, []
    if settings.agent_configmap:
        wanted.append(("vault-config", CONFIGS, {"configMap": {"name": settings.agent_configmap}}))
    if settings.agent_extra_secret:
        wanted.append(("extra-secrets", "/vault/custom", {"secret": {"secretName": settings.agent_extra_secret}}))
    if settings.tls_secret:
        wanted.append(("vault-tls-secrets", "/vault/tls", {"secret": {"secretName": settings.tls_secret}}))
    return [_read_only(fresh(name, taken), path, source) for name, path, source in wanted]


def cache_volume(taken: Iterable[str]) -> Mounted:
    """Return where the init container leaves its cache for the sidecar."""
    return _memory(fresh("vault-agent-cache", taken), CACHE, CACHE_SIZE)


def token_volume(spec: Json, reading: Reading, taken: list[str]) -> tuple[Mounted, str]:
    """Return the volume of the token to log in with, and the token's path.

    It is the injector's own, of a short life and for one audience, so that pods need not have a token to the cluster's
    API (automountServiceAccountToken: false); or the pod's, where it names one, at the place where its containers have
    it. Raises Denied if there is none such.
    """
    settings = reading.settings
    if settings.agent_service_account_token_volume_name:
        return _named_token(spec, reading)
    source: Json = {"path": "token", "expirationSeconds": settings.agent_service_account_token_expiration}
    if settings.agent_service_account_token_audience:
        source["audience"] = settings.agent_service_account_token_audience
    name = fresh("strongroom-token", taken)
    projected = {"projected": {"sources": [{"serviceAccountToken": source}]}}
    path = TOKEN_FOLDER
    if settings.agent_configmap and not _mount_of(spec, CLUSTER_TOKEN_FOLDER):
        path = CLUSTER_TOKEN_FOLDER  # where a config that was not made here looks
    return _read_only(name, path, projected), f"{path}/token"


def borrowed_mounts(spec: Json, reading: Reading) -> list[Mounted]:
    """Return what the agent mounts because a container of the pod does: a token that its config names, copied ones."""
    settings = reading.settings
    config = settings.auth_config
    paths = [path for key in ("token_path", "path") if (path := config.get(key))]
    if settings.agent_configmap:
        paths.append(CLUSTER_TOKEN_FOLDER)
    mounts = [{**mount, "readOnly": True} for path in paths if (mount := _mount_of(spec, path))]
    if settings.agent_copy_volume_mounts:
        mounts += _copied(spec, reading)
    return [Mounted(mount) for mount in mounts]


def _named_token(spec: Json, reading: Reading) -> tuple[Mounted, str]:
    name = reading.settings.agent_service_account_token_volume_name
    volume: Json = next((v for v in spec.get("volumes") or [] if v.get("name") == name), {})
    for source in (volume.get("projected") or {}).get("sources") or []:
        if token := source.get("serviceAccountToken"):
            place = next((m["mountPath"] for m in _all_mounts(spec) if m.get("name") == name), NAMED_TOKEN_FOLDER)
            mount = {"name": name, "mountPath": place.rstrip("/"), "readOnly": True}
            return Mounted(mount), posixpath.join(place, token.get("path", "token"))
    where = f"{reading.prefix}agent-service-account-token-volume-name"
    raise Denied(
        f'{where}: "{name}" is not valid, failed to find service account volume, '
        "expected a projected volume of this pod that has a token"
    )


def _all_mounts(spec: Json) -> list[Json]:
    return [mount for container in spec.get("containers") or [] for mount in container.get("volumeMounts") or []]


def _mount_of(spec: Json, path: str) -> Json | None:
    """Return the first container's mount that ``path`` lies in."""
    containers = spec.get("containers") or [{}]
    mounts: list[Json] = containers[0].get("volumeMounts") or []
    return next((m for m in mounts if f"{path}/".startswith(m.get("mountPath", "").rstrip("/") + "/")), None)


def _copied(spec: Json, reading: Reading) -> list[Json]:
    wanted = reading.settings.agent_copy_volume_mounts
    everyone = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    container = next((each for each in everyone if each.get("name") == wanted), None)
    if container is None:
        where = f"{reading.prefix}agent-copy-volume-mounts"
        raise Denied(f'{where}: "{wanted}" is not valid, expected the name of a container of this pod')
    mounts: list[Json] = container.get("volumeMounts") or []
    return [mount for mount in mounts if posixpath.basename(_path(mount)).lower() != "serviceaccount"]


def _path(mount: Json) -> str:
    return str(mount.get("mountPath", "")).rstrip("/")


def _memory(name: str, path: str, size: str) -> Mounted:
    volume = {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
    return Mounted({"name": name, "mountPath": path}, volume)


def _read_only(name: str, path: str, source: Json) -> Mounted:
    return Mounted({"name": name, "mountPath": path, "readOnly": True}, {"name": name, **source})
