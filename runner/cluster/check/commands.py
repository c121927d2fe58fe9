"""The commands of a file for ``ray up``: what they install, and how they start Ray."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

from runner.cluster.check.mistakes import Mistake, listed, mapping, text

_HEAD, _WORKER = "head_start_ray_commands", "worker_start_ray_commands"
_SETUP = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
_START = re.compile(r"\bray\s+start\b")
_TOKEN_MODE = re.compile(r"\bRAY_AUTH_MODE=['\"]?token\b")
_TOKEN_ITSELF = re.compile(r"\bRAY_AUTH_TOKEN=['\"]?[^\s'\"$]")
_TOKEN_PATH = re.compile(r"\bRAY_AUTH_TOKEN_PATH=['\"]?([^\s'\";]+)")
_ALL_INTERFACES = re.compile(r"--dashboard-host[= ]['\"]?(0\.0\.0\.0|::)")
_PINNED_RAY = re.compile(r"\bray(?:\[[\w,-]+\])?==([\w.]+)|\brayproject/ray(?:-\w+)?:(\d[\w.]*)")
_SECRET = re.compile(r"\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")
_IMAGES = ("image", "head_image", "worker_image")
_DEFAULT_TOKEN = ".ray/auth_token"


def check_commands(given: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with the commands of a file for ``ray up``, and with how its nodes get a token."""
    yield from _check_start(given)
    yield from _check_token(given)
    yield from _check_versions(given)
    for where, command in _commands(given, (*_SETUP, _HEAD, _WORKER)):
        if _TOKEN_ITSELF.search(command):
            what = "a token stands in the file, which Ray copies to where others can read it."
            yield Mistake(where, what, f"Mount a file of it as ~/{_DEFAULT_TOKEN}.")
    if _SECRET.search(_all_text(given)):
        what = "a key of a cloud stands in the file, which Ray copies to where others can read it."
        yield Mistake("", what, "Leave it out; 'aws configure' and the head's role have it.")
    setup = " ".join(command for _, command in _commands(given, _SETUP[1:]))
    docker = mapping(given.get("docker"))
    image = " ".join(text(docker.get(key)) for key in _IMAGES)
    if "fivefold" not in setup and "fivefold" not in image:
        yield Mistake("setup_commands", "no command installs fivefold.", "See cluster.yaml for one.")


def _check_start(given: Mapping[str, Any]) -> Iterator[Mistake]:
    for key, needed, why in (
        (_HEAD, "--head", "it would be no head"),
        (_HEAD, "--autoscaling-config", "no worker would ever be started"),
        (_WORKER, "--address", "it would find no head"),
    ):
        starts = [(where, command) for where, command in _commands(given, (key,)) if _START.search(command)]
        if key in given and not starts:
            if needed != "--autoscaling-config":  # said once
                yield Mistake(key, "none of its commands starts Ray.", f"One must be: ray start {needed} ...")
        elif key in given and not any(needed in command for _, command in starts):
            yield Mistake(starts[0][0], f"'ray start' lacks {needed}: {why}.")
        for where, command in starts:
            if needed == "--head" and _ALL_INTERFACES.search(command):
                yield Mistake(
                    where,
                    "the dashboard, which starts jobs, listens on every interface.",
                    "Leave --dashboard-host out and use a tunnel: ray dashboard cluster.yaml.",
                )


def _check_token(given: Mapping[str, Any]) -> Iterator[Mistake]:
    """Whether each node asks for a token, and has one."""
    mounted = [str(path) for path in mapping(given.get("file_mounts"))]
    for key in (_HEAD, _WORKER):
        if key not in given:
            yield Mistake(
                key,
                "it is missing, and what Ray runs instead starts it without a token: anybody who reaches "
                "its ports could run code.",
                "See cluster.yaml for one.",
            )
        for where, command in _commands(given, (key,)):
            if not _START.search(command):
                continue
            if not _TOKEN_MODE.search(command):
                yield Mistake(
                    where,
                    "Ray is started without a token: anybody who reaches its ports could run code.",
                    "Begin it with: export RAY_AUTH_MODE=token;",
                )
                continue
            said = _TOKEN_PATH.search(command)
            path = said[1] if said else _DEFAULT_TOKEN
            if not any(mount.endswith(path.removeprefix("$HOME/").removeprefix("~/")) for mount in mounted):
                yield Mistake(
                    "file_mounts",
                    f"no token comes to the nodes: nothing is mounted as {path}.",
                    f"Add: ~/{_DEFAULT_TOKEN}: ~/{_DEFAULT_TOKEN}",
                )
                return


def _check_versions(given: Mapping[str, Any]) -> Iterator[Mistake]:
    ours = version("ray").split(".")[:2]
    found = [*_commands(given, _SETUP)]
    found += [(f"docker.{key}", text(value)) for key, value in mapping(given.get("docker")).items()]
    for where, value in found:
        for pinned in _PINNED_RAY.finditer(value):
            theirs = pinned[1] or pinned[2]
            if theirs.split(".")[:2] != ours:
                what = f"it installs Ray {theirs}, and this fivefold is made for {'.'.join(ours)}."
                yield Mistake(where, what, "Driver, nodes and this machine need the same.")


def _commands(given: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key in keys:
        for number, command in enumerate(listed(given.get(key))):
            yield f"{key}[{number}]", text(command)


def _all_text(given: object) -> str:
    if isinstance(given, Mapping):
        return "\n".join(map(_all_text, given.values()))
    return "\n".join(map(_all_text, given)) if isinstance(given, list) else str(given)
