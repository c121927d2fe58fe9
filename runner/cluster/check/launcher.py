"""Files for Ray's cluster launcher, ``ray up``: Ray's own schema, and what it lets pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from runner.cluster.check.commands import check_commands
from runner.cluster.check.groups import Group, cpus_of
from runner.cluster.check.mistakes import Mistake, listed, mapping, text, whole
from runner.cluster.check.providers import check_node_config, check_provider
from runner.errors import EngineError, clip, nearest
from runner.study.resources import CPU, RESERVED, NodeResources

_LOCAL = "local"
_MOST_CHARACTERS = 60
_LONG_IDLE = 60.0


def check_launcher(given: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with a file for ``ray up``."""
    yield from _check_schema(given)
    yield from check_provider(mapping(given.get("provider")))
    if mapping(given.get("provider")).get("type") == _LOCAL:
        yield from _check_own_machines(given)
    else:
        yield from _check_node_types(given)
    yield from _check_docker(given)
    yield from _check_mounts(given)
    yield from check_commands(given)
    idle = given.get("idle_timeout_minutes", 5)
    if isinstance(idle, int | float) and idle > _LONG_IDLE:
        what = f"nodes without work stay, and cost, for {idle:g} minutes."
        yield Mistake("idle_timeout_minutes", what, "5 is Ray's default.", fatal=False)


def launcher_groups(given: Mapping[str, Any]) -> list[Group]:
    """The nodes that ``ray up`` and its autoscaler may start."""
    provider = mapping(given.get("provider"))
    if provider.get("type") == _LOCAL:
        workers = len(listed(provider.get("worker_ips")))
        most = min(workers, whole(given.get("max_workers"), workers))
        return [Group("head", 1, 1, None), Group("workers", min(most, workers), most, None)]
    limit = whole(given.get("max_workers"), 2)  # Ray's default
    groups = []
    for name, node in mapping(given.get("available_node_types")).items():
        node, head = mapping(node), name == given.get("head_node_type")
        resources = _resources(node)
        if head:
            groups.append(Group(f"{name} (head)", 1, 1, resources))
        most = min(limit, whole(node.get("max_workers"), 0 if head else limit))
        if most or not head:
            groups.append(Group(str(name), min(whole(node.get("min_workers")), most), most, resources))
    return groups


def _resources(node: Mapping[str, Any]) -> NodeResources | None:
    there = {str(name): float(whole(amount)) for name, amount in mapping(node.get("resources")).items()}
    cpus = there.get(CPU, _machine_cpus(node))
    return None if cpus is None else {**there, CPU: cpus}


def _machine_cpus(node: Mapping[str, Any]) -> int | None:
    config = mapping(node.get("node_config"))
    return cpus_of(text(config.get("InstanceType") or config.get("machineType")))


@cache
def _schema() -> Draft7Validator:
    spec = find_spec("ray")  # found, not imported: that takes a second
    if spec is None or spec.origin is None:
        raise EngineError("Ray is not installed, and its schema is needed.", hint="Install fivefold again.")
    schema = Path(spec.origin).parent / "autoscaler" / "ray-schema.json"
    return Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))


def _check_schema(given: Mapping[str, Any]) -> Iterator[Mistake]:
    for error in sorted(_schema().iter_errors(given), key=lambda found: list(map(str, found.path))):
        yield from _explained(error)


def _explained(error: ValidationError) -> Iterator[Mistake]:
    """What Ray's schema says, as sentences."""
    where = ".".join(map(str, error.path))
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        for key in error.instance:
            if key not in known:
                place = f"{where}.{key}" if where else str(key)
                yield Mistake(place, "unknown key.", nearest(str(key), known))
    elif error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield Mistake(f"{where}.{key}" if where else key, "it is missing.", "Ray needs it.")
    elif error.validator == "type":
        wanted = error.validator_value if isinstance(error.validator_value, str) else "something else"
        got = clip(repr(error.instance), _MOST_CHARACTERS)
        yield Mistake(where, f"got {got}; {_KINDS.get(wanted, wanted)} was expected.")
    elif error.validator == "minimum":
        yield Mistake(where, f"got {error.instance!r}; at least {error.validator_value} was expected.")
    else:
        yield Mistake(where, f"Ray refuses it: {clip(error.message, 4 * _MOST_CHARACTERS)}.")


def _check_node_types(given: Mapping[str, Any]) -> Iterator[Mistake]:
    types, head = mapping(given.get("available_node_types")), text(given.get("head_node_type"))
    if not types:
        yield Mistake(
            "available_node_types", "it is missing.", "Name a type for the head and one for workers."
        )
        return
    if not head:
        yield Mistake("head_node_type", "it is missing.", f"Name one of {', '.join(map(str, types))}.")
    elif head not in types:
        hint = nearest(head, map(str, types))
        yield Mistake("head_node_type", f"there is no node type '{head}'.", hint)
    limit, least = whole(given.get("max_workers"), 2), 0
    for name, node in types.items():
        where, node = f"available_node_types.{name}", mapping(node)
        low, high = whole(node.get("min_workers")), whole(node.get("max_workers"), limit)
        least += low
        if low > high:
            yield Mistake(f"{where}.min_workers", f"got {low}, more than its max_workers of {high}.")
        if high > limit:
            what = f"got {high}, but the whole cluster may have {limit} (max_workers)."
            yield Mistake(f"{where}.max_workers", what, "Raise the outer max_workers, too.")
        if low:
            what = f"{low} nodes of this type run, and cost, also without work."
            yield Mistake(f"{where}.min_workers", what, "0 starts them when they are needed.", fatal=False)
        yield from check_node_config(text(mapping(given.get("provider")).get("type")), node, where)
        yield from _check_resources(node, f"{where}.resources")
    if least > limit:
        what = f"got {limit}, less than the {least} nodes that the types' min_workers ask for."
        yield Mistake("max_workers", what)
    if not any(name != head or whole(mapping(node).get("max_workers")) for name, node in types.items()):
        yield Mistake(
            "available_node_types", "there is no type for workers.", "The head works alone.", fatal=False
        )


def _check_resources(node: Mapping[str, Any], where: str) -> Iterator[Mistake]:
    there, machine = mapping(node.get("resources")), _machine_cpus(node)
    for key in there:
        if key not in RESERVED and key.lower() in [name.lower() for name in RESERVED]:
            known = next(name for name in RESERVED if name.lower() == key.lower())
            yield Mistake(f"{where}.{key}", "to Ray this is a resource of its own.", f"Write {known}.")
    if machine is not None and whole(there.get("CPU")) > machine:
        what = f"got {there['CPU']}, but the machine has {machine}: trials would share CPUs."
        yield Mistake(f"{where}.CPU", what)


def _check_own_machines(given: Mapping[str, Any]) -> Iterator[Mistake]:
    provider = mapping(given.get("provider"))
    if given.get("available_node_types"):
        what = "own machines have no node types; Ray stops at it."
        yield Mistake("available_node_types", what, "Leave it and head_node_type out.")
    if "coordinator_address" in provider:
        if "max_workers" not in given:
            yield Mistake("max_workers", "it is missing; a coordinator needs it.")
        return
    workers = [str(ip) for ip in listed(provider.get("worker_ips"))]
    most = whole(given.get("max_workers"), len(workers))
    if most > len(workers):
        what = f"got {most}, but there are {len(workers)} worker_ips."
        yield Mistake("max_workers", what, "Ray would lower it in silence.")
    if doubled := sorted({ip for ip in workers if workers.count(ip) > 1}):
        yield Mistake("provider.worker_ips", f"{doubled[0]} stands twice.")
    if provider.get("head_ip") in workers:
        what = f"the head, {provider['head_ip']}, is among the workers: it would be started twice."
        yield Mistake("provider.worker_ips", what)
    auth = mapping(given.get("auth"))
    if not auth.get("ssh_user"):
        yield Mistake("auth.ssh_user", "it is missing.", "Ray logs in on own machines by SSH.")


def _check_docker(given: Mapping[str, Any]) -> Iterator[Mistake]:
    docker = mapping(given.get("docker"))
    images = [key for key in ("image", "head_image", "worker_image") if docker.get(key)]
    if images and not docker.get("container_name"):
        yield Mistake("docker.container_name", "it is missing.", "Ray stops without one.")
    if docker.get("container_name") and not images:
        yield Mistake("docker.image", "it is missing, so no container is used.")
    if ("head_image" in images) != ("worker_image" in images) and "image" not in images:
        yield Mistake("docker", "head_image and worker_image go together.", "Or use 'image' for both.")


def _check_mounts(given: Mapping[str, Any]) -> Iterator[Mistake]:
    for there, here in mapping(given.get("file_mounts")).items():
        where = f"file_mounts.{there}"
        if not str(there).startswith(("/", "~/")):
            yield Mistake(where, "the path on the nodes is relative.", "Begin it with / or ~/.")
        if not isinstance(here, str):
            yield Mistake(where, f"got {here!r}; a path on this machine was expected.")
        elif not Path(here).expanduser().exists():
            hint = "A relative path starts where 'ray up' is called."
            if here.endswith("auth_token"):
                hint = "Make a token: ray get-auth-token --generate."
            yield Mistake(where, f"there is no '{here}' here.", hint)
    key = text(mapping(given.get("auth")).get("ssh_private_key"))
    if key and not Path(key).expanduser().is_file():
        yield Mistake("auth.ssh_private_key", f"there is no file '{key}'.")


_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
