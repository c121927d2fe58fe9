"""The keys of a study file; `runner.study.keys` reads and checks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from runner.study.resources import RESERVED, Needs

_STRICT = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

MOST_SEEDS = 1_000_000  # their list takes some 36 MB; MOST_RUNS of the study ends far below
MOST_TRIALS = 10**9  # a table of more trials fits no memory
MOST_SECONDS = 10**9
"""Thirty years, within the range of operating systems' timers; no run takes as long."""
_MOST_RESOURCES = 10**6  # CPUs, devices or gigabytes of one machine
_MOST_RETRIES = 1_000  # more would only hide a broken objective
_MOST_LETTERS = 100  # of a name, which is a column of tables and a part of paths


def _share(amount: float) -> float:
    if amount > 1 and amount != int(amount):
        raise ValueError("a share of one, or an integer")
    return amount


def _custom(resources: dict[str, float]) -> dict[str, float]:
    for name in resources:
        if name in RESERVED or not name.strip():
            raise ValueError(f"no '{name}' (cpus, gpus and memory_gb have keys of their own)")
    return resources


def _number(given: object) -> object:
    """Refuse booleans and strings, which pydantic would convert to numbers."""
    if isinstance(given, bool | str):
        raise PydanticCustomError("float_type", "a number")
    return given


def _integer(given: object) -> object:
    """Take ``1e3`` for an integer, as JSON's schema does."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


_NUMBER, _INTEGER = BeforeValidator(_number), BeforeValidator(_integer)

Number = Annotated[float, Field(allow_inf_nan=False), _NUMBER]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), _NUMBER]
Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, allow_inf_nan=False), _NUMBER]
Cpus = Annotated[float, Field(gt=0, le=_MOST_RESOURCES, allow_inf_nan=False), _NUMBER]
Share = Annotated[
    float, Field(ge=0, le=_MOST_RESOURCES, allow_inf_nan=False), _NUMBER, AfterValidator(_share)
]
Amount = Annotated[
    float, Field(gt=0, le=_MOST_RESOURCES, allow_inf_nan=False), _NUMBER, AfterValidator(_share)
]
Memory = Annotated[float, Field(ge=0.5, le=_MOST_RESOURCES, allow_inf_nan=False), _NUMBER]
Custom = Annotated[dict[str, Amount], AfterValidator(_custom)]
Truth = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(ge=1, le=MOST_TRIALS, strict=True), _INTEGER]
Integer = Annotated[int, Field(ge=-(2**53), le=2**53, strict=True), _INTEGER]
SeedCount = Annotated[int, Field(ge=1, le=MOST_SEEDS, strict=True), _INTEGER]
SeedList = Annotated[list[Integer], Field(min_length=1, max_length=MOST_SEEDS)]


def wrong_name(name: str) -> str:
    """Describe the expected name of a study, problem or method; empty where this one is valid.

    Names are part of tables, lists and paths.
    """
    if not name.strip() or not name.isprintable() or "," in name:
        return "a name of visible letters without commas"
    if len(name) > _MOST_LETTERS:
        return f"a name of at most {_MOST_LETTERS} letters"
    return ""


def scheduler_form(given: object) -> object:
    """Write out ``asha`` and ``{asha: {grace: 2}}``, the forms that methods have."""
    if isinstance(given, str):
        return {"name": given}
    if isinstance(given, Mapping) and len(given) == 1 and "name" not in given:
        ((name, settings),) = given.items()
        if settings is None or (isinstance(settings, Mapping) and "name" not in settings):
            return {"name": name, **(settings or {})}
    return given


def trial_form(given: Any) -> Any:
    """Write ``proposal_timeout`` by its name, where ``thinking`` is given, its name in earlier versions."""
    if isinstance(given, Mapping) and "thinking" in given and "proposal_timeout" not in given:
        return {"proposal_timeout" if key == "thinking" else key: value for key, value in given.items()}
    return given


def initial_form(given: object) -> object:
    """Write out ``default``, and a config without its key."""
    if given == "default":
        return {"config": given}
    if isinstance(given, Mapping) and not {"config", "from", "from_"} & given.keys():
        return {"config": dict(given)}
    return given


class BudgetFile(BaseModel):
    """``budget:`` limits of a run, which ends at the first one that it reaches."""

    model_config = _STRICT
    trials: Count | None = Field(None, description="Trials of any status per run.")
    seconds: Seconds | None = Field(None, description="Evaluation and proposals, per run.")


class NeedsFile(BaseModel):
    """``trial.problems.NAME:`` needs of one problem's evaluations, in place of the general ones."""

    model_config = _STRICT
    cpus: Cpus | None = Field(None, description="Logical CPUs per trial.")
    gpus: Share | None = Field(None, description="GPUs per trial, fractions allowed.")
    memory_gb: Memory | None = Field(None, description="Gigabytes per trial.")
    resources: Custom | None = Field(None, description="Custom resources of the cluster's nodes.")


class TrialSettings(BaseModel):
    """``trial:`` resources and limits of one evaluation."""

    model_config = _STRICT
    cpus: Cpus = Field(1.0, description="Logical CPUs per trial.")
    gpus: Share = Field(0.0, description="GPUs per trial, fractions allowed.")
    timeout: Seconds | None = Field(None, description="Seconds after which a trial is killed.")
    memory_gb: Memory | None = Field(
        None, description="Gigabytes of its own that a worker may have before it is killed."
    )
    resources: Custom = Field({}, description="Custom resources of the cluster's nodes, {name: amount}.")
    problems: dict[str, NeedsFile] = Field(
        {}, description="Needs of single problems instead, {problem: {gpus: 1}}."
    )
    proposal_timeout: Seconds = Field(
        600.0, description="Seconds that a method may compute one proposal; after them its run ends."
    )
    retries: Annotated[int, Field(ge=0, le=_MOST_RETRIES, strict=True), _INTEGER] = Field(
        2, description="Retries after a worker died."
    )
    retry_failed: Truth = Field(False, description="Retry trials that raised, too.")
    give_up_after: Annotated[int, Field(ge=0, le=MOST_TRIALS, strict=True), _INTEGER] = Field(
        10, description="A run ends when its first trials all failed alike, this many; 0: never."
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_form(cls, given: object) -> object:
        if isinstance(given, Mapping) and {"thinking", "proposal_timeout"} <= given.keys():
            raise ValueError("proposal_timeout alone (thinking is its earlier name)")
        return trial_form(given)

    def needs(self, problem: str) -> Needs:
        """Resources that a trial of a problem needs, by the problem's name."""
        given = {
            "cpus": self.cpus,
            "gpus": self.gpus,
            "memory_gb": self.memory_gb,
            "resources": self.resources,
        }
        if problem in self.problems:
            given |= self.problems[problem].model_dump(exclude_none=True)
        return Needs(**given)  # type: ignore[arg-type]


class SchedulerSettings(BaseModel):
    """``scheduler:`` rule that stops hopeless trials early; a name, or ``{name: {setting: value}}``."""

    model_config = _STRICT
    name: Literal["none", "asha", "median"] = Field("none", description="Ray Tune's own rules.")
    grace: Count = Field(1, description="Steps that every trial may have.")
    reduction: Annotated[float, Field(gt=1, le=100, allow_inf_nan=False), _NUMBER] = Field(
        3.0, description="asha: one in this many trials continues from a rung to the next."
    )
    least: Count = Field(3, description="median: number of trials that must be known before one is stopped.")

    _whole_form = model_validator(mode="before")(scheduler_form)


class ReportSettings(BaseModel):
    """``report:`` subject of the comparison, fixed before the study runs."""

    model_config = _STRICT
    budgets: tuple[Count, ...] = Field((), description="Numbers of trials at which methods are compared.")
    reference: str | None = Field(None, description="The method that others are compared with.")
    rope: Positive = Field(0.01, description="Differences of normalised regret below this are none.")


class InitialFile(BaseModel):
    """An entry of ``initial:``, the beginning of every run; also ``default`` alone, or a config alone."""

    model_config = _STRICT | ConfigDict(populate_by_name=True)
    config: Literal["default"] | dict[str, Any] | None = Field(
        None, description="A config, whole or in part, or 'default': the one that needs no search."
    )
    value: Number | None = Field(
        None, description="Its known value, in the problem's direction: given to the methods, not evaluated."
    )
    from_: str | None = Field(
        None, alias="from", description="An earlier study directory, instead of config."
    )
    best: Count = Field(5, description="Number of its best configs to take.")
    values: Truth = Field(
        False, description="Take their values as known, too, where the objective is the same."
    )
    earlier: str | None = Field(None, description="Problem of the earlier study; else the same name.")
    problem: str | None = Field(None, description="For this problem only; else for all.")

    _whole_form = model_validator(mode="before")(initial_form)

    @model_validator(mode="after")
    def _one_source(self) -> InitialFile:
        if (self.config is None) == (self.from_ is None):
            raise ValueError("either config or from")
        if self.value is not None and self.config in (None, "default"):
            raise ValueError("a config with its value")
        return self


class StudyFile(BaseModel):
    """A study: methods x problems x seeds with one budget."""

    model_config = _STRICT
    name: str = Field(min_length=1, description="Name in tables and of the study directory.")
    problems: list[Any] = Field(
        min_length=1,
        description="Built-in names, file.py:name beside this file, package.module:name, inline estimators.",
    )
    methods: list[Any] = Field(
        min_length=1,
        description="Names; {name: {setting: value}}; or {name: label, method: name, setting: value}.",
    )
    seeds: SeedCount | SeedList = Field(10, description="Number of seeds (0, 1, ...), or a list of them.")
    seed: Integer = Field(0, description="The study's own seed, from which all others are derived.")
    budget: BudgetFile = Field(description="Limits of a run.")
    parallel: Count = Field(1, description="Trials of one run in flight.")
    order: Literal["trial", "async"] | None = Field(
        None, description="'trial': the same table at any worker count; 'async': use results as they come."
    )
    trial: TrialSettings = Field(
        default_factory=TrialSettings, description="Resources and limits of one evaluation."
    )
    scheduler: SchedulerSettings = Field(
        default_factory=SchedulerSettings,
        description="Rule that stops hopeless trials of problems with steps.",
    )
    cache: Truth = Field(True, description="Evaluate a config once per problem and seed, for all methods.")
    report: ReportSettings = Field(default_factory=ReportSettings, description="Subject of the comparison.")
    initial: list[InitialFile] = Field(
        default_factory=list,
        description="Beginning of every run: configs, 'default', the best of an earlier study.",
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
            raise ValueError("trials, seconds or both")
        return budget

    @field_validator("seeds")
    @classmethod
    def _some_seeds(cls, seeds: int | list[int]) -> int | list[int]:
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            twice = next(seed for i, seed in enumerate(seeds) if seed in seeds[:i])
            raise ValueError(f"each seed once, but {twice} twice")
        return seeds
