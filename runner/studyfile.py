"""The study file: YAML in, a validated `StudyFile` out, every mistake with its place.

Read with YAML's safe loader, narrowed to what a study needs: numbers such as ``1e-3`` are
numbers (YAML 1.1 takes them for text), only ``true`` and ``false`` are booleans (``no`` and
``off`` are words), and a key that stands twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from runner.errors import StudyError, nearest, nearest_file
from runner.needs import RESERVED, Needs
from runner.validation import explain

_STRICT = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

MOST_SEEDS = 1_000_000
MOST_TRIALS = 10**9
_MOST_LETTERS = 100


def _share(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError("a share of one GPU, or a whole number of them, was expected")
    return gpus


def _custom(resources: dict[str, float]) -> dict[str, float]:
    for name, amount in resources.items():
        if name in RESERVED or not name.strip():
            raise ValueError(
                f"'{name}' is no custom resource; cpus, gpus and memory_gb have keys of their own"
            )
        if amount > 1 and amount != int(amount):
            raise ValueError(f"'{name}' may be a share of one, or a whole number")
    return resources


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MOST_TRIALS, strict=True)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False), AfterValidator(_share)]
Memory = Annotated[float, Field(ge=0.5, allow_inf_nan=False)]
Custom = Annotated[dict[str, Positive], AfterValidator(_custom)]
Whole = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]


def wrong_name(name: str) -> str:
    """What is wrong with the name of a study, a problem or a method; empty where nothing is.

    Names stand in tables, lists and paths.
    """
    if not name.strip() or not name.isprintable() or "," in name:
        return "a name of visible letters without commas was expected"
    if len(name) > _MOST_LETTERS:
        return f"a name of at most {_MOST_LETTERS} letters was expected"
    return ""


class BudgetFile(BaseModel):
    """``budget:`` when a run ends, whichever limit comes first."""

    model_config = _STRICT
    trials: Count | None = Field(None, description="Trials of any status per run.")
    seconds: Positive | None = Field(None, description="Evaluation and thinking, per run.")


class NeedsFile(BaseModel):
    """``trial.problems.NAME:`` what an evaluation of one problem needs instead."""

    model_config = _STRICT
    cpus: Positive | None = Field(None, description="Logical CPUs per trial.")
    gpus: Share | None = Field(None, description="GPUs per trial, fractions allowed.")
    memory_gb: Memory | None = Field(None, description="Gigabytes per trial.")
    resources: Custom | None = Field(None, description="Custom resources of the cluster's nodes.")


class TrialFile(BaseModel):
    """``trial:`` what one evaluation may use."""

    model_config = _STRICT
    cpus: Positive = Field(1.0, description="Logical CPUs per trial.")
    gpus: Share = Field(0.0, description="GPUs per trial, fractions allowed.")
    timeout: Positive | None = Field(None, description="Seconds after which a trial is killed.")
    memory_gb: Memory | None = Field(
        None, description="Gigabytes that a lane may have to itself before it is killed."
    )
    resources: Custom = Field({}, description="Custom resources of the cluster's nodes, {name: amount}.")
    problems: dict[str, NeedsFile] = Field(
        {}, description="What single problems need instead, {problem: {gpus: 1}}."
    )
    thinking: Positive = Field(600.0, description="Seconds after which a method that thinks is given up.")
    retries: Annotated[int, Field(ge=0, strict=True)] = Field(
        2, description="Further tries after a worker died."
    )
    retry_failed: bool = Field(False, description="Whether what raised is tried again, too.")
    give_up_after: Annotated[int, Field(ge=0, strict=True)] = Field(
        10, description="A run ends when so many trials, its first, all failed alike; 0: never."
    )

    def needs(self, problem: str) -> Needs:
        """What a trial of a problem needs, by the problem's name."""
        given = {
            "cpus": self.cpus,
            "gpus": self.gpus,
            "memory_gb": self.memory_gb,
            "resources": self.resources,
        }
        if problem in self.problems:
            given |= self.problems[problem].model_dump(exclude_none=True)
        return Needs(**given)  # type: ignore[arg-type]


class SchedulerFile(BaseModel):
    """``scheduler:`` what stops hopeless trials early; a name, or ``{name: {setting: value}}``."""

    model_config = _STRICT
    name: Literal["none", "asha", "median"] = Field("none", description="Ray Tune's own rules.")
    grace: Count = Field(1, description="Steps that every trial may have.")
    reduction: Annotated[float, Field(gt=1, le=100)] = Field(
        3.0, description="asha: one in so many trials goes on from a rung to the next."
    )
    least: Count = Field(3, description="median: how many trials must be known before one is stopped.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: object) -> object:
        """``asha`` and ``{asha: {grace: 2}}``, as methods are written."""
        if isinstance(given, str):
            return {"name": given}
        if isinstance(given, Mapping) and len(given) == 1 and "name" not in given:
            ((name, settings),) = given.items()
            if isinstance(settings, Mapping) or settings is None:
                return {"name": name, **(settings or {})}
        return given


class ReportFile(BaseModel):
    """``report:`` what is compared, written down before the study runs."""

    model_config = _STRICT
    budgets: tuple[Count, ...] = Field((), description="Numbers of trials at which methods are compared.")
    reference: str | None = Field(None, description="The method that others are compared with.")
    rope: Positive = Field(0.01, description="Differences of normalised regret below this are none.")


class InitialFile(BaseModel):
    """An entry of ``initial:`` what every run begins with; ``default`` alone, or a config alone, too."""

    model_config = _STRICT | ConfigDict(populate_by_name=True)
    config: Literal["default"] | dict[str, Any] | None = Field(
        None, description="A config, whole or in part, or 'default': the one that needs no search."
    )
    value: Annotated[float, Field(allow_inf_nan=False)] | None = Field(
        None, description="Its known value, in the problem's direction: told to the methods, not evaluated."
    )
    from_: str | None = Field(
        None, alias="from", description="An earlier study directory, instead of config."
    )
    best: Count = Field(5, description="How many of its best configs are taken.")
    values: Annotated[bool, Field(strict=True)] = Field(
        False, description="Take their values as known, too, where the objective is the same."
    )
    earlier: str | None = Field(None, description="Which problem of the earlier study; else the same name.")
    problem: str | None = Field(None, description="For this problem only; else for all.")

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, given: object) -> object:
        """``default``, and a config that is written without its key."""
        if given == "default":
            return {"config": given}
        if isinstance(given, Mapping) and not {"config", "from", "from_"} & given.keys():
            return {"config": dict(given)}
        return given

    @model_validator(mode="after")
    def _one_source(self) -> InitialFile:
        if (self.config is None) == (self.from_ is None):
            raise ValueError("either config or from is needed")
        if self.value is not None and self.config in (None, "default"):
            raise ValueError("a value belongs to a config")
        return self


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
    seeds: Whole | list[Whole] = Field(10, description="How many seeds (0, 1, ...), or a list of them.")
    seed: Whole = Field(0, description="The study's own seed, from which all others are derived.")
    budget: BudgetFile = Field(description="When a run ends.")
    parallel: Count = Field(1, description="Trials of one run in flight.")
    order: Literal["trial", "async"] | None = Field(
        None, description="'trial': the same table at any worker count; 'async': use results as they come."
    )
    trial: TrialFile = Field(default_factory=TrialFile, description="What one evaluation may use.")
    scheduler: SchedulerFile = Field(
        default_factory=SchedulerFile, description="What stops hopeless trials of problems with steps."
    )
    cache: Annotated[bool, Field(strict=True)] = Field(
        True, description="Evaluate a config once per problem and seed, for all methods."
    )
    report: ReportFile = Field(default_factory=ReportFile, description="What is compared.")
    initial: list[InitialFile] = Field(
        default_factory=list,
        description="What every run begins with: configs, 'default', the best of an earlier study.",
    )
    files: list[str] = Field([], description="Files beside this one that objectives open by data_file(name).")

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        if wrong := wrong_name(name):
            raise ValueError(wrong)
        return name

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
        if isinstance(seeds, int) and seeds > MOST_SEEDS:
            raise ValueError(f"at most {MOST_SEEDS:,} seeds are possible")
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


def _load(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def read_yaml(path: Path, load: Callable[[str], Any] = _load) -> Any:
    """What a YAML file holds.

    Parameters
    ----------
    path : Path
    load : callable
        What makes a thing of the text; by default, what a study file is read by.

    Raises
    ------
    StudyError
        Where the file is missing, unreadable or no YAML; with line and column.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = nearest_file(path, (".yaml", ".yml"))
        raise StudyError("there is no such file.", where=str(path), hint=hint) from None
    except OSError as error:
        raise StudyError(f"it cannot be read: {error.strerror}.", where=str(path)) from None
    except UnicodeDecodeError:
        raise StudyError("it is no text in UTF-8.", where=str(path)) from None
    try:
        return load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise StudyError(f"it is no valid YAML: {error.problem or error.context}.", where=place) from None
    except yaml.reader.ReaderError as error:
        lines = text[: error.position].split("\n")
        raise StudyError(
            f"it is no valid YAML: the character {chr(error.character)!a} may not stand in it.",
            where=f"{path}, line {len(lines)}, column {len(lines[-1]) + 1}",
        ) from None


def parse_study(given: object, where: str) -> StudyFile:
    """A validated study file from what its YAML holds.

    Raises
    ------
    StudyError
        With the key's path, what was found, what was wanted, and the nearest known key.
    """
    if not isinstance(given, Mapping):
        raise StudyError(
            f"it {_GIVEN.get(type(given), 'holds no mapping')}; a mapping of keys to values was expected.",
            where=where,
            hint="See 'fivefold init' for an example.",
        )
    try:
        return StudyFile.model_validate(dict(given))
    except ValidationError as error:
        raise _explain(error, where) from None


def _explain(error: ValidationError, where: str) -> StudyError:
    first = error.errors()[0]
    # Of a union (seeds) the branch that got deepest is the one that was meant.
    alike = [found for found in error.errors() if found["loc"][:1] == first["loc"][:1]]
    first = max(alike, key=lambda found: len(found["loc"]))
    path = list(first["loc"])
    if path[0] == "seeds":  # pydantic puts the branch's type in between
        path = ["seeds", *(part for part in path if isinstance(part, int))]
    place = f"{where}: " if path else where
    for i, part in enumerate(path):
        place += f"[{part}]" if isinstance(part, int) else f"{'.' * bool(i)}{part}"
    model, description = _described(path)
    if first["type"] == "extra_forbidden":
        return StudyError(
            "there is no such key.", where=place, hint=nearest(str(path[-1]), model.model_fields)
        )
    if first["type"] == "missing":
        return StudyError("it is missing.", where=place, hint=_hint(path, description))
    message = explain(first)
    return StudyError(message, where=place, hint=_hint(path, description))


def _described(path: list[int | str]) -> tuple[type[BaseModel], str]:
    """The model that holds the last key of a path, and what the nearest known key says of itself."""
    model: type[BaseModel] = StudyFile
    description = ""
    for i, part in enumerate(path):
        if isinstance(part, int):
            continue
        field = model.model_fields.get(str(part))
        if field is None:
            break
        description = field.description or ""
        inner = field.annotation
        inner = next(iter(get_args(inner)), inner) if get_origin(inner) is list else inner
        if i < len(path) - 1 and isinstance(inner, type) and issubclass(inner, BaseModel):
            model = inner
    return model, description


def _hint(path: list[int | str], description: str) -> str:
    example = _EXAMPLES.get(str(path[0])) if len(path) == 1 else None
    return f"Write {example}." if example else description


_GIVEN = MappingProxyType({type(None): "is empty", list: "holds a list", str: "holds words only"})
_EXAMPLES = MappingProxyType(
    {
        "name": "name: a-word",
        "problems": "problems: [branin]",
        "methods": "methods: [random, tpe]",
        "budget": "budget: {trials: 100}",
        "trial": "trial: {cpus: 1, timeout: 300}",
        "report": "report: {budgets: [50, 100], reference: random}",
        "initial": "initial: [default, {C: 1.0, gamma: 0.01}, {from: results/earlier, best: 5}]",
    }
)
