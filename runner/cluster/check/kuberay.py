"""Manifests of KubeRay: a RayJob or RayCluster, and what stands beside it in the file.

KubeRay's own definitions are a megabyte, and know nothing of studies. What is checked here is what
they would refuse on the levels where people write, and what they let pass: a cluster without a
token, a retry that begins from nothing, a volume that is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from runner.cluster.check.groups import Group
from runner.cluster.check.mistakes import Mistake, listed, mapping, text, unknown_keys, whole
from runner.study.resources import CPU, GPU, NodeResources

_MODES = ("K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode")
_JOB = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionPolicy", "deletionStrategy",
    "entrypoint", "entrypointNumCpus", "entrypointNumGpus", "entrypointResources", "jobId", "managedBy",
    "metadata", "preRunningDeadlineSeconds", "rayClusterSpec", "runtimeEnvYAML", "shutdownAfterJobFinishes",
    "submissionMode", "submitterConfig", "submitterPodTemplate", "suspend", "ttlSecondsAfterFinished",
}  # fmt: skip
_CLUSTER = {
    "authOptions", "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions",
    "headGroupSpec", "headServiceAnnotations", "managedBy", "networkPolicy", "rayVersion", "suspend",
    "upgradeStrategy", "workerGroupSpecs",
}  # fmt: skip
_HEAD = {
    "enableIngress", "headService", "labels", "rayStartParams", "resources", "serviceType", "template",
}  # fmt: skip
_WORKERS = {
    "groupName", "idleTimeoutSeconds", "labels", "maxReplicas", "minReplicas", "numOfHosts",
    "rayStartParams", "replicas", "resources", "scaleStrategy", "suspend", "template",
}  # fmt: skip
_OUT = re.compile(r"--out[= ]\s*['\"]?(/[^\s'\"]+)")
_TAG = re.compile(r"(?:^|/)(?:rayproject/)?ray(?:-\w+)?:(\d+\.\d+)")
_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}
_GPU_LIMIT = "nvidia.com/gpu"


def check_kuberay(documents: Sequence[object]) -> Iterator[Mistake]:
    """What is wrong with manifests of KubeRay."""
    ours = _ours(documents)
    if ours is None:
        yield Mistake("kind", "there is no RayJob and no RayCluster in the file.", "A RayJob was expected.")
        return
    if ours.get("apiVersion") != "ray.io/v1":
        yield Mistake("apiVersion", f"got {ours.get('apiVersion')!r}; ray.io/v1 was expected.")
    if not mapping(ours.get("metadata")).get("name"):
        yield Mistake("metadata.name", "it is missing.")
    spec, where, cluster = _cluster(ours)
    if ours["kind"] == "RayJob":
        yield from _check_job(spec)
    if not cluster:
        yield Mistake(where, "it is missing.", "It says what the cluster is made of.")
        return
    yield from unknown_keys(cluster, _CLUSTER, where)
    yield from _check_token(cluster, where)
    yield from _check_groups(cluster, where)
    for pod, place in _pods(cluster, where):
        yield from _check_pod(pod, place, text(cluster.get("rayVersion")))
    yield from _check_volumes(documents, spec, cluster, where)


def kuberay_groups(documents: Sequence[object]) -> list[Group]:
    """The pods that KubeRay and its autoscaler may start."""
    _, _, cluster = _cluster(_ours(documents) or {})
    head = mapping(cluster.get("headGroupSpec"))
    groups = [Group("head", 1, 1, _size(head))] if head else []
    grows = cluster.get("enableInTreeAutoscaling") is True
    for worker in map(mapping, listed(cluster.get("workerGroupSpecs"))):
        least = whole(worker.get("minReplicas"))
        now = whole(worker.get("replicas"), least)
        most = whole(worker.get("maxReplicas"), now) if grows else now
        groups.append(Group(text(worker.get("groupName")), least if grows else now, most, _size(worker)))
    return groups


def _ours(documents: Sequence[object]) -> Mapping[str, Any] | None:
    kinds = [mapping(document) for document in documents]
    return next((document for document in kinds if document.get("kind") in ("RayJob", "RayCluster")), None)


def _cluster(ours: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, Mapping[str, Any]]:
    """The specification, the place of the cluster's in it, and the cluster's."""
    spec = mapping(ours.get("spec"))
    if ours.get("kind") == "RayCluster":
        return spec, "spec", spec
    return spec, "spec.rayClusterSpec", mapping(spec.get("rayClusterSpec"))


def _check_job(spec: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from unknown_keys(spec, _JOB, "spec")
    mode, entrypoint = spec.get("submissionMode", _MODES[0]), text(spec.get("entrypoint"))
    if mode not in _MODES:
        yield Mistake("spec.submissionMode", f"got {mode!r}; one of {', '.join(_MODES)} was expected.")
    if not entrypoint and mode != "InteractiveMode":
        yield Mistake("spec.entrypoint", "it is missing.", "For example: fivefold run /study/study.yaml.")
    elif entrypoint and "fivefold run" not in entrypoint:
        yield Mistake("spec.entrypoint", "it does not run a study.", "Write: fivefold run ...", fatal=False)
    if "--address" in entrypoint and "--address auto" not in entrypoint:
        yield Mistake("spec.entrypoint", "it names another cluster than its own.", "Leave --address out.")
    shuts = spec.get("shutdownAfterJobFinishes") is True
    if not shuts and spec.get("ttlSecondsAfterFinished"):
        what = "it has no effect, since the cluster is never shut down."
        yield Mistake("spec.ttlSecondsAfterFinished", what, "Add shutdownAfterJobFinishes: true.")
    elif not shuts:
        what = "the cluster stays, and costs, after the study."
        yield Mistake("spec.shutdownAfterJobFinishes", what, "Set it to true.", fatal=False)
    if "activeDeadlineSeconds" in spec and whole(spec["activeDeadlineSeconds"]) <= 0:
        what = f"got {spec['activeDeadlineSeconds']!r}; a whole number from 1 on was expected."
        yield Mistake("spec.activeDeadlineSeconds", what)


def _check_token(cluster: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    mode = mapping(cluster.get("authOptions")).get("mode", "token" if "authOptions" in cluster else None)
    by_hand = all(
        {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN"} <= {text(mapping(entry).get("name")) for entry in _env(pod)}
        for pod, _ in _pods(cluster, where)
    )
    if mode != "token" and not by_hand:
        yield Mistake(
            f"{where}.authOptions",
            "Ray is started without a token: anybody who reaches its ports could run code.",
            "Write authOptions: {mode: token} (KubeRay 1.5.1 or later).",
        )
    for pod, place in _pods(cluster, where):
        for entry in map(mapping, _env(pod)):
            if entry.get("name") == "RAY_AUTH_TOKEN" and "value" in entry:
                what = "the token stands in the file."
                yield Mistake(f"{place}.env", what, "Take it from a Secret: valueFrom.secretKeyRef.")
    if not text(cluster.get("rayVersion")):
        yield Mistake(f"{where}.rayVersion", "it is missing; without it KubeRay sets no token.")


def _check_groups(cluster: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    if not cluster.get("headGroupSpec"):
        yield Mistake(f"{where}.headGroupSpec", "it is missing.")
    yield from unknown_keys(cluster.get("headGroupSpec"), _HEAD, f"{where}.headGroupSpec")
    names: list[str] = []
    grows = cluster.get("enableInTreeAutoscaling") is True
    for number, worker in enumerate(map(mapping, listed(cluster.get("workerGroupSpecs")))):
        place = f"{where}.workerGroupSpecs[{number}]"
        yield from unknown_keys(worker, _WORKERS, place)
        name = text(worker.get("groupName"))
        if not name:
            yield Mistake(f"{place}.groupName", "it is missing.")
        elif name in names:
            yield Mistake(f"{place}.groupName", f"the name '{name}' stands twice.")
        names.append(name)
        least = whole(worker.get("minReplicas"))
        now = whole(worker.get("replicas"), least)
        most = whole(worker.get("maxReplicas"), max(now, least))
        if not least <= now <= most:
            what = f"minReplicas {least}, replicas {now} and maxReplicas {most} do not fit."
            yield Mistake(f"{place}.replicas", what, "They must rise in this order.")
        elif not grows and now < most:
            what = f"the {most - now} further workers are never started."
            yield Mistake(f"{place}.maxReplicas", what, "Add enableInTreeAutoscaling: true.")
    if not names:
        yield Mistake(
            f"{where}.workerGroupSpecs", "there are no workers.", "The head works alone.", fatal=False
        )


def _check_pod(pod: Mapping[str, Any], where: str, ray: str) -> Iterator[Mistake]:
    containers = [mapping(container) for container in listed(pod.get("containers"))]
    if not containers:
        yield Mistake(f"{where}.containers", "there is none.", "The first one runs Ray.")
        return
    image = text(containers[0].get("image"))
    if not image:
        yield Mistake(f"{where}.containers[0].image", "it is missing.", "See deploy/Dockerfile.")
    ours = ".".join(version("ray").split(".")[:2])
    stock = _TAG.search(image)
    if stock is not None:
        if stock[1] != ours:
            what = f"it holds Ray {stock[1]}, and this fivefold is made for {ours}."
            yield Mistake(f"{where}.containers[0].image", what)
        else:
            what = "Ray's own image holds no fivefold."
            yield Mistake(f"{where}.containers[0].image", what, "Build one by deploy/Dockerfile.")
    if ray and ".".join(ray.split(".")[:2]) != ours:
        yield Mistake("rayVersion", f"got {ray}, and this fivefold is made for {ours}.")
    limits = mapping(mapping(containers[0].get("resources")).get("limits"))
    for key in ("cpu", "memory"):
        if key not in limits:
            what = "it is missing: Ray would count all that the machine has."
            yield Mistake(f"{where}.containers[0].resources.limits.{key}", what)
    mounts = [mapping(mount) for mount in listed(containers[0].get("volumeMounts"))]
    volumes = {text(mapping(volume).get("name")) for volume in listed(pod.get("volumes"))}
    for number, mount in enumerate(mounts):
        if text(mount.get("name")) not in volumes:
            what = f"there is no volume '{mount.get('name')}' in this pod."
            yield Mistake(f"{where}.containers[0].volumeMounts[{number}]", what, "Add it to 'volumes'.")


def _check_volumes(
    documents: Sequence[object], spec: Mapping[str, Any], cluster: Mapping[str, Any], where: str
) -> Iterator[Mistake]:
    """Whether the journal lies where a retry finds it, and its disk is used as it can be."""
    claims = {
        text(mapping(mapping(document).get("metadata")).get("name")): mapping(mapping(document).get("spec"))
        for document in documents
        if mapping(document).get("kind") == "PersistentVolumeClaim"
    }
    pods = list(_pods(cluster, where))
    for pod, place in pods[1:]:
        for volume in map(mapping, listed(pod.get("volumes"))):
            claim = text(mapping(volume.get("persistentVolumeClaim")).get("claimName"))
            modes = set(map(text, listed(claims.get(claim, {}).get("accessModes"))))
            if modes and modes <= _ONE_NODE:
                what = f"the disk '{claim}' can be on one node only, and the head has it."
                yield Mistake(f"{place}.volumes", what, "Mount it on the head only.")
    entrypoint, retries = text(spec.get("entrypoint")), whole(spec.get("backoffLimit"))
    found = _OUT.search(entrypoint)
    if not entrypoint or not pods:
        return
    kept = _mounted(pods[0][0])
    inside = found is not None and any(f"{found[1]}/".startswith(f"{path.rstrip('/')}/") for path in kept)
    if not inside:
        what = "the study directory is lost with the head's pod"
        what += f", and each of the {retries} retries begins anew." if retries else "."
        hint = "Let --out name a path under a persistentVolumeClaim that the head mounts."
        yield Mistake("spec.entrypoint", what, hint)
    elif not retries:
        what = "a head that is lost is not tried again."
        yield Mistake(
            "spec.backoffLimit", what, "2, for example; the study goes on where it was.", fatal=False
        )
    for pod, place in pods[:1]:
        for volume in map(mapping, listed(pod.get("volumes"))):
            claim = text(mapping(volume.get("persistentVolumeClaim")).get("claimName"))
            if claim and claim not in claims:
                what = f"the claim '{claim}' is not in this file; it must be there already."
                yield Mistake(f"{place}.volumes", what, fatal=False)


def _mounted(pod: Mapping[str, Any]) -> list[str]:
    """Where the container has volumes that outlive the pod."""
    lasting = {
        text(volume.get("name"))
        for volume in map(mapping, listed(pod.get("volumes")))
        if {"persistentVolumeClaim", "nfs", "csi", "hostPath"} & volume.keys()
    }
    first = mapping(next(iter(listed(pod.get("containers"))), None))
    mounts = map(mapping, listed(first.get("volumeMounts")))
    return [text(mount.get("mountPath")) for mount in mounts if text(mount.get("name")) in lasting]


def _pods(cluster: Mapping[str, Any], where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The pods' specifications and their places, the head's first."""
    if head := mapping(cluster.get("headGroupSpec")):
        yield _pod(head), f"{where}.headGroupSpec.template.spec"
    for number, worker in enumerate(listed(cluster.get("workerGroupSpecs"))):
        yield _pod(mapping(worker)), f"{where}.workerGroupSpecs[{number}].template.spec"


def _pod(group: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(group.get("template")).get("spec"))


def _env(pod: Mapping[str, Any]) -> list[Any]:
    return listed(mapping(next(iter(listed(pod.get("containers"))), None)).get("env"))


def _size(group: Mapping[str, Any]) -> NodeResources | None:
    """The resources of a pod, by Ray's names."""
    started = mapping(group.get("rayStartParams"))
    first = mapping(next(iter(listed(_pod(group).get("containers"))), None))
    limits = mapping(mapping(first.get("resources")).get("limits"))
    cpus = _number(started.get("num-cpus", limits.get("cpu")))
    gpus = _number(started.get("num-gpus", limits.get(_GPU_LIMIT))) or 0.0
    return None if cpus is None else {CPU: cpus, GPU: gpus, **_custom(text(started.get("resources")))}


def _custom(given: str) -> NodeResources:
    """Custom resources, which KubeRay takes as JSON in quotes in quotes."""
    try:
        found = json.loads(given.strip("'\"").replace("\\", ""))
        return {str(name): float(amount) for name, amount in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _number(given: object) -> float | None:
    """A quantity of CPUs: 4, "4", "500m"."""
    said = str(given).strip("'\"")
    try:
        return float(said[:-1]) / 1000 if said.endswith("m") else float(said)
    except ValueError:
        return None
