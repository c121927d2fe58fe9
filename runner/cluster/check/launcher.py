"""Files for ``ray up``: Ray's own schema, and the mistakes that neither Ray nor a cloud reports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from runner.cluster.check.groups import Group
from runner.cluster.check.mistakes import Mistake, integer, listed, mapping, string
from runner.errors import EngineError, clip, nearest
from runner.study.resources import CPU, RESERVED, NodeResources

_MOST_CHARACTERS = 240  # of a message of the schema's: about three lines of a terminal
_DEFAULT_WORKERS = 2  # Ray's own max_workers
_LONG_IDLE = 60.0  # minutes; Ray's default is 5, and clouds charge by the second

_HEAD, _WORKER = "head_start_ray_commands", "worker_start_ray_commands"
_SETUP = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
_IMAGES = ("image", "head_image", "worker_image")
_DEFAULT_TOKEN = ".ray/auth_token"
_START = re.compile(r"\bray\s+start\b")
_TOKEN_MODE = re.compile(r"\bRAY_AUTH_MODE=['\"]?token\b")
_TOKEN_ITSELF = re.compile(r"\bRAY_AUTH_TOKEN=['\"]?[^\s'\"$]")
_TOKEN_PATH = re.compile(r"\bRAY_AUTH_TOKEN_PATH=['\"]?([^\s'\";]+)")
_ALL_INTERFACES = re.compile(r"--dashboard-host[= ]['\"]?(0\.0\.0\.0|::)")
_SECRET = re.compile(r"\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_PINNED_RAY = re.compile(r"\bray(?:\[[\w,-]+\])?==([\w.]+)|\brayproject/ray(?:-\w+)?:(\d[\w.]*)")


def check_launcher(file: Mapping[str, Any]) -> Iterator[Mistake]:
    """Find the mistakes of a file for ``ray up``."""
    yield from _check_schema(file)
    yield from _check_workers(file)
    yield from _check_start(file)
    yield from _check_token(file)
    yield from _check_software(file)
    idle = file.get("idle_timeout_minutes", 5)
    if isinstance(idle, int | float) and idle > _LONG_IDLE:
        message = f"idle nodes stay, and are charged, for {idle:g} minutes."
        yield Mistake("idle_timeout_minutes", message, "Ray's default is 5.", fatal=False)


def launcher_groups(file: Mapping[str, Any]) -> list[Group]:
    """Return the nodes that ``ray up`` and its autoscaler may start."""
    provider = mapping(file.get("provider"))
    if provider.get("type") == "local":
        machines = len(listed(provider.get("worker_ips")))
        most = min(machines, integer(file.get("max_workers"), machines))
        return [Group("head", 1, 1, None), Group("workers", most, most, None)]
    limit = integer(file.get("max_workers"), _DEFAULT_WORKERS)
    groups = []
    for name, node in mapping(file.get("available_node_types")).items():
        node, head = mapping(node), name == file.get("head_node_type")
        resources = _resources(node)
        if head:
            groups.append(Group(f"{name} (head)", 1, 1, resources))
        most = min(limit, integer(node.get("max_workers"), 0 if head else limit))
        if most or not head:
            groups.append(Group(str(name), min(integer(node.get("min_workers")), most), most, resources))
    return groups


def _resources(node: Mapping[str, Any]) -> NodeResources | None:
    """Return the resources that the file declares; None where Ray asks the cloud for the CPUs."""
    declared = {str(name): float(integer(n)) for name, n in mapping(node.get("resources")).items()}
    return declared if CPU in declared else None


@cache
def _schema() -> Draft7Validator:
    spec = find_spec("ray")  # located, not imported: the import takes a second
    if spec is None or spec.origin is None:
        raise EngineError("Ray is not installed; its schema of cluster files is required.")
    schema = Path(spec.origin).parent / "autoscaler" / "ray-schema.json"
    return Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))


def _check_schema(file: Mapping[str, Any]) -> Iterator[Mistake]:
    for error in sorted(_schema().iter_errors(file), key=lambda found: list(map(str, found.path))):
        where = ".".join(map(str, error.path))
        if error.validator == "additionalProperties":
            known = list(error.schema.get("properties", ()))
            for key in error.instance:
                if key not in known:
                    place = f"{where}.{key}" if where else str(key)
                    yield Mistake(place, "unknown key.", nearest(str(key), known))
        else:
            yield Mistake(where, f"{clip(error.message, _MOST_CHARACTERS)}.")


def _check_workers(file: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check the numbers of workers, and the names of the resources that trials ask for."""
    provider = mapping(file.get("provider"))
    if provider.get("type") == "local":
        machines = len(listed(provider.get("worker_ips")))
        most = integer(file.get("max_workers"), machines)
        if most > machines and "coordinator_address" not in provider:
            yield Mistake(
                "max_workers", f"expected at most {machines}, the number of worker_ips, got {most}."
            )
        return
    types, head = mapping(file.get("available_node_types")), file.get("head_node_type")
    if head is not None and head not in types:
        hint = nearest(str(head), map(str, types))
        yield Mistake("head_node_type", f"no node type '{head}' in available_node_types.", hint)
    limit, least = integer(file.get("max_workers"), _DEFAULT_WORKERS), 0
    for name, node in types.items():
        where, node = f"available_node_types.{name}", mapping(node)
        low, high = integer(node.get("min_workers")), integer(node.get("max_workers"), limit)
        least += low
        if low > high:
            yield Mistake(f"{where}.min_workers", f"expected at most max_workers ({high}), got {low}.")
        if high > limit:
            message = f"expected at most the cluster's max_workers ({limit}), got {high}."
            yield Mistake(f"{where}.max_workers", message, "Raise the outer max_workers.")
        if low:
            message = f"{low} nodes of this type run, and are charged, even without work."
            yield Mistake(f"{where}.min_workers", message, "0 starts them on demand.", fatal=False)
        for key in mapping(node.get("resources")):
            known = {reserved.lower(): reserved for reserved in RESERVED}.get(str(key).lower(), key)
            if key != known:
                yield Mistake(f"{where}.resources.{key}", "a custom resource to Ray.", f"Write {known}.")
    if least > limit:
        yield Mistake("max_workers", f"expected at least the sum of all min_workers ({least}), got {limit}.")
    if types and not any(n != head or integer(mapping(node).get("max_workers")) for n, node in types.items()):
        yield Mistake("available_node_types", "no type for workers: the head works alone.", fatal=False)


def _check_start(file: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check the commands that start Ray."""
    for key, options in (
        (_HEAD, {"--head": "no head is started", "--autoscaling-config": "no worker is ever started"}),
        (_WORKER, {"--address": "the worker cannot find its head"}),
    ):
        starts = [(where, text) for where, text in _commands(file, (key,)) if _START.search(text)]
        if key not in file:
            message = "missing, and Ray's default starts it without a token: anybody can run code on it."
            yield Mistake(key, message, "Copy it from cluster.yaml.")
        elif not starts:
            yield Mistake(key, "no command starts Ray.", f"Add: ray start {next(iter(options))} ...")
        for option, consequence in options.items() if starts else ():
            if not any(option in text for _, text in starts):
                yield Mistake(starts[0][0], f"'ray start' lacks {option}: {consequence}.")
        for where, text in starts:
            if _ALL_INTERFACES.search(text):
                message = "the dashboard, which can start jobs, listens on every interface."
                yield Mistake(where, message, "Remove --dashboard-host; use: ray dashboard cluster.yaml.")


def _check_token(file: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check that every node requires a token and has one."""
    for where, text in _commands(file, (*_SETUP, _HEAD, _WORKER)):
        if _TOKEN_ITSELF.search(text):
            message = "the token is in the file, which Ray copies to every node."
            yield Mistake(where, message, f"Mount it from a file as ~/{_DEFAULT_TOKEN}.")
    if _SECRET.search(str(file)):
        message = "a cloud's key is in the file, which Ray copies to every node."
        yield Mistake("", message, "Remove it; 'aws configure' and the head's role provide it.")
    mounted = [str(path) for path in mapping(file.get("file_mounts"))]
    paths = []
    for where, text in _commands(file, (_HEAD, _WORKER)):
        if not _START.search(text):
            continue
        if not _TOKEN_MODE.search(text):
            message = "Ray is started without a token: anybody who reaches its ports can run code."
            yield Mistake(where, message, "Begin the command with: export RAY_AUTH_MODE=token;")
            continue
        declared = _TOKEN_PATH.search(text)
        paths.append(declared[1] if declared else _DEFAULT_TOKEN)
    for path in dict.fromkeys(paths):
        if not any(mount.endswith(path.removeprefix("$HOME/").removeprefix("~/")) for mount in mounted):
            message = f"the nodes get no token: nothing is mounted as {path}."
            yield Mistake("file_mounts", message, f"Add: ~/{_DEFAULT_TOKEN}: ~/{_DEFAULT_TOKEN}")
    for there, here in mapping(file.get("file_mounts")).items():
        source = Path(string(here)).expanduser()
        if str(there).endswith(_DEFAULT_TOKEN) and not source.exists():
            yield Mistake(
                f"file_mounts.{there}", f"no file '{source}'.", "Run: ray get-auth-token --generate."
            )


def _check_software(file: Mapping[str, Any]) -> Iterator[Mistake]:
    """Check that the nodes get fivefold, and the version of Ray that it is made for."""
    ours = version("ray").split(".")[:2]
    docker = mapping(file.get("docker"))
    places = [*_commands(file, _SETUP), *((f"docker.{key}", string(docker.get(key))) for key in _IMAGES)]
    for where, value in places:
        for pinned in _PINNED_RAY.finditer(value):
            theirs = pinned[1] or pinned[2]
            if theirs.split(".")[:2] != ours:
                message = f"expected Ray {'.'.join(ours)}, got {theirs}."
                yield Mistake(where, message, "All nodes and this machine need the same version.")
    if not any("fivefold" in text for where, text in places if where.startswith((*_SETUP[1:], "docker."))):
        yield Mistake("setup_commands", "no command installs fivefold.", "See cluster.yaml for one.")


def _commands(file: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key in keys:
        for number, command in enumerate(listed(file.get(key))):
            yield f"{key}[{number}]", string(command)
