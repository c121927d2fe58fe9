"""Identities: the facts that must stay equal for a run to be resumed, and their first difference.

An identity is JSON. It holds what determines a run's trials and is cheap to collect: method and settings,
space, direction, metric, the objective's own keys, and its code (`runner.study.identity.code`). It holds
neither the budget nor the versions of installed packages, which are recorded separately
(`runner.study.identity.environment`).
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
"""The key of the settings that a method derived from space and budget when it was prepared."""

_OUR_CLASS = re.compile(r"\brunner(?:\.[a-z_]\w*)+\.([A-Z]\w*)")
_PLACES = re.compile(r" at 0x[0-9a-fA-F]+")
# Covered by other keys, or without influence on the result of an evaluation.
_NOT_OBJECTIVE = {
    "name", "space", "direction", "metric", "noisy", "has_gradient", "optimum", "minimisers", "default",
    "forbid", "folder", "checkpoints", "has_test",
}  # fmt: skip
# Newer keys, left out where they are not set, so that studies from before them can be resumed.
_IF_GIVEN = {"prepare", "drop", "decimal"}
_MOST_CHARACTERS = 100  # of each value in a message
CODE: Final = "code"
"""The key of digests by the names of files, and of `_CAPTURED`."""
_CAPTURED: Final = "captured values"
_MOST_DEPTH = 6  # of nested values; chosen, not measured: deeper ones are unusual in an objective

Json = Any


def study_identity(study: Study) -> dict[str, Json]:
    """Identify a study: the settings that all its runs share."""
    scheduler = study.scheduler
    return {
        "name": study.name,
        "seed": study.seed,
        "parallel": study.parallel,
        "order": study.order,
        "scheduler": "none" if scheduler.name == "none" else scheduler.model_dump(),
    }


def problem_identity(problem: Problem) -> dict[str, Json]:
    """Identify a problem: space, direction, metric, and its objective as far as it can be described."""
    space = space_to_json(problem.space)
    return {
        "space": dict(space["params"]),  # by name, so that a difference is named
        "forbid": space["forbid"],
        "direction": problem.direction,
        "metric": problem.metric,
        "objective": _objective(problem),
    }


def run_identity(spec: RunSpec, problem: Mapping[str, Json]) -> dict[str, Json]:
    """Identify a run, as JSON restores it.

    Parameters
    ----------
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
    """Reduce two identities to what both versions record.

    Earlier versions recorded the modules of this program's own classes, which have moved since, and of
    an objective only its own source, while this one also records the code that it calls.
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
    """Find the first difference of two identities: its key path, the earlier and the present value."""
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
    parts: dict[str, Json] = {"kind": _stable(type(problem))}
    if not is_ours(type(problem)):
        parts["text"] = _text_digest(type(problem))
    for key, value in vars(problem).items():
        if not key.startswith("_") and key not in _NOT_OBJECTIVE and (key not in _IF_GIVEN or value):
            parts[key] = _stable(value)
    if isinstance(problem, EstimatorProblem) and isinstance(problem.data, str):
        parts["data"] = _data_source(problem.data, problem.folder)
    if digests := problem_code(problem).digests:
        parts[CODE] = digests
    return parts


def problem_code(problem: Problem) -> Code:
    """Collect the code of a problem: its class, functions, estimators, and their contents."""
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
    """Yield the functions and classes within a value; collect what they have captured in a list."""
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
    """Reject the kinds of value that objectives use as a memory, such as lists."""
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
    """Describe data by a built-in name, or by file name and digest: a moved file stays the same."""
    if data in BUILT_IN:
        return data
    path = folder / data
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError:  # the problem itself has the better message
        digest = "unreadable"
    return {"file": path.name, "content": digest}


def _stable(value: object) -> Json:
    """Encode a value as JSON that is the same in every process."""
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
        data = {"name": value.name, "X": _stable(value.X), "y": _stable(value.y)}
        return data if value.labels is None else {**data, "labels": _stable(value.labels)}
    if callable(parameters := getattr(value, "get_params", None)):  # an estimator
        return {"class": _stable(type(value)), "params": _stable(parameters(deep=False))}
    return _PLACES.sub("", repr(value))


def _text_digest(thing: type | FunctionType) -> str:
    """Compute a digest of the source without layout, comments and decorators; empty without source."""
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
