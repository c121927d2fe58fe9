"""Studies of losses written down by hand, without a journal: what the statistics are tested on."""

import json
from pathlib import Path

import numpy as np

from runner.journal.reader import Record, RunRecord
from runner.journal.schema import TRIAL_COLUMNS, to_json
from runner.results import Results
from runner.results.stats import Comparison
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

    def of(given, *key):
        return given(*key) if callable(given) else given

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
    """The comparison of such a study."""
    return Comparison.of(results_of(losses, **keys))


def simulated(problems=8, seeds=10, trials=40, methods=None, seed=0, noise=0.02, fail=0.03):
    """Losses of methods that are so many times as fast as random search; shared difficulty per block."""
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


__all__ = ["NOTHING_MORE", "SPENT", "compared", "results_of", "simulated"]
