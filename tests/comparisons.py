"""Studies of losses written down by hand, without a journal: what the statistics are tested on."""

import json
from pathlib import Path

import numpy as np

from runner.journal.reader import Record, RunRecord
from runner.journal.schema import TRIAL_COLUMNS, to_json
from runner.results import Results
from runner.results.stats import (
    Comparison,
    anytime,
    costs,
    generalisation,
    importance,
    pairs,
    per_problem,
    significance,
    targets,
)
from runner.results.stats.averages import differences, regrets
from runner.results.stats.boundaries import boundaries
from runner.results.stats.decision import seeds_needed
from runner.results.stats.decision_map import decision_map
from runner.results.stats.fairness import fairness
from runner.results.stats.gates import gates
from runner.results.stats.leaderboard import leaderboard
from runner.results.stats.robustness import robustness
from runner.results.stats.verdict import verdicts
from runner.trial import NOTHING_MORE

SPENT = "the budget of trials is spent"


def results_of(
    losses,
    *,
    names=None,
    settings=None,
    seconds=1.0,
    suggest=0.0,
    tests=None,
    configs=None,
    statuses=None,
    shares=None,
    origins=None,
    optimum=None,
    direction="minimize",
    end=SPENT,
    failed=(),
    budget=None,
    study="",
    name="by-hand",
    seed=0,
    probes=None,
    numbers=None,
):
    """Results of {(problem, method, seed): losses}, None for a trial that failed.

    ``seconds``, ``suggest``, ``tests``, ``configs``, ``statuses``, ``shares`` and ``origins`` may be
    functions of (problem, method, seed, number); ``end`` and ``optimum`` of (problem, method, seed).
    """

    def of(value, *key):
        return value(*key) if callable(value) else value

    runs, trials = [], {column: [] for column in ("run", *TRIAL_COLUMNS)}
    sign = 1.0 if direction == "minimize" else -1.0
    for position, (key, some) in enumerate(losses.items()):
        problem, method, of_seed = key
        identity = {
            "space": {"x": {"float": [0.0, 1.0]}},
            "forbid": [],
            "direction": direction,
            "metric": "loss",
            "objective": problem,
        }
        runs.append(
            RunRecord(
                id=f"{problem}/{method}/{of_seed}",
                label=method,
                method=(names or {}).get(method, method),
                settings=(settings or {}).get(method, {}),
                problem=problem,
                seed=of_seed,
                direction=direction,
                metric="loss",
                optimum=of(optimum, *key),
                budget={"trials": budget or len(some), "seconds": None},
                announcement="",
                end_reason=of(end, *key),
                failed=key in failed,
                conclusion="",
                identity=json.dumps(identity),
            )
        )
        for number, loss in zip((numbers or {}).get(key, range(len(some))), some, strict=True):
            where = (*key, number)
            status = of(statuses, *where) or ("FAILED" if loss is None else "COMPLETED")
            row = dict.fromkeys(TRIAL_COLUMNS)
            config = of(configs, *where)
            row |= {
                "number": number,
                "config": to_json({"x": number / 100} if config is None else config),
                "status": status,
                "loss": loss,
                "value": None if loss is None else sign * loss,
                "test": of(tests, *where),
                "metrics": "{}",
                "folds": "[]",
                "steps": "[]",
                "step_seconds": "[]",
                "share": of(shares, *where) or 1.0,
                "error": "" if loss is not None else "It failed.",
                "origin": of(origins, *where) or "evaluated",
                "known": number,
                "suggest_seconds": of(suggest, *where),
                "queue_seconds": 0.0,
                "seconds": of(seconds, *where),
                "started": 0.0,
                "worker": "main",
                "earlier": "[]",
            }
            trials["run"].append(position)
            for column in TRIAL_COLUMNS:
                trials[column].append(row[column])
    text = study or "{name: by-hand, problems: [a], methods: [random], budget: {trials: 1}}"
    record = Record(Path(name), name, seed, "2026-01-01", "0", tuple(runs), trials, (), 1, text, probes or {})
    return Results(record)


def compared(losses, **keys):
    """Compare the methods of such a study."""
    return Comparison.of(results_of(losses, **keys))


def simulated(problems=8, seeds=10, trials=40, methods=None, seed=0, noise=0.02, fail=0.03):
    """Simulate methods that are faster than random search by a factor; shared difficulty per block."""
    methods = methods or {"random": 1.0, "tpe": 2.2, "bayes": 3.0}
    rng = np.random.default_rng(seed)
    found = {}
    for p in range(problems):
        base = rng.uniform(0.02, 0.3)
        for s in range(seeds):
            hard = rng.normal(0, noise)
            for method, speed in methods.items():
                draws = rng.random(trials) ** speed
                lost = rng.random(trials) < fail
                found[f"p{p}", method, s] = [
                    None if bad else float(base + hard + 0.5 * u**1.5)
                    for u, bad in zip(draws, lost, strict=True)
                ]
    return found


def leader_of(c):
    return c.decision().leader if c.decision() is not None else None


STATISTICS = {
    "regret": lambda c: regrets(c.resampled()),
    "differences": lambda c: differences(c.resampled(), c.plan.reference, c.plan.rope),
    "beats": lambda c: pairs.beats(c.blocks(), c.pairs(), c.plan.gamma),
    "beats_by_problem": lambda c: pairs.beats_by_problem(c.blocks(), c.pairs()),
    "seeds_needed": lambda c: seeds_needed(c.resampled(), leader_of(c), c.plan.rope),
    "wilcoxon": lambda c: significance.wilcoxon_holm(c.blocks(), c.pairs("reference")),
    "signed_rank": lambda c: significance.signed_rank(c.blocks(), c.pairs(), c.plan.rope),
    "friedman": lambda c: significance.friedman(c.blocks()),
    "friedman_ranks": lambda c: significance.friedman_ranks(c.blocks()),
    "ranks": anytime.ranks,
    "areas": anytime.areas,
    "anytime": anytime.anytime,
    "by_problem": per_problem.by_problem,
    "speedups": lambda c: targets.speedups(c, c.axis),
    "ecdf": targets.ecdf,
    "costs": lambda c: costs.costs(c.trials),
    "overhead_growth": lambda c: costs.overhead_growth(c.trials),
    "break_even": costs.break_evens,
    "decision_map": decision_map,
    "leaderboard": leaderboard,
    "verdicts": verdicts,
    "robustness": robustness,
    "importance": importance.importance,
    "effort": lambda c: importance.effort(c.trials, c.draws),
    "generalisation": generalisation.generalisation,
    "generalisation_summary": lambda c: generalisation.summary(generalisation.generalisation(c), c.methods),
    "agreement": lambda c: generalisation.agreement(generalisation.generalisation(c)),
    "fairness": fairness,
    "failures": lambda c: per_problem.failures(c.trials),
    "coverage": lambda c: per_problem.coverage(c.reach, c.runs),
    "boundaries": lambda c: boundaries(c.runs, c.parameters),
    "gates": gates,
    "instances": lambda c: c.instances,
}
"""All statistics by their names, each a function of a comparison."""


__all__ = ["NOTHING_MORE", "SPENT", "STATISTICS", "compared", "results_of", "simulated"]
