"""The study file: YAML in, a validated `StudyFile` out, every mistake with its place.

Read with YAML's safe loader, narrowed to what a study needs: numbers such as ``1e-3`` are
numbers (YAML 1.1 takes them for text), only ``true`` and ``false`` are booleans (``no`` and
``off`` are words), and a key that stands twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from runner.errors import StudyError, nearest

_STRICT = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class BudgetFile(BaseModel):
    """``budget:`` when a run ends, whichever limit comes first."""

    model_config = _STRICT
    trials: Count | None = Field(None, description="Trials of any status per run.")
    seconds: Positive | None = Field(None, description="Evaluation and thinking, per run.")


class TrialFile(BaseModel):
    """``trial:`` what one evaluation may use."""

    model_config = _STRICT
    cpus: Positive = Field(1.0, description="Logical CPUs per trial.")
    gpus: Annotated[float, Field(ge=0)] = Field(0.0, description="GPUs per trial, fractions allowed.")
    timeout: Positive | None = Field(None, description="Seconds after which a trial is killed.")
    retries: Annotated[int, Field(ge=0)] = Field(
        2, description="Further tries after a worker died; not after an exception."
    )

    @property
    def threads(self) -> int:
        """Threads that the numerical libraries of one evaluation may use."""
        return max(1, int(self.cpus))


class ReportFile(BaseModel):
    """``report:`` what is compared, written down before the study runs."""

    model_config = _STRICT
    budgets: tuple[Count, ...] = Field((), description="Numbers of trials at which methods are compared.")
    reference: str | None = Field(None, description="The method that others are compared with.")
    rope: Positive = Field(0.01, description="Differences of normalised regret below this are none.")


class StudyFile(BaseModel):
    """A study: methods x problems x seeds with one budget."""

    model_config = _STRICT
    name: str = Field(min_length=1, description="What tables and the study directory call it.")
    problems: list[Any] = Field(
        min_length=1,
        description="Built-in names, file.py:name beside this file, package.module:name, inline estimators.",
    )
    methods: list[Any] = Field(
        min_length=1,
        description="Names; {name: {setting: value}}; or {name: label, method: name, setting: value}.",
    )
    seeds: int | list[int] = Field(10, description="How many seeds (0, 1, ...), or a list of them.")
    seed: int = Field(0, description="The study's own seed, from which all others are derived.")
    budget: BudgetFile = Field(description="When a run ends.")
    parallel: Count = Field(1, description="Trials of one run in flight.")
    order: Literal["trial", "async"] | None = Field(
        None, description="'trial': the same table at any worker count; 'async': use results as they come."
    )
    trial: TrialFile = Field(default_factory=TrialFile, description="What one evaluation may use.")
    report: ReportFile = Field(default_factory=ReportFile, description="What is compared.")

    @field_validator("budget")
    @classmethod
    def _limited(cls, budget: BudgetFile) -> BudgetFile:
        if budget.trials is None and budget.seconds is None:
            raise ValueError("trials, seconds or both are needed")
        return budget

    @field_validator("seeds")
    @classmethod
    def _some_seeds(cls, seeds: int | list[int]) -> int | list[int]:
        if (isinstance(seeds, int) and seeds < 1) or seeds == []:
            raise ValueError("at least one seed is needed")
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands twice")
        return seeds


_REPLACED = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_FLOAT = re.compile(
    r"^[-+]?(?:(?:\.\d+|\d+\.\d*)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's numbers and booleans, refusing doubled keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (PyYAML's own way to set it)
        first: [(tag, regexp) for tag, regexp in resolvers if tag not in _REPLACED]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            try:
                doubled = (type(key), key) in seen
                seen.add((type(key), key))
            except TypeError:
                raise yaml.constructor.ConstructorError(
                    None, None, "a key must be a word or a number", key_node.start_mark
                ) from None
            if doubled:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key}' stands twice", key_node.start_mark
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises
    ------
    StudyError
        Where the file is missing, unreadable or no YAML; with line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError("there is no such file.", where=str(path), hint=_beside(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"it cannot be read: {error}.", where=str(path)) from None
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise StudyError(f"it is no valid YAML: {error.problem or error.context}.", where=place) from None
    except yaml.YAMLError as error:
        raise StudyError(f"it is no valid YAML: {error}.", where=str(path)) from None


def parse_study(given: object, where: str) -> StudyFile:
    """A validated study file from what its YAML holds.

    Raises
    ------
    StudyError
        With the key's path, what was found, what was wanted, and the nearest known key.
    """
    if not isinstance(given, Mapping):
        raise StudyError(
            f"a mapping was expected, got {type(given).__name__}.",
            where=where,
            hint="See 'fivefold init' for an example.",
        )
    try:
        return StudyFile.model_validate(dict(given))
    except ValidationError as error:
        raise _explain(error, where) from None


def _explain(error: ValidationError, where: str) -> StudyError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if part not in ("int", "list[int]")]
    place = f"{where}: {'.'.join(path)}" if path else where
    if first["type"] == "extra_forbidden":
        model: type[BaseModel] = StudyFile
        for part in path[:-1]:
            inner = model.model_fields[part].annotation
            model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
        return StudyError("unknown key.", where=place, hint=nearest(path[-1], model.model_fields))
    if first["type"] == "missing":
        field = StudyFile.model_fields.get(path[-1])
        return StudyError("it is missing.", where=place, hint=(field.description or "") if field else "")
    message = first["msg"].removeprefix("Value error, ")
    return StudyError(f"{message[:1].lower()}{message[1:]} (got {first['input']!r}).", where=place)


def _beside(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder '{folder}' either."
    found = [p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml")]
    return nearest(path.name, found) if found else f"The folder '{folder}' holds no YAML file."
