"""The frames that statistics are made of, from one study or from several over the same problems."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from runner.errors import ResultsError
from runner.results import Results
from runner.results.stats.plan import Plan
from runner.seeds import seed_for


@dataclass(frozen=True)
class Source:
    """What a comparison knows.

    Attributes
    ----------
    name : str
    trials, runs, steps, reach : pandas.DataFrame
        As `runner.results.Results` has them.
    facts, parameters : pandas.DataFrame
        Of the problems; see `problem_facts` and `parameters_of`.
    plan : Plan
    notes : tuple of str
        What must be told.
    settings : dict
        Of the study as a whole: parallel, order, cpus, scheduler, cache, probes.
    """

    name: str
    trials: pd.DataFrame
    runs: pd.DataFrame
    steps: pd.DataFrame
    reach: pd.DataFrame
    facts: pd.DataFrame
    parameters: pd.DataFrame
    plan: Plan = field(default_factory=Plan)
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Results) -> Source:
        """That of one study."""
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
            Plan.of(file, names),
            tuple(results.notes),
            {
                "parallel": results.record.parallel,
                "order": (file.order if file is not None else None) or "trial",
                "cpus": file.trial.cpus if file is not None else 1.0,
                "scheduler": file.scheduler.name if file is not None else "none",
                "initial": file is not None and bool(file.initial),
                "cache": file.cache if file is not None else True,
                "differing": _differing(results),
                "probes": dict(results.record.probes),
                "held_out": _held_out(results),
            },
        )


def problem_facts(results: Results) -> pd.DataFrame:
    """What is known of each problem.

    Returns
    -------
    pandas.DataFrame
        problem, direction, metric, optimum (NaN where it is not known, or differs by seed), n_params,
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
    text = dict.fromkeys(("problem", "direction", "metric"), "string")
    return pd.DataFrame(rows, columns=columns).astype({**text, "optimum": "float64"})


def parameters_of(results: Results) -> pd.DataFrame:
    """The hyper-parameters of each problem, those of branches too.

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
    text = dict.fromkeys(("problem", "parameter", "kind", "choices", "condition"), "string")
    return pd.DataFrame(rows, columns=columns).astype(
        {**text, "log": "bool", "low": "float64", "high": "float64"}
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
    """The kind of every parameter of a space in its JSON form, those of branches too."""
    found = []
    for form in space.values():
        kind = _kind(form)
        found.append(kind)
        if kind == "choice":
            for _, inner in form["choice"]:
                found += _kinds(dict(inner))
    return found


def _same(identity: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two runs be of one problem."""
    return {key: identity[key] for key in ("space", "forbid", "direction", "metric", "objective")}


def _held_out(results: Results) -> bool:
    """Whether some problem keeps a part of its data that no method sees."""
    texts = dict.fromkeys(run.identity for run in results.record.runs)
    objectives = [json.loads(text)["objective"] for text in texts]
    return any(isinstance(told, dict) and bool(told.get("test")) for told in objectives)


def _differing(results: Results) -> list[str]:
    """Problems of which the runs are not alike: a directory may be extended with another of the name."""
    found: dict[str, set[str]] = {}
    for run in results.record.runs:
        found.setdefault(run.problem, set()).add(run.identity)
    return [
        problem
        for problem, texts in found.items()
        if len({json.dumps(_same(json.loads(text)), sort_keys=True) for text in texts}) > 1
    ]


def joined(studies: Sequence[Results]) -> Source:
    """The runs of several studies, of the problems and seeds that they have in common.

    Parameters
    ----------
    studies : sequence of Results
        A method's label that stands in several gets the name of its study behind it.

    Raises
    ------
    ResultsError
        Where they have no block in common: no problem of the same name, space, direction, metric and
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
        told = ", ".join(f"{problem} seed {seed}" for problem, seed in left_out[:5])
        more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        notes.append(f"not in all studies alike, and left out: {told}{more}.")
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
    kept = frame[inside].copy()
    kept["method"] = kept["method"].replace(renamed).astype("string")
    kept["run"] = (study + ": " + kept["run"]).astype("string")
    return kept


def _blocks(results: Results) -> dict[tuple[str, int], str]:
    """For each block what must agree: the seed that the problem was called with, and the problem."""
    found = {}
    for run in results.record.runs:
        same = _same(json.loads(run.identity))
        called = seed_for(results.record.seed, run.problem, run.seed, "problem")
        found[run.problem, run.seed] = json.dumps([called, same])
    return found


def _why_disjoint(studies: Sequence[Results], blocks: Sequence[dict[tuple[str, int], str]]) -> str:
    problems = [set(results.problems) for results in studies]
    if not set.intersection(*problems):
        return "they have no problem in common."
    if len({results.record.seed for results in studies}) > 1:
        told = " and ".join(str(results.record.seed) for results in studies)
        return f"their study seeds differ ({told}), so no two runs saw the same splits and data."
    if set.intersection(*(set(of) for of in blocks)):
        return "their problems have the same names, but differ in space, metric, data or code."
    return "they have no seed of a problem in common."


def _distinct(studies: Sequence[Results]) -> list[str]:
    """Names of the studies; their folders' where two are called alike, numbered where these are too."""
    names = [results.name for results in studies]
    if len(set(names)) < len(names):
        names = [results.folder.name or results.name for results in studies]
    if len(set(names)) < len(names):
        names = [f"{name} {i}" for i, name in enumerate(names, 1)]
    return names
