"""The plan of a study for its journal, and the journal itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.journal.plan import Identity, Mismatch, PlannedRun, StudyPlan
from runner.journal.schema import to_json, to_number
from runner.journal.writer import Journal
from runner.study.identity.environment import environment_of, version_of
from runner.study.identity.identity import (
    CODE,
    DERIVED,
    comparable,
    first_difference,
    problem_identity,
    run_identity,
    study_identity,
)
from runner.study.study import RunSpec, Study


def open_journal(folder: Path, study: Study, witnessed: bool = False, strict: bool = False) -> Journal:
    """Open the journal of a study; see `Journal.open`."""
    return Journal.open(folder, plan_of(study), witnessed, strict)


def plan_of(study: Study) -> StudyPlan:
    """Derive the plan of a study."""
    budget = to_json({"trials": study.budget.trials, "seconds": study.budget.seconds})
    runs = zip(study.runs, identities_of(study), strict=True)
    return StudyPlan(
        facts=study_identity(study),
        yaml=study.as_yaml(),
        runs=tuple(PlannedRun(_row(spec, identity, budget), identity) for spec, identity in runs),
        version=version_of("fivefold") or "unknown",  # of a source tree
        versions=environment_of(study),
        compare=compare,
    )


def identities_of(study: Study) -> list[dict[str, Any]]:
    """List the identity of each run of a study."""
    files = {file.name: file.digest for file in study.files}
    problems = {
        problem.name: problem_identity(problem) | ({"files": files} if files else {})
        for problem in study.problems
    }
    return [run_identity(spec, problems[spec.problem.name]) for spec in study.runs]


def compare(label: str, was: Identity, now: Identity) -> Mismatch | None:
    """Describe the first difference between two identities of one run; None where there is none."""
    difference = first_difference(*comparable(was, now))
    if difference is None:
        return None
    path, before, after = difference
    message, hint = f"its {path} was {before} and is {after}", "Use another --out, or change it back."
    if path.startswith(DERIVED):
        message = f"'{label}' was prepared for another budget, and cannot grow"
        hint = "Use another --out, the earlier budget, points of its own, or other --methods."
    elif path.startswith("objective") and path.endswith(".text"):
        message = "the code of its objective has changed since"
    elif path.startswith(f"objective.{CODE}"):
        place = path.removeprefix(f"objective.{CODE}").lstrip(".")
        message = "the code of its objective has changed since" + (f": '{place}'" if place else "")
    elif path.startswith(f"method {CODE}"):
        message = "the code of its method has changed since"
    elif path == "objective.record_digest":
        message = "its recorded study has changed since"
    elif path.startswith("files"):
        message = f"its file '{path.partition('.')[2]}' has changed since" if "." in path else message
    elif path.startswith("objective.data"):
        message = "its data have changed since"
    return Mismatch(message, hint)


def _row(spec: RunSpec, identity: Identity, budget: str) -> dict[str, Any]:
    return {
        "id": spec.id,
        "label": spec.label,
        "method": identity["method"],
        "settings": to_json(identity["settings"]),
        "problem": spec.problem.name,
        "seed": spec.seed,
        "direction": spec.problem.direction,
        "metric": spec.problem.metric,
        "optimum": to_number(spec.problem.optimum_for(spec.problem_seed)),
        "budget": budget,
        "identity": to_json(identity),
    }
