"""What must stay equal for the trials of a run to be continued, and where two differ.

An identity is JSON. It holds what decides about a run's trials and can be told cheaply: method
and settings, space, direction, metric, and of the objective its own keys, and the code that it is made of
(`runner.study.identity.code`). It does not hold the budget, nor the versions of what is installed, which are
recorded apart (`runner.study.identity.environment`).
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, Final

import numpy as np

from runner.errors import clip
from runner.problems.base import Problem
from runner.problems.estimators.data.data import BUILT_IN, Data
from runner.problems.estimators.problem import EstimatorProblem
from runner.space import Space
from runner.space.formats.json import space_to_json
from runner.study.identity.code import Code, code_of, is_ours
from runner.study.study import RunSpec, Study

DERIVED = "derived settings"
"""The key of what a method worked out from space and budget when it was prepared."""

_OUR_CLASS = re.compile(r"\brunner(?:\.[a-z_]\w*)+\.([A-Z]\w*)")
_PLACES = re.compile(r" at 0x[0-9a-fA-F]+")
# Said by other keys, or of no influence on what an evaluation gives.
_NOT_OBJECTIVE = {
    "name", "space", "direction", "metric", "noisy", "has_gradient", "optimum", "minimisers", "default",
    "forbid", "folder", "checkpoints", "has_test",
}  # fmt: skip
_IF_GIVEN = {
    "prepare",
    "drop",
    "decimal",
}  # new keys, so that a study that was begun before them can be resumed
_MOST_CHARACTERS = 100
CODE: Final = "code"
"""The key of digests by the names of files, and of `_CAPTURED`."""
_CAPTURED: Final = "captured values"
_MOST_DEPTH = 6  # of values within values in which code is looked for

Json = Any


def study_identity(study: Study) -> dict[str, Json]:
    """What all runs of a study have in common."""
    scheduler = study.scheduler
    return {
        "name": study.name,
        "seed": study.seed,
        "parallel": study.parallel,
        "order": study.order,
        "scheduler": "none" if scheduler.name == "none" else scheduler.model_dump(),
    }


def problem_identity(problem: Problem) -> dict[str, Json]:
    """Space, direction, metric, and what can be told of the objective."""
    space = space_to_json(problem.space)
    return {
        "space": dict(space["params"]),  # by name, so that a difference is named
        "forbid": space["forbid"],
        "direction": problem.direction,
        "metric": problem.metric,
        "objective": _objective(problem),
    }


def run_identity(spec: RunSpec, problem: Mapping[str, Json]) -> dict[str, Json]:
    """The identity of a run, as it comes back from JSON.

    Parameters
    ----------
    spec : RunSpec
    problem : mapping
        The `problem_identity` of its problem.
    """
    method = spec.method
    derived = {
        field.name.lstrip("_"): getattr(method, field.name)
        for field in dataclasses.fields(method)
        if field.compare and not field.init
    }
    whole = {"method": method.name, "settings": method.settings(), DERIVED: derived, **problem}
    if not is_ours(type(method)):
        whole["method " + CODE] = code_of(type(method)).digests
    if spec.start:
        whole["initial"] = spec.start.identity()
    found: dict[str, Json] = json.loads(json.dumps(_stable(whole)))
    return found


def comparable(was: Mapping[str, Json], now: Mapping[str, Json]) -> tuple[Json, Json]:
    """Two identities without what only one version knows.

    Earlier versions recorded the module of this program's own classes, too, which moved since. Where an earlier version recorded an objective, it recorded only the text of the function itself; this
    one also records the code that it calls.
    """
    before, after = _without_modules(was), _without_modules(now)
    if "method " + CODE not in before:
        after.pop("method " + CODE, None)
    old, new = dict(before.get("objective", {})), dict(after.get("objective", {}))
    if CODE in old:
        old, new = _without_texts(old), _without_texts(new)
    else:
        new.pop(CODE, None)
    return before | {"objective": old}, after | {"objective": new}


def _without_modules(found: Json) -> Json:
    if isinstance(found, Mapping):
        return {key: _without_modules(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_without_modules(value) for value in found]
    return _OUR_CLASS.sub(r"\1", found) if isinstance(found, str) else found


def _without_texts(objective: Json) -> Json:
    if isinstance(objective, dict):
        return {key: _without_texts(value) for key, value in objective.items() if key != "text"}
    return objective


def first_difference(was: Json, now: Json) -> tuple[str, str, str] | None:
    """Where two identities differ first: the key path, what was there, what is there now."""
    if json.dumps(was) == json.dumps(now):
        return None
    if isinstance(was, dict) and isinstance(now, dict):
        for key in [*was, *(key for key in now if key not in was)]:
            if key not in now or key not in was:
                return key, _short(was, key), _short(now, key)
            if inner := first_difference(was[key], now[key]):
                path, *values = inner
                return f"{key}.{path}".rstrip("."), values[0], values[1]
        was, now = list(was), list(now)  # the same keys in another order
    return "", clip(json.dumps(was), _MOST_CHARACTERS), clip(json.dumps(now), _MOST_CHARACTERS)


def _short(given: dict[str, Json], key: str) -> str:
    return clip(json.dumps(given[key]), _MOST_CHARACTERS) if key in given else "absent"


def _objective(problem: Problem) -> dict[str, Json]:
    told: dict[str, Json] = {"kind": _stable(type(problem))}
    if not is_ours(type(problem)):
        told["text"] = _text_digest(type(problem))
    for key, value in vars(problem).items():
        if not key.startswith("_") and key not in _NOT_OBJECTIVE and (key not in _IF_GIVEN or value):
            told[key] = _stable(value)
    if isinstance(problem, EstimatorProblem) and isinstance(problem.data, str):
        told["data"] = _data_source(problem.data, problem.folder)
    if digests := problem_code(problem).digests:
        told[CODE] = digests
    return told


def problem_code(problem: Problem) -> Code:
    """The code that a problem is made of: its class, functions, estimators, and what they hold."""
    captured: list[Json] = []
    things = _things(problem, captured, set(), _MOST_DEPTH)
    found = Code()
    for thing in things:
        found |= code_of(thing)
    if captured:
        digest = _digest(json.dumps(captured, sort_keys=True, default=str).encode())
        found |= Code({_CAPTURED: digest})
    return found


def _things(value: object, captured: list[Json], seen: set[int], depth: int) -> Iterator[type | FunctionType]:
    """The functions and classes within a value; what they have captured goes into a list."""
    if id(value) in seen or not depth or isinstance(value, str | bytes | int | float | np.ndarray | Data):
        return
    seen.add(id(value))
    inner: list[object] = []
    if isinstance(value, FunctionType):
        yield value
        cells = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        captured += [_stable(cell) for cell in cells if _is_constant(cell)]
        inner = cells
    elif isinstance(value, MethodType):
        inner = [value.__func__, value.__self__]
    elif isinstance(value, partial):
        inner = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, type):
        if not is_ours(value):
            yield value
    elif isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, Sequence):
        inner = list(value)
    elif isinstance(value, Space):
        return
    elif isinstance(state := getattr(value, "__dict__", None), dict):
        inner = [type(value), *state.values()]
        if not isinstance(value, Problem) and not hasattr(value, "get_params") and _is_local(type(value)):
            captured.append(_stable({key: one for key, one in state.items() if _is_constant(one)}))
    if isinstance(value, EstimatorProblem):
        inner.append(value._model)
    for one in inner:
        yield from _things(one, captured, seen, depth - 1)


def _is_constant(value: object) -> bool:
    """Whether a value is not of a kind that objectives use to remember things, such as a list."""
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return value is None or isinstance(value, str | bytes | int | float | complex | np.ndarray | np.generic)


def _is_filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:  # a name that has no value yet
        return False
    return True


def _is_local(kind: type) -> bool:
    return bool(code_of(kind).digests)


def _data_source(data: str, folder: Path) -> Json:
    """A built-in name, or the file's name and a digest of its bytes: a moved file stays the same."""
    if data in BUILT_IN:
        return data
    path = folder / data
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:  # the problem itself says so better
        digest = "unreadable"
    return {"file": path.name, "content": digest}


def _stable(value: object) -> Json:
    """A value as JSON that is the same in every process."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _stable(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | range):
        return [_stable(inner) for inner in value]
    if isinstance(value, type):
        # A class of this program has the same name wherever it moves.
        return value.__qualname__ if is_ours(value) else f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, FunctionType):
        return {"function": value.__qualname__, "text": _text_digest(value)}
    if isinstance(value, np.generic):
        return _stable(value.item())
    if isinstance(value, np.ndarray):
        content = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
        return {"shape": list(value.shape), "dtype": str(value.dtype), "content": _digest(content)}
    if isinstance(value, Data):
        told = {"name": value.name, "X": _stable(value.X), "y": _stable(value.y)}
        return told if value.labels is None else {**told, "labels": _stable(value.labels)}
    if callable(parameters := getattr(value, "get_params", None)):  # an estimator
        return {"class": _stable(type(value)), "params": _stable(parameters(deep=False))}
    return _PLACES.sub("", repr(value))


def _text_digest(thing: type | FunctionType) -> str:
    """A digest of the source, without layout, comments and decorators; empty where there is none."""
    try:
        text = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):  # typed into an interpreter
        return ""
    try:
        tree = ast.parse(text)
    except SyntaxError:  # a lambda in the middle of something
        return _digest(text.encode())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            node.decorator_list = []
    return _digest(ast.unparse(tree).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
