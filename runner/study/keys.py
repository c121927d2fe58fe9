"""Validation of a study file's keys: all faults at once, and the usable parts in spite of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

from runner._text import shown
from runner.errors import FivefoldError, StudyError, near, nearest
from runner.errors.validation import Finding, Path, findings
from runner.study.file import StudyFile, initial_form, scheduler_form, trial_form

Tree = dict[str, Any]

_MOST_ROUNDS = 10  # each removes the faults that the one before has found; no test needs more than three


@dataclass
class StudyKeys:
    """The keys of a study file.

    Attributes
    ----------
    file : StudyFile
        Faulty parts are replaced by their default or a placeholder.
    faults : list of StudyError
        ``where`` is the path of a key; a misspelt key has its correct name there.
    bad : set of Path
        Parts that ``file`` does not have as they were written.
    """

    file: StudyFile
    faults: list[StudyError] = field(default_factory=list)
    bad: set[Path] = field(default_factory=set)

    def has(self, *path: str | int) -> bool:
        """Test that a part of ``file`` is as it was written, or left out."""
        return not any(other[: len(path)] == path[: len(other)] for other in self.bad)


def place_of(*path: str | int) -> str:
    """Write a path as errors do: ``problems[0].space``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' * bool(text)}{part}"
    return text


def read_keys(given: object) -> StudyKeys:
    """Read the keys of a study file.

    Raises
    ------
    StudyError
        Where it is not a mapping.
    """
    if not isinstance(given, Mapping):
        raise StudyError(
            f"expected a mapping of keys to values, got {_GIVEN.get(type(given), shown(given))}.",
            hint="See 'fivefold init' for an example.",
        )
    keys = StudyKeys(StudyFile.model_validate(_PLACEHOLDERS))
    tree = _whole_forms(dict(given))
    for _ in range(_MOST_ROUNDS):
        try:
            keys.file = StudyFile.model_validate(tree)
            break
        except ValidationError as error:
            tree = _mended(tree, findings(error, tree), keys)
    return keys


def parse_study(given: object, where: str) -> StudyFile:
    """Validate the content of a study file's YAML.

    Raises
    ------
    StudyError
        For each fault with the key's path, the expected and the given value, and the nearest known key.
    """
    try:
        keys = read_keys(given)
    except StudyError as error:
        raise error.at(where) from None
    if keys.faults:
        raise FivefoldError.join(keys.faults).at(where, ": ")
    return keys.file


def _whole_forms(given: Tree) -> Tree:
    """Write out the short forms of parts, so that paths are those of the models."""
    for key, form in (("scheduler", scheduler_form), ("trial", trial_form)):
        if key in given:
            given[key] = form(given[key])
    if isinstance(given.get("initial"), list | tuple):
        given["initial"] = [initial_form(entry) for entry in given["initial"]]
    return given


def _mended(tree: Tree, found: list[Finding], keys: StudyKeys) -> Tree:
    """Remove what does not fit, and note it."""
    before = set(keys.bad)
    unknown = [finding for finding in found if finding.kind in ("extra_forbidden", "invalid_key")]
    for finding in unknown:
        tree = _without_key(tree, finding, keys)
    for finding in found:
        if finding in unknown or (finding.kind == "missing" and _is_there(tree, finding.path)):
            continue
        # A key that was removed here is not missing in the file.
        if not any(path[: len(finding.path)] == finding.path for path in before | set(keys.bad)):
            keys.faults.append(_fault(finding, keys))
        tree = _without(tree, finding.path, keys)
    return tree


def _without_key(tree: Tree, finding: Finding, keys: StudyKeys) -> Tree:
    """Remove an unknown key, or rename it to a similar one that is missing."""
    *parent, written = finding.path
    known = _described(finding.path)[0].model_fields
    options = [info.alias or name for name, info in known.items()]
    if isinstance(written, str):
        hint = nearest(written, options)
        keys.faults.append(StudyError("unknown key.", where=place_of(*finding.path), hint=hint))
        meant = near(written, options)
        holder = _at(tree, parent)
        if meant is not None and meant not in holder:
            renamed = {meant if key == written else key: value for key, value in holder.items()}
            return cast("Tree", _put(tree, parent, renamed))
    else:
        keys.faults.append(_fault(finding, keys))
    holder = {key: value for key, value in _at(tree, parent).items() if key != written}
    return cast("Tree", _put(tree, parent, holder))


def _without(tree: Tree, path: Path, keys: StudyKeys) -> Tree:
    """Remove a part; a mandatory one becomes a placeholder."""
    keys.bad.add(path)
    if path[:1] == ("initial",) and len(path) == 2:
        entries = list(tree["initial"])
        entries[int(path[1])] = {"config": {}}  # not taken away: the others keep their positions
        return tree | {"initial": entries}
    first = next((i for i, part in enumerate(path) if isinstance(part, int) and path[0] != "initial"), None)
    path = path[:first]
    keys.bad.add(path)
    if len(path) == 1 and path[0] in _PLACEHOLDERS:
        return tree | {str(path[0]): _PLACEHOLDERS[str(path[0])]}
    *parent, last = path
    holder = _at(tree, parent)
    if holder is None:  # it was taken away with what is around it
        return tree
    without = {key: value for key, value in holder.items() if key != last}
    return cast("Tree", _put(tree, parent, without))


def _at(tree: Any, path: list[Any]) -> Any:
    """Get the value at a path; None where it is gone."""
    for part in path:
        if isinstance(tree, Mapping) and part not in tree:
            return None
        tree = tree[part]
    return tree


def _is_there(tree: Any, path: Path) -> bool:
    return path[-1] in _at(tree, list(path[:-1]))


def _put(tree: Any, path: list[Any], value: Any) -> Any:
    """Copy the tree with another value at a path."""
    if not path:
        return value
    copy: Any = dict(tree) if isinstance(tree, Mapping) else list(tree)
    copy[path[0]] = _put(tree[path[0]], path[1:], value)
    return copy


def _fault(finding: Finding, keys: StudyKeys) -> StudyError:
    description = _described(finding.path)[1]
    example = _EXAMPLES.get(str(finding.path[0])) if len(finding.path) == 1 else None
    hint = finding.hint or (f"Write {example}." if example else description)
    if finding.path[0] == "initial" and near(str(finding.given), ["default"]):
        hint = "Did you mean 'default'?"
    if finding.kind == "missing":
        message = f"the key '{finding.path[-1]}' is missing."
        return StudyError(message, where=place_of(*finding.path[:-1]), hint=hint)
    return StudyError(finding.message, where=place_of(*finding.path), hint=hint)


def _described(path: Path) -> tuple[type[BaseModel], str]:
    """Find the model that holds the last key of a path, and the description of the nearest known key."""
    model: type[BaseModel] = StudyFile
    description = ""
    for i, part in enumerate(path):
        if isinstance(part, int):
            continue
        field_info = model.model_fields.get(str(part))
        if field_info is None:
            continue
        description = field_info.description or ""
        inner = field_info.annotation
        while get_origin(inner) in (list, dict):
            inner = get_args(inner)[-1]
        if i < len(path) - 1 and isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model, description


_PLACEHOLDERS: Final = MappingProxyType(
    {"name": "study", "problems": [None], "methods": [None], "budget": {"trials": 1}}
)
_GIVEN: Final = MappingProxyType({type(None): "nothing", list: "a list", str: "a string"})
_EXAMPLES: Final = MappingProxyType(
    {
        "name": "name: a-word",
        "problems": "problems: [branin]",
        "methods": "methods: [random, tpe]",
        "budget": "budget: {trials: 100}",
        "trial": "trial: {cpus: 1, timeout: 300}",
        "report": "report: {budgets: [50, 100], reference: random}",
        "seeds": "seeds: 5, or seeds: [0, 1, 2]",
        "initial": "initial: [default, {C: 1.0, gamma: 0.01}, {from: results/earlier, best: 5}]",
    }
)
