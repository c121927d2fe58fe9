"""The keys of a study file; `runner.study.keys` reads them, and says what is wrong with them."""

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

MOST_SEEDS = 1_000_000
MOST_TRIALS = 10**9
MOST_SECONDS = 10**9
"""Thirty years; the timers of operating systems end somewhat later."""
_MOST_RESOURCES = 10**6  # CPUs, devices or gigabytes of one machine
_MOST_RETRIES = 1_000
_MOST_LETTERS = 100


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
    """Refuse booleans and strings, which Python could make a number of."""
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
Whole = Annotated[int, Field(ge=-(2**53), le=2**53, strict=True), _INTEGER]
SeedCount = Annotated[int, Field(ge=1, le=MOST_SEEDS, strict=True), _INTEGER]
SeedList = Annotated[list[Whole], Field(min_length=1, max_length=MOST_SEEDS)]


def wrong_name(name: str) -> str:
    """Say which name a study, a problem or a method must have; empty where this one will do.

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
    """``budget:`` when a run ends, whichever limit comes first."""

    model_config = _STRICT
    trials: Count | None = Field(None, description="Trials of any status per run.")
    seconds: Seconds | None = Field(None, description="Evaluation and thinking, per run.")


class NeedsFile(BaseModel):
    """``trial.problems.NAME:`` what an evaluation of one problem needs instead."""

    model_config = _STRICT
    cpus: Cpus | None = Field(None, description="Logical CPUs per trial.")
    gpus: Share | None = Field(None, description="GPUs per trial, fractions allowed.")
    memory_gb: Memory | None = Field(None, description="Gigabytes per trial.")
    resources: Custom | None = Field(None, description="Custom resources of the cluster's nodes.")


class TrialSettings(BaseModel):
    """``trial:`` what one evaluation may use."""

    model_config = _STRICT
    cpus: Cpus = Field(1.0, description="Logical CPUs per trial.")
    gpus: Share = Field(0.0, description="GPUs per trial, fractions allowed.")
    timeout: Seconds | None = Field(None, description="Seconds after which a trial is killed.")
    memory_gb: Memory | None = Field(
        None, description="Gigabytes that a lane may have to itself before it is killed."
    )
    resources: Custom = Field({}, description="Custom resources of the cluster's nodes, {name: amount}.")
    problems: dict[str, NeedsFile] = Field(
        {}, description="What single problems need instead, {problem: {gpus: 1}}."
    )
    proposal_timeout: Seconds = Field(
        600.0, description="Seconds that a method may compute one proposal; after them its run ends."
    )
    retries: Annotated[int, Field(ge=0, le=_MOST_RETRIES, strict=True), _INTEGER] = Field(
        2, description="Further tries after a worker died."
    )
    retry_failed: Truth = Field(False, description="Whether what raised is tried again, too.")
    give_up_after: Annotated[int, Field(ge=0, le=MOST_TRIALS, strict=True), _INTEGER] = Field(
        10, description="A run ends when so many trials, its first, all failed alike; 0: never."
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_form(cls, given: object) -> object:
        if isinstance(given, Mapping) and {"thinking", "proposal_timeout"} <= given.keys():
            raise ValueError("proposal_timeout alone (thinking is its earlier name)")
        return trial_form(given)

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


class SchedulerSettings(BaseModel):
    """``scheduler:`` what stops hopeless trials early; a name, or ``{name: {setting: value}}``."""

    model_config = _STRICT
    name: Literal["none", "asha", "median"] = Field("none", description="Ray Tune's own rules.")
    grace: Count = Field(1, description="Steps that every trial may have.")
    reduction: Annotated[float, Field(gt=1, le=100, allow_inf_nan=False), _NUMBER] = Field(
        3.0, description="asha: one in so many trials goes on from a rung to the next."
    )
    least: Count = Field(3, description="median: how many trials must be known before one is stopped.")

    _whole_form = model_validator(mode="before")(scheduler_form)


class ReportSettings(BaseModel):
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
    value: Number | None = Field(
        None, description="Its known value, in the problem's direction: told to the methods, not evaluated."
    )
    from_: str | None = Field(
        None, alias="from", description="An earlier study directory, instead of config."
    )
    best: Count = Field(5, description="How many of its best configs are taken.")
    values: Truth = Field(
        False, description="Take their values as known, too, where the objective is the same."
    )
    earlier: str | None = Field(None, description="Which problem of the earlier study; else the same name.")
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
    name: str = Field(min_length=1, description="What tables and the study directory call it.")
    problems: list[Any] = Field(
        min_length=1,
        description="Built-in names, file.py:name beside this file, package.module:name, inline estimators.",
    )
    methods: list[Any] = Field(
        min_length=1,
        description="Names; {name: {setting: value}}; or {name: label, method: name, setting: value}.",
    )
    seeds: SeedCount | SeedList = Field(10, description="How many seeds (0, 1, ...), or a list of them.")
    seed: Whole = Field(0, description="The study's own seed, from which all others are derived.")
    budget: BudgetFile = Field(description="When a run ends.")
    parallel: Count = Field(1, description="Trials of one run in flight.")
    order: Literal["trial", "async"] | None = Field(
        None, description="'trial': the same table at any worker count; 'async': use results as they come."
    )
    trial: TrialSettings = Field(default_factory=TrialSettings, description="What one evaluation may use.")
    scheduler: SchedulerSettings = Field(
        default_factory=SchedulerSettings, description="What stops hopeless trials of problems with steps."
    )
    cache: Truth = Field(True, description="Evaluate a config once per problem and seed, for all methods.")
    report: ReportSettings = Field(default_factory=ReportSettings, description="What is compared.")
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
            raise ValueError("trials, seconds or both")
        return budget

    @field_validator("seeds")
    @classmethod
    def _some_seeds(cls, seeds: int | list[int]) -> int | list[int]:
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            twice = next(seed for i, seed in enumerate(seeds) if seed in seeds[:i])
            raise ValueError(f"each seed once, but {twice} twice")
        return seeds
