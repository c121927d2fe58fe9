"""The frames that statistics are made of, from one study or from several over the same problems."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from runner._text import first_of
from runner.errors import ResultsError
from runner.results import Results
from runner.results.stats.plan import ComparisonPlan
from runner.seeds import seed_for


@dataclass(frozen=True)
class Source:
    """The data of a comparison.

    Attributes
    ----------
    trials, runs, steps, reach : pandas.DataFrame
        As `runner.results.Results` has them.
    facts, parameters : pandas.DataFrame
        See `problem_facts` and `parameters_of`.
    notes : tuple of str
        Remarks to show with every result.
    settings : dict
        Settings of the study: parallel, cpus, scheduler, initial, differing, probes, held_out.
    """

    name: str
    trials: pd.DataFrame
    runs: pd.DataFrame
    steps: pd.DataFrame
    reach: pd.DataFrame
    facts: pd.DataFrame
    parameters: pd.DataFrame
    plan: ComparisonPlan = field(default_factory=ComparisonPlan)
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Results) -> Source:
        """Collect the data of one study."""
        runs = results.runs
        names = dict(zip(runs["method"], runs["method_name"], strict=True))
        file = results.plan
        return cls(
            results.name,
            results.trials,
            runs,
            results.incumbents(),
            results.reach(),
            problem_facts(results),
            parameters_of(results),
            ComparisonPlan.of(file, names),
            tuple(results.notes),
            {
                "parallel": results.record.parallel,
                "cpus": file.trial.cpus if file is not None else 1.0,
                "scheduler": file.scheduler.name if file is not None else "none",
                "initial": file is not None and bool(file.initial),
                "differing": _differing(results),
                "probes": dict(results.record.probes),
                "held_out": _held_out(results),
            },
        )


def problem_facts(results: Results) -> pd.DataFrame:
    """Tabulate the facts of each problem.

    Returns
    -------
    pandas.DataFrame
        problem, direction, metric, optimum (NaN if it is unknown, or differs by seed), n_params,
        n_float, n_int, n_choice (of all branches), seeds.
    """
    rows = []
    for name in results.problems:
        runs = [run for run in results.record.runs if run.problem == name]
        kinds = _kinds(json.loads(runs[0].identity)["space"])
        optima = {run.optimum for run in runs}
        rows.append(
            {
                "problem": name,
                "direction": runs[0].direction,
                "metric": runs[0].metric,
                "optimum": runs[0].optimum if len(optima) == 1 else None,
                "n_params": len(kinds),
                **{f"n_{kind}": kinds.count(kind) for kind in ("float", "int", "choice")},
                "seeds": len({run.seed for run in runs}),
            }
        )
    columns = [
        "problem",
        "direction",
        "metric",
        "optimum",
        "n_params",
        "n_float",
        "n_int",
        "n_choice",
        "seeds",
    ]
    strings = dict.fromkeys(("problem", "direction", "metric"), "string")
    return pd.DataFrame(rows, columns=columns).astype({**strings, "optimum": "float64"})


def parameters_of(results: Results) -> pd.DataFrame:
    """Tabulate the hyper-parameters of each problem, including those of branches.

    Returns
    -------
    pandas.DataFrame
        problem, parameter, kind (float, int, choice), log, low, high (NaN for choices), choices (JSON list),
        condition (empty, or such as "solver=sgd").
    """
    rows: list[dict[str, Any]] = []
    for name in results.problems:
        identity = next(run.identity for run in results.record.runs if run.problem == name)
        rows += _parameters(name, json.loads(identity)["space"], "")
    columns = ["problem", "parameter", "kind", "log", "low", "high", "choices", "condition"]
    strings = dict.fromkeys(("problem", "parameter", "kind", "choices", "condition"), "string")
    return pd.DataFrame(rows, columns=columns).astype(
        {**strings, "log": "bool", "low": "float64", "high": "float64"}
    )


def _parameters(problem: str, space: Mapping[str, Any], condition: str) -> Iterator[dict[str, Any]]:
    for name, form in space.items():
        kind = _kind(form)
        low, high = (math.nan, math.nan) if kind == "choice" else form[kind]
        options = [option for option, _ in form["choice"]] if kind == "choice" else []
        yield {
            "problem": problem,
            "parameter": name,
            "kind": kind,
            "log": bool(form.get("log", False)),
            "low": low,
            "high": high,
            "choices": json.dumps(options) if options else "",
            "condition": condition,
        }
        for option, inner in form.get("choice", ()):
            yield from _parameters(problem, dict(inner), f"{name}={option}")


def _kind(form: Mapping[str, Any]) -> str:
    return next(kind for kind in ("float", "int", "choice") if kind in form)


def _kinds(space: Mapping[str, Any]) -> list[str]:
    """List the kind of every parameter of a space in its JSON form, including branches."""
    found = []
    for form in space.values():
        kind = _kind(form)
        found.append(kind)
        if kind == "choice":
            for _, inner in form["choice"]:
                found += _kinds(dict(inner))
    return found


def _same(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Select the parts of an identity that two runs of one problem share."""
    return {key: identity[key] for key in ("space", "forbid", "direction", "metric", "objective")}


def _held_out(results: Results) -> bool:
    """Check whether a problem holds out a part of its data."""
    identities = dict.fromkeys(run.identity for run in results.record.runs)
    objectives = [json.loads(identity)["objective"] for identity in identities]
    return any(isinstance(objective, dict) and bool(objective.get("test")) for objective in objectives)


def _differing(results: Results) -> list[str]:
    """List problems whose runs differ: a study directory may be extended with another of the same name."""
    identities: dict[str, set[str]] = {}
    for run in results.record.runs:
        same = json.dumps(_same(json.loads(run.identity)), sort_keys=True)
        identities.setdefault(run.problem, set()).add(same)
    return [problem for problem, different in identities.items() if len(different) > 1]


def joined(studies: Sequence[Results]) -> Source:
    """Join the runs of several studies, of the problems and seeds that they have in common.

    Parameters
    ----------
    studies : sequence of Results
        A method's label that occurs in several is followed by the name of its study.

    Raises
    ------
    ResultsError
        If they have no block in common: no problem of the same name, space, direction, metric and
        objective with the same seed of the same study seed.
    """
    parts = [Source.of(results) for results in studies]
    if len(parts) == 1:
        return parts[0]
    blocks = [_blocks(results) for results in studies]
    common = set.intersection(*(set(of.items()) for of in blocks))
    if not common:
        raise ResultsError(_why_disjoint(studies, blocks), where=" and ".join(str(r.folder) for r in studies))
    keys = {key for key, _ in common}
    left_out = sorted({key for of in blocks for key in of} - keys)
    names = _distinct(studies)
    labels = [list(dict.fromkeys(part.runs["method"])) for part in parts]
    doubled = {label for some in labels for label in some if sum(label in other for other in labels) > 1}
    frames: dict[str, list[pd.DataFrame]] = {name: [] for name in ("trials", "runs", "steps", "reach")}
    for part, name in zip(parts, names, strict=True):
        renamed = {label: f"{label} ({name})" for label in doubled}
        for kind, some in frames.items():
            some.append(_of_blocks(getattr(part, kind), keys, renamed, name))
    whole = {kind: pd.concat(some, ignore_index=True) for kind, some in frames.items()}
    methods = dict(zip(whole["runs"]["method"], whole["runs"]["method_name"], strict=True))
    first = parts[0]
    reference = first.plan.reference
    reference = f"{reference} ({names[0]})" if reference in doubled else reference
    plan = dataclasses.replace(first.plan, planned=False)
    plan = dataclasses.replace(
        plan, reference=reference if reference in methods else next(iter(methods), None)
    )
    notes = [f"{name}: {note}" for part, name in zip(parts, names, strict=True) for note in part.notes]
    if left_out:
        names_of = [f"{problem} seed {seed}" for problem, seed in left_out]
        notes.append(f"left out, because the studies differ in them: {first_of(names_of, 5)}.")
    shared = {problem for problem, _ in keys}
    facts, parameters = (
        frame[frame["problem"].isin(shared)].reset_index(drop=True)
        for frame in (first.facts, first.parameters)
    )
    settings = {key: [part.settings[key] for part in parts] for key in first.settings}
    same = {
        key: values[0] if all(v == values[0] for v in values) else None for key, values in settings.items()
    }
    same["probes"] = {key: probe for part in parts for key, probe in part.settings["probes"].items()}
    same["differing"] = sorted({problem for part in parts for problem in part.settings["differing"]})
    return Source(
        " and ".join(names),
        **whole,
        facts=facts,
        parameters=parameters,
        plan=plan,
        notes=tuple(notes),
        settings=same,
    )


def _of_blocks(
    frame: pd.DataFrame, keys: set[tuple[str, int]], renamed: dict[str, str], study: str
) -> pd.DataFrame:
    inside = pd.MultiIndex.from_frame(frame[["problem", "seed"]]).isin(list(keys))
    common = frame[inside].copy()
    common["method"] = common["method"].replace(renamed).astype("string")
    common["run"] = (study + ": " + common["run"]).astype("string")
    return common


def _blocks(results: Results) -> dict[tuple[str, int], str]:
    """Map each block to what must agree: the seed that the problem was called with, and the problem."""
    found = {}
    for run in results.record.runs:
        same = _same(json.loads(run.identity))
        called = seed_for(results.record.seed, run.problem, run.seed, "problem")
        found[run.problem, run.seed] = json.dumps([called, same])
    return found


def _why_disjoint(studies: Sequence[Results], blocks: Sequence[dict[tuple[str, int], str]]) -> str:
    problems = [set(results.problems) for results in studies]
    if not set.intersection(*problems):
        return "the studies have no problem in common."
    if len({results.record.seed for results in studies}) > 1:
        seeds = " and ".join(str(results.record.seed) for results in studies)
        return f"the study seeds differ ({seeds}), so no two runs saw the same splits and data."
    if set.intersection(*(set(of) for of in blocks)):
        return "the problems have the same names, but differ in space, metric, data or code."
    return "the studies have no seed of a problem in common."


def _distinct(studies: Sequence[Results]) -> list[str]:
    """Name the studies; by folder if two names are equal, numbered if these are equal too."""
    names = [results.name for results in studies]
    if len(set(names)) < len(names):
        names = [results.folder.name or results.name for results in studies]
    if len(set(names)) < len(names):
        names = [f"{name} {i}" for i, name in enumerate(names, 1)]
    return names
