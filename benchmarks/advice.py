"""Measurements quoted by `fivefold advise`: gradients, small data, and few trials.

    python -m benchmarks.advice [--seeds 5] [--read]

Runs two studies in this process, writes their section of RESULTS.md, and then keeps the figures of
the whole file that the advice quotes in ``runner/study/advice/measured.json``. ``--read`` only does the last.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.measure import ROOT
from benchmarks.report import Row, number
from benchmarks.suite import RESULTS
from runner import Study, run
from runner.results.ranking import quantile

MEASURED = ROOT / "runner/study/advice/measured.json"
SECTIONS = ("methods", "advice")
_LOG = {"log": True}


def _svm(estimator, data, scoring, **more):
    space = {"C": {"float": [0.03125, 32768], **_LOG}, "gamma": {"float": [2**-15, 8], **_LOG}, **more}
    return {"estimator": estimator, "data": data, "space": space, "scoring": scoring, "cv": 5}


STUDIES = {
    "gradients": {
        "problems": [
            "logistic_l2_groups",
            "rosenbrock_gradient",
            "sphere",
            "quadratic20",
            "logistic_l2_features",
        ],
        "methods": ["random", "tpe", "bayes", "gradient"],
        "budget": {"trials": 50},
    },
    "small data": {
        "problems": [
            _svm("sklearn.svm.SVC", "wine", "balanced_accuracy"),
            _svm("sklearn.svm.SVC", "breast_cancer", "roc_auc"),
            _svm("sklearn.svm.SVR", "diabetes", "r2", epsilon={"float": [0.1, 100], **_LOG}),
        ],
        "methods": ["random", "grid", "tpe", "bayes"],
        "budget": {"trials": 30},
    },
}
BUDGETS = (10, 30, 50)


def rows_of(results, budgets):
    """A row per problem, method and budget, against random."""
    frame = results.incumbents()
    made = []
    for problem in results.problems:
        runs = results.runs[results.runs["problem"] == problem]
        sign = -1.0 if runs["direction"].iloc[0] == "maximize" else 1.0
        for method in results.methods:
            for budget in budgets:
                if method == "random":
                    continue
                own, other = (_losses(frame, problem, name, budget) for name in (method, "random"))
                won = sum(a < b for a, b in zip(own, other, strict=True))
                tied = sum(a == b for a, b in zip(own, other, strict=True))
                middle = [quantile(losses, 0.5) for losses in (own, other)]
                ratio = f"better on {won} of {len(own)}" + (f", equal on {tied}" if tied else "")
                shown = [number(sign * x + 0.0) for x in middle]
                made.append(Row(f"{problem}: {method}, after {budget} trials", "random", *shown, ratio))
    return made


def _losses(frame, problem, method, budget):
    rows = frame[(frame["problem"] == problem) & (frame["method"] == method) & (frame["number"] < budget)]
    return rows.groupby("seed")["loss"].min().to_list()


def figures(text):
    """The rows of a results file that are compared with something, as the advice reads them."""
    found = []
    for name in SECTIONS:
        for line in report.section(text, name).split("\n"):
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            if len(cells) == len(report.COLUMNS) and cells[0] not in ("benchmark", "---"):
                found.append(
                    dict(zip(("benchmark", "what", "against", "ours", "other", "ratio"), cells, strict=False))
                )
    return found


def keep(results=RESULTS, out=MEASURED):
    """Write the figures where the package finds them."""
    lines = ",\n".join(json.dumps(row) for row in figures(results.read_text(encoding="utf-8")))
    out.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser("benchmarks.advice", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=list(STUDIES))
    parser.add_argument("--read", action="store_true")
    options = parser.parse_args(arguments)
    for name, keys in STUDIES.items():
        if options.read or options.only not in (None, name):
            continue
        made = report.made(
            ["python", "-m", "benchmarks.advice", "--only", name, "--seeds", str(options.seeds)], 1
        )
        study = Study.build(name=name, seeds=options.seeds, **keys)
        with tempfile.TemporaryDirectory() as scratch:
            results = run(study, Path(scratch, "study"), workers=0)
            budgets = [budget for budget in BUDGETS if budget <= study.budget.trials]
            rows = rows_of(results, budgets)
        for row in rows:
            print(name, row.what, row.ours, row.theirs, row.ratio, sep=" | ", flush=True)
        note = (
            f"One trial after the other, {options.seeds} seeds; the median of the best value so far. {made}"
        )
        intro = f"A figure is in the problem's own direction. {report.machine()}"
        report.write(
            RESULTS, "advice", "What the advice rests on, beside these", intro, {name: rows}, {name: note}
        )
    keep()
    return 0


if __name__ == "__main__":
    sys.exit(main())
