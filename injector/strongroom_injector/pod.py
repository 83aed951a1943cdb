"""From a pod and its settings to the injected pod, as a pure function: the steps are in ``inject``."""

import copy
from dataclasses import dataclass
from typing import Literal

from strongroom_injector.containers import Place, Shape, agent_container
from strongroom_injector.errors import Denied
from strongroom_injector.settings import INJECTED, STATUS, Reading
from strongroom_injector.volumes import (
    Json,
    Mounted,
    borrowed_mounts,
    cache_volume,
    given_volumes,
    home,
    secret_volumes,
    token_volume,
)

Kind = Literal["native_sidecar", "init_and_sidecar", "init_only", "sidecar_only"]
_PAIR: tuple[Shape, ...] = ("init", "sidecar")
_KINDS: dict[tuple[Shape, ...], Kind] = {
    ("native",): "native_sidecar",
    _PAIR: "init_and_sidecar",
    ("init",): "init_only",
    ("sidecar",): "sidecar_only",
}
_MESH_PROXIES = ("istio-proxy", "linkerd-proxy")


@dataclass(frozen=True)
class Injected:
    """The new pod and how the agent runs in it."""

    pod: Json
    kind: Kind


def inject(pod: Json, reading: Reading, *, native: bool, ca_pem: str = "") -> Injected:
    """Return ``pod`` with the agent, the original untouched; raises Denied where its annotations cannot be met.

    ``native`` says whether the cluster knows native sidecars (1.29): an older one drops their restartPolicy in
    silence, so only its version tells. ``ca_pem`` is the CA that the agent trusts unless the pod names one.
    """
    _require(reading)
    pod = copy.deepcopy(pod)
    spec: Json = pod.setdefault("spec", {})
    shapes = agent_shapes(pod, reading, native=native)
    volumes = _volumes(spec, reading, shapes)
    agents = [(shape, _agent(spec, shape, reading, volumes, ca_pem)) for shape in shapes]
    _mount_secrets(spec, [each.mount for each in volumes.secrets], reading)
    _add_volumes(spec, [*volumes.homes.values(), *volumes.secrets, *volumes.agents_own])
    for shape, container in agents:
        _add_agent(spec, shape, container, first=reading.settings.agent_init_first)
    _share_processes(spec, reading)
    pod["metadata"]["annotations"][reading.prefix + STATUS] = INJECTED
    return Injected(pod, _KINDS[shapes])


@dataclass(frozen=True)
class _Volumes:
    """All that is mounted: ``secrets`` by the pod's containers too, the rest by the agent; ``borrowed`` are there."""

    secrets: list[Mounted]
    agents_own: list[Mounted]
    homes: dict[Shape, Mounted]
    borrowed: list[Mounted]
    token_path: str


def _volumes(spec: Json, reading: Reading, shapes: tuple[Shape, ...]) -> _Volumes:
    taken = [volume["name"] for volume in spec.get("volumes") or []]
    token, token_path = token_volume(spec, reading, taken)
    own = [token, *given_volumes(reading, taken)]
    if shapes == _PAIR and reading.settings.agent_cache_enable:
        own.append(cache_volume(taken))
    homes = {shape: home("init" if shape == "init" else "sidecar", taken) for shape in shapes}
    return _Volumes(secret_volumes(reading, taken), own, homes, borrowed_mounts(spec, reading), token_path)


def _agent(spec: Json, shape: Shape, reading: Reading, volumes: _Volumes, ca_pem: str) -> Json:
    own = [volumes.homes[shape], *volumes.secrets, *volumes.agents_own]
    mounts = _mounts(own, volumes.borrowed, reading.prefix)
    taken = frozenset(each["name"] for key in ("containers", "initContainers") for each in spec.get(key) or [])
    pair = len(volumes.homes) > 1
    return agent_container(shape, reading, Place(spec, mounts, volumes.token_path, taken, pair, ca_pem))


def agent_shapes(pod: Json, reading: Reading, *, native: bool) -> tuple[Shape, ...]:
    """Decide which containers the agent runs in; a Job on an older cluster would never end with a sidecar."""
    settings = reading.settings
    if settings.agent_pre_populate_only:
        return ("init",)
    if native and settings.agent_native_sidecar:
        return ("native",)
    if not settings.agent_pre_populate:
        return ("sidecar",)
    if of_job(pod) and not settings.agent_enable_quit:
        return ("init",)
    return _PAIR


def of_job(pod: Json) -> bool:
    """Say whether a Job made the pod."""
    return any(owner.get("kind") == "Job" for owner in pod.get("metadata", {}).get("ownerReferences") or [])


def _require(reading: Reading) -> None:
    settings, prefix = reading.settings, reading.prefix
    if settings.agent_pre_populate_only and not settings.agent_pre_populate:
        raise Denied(f"{prefix}agent-pre-populate-only: leaves nothing to do, expected agent-pre-populate to be true")
    if not settings.agent_image:
        raise Denied(f"{prefix}agent-image: is missing, expected an image (the injector has no default)")
    if not settings.service and not settings.agent_configmap:
        raise Denied(f"{prefix}service: is missing, expected the server's address (the injector has no default)")


def _mounts(mounted: list[Mounted], borrowed: list[Mounted], prefix: str) -> list[Json]:
    """Return the agent's mounts, one a folder; what it borrows gives way to what it needs."""
    by_path: dict[str, Json] = {}
    for each in mounted:
        path = each.mount["mountPath"]
        if path in by_path:
            raise Denied(f"{prefix}secret-volume-path: {path} is the agent's own, expected another folder")
        by_path[path] = each.mount
    for each in borrowed:
        by_path.setdefault(each.mount["mountPath"].rstrip("/"), each.mount)
    return list(by_path.values())


def _mount_secrets(spec: Json, mounts: list[Json], reading: Reading) -> None:
    chosen = reading.settings.agent_inject_containers
    for key in ("initContainers", "containers"):
        for container in spec.get(key) or []:
            if not chosen or container["name"] in chosen:
                container["volumeMounts"] = _with(container, mounts, reading.prefix)


def _with(container: Json, mounts: list[Json], prefix: str) -> list[Json]:
    present: list[Json] = container.get("volumeMounts") or []
    names = {mount.get("mountPath", "").rstrip("/"): mount.get("name") for mount in present}
    for mount in mounts:
        if names.get(mount["mountPath"], mount["name"]) != mount["name"]:
            raise Denied(
                f'container "{container["name"]}" has "{names[mount["mountPath"]]}" at {mount["mountPath"]}, '
                f"expected {prefix}secret-volume-path to name another folder"
            )
    return present + [copy.copy(mount) for mount in mounts if mount["mountPath"] not in names]


def _add_volumes(spec: Json, mounted: list[Mounted]) -> None:
    spec["volumes"] = (spec.get("volumes") or []) + [each.volume for each in mounted if each.volume]


def _add_agent(spec: Json, shape: Shape, container: Json, *, first: bool) -> None:
    key = "containers" if shape == "sidecar" else "initContainers"
    others = spec.get(key) or []
    at = _after_mesh(others) if first and key == "initContainers" else len(others)
    spec[key] = [*others[:at], container, *others[at:]]


def _after_mesh(others: list[Json]) -> int:
    """Return the first place behind a service mesh's own native sidecar: without it the agent has no network."""
    meshes = [each.get("name") in _MESH_PROXIES and "restartPolicy" in each for each in others]
    places = [index for index, mesh in enumerate(meshes) if mesh]
    return places[-1] + 1 if places else 0


def _share_processes(spec: Json, reading: Reading) -> None:
    share = reading.settings.agent_share_process_namespace
    if share is None:
        return
    own = spec.get("shareProcessNamespace")
    if own is not None and own != share:
        where = f"{reading.prefix}agent-share-process-namespace"
        raise Denied(f'{where}: "{share}" is not valid, expected the same as shareProcessNamespace of the pod')
    spec["shareProcessNamespace"] = share
