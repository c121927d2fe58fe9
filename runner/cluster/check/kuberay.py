"""Manifests of KubeRay: the mistakes of a RayJob or RayCluster that its own definitions let pass."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from runner.cluster.check.groups import Group
from runner.cluster.check.mistakes import Mistake, integer, listed, mapping, string
from runner.study.resources import CPU, GPU, NodeResources

_OUT = re.compile(r"--out[= ]\s*['\"]?(/[^\s'\"]+)")
_STOCK_IMAGE = re.compile(r"(?:^|/)(?:rayproject/)?ray(?:-\w+)?:(\d+\.\d+)")
_LASTING = {"persistentVolumeClaim", "nfs", "csi", "hostPath"}  # kinds of volume that outlive a pod
_GPU_LIMIT = "nvidia.com/gpu"


def check_kuberay(documents: Sequence[object]) -> Iterator[Mistake]:
    """Find the mistakes of manifests for KubeRay."""
    ours = _ours(documents)
    if ours is None:
        yield Mistake("kind", "expected a RayJob or a RayCluster, got neither.")
        return
    spec, where, cluster = _cluster(ours)
    if not cluster:
        yield Mistake(where, "missing.", "It describes the nodes of the cluster.")
        return
    yield from _check_token(cluster, where)
    yield from _check_workers(cluster, where)
    for pod, place in _pods(cluster, where):
        yield from _check_container(_container(pod), f"{place}.containers[0]")
    ray, fitting = string(cluster.get("rayVersion")), _version()
    if not ray:
        yield Mistake(f"{where}.rayVersion", "missing; without it KubeRay sets no token.")
    elif not ray.startswith(f"{fitting}."):
        yield Mistake(f"{where}.rayVersion", f"expected {fitting}, which fivefold is made for, got {ray}.")
    if ours["kind"] == "RayJob":
        yield from _check_job(spec, cluster, where)


def kuberay_groups(documents: Sequence[object]) -> list[Group]:
    """Return the pods that KubeRay and its autoscaler may start."""
    _, _, cluster = _cluster(_ours(documents) or {})
    head = mapping(cluster.get("headGroupSpec"))
    groups = [Group("head", 1, 1, _size(head))] if head else []
    for worker in map(mapping, listed(cluster.get("workerGroupSpecs"))):
        least, now, most = _counts(worker)
        if cluster.get("enableInTreeAutoscaling") is not True:
            least = most = now
        groups.append(Group(string(worker.get("groupName")), least, most, _size(worker)))
    return groups


def _version() -> str:
    return ".".join(version("ray").split(".")[:2])


def _ours(documents: Sequence[object]) -> Mapping[str, Any] | None:
    kinds = [mapping(document) for document in documents]
    return next((document for document in kinds if document.get("kind") in ("RayJob", "RayCluster")), None)


def _cluster(ours: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, Mapping[str, Any]]:
    """Return the specification, and the place and content of the cluster's within it."""
    spec = mapping(ours.get("spec"))
    if ours.get("kind") == "RayCluster":
        return spec, "spec", spec
    return spec, "spec.rayClusterSpec", mapping(spec.get("rayClusterSpec"))


def _counts(worker: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return minReplicas, replicas and maxReplicas of a group, with KubeRay's defaults."""
    least = integer(worker.get("minReplicas"))
    now = integer(worker.get("replicas"), least)
    return least, now, integer(worker.get("maxReplicas"), max(now, least))


def _check_job(spec: Mapping[str, Any], cluster: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    """Check that a retry finds the study directory, and that the cluster ends with the study."""
    entrypoint, retries = string(spec.get("entrypoint")), integer(spec.get("backoffLimit"))
    if "fivefold run" not in entrypoint:
        yield Mistake("spec.entrypoint", "runs no study.", "Write: fivefold run ...", fatal=False)
        return
    if "--address" in entrypoint and "--address auto" not in entrypoint:
        yield Mistake("spec.entrypoint", "--address names another cluster.", "Leave --address out.")
    if spec.get("shutdownAfterJobFinishes") is not True:
        message = "the cluster stays, and is charged, after the study."
        yield Mistake("spec.shutdownAfterJobFinishes", message, "Set it to true.", fatal=False)
    out, head = _OUT.search(entrypoint), next(_pods(cluster, where), None)
    lasting = _lasting_mounts(head[0]) if head else []
    if not out or not any(f"{out[1]}/".startswith(f"{path.rstrip('/')}/") for path in lasting):
        message = "the study directory is lost with the head's pod"
        message += f", and each of the {retries} retries starts from nothing." if retries else "."
        hint = "Let --out name a path under a persistentVolumeClaim that the head mounts."
        yield Mistake("spec.entrypoint", message, hint)
    elif not retries:
        hint = "Use 2, for example; a retry resumes the study."
        yield Mistake("spec.backoffLimit", "a lost head is not retried.", hint, fatal=False)


def _check_token(cluster: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    mode = mapping(cluster.get("authOptions")).get("mode", "token" if "authOptions" in cluster else None)
    pods = [
        (list(map(mapping, listed(_container(pod).get("env")))), place)
        for pod, place in _pods(cluster, where)
    ]
    required = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"}
    if mode != "token" and not all(required <= {string(one.get("name")) for one in env} for env, _ in pods):
        yield Mistake(
            f"{where}.authOptions",
            "Ray is started without a token: anybody who reaches its ports can run code.",
            "Write authOptions: {mode: token} (KubeRay 1.5.1 or later).",
        )
    for env, place in pods:
        if any(one.get("name") == "RAY_AUTH_TOKEN" and "value" in one for one in env):
            hint = "Take it from a Secret: valueFrom.secretKeyRef."
            yield Mistake(f"{place}.containers[0].env", "the token is in the file.", hint)


def _check_workers(cluster: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    workers = listed(cluster.get("workerGroupSpecs"))
    for number, worker in enumerate(map(mapping, workers)):
        place, (least, now, most) = f"{where}.workerGroupSpecs[{number}]", _counts(worker)
        if not least <= now <= most:
            message = f"expected minReplicas <= replicas <= maxReplicas, got {least}, {now}, {most}."
            yield Mistake(f"{place}.replicas", message)
        elif cluster.get("enableInTreeAutoscaling") is not True and now < most:
            message = f"the {most - now} further workers are never started."
            yield Mistake(f"{place}.maxReplicas", message, "Add enableInTreeAutoscaling: true.")
    if not workers:
        yield Mistake(f"{where}.workerGroupSpecs", "no workers: the head works alone.", fatal=False)


def _check_container(container: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    stock = _STOCK_IMAGE.search(string(container.get("image")))
    if stock is not None:
        message = "Ray's own image does not contain fivefold."
        if stock[1] != _version():
            message = f"expected Ray {_version()}, which fivefold is made for, got {stock[1]}."
        yield Mistake(f"{where}.image", message, "Build one with deploy/Dockerfile.")
    limits = mapping(mapping(container.get("resources")).get("limits"))
    for key in ("cpu", "memory"):
        if key not in limits:
            yield Mistake(f"{where}.resources.limits.{key}", "missing: Ray would count the whole machine.")


def _lasting_mounts(pod: Mapping[str, Any]) -> list[str]:
    """Return the paths at which the container has volumes that outlive the pod."""
    volumes = map(mapping, listed(pod.get("volumes")))
    lasting = {string(volume.get("name")) for volume in volumes if volume.keys() & _LASTING}
    mounts = map(mapping, listed(_container(pod).get("volumeMounts")))
    return [string(mount.get("mountPath")) for mount in mounts if string(mount.get("name")) in lasting]


def _pods(cluster: Mapping[str, Any], where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield the pods' specifications and their places, the head's first."""
    if head := mapping(cluster.get("headGroupSpec")):
        yield _pod(head), f"{where}.headGroupSpec.template.spec"
    for number, worker in enumerate(listed(cluster.get("workerGroupSpecs"))):
        yield _pod(mapping(worker)), f"{where}.workerGroupSpecs[{number}].template.spec"


def _pod(group: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(group.get("template")).get("spec"))


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first container of a pod, which runs Ray."""
    return mapping(next(iter(listed(pod.get("containers"))), None))


def _size(group: Mapping[str, Any]) -> NodeResources | None:
    """Return the resources of a pod, by Ray's names."""
    started = mapping(group.get("rayStartParams"))
    limits = mapping(mapping(_container(_pod(group)).get("resources")).get("limits"))
    cpus = _quantity(started.get("num-cpus", limits.get("cpu")))
    gpus = _quantity(started.get("num-gpus", limits.get(_GPU_LIMIT))) or 0.0
    return None if cpus is None else {CPU: cpus, GPU: gpus, **_custom(string(started.get("resources")))}


def _custom(value: str) -> NodeResources:
    """Parse custom resources, which KubeRay takes as JSON in quotes in quotes."""
    try:
        found = json.loads(value.strip("'\"").replace("\\", ""))
        return {str(name): float(amount) for name, amount in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _quantity(value: object) -> float | None:
    """Parse a quantity of CPUs: 4, "4", "500m"."""
    quantity = str(value).strip("'\"")
    try:
        return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
    except ValueError:
        return None
