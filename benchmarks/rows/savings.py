"""Evaluations saved: known configs, and hopeless trials."""

from __future__ import annotations

import statistics

import yaml

from benchmarks.measure import ROOT, Arm, Benchmark, pick
from benchmarks.report import Reach, Row, compare, figure, number
from benchmarks.rows.speed import WORKERS, grid, study


def cache(quick):
    """Five methods over one finite space, with the shared evaluations and without."""
    size, seeds = (24, 2) if quick else (2_000, 3)
    points = 3 if quick else 30
    methods = [
        "exhaustive",
        "random",
        {"name": "sobol", "method": "random", "sequence": "sobol"},
        {"grid": {"points": points}},
        {"name": "anneal", "method": "tpe", "flavour": "anneal"},
    ]
    ours = {"keys": study(size, methods, seeds=seeds), "objective": {"space": grid(size)}, "workers": WORKERS}
    arms = [
        Arm("cache", "fivefold", ours),
        Arm("none", "fivefold", ours | {"keys": ours["keys"] | {"cache": False}}),
    ]

    def rows(found):
        blocks = [one["evaluated"] / seeds for one in found["cache"]]
        without = [one["evaluated"] / seeds for one in found["none"]]
        return [
            compare(
                f"evaluations per block, a space of {size:,} configs",
                "every config once",
                blocks,
                size,
                reach=Reach(1.02 * size, least=False),
            ),
            compare("the same", "cache: false", blocks, without),
            compare(
                "whole run, where an evaluation costs nothing",
                "cache: false",
                pick(found["cache"], "whole"),
                pick(found["none"], "whole"),
                "s",
            ),
        ]

    note = f"""exhaustive, random, random with a Sobol sequence, grid with {points} points per parameter and
    tpe with the flavour anneal, each with {size:,} trials and {seeds} seeds; bayes is left out, since
    so many trials are none of its business."""
    return Benchmark("cache", arms, rows, note, turns=1)


def stopping(quick):
    """Cross-validation that is left after hopeless folds, at equal compute."""
    file = yaml.safe_load((ROOT / "experiments/digits_mlp.yaml").read_text(encoding="utf-8"))
    equivalents, seeds = (3, 1) if quick else (40, 10)
    methods = ["random", "tpe"]
    keys = study(equivalents, methods, seeds=seeds, problems=file["problems"])
    arms = [
        Arm(
            "asha",
            "fivefold",
            {"keys": keys | {"scheduler": "asha"}, "workers": WORKERS, "runs": True},
        ),
        Arm("none", "fivefold", {"keys": keys, "workers": WORKERS, "runs": True}),
    ]

    def rows(found):
        return [row for method in methods for row in _stopped(method, found, equivalents)]

    note = f"""digits and MLPClassifier of experiments/digits_mlp.yaml, 5 folds, `scheduler: asha` against
    none. Both may spend {equivalents} full evaluations per run, counted in folds; {seeds} seeds, of which the
    figures are the median and the range; both see the same folds. The loss is minus the mean accuracy of the
    best trial that was evaluated in full."""
    return Benchmark("stopping", arms, rows, note, turns=1)


def _stopped(method, found, equivalents):
    """Rows of one method: configs seen, and what they came to."""
    if not all(found.values()):
        return [Row(f"{method}: configs seen, final loss", "no scheduler", "not measured")]
    runs = {
        label: sorted(run for run in some[0]["runs"] if run[0] == method) for label, some in found.items()
    }
    seen = {label: [run[2] for run in some] for label, some in runs.items()}
    spent = {label: [run[3] for run in some] for label, some in runs.items()}
    final = {label: [run[4] for run in some] for label, some in runs.items()}
    differences = [a - b for a, b in zip(final["asha"], final["none"], strict=True)]
    better, worse = sum(d < 0 for d in differences), sum(d > 0 for d in differences)
    p = worse_p(differences)
    middle = statistics.median(differences)
    return [
        compare(
            f"{method}: configs seen for {equivalents} full evaluations",
            "no scheduler",
            seen["asha"],
            seen["none"],
            more=True,
            reach=Reach(1.5, "ratio"),
        ),
        compare(f"{method}: full evaluations spent", "no scheduler", spent["asha"], spent["none"]),
        Row(
            f"{method}: final loss of a full cross-validation",
            "no scheduler",
            figure(final["asha"]),
            figure(final["none"]),
            f"difference {number(middle)}: {better} better, {worse} worse, p = {p:.2g} that it is worse",
            "not worse",
            "yes" if middle <= 0 or p >= 0.05 else "**no**",
        ),
    ]


def worse_p(differences):
    """One-sided p of Wilcoxon's signed-rank test against differences above 0; 1 where all are 0."""
    from scipy.stats import wilcoxon

    if not any(differences):
        return 1.0
    return float(wilcoxon(differences, alternative="greater").pvalue)
