"""Value of gradients from trials: `gradient` against methods that use none, and SciPy's minimisers.

A *gap* is (loss - best known) / |best known|, where best known is the least loss that any side of the
benchmark found for that problem and seed, or the optimum where it is known.
"""

from __future__ import annotations

import statistics

from scipy.stats import wilcoxon

from benchmarks.measure import Arm, Benchmark
from benchmarks.report import Reach, Row, number
from benchmarks.rows.quality import median
from runner.problems import load_problem

BOUNDS = {
    # problem: {gap: evaluations to reach it in}
    "quadratic20": {0.01: 30, 0.001: 35, 1e-6: 60},
    "ridge_features": {0.01: 5, 0.001: 30},
    "logistic_l2": {0.001: 3},
    "kernel_ridge": {0.001: 15},
    "hinge_features": {0.01: 60},
    "logistic_synthetic50": {0.01: 65},
    "gp_likelihood": {},
    "logistic_l2_features": {},
}
"""Targets of sequential runs, as medians over seeds."""
FINAL = ("gp_likelihood", "logistic_l2_features")
BLIND = ("quadratic20", "ridge_features", "gp_likelihood", "hinge_features", "logistic_l2_features")
NOISY = ("quadratic20", "gp_likelihood")
RIVALS = ("random", "tpe", "bayes", "COBYQA")
RUGGED = ("hinge_features", "logistic_l2_features")
"""With so many local optima that `gradient` itself needs hundreds: rivals have three times the budget."""
_DESCENTS = "L-BFGS-B"
_NONE = "-"
_SEEDS = 5


def hypergradients(quick):
    """Evaluations to 1 % and 0.1 % of the best known, in sequence."""
    problems, seeds, budget = _size(quick, tuple(BOUNDS), 300)
    rivals = RIVALS[:1] if quick else RIVALS
    arms = _arms("gradient", problems, seeds, budget) + _arms(_DESCENTS, problems, seeds, budget)
    arms += _arms("default", problems, seeds, 1)
    for rival in rivals:
        for problem in problems:
            most = 100 if rival == "bayes" else (3 if problem in RUGGED else 1) * budget
            arms += _arms(rival, [problem], seeds, most)
    # Unknown to all methods: only the best known loss is taken from it.
    arms += _arms(_DESCENTS, problems, seeds, 5 * budget, label="best known")

    def rows(found):
        made = []
        for problem in problems:
            best = _best_known(found, problem)
            bounds = BOUNDS[problem]
            for gap in sorted({0.01, 0.001, *bounds}, reverse=True):
                made.append(_evaluations(found, best, problem, gap, _DESCENTS, bounds.get(gap)))
            made.append(_beside(found, best, problem, rivals))
            made.append(_final(found, best, problem))
            made.append(_work(found, best, problem))
            if problem != "quadratic20":
                made.append(_held_out(found, problem))
        return made

    note = f"""Evaluations are inner solves, each with its gradient, whether it is used or not; {seeds} seeds
    (folds; not the quadratic), {budget} evaluations each (bayes 100; {3 * budget} for the others without
    gradients on {" and ".join(RUGGED)}), all starts in the middle of the cube.
    L-BFGS-B and COBYQA are SciPy's, started again at random points when they end. Best known is the least
    loss of all sides and of L-BFGS-B with restarts in {5 * budget} evaluations; of the quadratic its
    optimum. "> n" is: not in n. Inner work counts evaluations of the inner objective and products with its
    curvature. Test losses are of the best config by validation, on rows that no method sees."""
    return Benchmark("gradient", arms, rows, note, turns=1)


def workers(quick):
    """Wall rounds with several workers, with and without gradients."""
    problems, seeds, rounds = _size(quick, BLIND, 60)
    counts = (1, 8) if quick else (1, 2, 4, 8)
    arms = [arm for k in counts for arm in _arms("gradient", problems, seeds, rounds * k, parallel=k)]
    arms += _arms("gradient", problems, seeds, rounds * 8, parallel=8, blind=True)
    arms += _arms("random", problems, seeds, rounds * 24, parallel=24)
    arms += _arms(_DESCENTS, problems, seeds, rounds * 25, label="best known")

    def rows(found):
        made = []
        for problem in problems:
            best = _best_known(found, problem)
            for k in counts:
                side = f"gradient parallel={k}"
                reached = _reached(found, best, problem, side, 0.01)
                gaps = _gaps(found, best, problem, side)
                what = f"{problem}: rounds to 1 % with {k} {'worker' if k == 1 else 'workers'}"
                shown = _count([None if n is None else -(-n // k) for n in reached], rounds)
                made.append(Row(what, "its gap after them", shown, median(gaps)))
            made.append(_blind(found, best, problem, rounds))
        return made

    note = f"""{rounds} rounds; a round is as many evaluations as there are workers, in trial order, so that a
    proposal does not know the results of its round. Without gradients the same trials report none. {seeds}
    seeds."""
    return Benchmark("gradient-workers", arms, rows, note, turns=1)


def noisy(quick):
    """Compare the loss under noise."""
    problems, seeds, budget = _size(quick, NOISY, 300)
    arms = _arms("gradient", problems, seeds, budget, noise=0.01)
    arms += _arms("tpe", problems, seeds, budget, noise=0.01)
    arms += _arms(_DESCENTS, problems, seeds, budget, label="best known")

    def rows(found):
        made = []
        for problem in problems:
            best = _best_known(found, problem, noisy=True)
            mine, theirs = (
                _gaps(found, best, problem, f"{side} noise=0.01", "true") for side in ("gradient", "tpe")
            )
            what = f"{problem}: true gap of the best trial, 1 % noise"
            made.append(_row(what, "tpe", mine, theirs, Reach(1e-3, "ours", least=False)))
        return made

    note = f"""The loss has a relative error of 1 %, derivatives one of 10 %, unknown to the methods. The best
    trial is the one with the least loss as observed, its gap that of its true loss. {budget} evaluations,
    {seeds} seeds."""
    return Benchmark("gradient-noise", arms, rows, note, turns=1)


def mixed(quick):
    """A space with categories."""
    problems, seeds, budget = _size(quick, ("penalty_digits",), 100)
    seeds = seeds if quick else 10
    arms = [arm for side in ("gradient", "tpe", "random") for arm in _arms(side, problems, seeds, budget)]

    def rows(found):
        made = []
        for rival in ("tpe", "random"):
            mine, theirs = (
                [min(_finite(run["losses"])) for run in _runs(found, side, problems[0])]
                for side in ("gradient", rival)
            )
            what = f"{problems[0]}: best log-loss in {budget} trials"
            if not mine or not theirs:
                made.append(Row(what, rival, reach="not worse", reached="not measured", ours=median(mine)))
                continue
            differences = [a - b for a, b in zip(mine, theirs, strict=True)]
            p = wilcoxon(differences, alternative="greater").pvalue if any(differences) else 1.0
            said = f"better on {sum(d < 0 for d in differences)} of {len(mine)}, worse with p = {number(p)}"
            aimed = rival == "tpe"
            reached = ("yes" if p > 0.05 else "**no**") if aimed else _NONE
            made.append(
                Row(what, rival, median(mine), median(theirs), said, "not worse" if aimed else _NONE, reached)
            )
        return made

    note = f"""Penalty l1, l2 or elasticnet, C and l1_ratio of a logistic regression on digits. {budget}
    trials, {seeds} seeds, paired; p is of a one-sided signed-rank test that the losses are worse."""
    return Benchmark("gradient-mixed", arms, rows, note, turns=1)


def _size(quick, problems, budget):
    return (problems[:1], 2, 12) if quick else (problems, _SEEDS, budget)


def _arms(sampler, problems, seeds, budget, label=None, **more):
    """A side, measured problem by problem."""
    side = label or " ".join([sampler, *(f"{key}={value}" for key, value in more.items())])
    shared = {"sampler": sampler, "seeds": seeds, "budget": budget, **more}
    return [Arm(f"{side}, {name}", "races", shared | {"problems": [name]}) for name in problems]


def _runs(found, side, problem):
    some = found.get(f"{side}, {problem}") or []
    return some[0]["runs"][problem] if some else []


def _finite(losses):
    return [loss for loss in losses if loss is not None]


def _best_known(found, problem, noisy=False):
    """Per seed."""
    optimum = load_problem(problem).optimum
    sides = ["best known"] if noisy else sorted({label.rpartition(", ")[0] for label in found})
    runs = [_runs(found, side, problem) for side in sides]
    seeds = max((len(some) for some in runs), default=0)
    if optimum is not None:
        return [optimum] * seeds
    best = [
        min((min(_finite(some[seed]["losses"])) for some in runs if len(some) > seed), default=0.0)
        for seed in range(seeds)
    ]
    if noisy:  # what a noisy run has met may be better still
        for side in {label.rpartition(", ")[0] for label in found}:
            for seed, run in enumerate(_runs(found, side, problem)):
                best[seed] = min(best[seed], run["true"])
    return best


def _reached(found, best, problem, side, gap):
    """Per seed the number of evaluations, or None."""
    return [
        next((i for i, x in enumerate(run["losses"], 1) if x is not None and x <= b + gap * abs(b)), None)
        for run, b in zip(_runs(found, side, problem), best, strict=False)
    ]


def _gaps(found, best, problem, side, key=None):
    return [
        ((run[key] if key else min(_finite(run["losses"]))) - b) / abs(b)
        for run, b in zip(_runs(found, side, problem), best, strict=False)
    ]


def _middle(counts):
    """The median of counts of which None is more than any."""
    ordered = sorted(float("inf") if n is None else n for n in counts)
    return statistics.median_high(ordered) if ordered else None


def _count(counts, budget):
    if not counts:
        return "not measured"
    middle = _middle(counts)
    shown = [f"> {budget}" if n is None else f"{n}" for n in sorted(counts, key=lambda n: n or 1e9)]
    return f"{f'> {budget}' if middle == float('inf') else f'{middle:.0f}'} ({shown[0]} .. {shown[-1]})"


def _spent(found, side, problem):
    runs = _runs(found, side, problem)
    return len(runs[0]["losses"]) if runs else 0


def _evaluations(found, best, problem, gap, rival, bound):
    mine, theirs = (_reached(found, best, problem, side, gap) for side in ("gradient", rival))
    what = f"{problem} ({load_problem(problem).space.d}): evaluations to {number(100 * gap)} %"
    reach = Reach(bound, "ours", least=False) if bound else None
    reached = _NONE if reach is None else "not measured"
    if reach and mine:
        reached = "yes" if _middle(mine) <= bound else "**no**"
    return Row(
        what,
        f"{rival} with restarts",
        _count(mine, _spent(found, "gradient", problem)),
        _count(theirs, _spent(found, rival, problem)),
        _fewer(mine, theirs, _spent(found, rival, problem)),
        reach.text("") if reach else _NONE,
        reached,
    )


def _fewer(mine, theirs, most):
    """Return the factor of saved trials; a lower bound where the other never got there."""
    if not mine or not theirs or _middle(mine) == float("inf"):
        return _NONE
    other = _middle(theirs)
    return f"> {number(most / _middle(mine))}" if other == float("inf") else number(other / _middle(mine))


def _beside(found, best, problem, rivals):
    """The row against the best of those that use no gradient."""
    counts = {rival: _reached(found, best, problem, rival, 0.01) for rival in rivals}
    counts = {rival: reached for rival, reached in counts.items() if reached}
    mine = _reached(found, best, problem, "gradient", 0.01)
    what = f"{problem}: evaluations to 1 %"
    if not counts or not mine:
        return Row(
            what, "best of " + ", ".join(rivals), reach="ratio >= 5", reached="not measured", ours=_NONE
        )
    rival = min(counts, key=lambda side: (_middle(counts[side]), -_spent(found, side, problem)))
    most, other, own = _spent(found, rival, problem), _middle(counts[rival]), _middle(mine)
    if other <= 30:
        text, reached = _NONE, _NONE
    else:
        text = "ratio >= 5"
        reached = "yes" if own * 5 <= min(other, most) else "**no**"
    return Row(
        what,
        f"{rival}, the best of {', '.join(counts)}",
        _count(mine, _spent(found, "gradient", problem)),
        _count(counts[rival], most),
        _fewer(mine, counts[rival], most),
        text,
        reached,
    )


def _row(what, against, mine, theirs, reach=None):
    text = reach.text("") if reach else _NONE
    if not mine or not theirs:
        return Row(what, against, median(mine), median(theirs), reach=text, reached="not measured")
    ours, other = statistics.median(mine), statistics.median(theirs)
    ratio = number(other / ours) if ours > 0 else _NONE
    reached = (
        _NONE if reach is None else "yes" if reach.met(ours, other / ours if ours > 0 else None) else "**no**"
    )
    return Row(what, against, median(mine), median(theirs), ratio, text, reached)


def _final(found, best, problem):
    mine, theirs = (_gaps(found, best, problem, side) for side in ("gradient", _DESCENTS))
    what = f"{problem}: gap after {_spent(found, 'gradient', problem)} evaluations"
    row = _row(what, f"{_DESCENTS} with restarts", mine, theirs)
    if problem not in FINAL:
        return row
    reached = "not measured"
    if mine and theirs:
        reached = "yes" if statistics.median(mine) < statistics.median(theirs) else "**no**"
    return Row(row.what, row.against, row.ours, row.theirs, row.ratio, "better", reached)


def _blind(found, best, problem, rounds):
    """Differences on eight workers against random search on three times as many."""
    mine, theirs = (
        _gaps(found, best, problem, side) for side in ("gradient parallel=8 blind=True", "random parallel=24")
    )
    row = _row(
        f"{problem}: gap after {rounds} rounds of 8, no gradients", "random, rounds of 24", mine, theirs
    )
    reached = "not measured"
    if mine and theirs:
        reached = "yes" if statistics.median(mine) < statistics.median(theirs) else "**no**"
    return Row(row.what, row.against, row.ours, row.theirs, row.ratio, "better", reached)


def _work(found, best, problem):
    def spent(side):
        reached = _reached(found, best, problem, side, 0.01)
        runs = _runs(found, side, problem)
        return [run["work"][n - 1] for run, n in zip(runs, reached, strict=False) if n]

    mine, theirs = spent("gradient"), spent(_DESCENTS)
    what = f"{problem}: inner work to 1 %, of the seeds that came there"
    return Row(what, f"{_DESCENTS} with restarts", median(mine), median(theirs))


def _held_out(found, problem):
    """Validation can be over-fitted: what the best config is worth on the test part."""
    mine, default = (
        [run["test"] for run in _runs(found, side, problem) if run["test"] is not None]
        for side in ("gradient", "default")
    )
    return Row(
        f"{problem}: test loss of the best config", "the default config", median(mine), median(default)
    )
