"""Quality of the methods, and time of their proposals."""

from __future__ import annotations

import statistics
from math import comb

from scipy.stats import wilcoxon

from benchmarks.measure import Arm, Benchmark
from benchmarks.peers.samplers import PEERS
from benchmarks.quality.estimators import PROBLEMS
from benchmarks.report import Reach, Row, number

SHIFTED = {"hartmann6": 0.12, "levy6": 1.3, "ackley5": 3.0, "rosenbrock4": 9.0}
"""The functions of the comparison, and the regret that `bayes` is to reach."""
OTHERS = (
    "griewank5-rotated",
    "ellipsoid6-rotated",
    "styblinski5",
    "michalewicz5",
    "branin",
    "camel",
    "mixed8",
    "mixed8-rough",
)
_OPTUNA = "Optuna TPESampler"
_NONE = "-"


def shifted(quick):
    """The four functions that the aim is stated for."""
    return _compared("functions", tuple(SHIFTED), quick, PEERS)


def others(quick):
    """Functions that nothing was stated for, rotated and mixed ones among them."""
    return _compared("others", OTHERS, quick, [_OPTUNA, "hyperopt"])


def _compared(name, problems, quick, peers):
    seeds, budget = (2, 14) if quick else (30, 100)
    if quick:
        problems, peers = problems[:1], [_OPTUNA]
    arms = [
        _arm("regrets", sampler, problems, seeds, budget) for sampler in ("bayes", "tpe", "random", *peers)
    ]

    def rows(found):
        made = []
        measured = [peer for peer in peers if found.get(peer)]
        mine = [ours for ours in ("bayes", "tpe") if found.get(ours)]
        for problem in problems:
            for ours in mine:
                for peer in ("random", *measured):
                    made.append(_row(found, ours, peer, problem, _reach(ours, peer, problem)))
        made += [
            Row("all of these", peer, "-", "not measured")
            for peer in ("bayes", "tpe", *peers)
            if not found.get(peer)
        ]
        made += [
            _thinking(found, sampler, f"{budget} trials of these functions") for sampler in ("bayes", "tpe")
        ]
        return made

    note = f"""Per seed another shift (and rotation). {budget} evaluations, 8 in flight, which end out of
    order; {seeds} seeds, the same functions and durations for all. Rotated, mixed and conditional ones
    are in `benchmarks/quality/functions.py`."""
    return Benchmark(name, arms, rows, note, turns=1)


def _arm(name, sampler, problems, seeds, budget, **more):
    params = {"sampler": sampler, "problems": list(problems), "seeds": seeds, "budget": budget, **more}
    label = " ".join([sampler, *(f"{key}={value}" for key, value in more.items())])
    return Arm(label, name, params)


def _reach(ours, peer, problem):
    if ours == "bayes" and problem in SHIFTED and peer == "random":
        return Reach(SHIFTED[problem], "ours", least=False)
    if ours == "tpe" and problem in SHIFTED and peer == _OPTUNA:
        return Reach(1.0, "ratio")
    return None


def _row(found, ours, peer, problem, reach=None, key="regrets"):
    mine, theirs = (_of(found, side, problem, key) for side in (ours, peer))
    what = f"{problem}: {ours}, regret"
    text = reach.text("") if reach else _NONE
    if not mine or not theirs:
        return Row(what, peer, median(mine), median(theirs), reach=text, reached="not measured")
    ratio = statistics.median(theirs) / statistics.median(mine) if statistics.median(mine) else float("inf")
    reached = _NONE if reach is None else "yes" if reach.met(statistics.median(mine), ratio) else "**no**"
    wins = sum(a < b for a, b in zip(mine, theirs, strict=True))
    said = f"{number(ratio)} (better on {wins} of {len(mine)})"
    return Row(what, peer, median(mine), median(theirs), said, text, reached)


def _of(found, side, problem, key="regrets"):
    some = found.get(side) or []
    return some[0][key][problem] if some else []


def _thinking(found, sampler, what):
    some = found.get(sampler) or []
    return Row(f"{sampler}: mean time per proposal, {what}", _NONE, _milliseconds(some))


def _milliseconds(some):
    return f"{number(some[0]['thinking'] * 1000)} ms" if some else "not measured"


def median(values):
    """The median, and the interval of order statistics that holds the true one at 95 % or more."""
    if not values:
        return "not measured"
    low, high = interval(values)
    return f"{number(statistics.median(values))} ({number(low)} .. {number(high)})"


def interval(values):
    """The tightest symmetric pair of order statistics with a coverage of 95 %; all where there is none."""
    n, ordered = len(values), sorted(values)
    k = 0
    # The true median is outside x_(k+1) .. x_(n-k) with probability 2 P(Binomial(n, 1/2) <= k).
    while 2 * sum(comb(n, i) for i in range(k + 2)) / 2**n <= 0.05:
        k += 1
    return ordered[k], ordered[n - 1 - k]


def tuning(quick):
    """Tuning scikit-learn, in batches."""
    seeds, batches, size = (1, 2, 3) if quick else (5, 16, 8)
    problems = PROBLEMS[:1] if quick else PROBLEMS
    peers = [_OPTUNA] if quick else [_OPTUNA, "Optuna GPSampler", "hyperopt", "HEBO"]
    shared = {"problems": list(problems), "seeds": seeds}
    arms = [
        Arm(sampler, "scores", {"sampler": sampler, **shared, "batches": batches, "size": size})
        for sampler in ("bayes", "tpe", "random", *peers)
    ]
    arms.append(Arm("one draw", "draws", {**shared, "draws": 5 if quick else 64}))

    def rows(found):
        scored = {arm.label: _scores(found, arm.label) for arm in arms if arm.label != "one draw"}
        made = []
        for ours in ("bayes", "tpe"):
            for peer in ("random", *peers):
                a, b = scored[ours], scored[peer]
                what = f"{ours}: score on {len(problems)} problems"
                aimed = (ours == "bayes" and peer in ("HEBO", "Optuna GPSampler")) or (
                    ours == "tpe" and peer in (_OPTUNA, "hyperopt")
                )
                text = "not below" if aimed else _NONE
                if not a or not b:
                    made.append(Row(what, peer, _mean(a), _mean(b), reach=text, reached="not measured"))
                    continue
                gained = statistics.mean(a) - statistics.mean(b)
                reached = _NONE if not aimed else "yes" if gained >= 0 else "**no**"
                made.append(Row(what, peer, _mean(a), _mean(b), f"{gained:+.2f}", text, reached))
        return made

    note = f"""Score 100 (1 - r): r is (loss - best) / (median random draw - best), clipped to 0 .. 1, the
    best being what any of these samplers found for that problem and seed; {batches} batches of {size},
    {seeds} seeds. The interval is a normal one at 95 % over the seeds' means; in place of a ratio stands the
    difference. Problems: {", ".join(problems)}."""
    return Benchmark("tuning", arms, rows, note, turns=1)


def _scores(found, sampler):
    """Per seed the mean score over the problems."""
    some, draws = found.get(sampler) or [], found.get("one draw") or []
    if not some or not draws:
        return []
    all_ = [one[0]["losses"] for label, one in found.items() if label != "one draw" and one]
    per_seed = []
    for seed in range(len(next(iter(some[0]["losses"].values())))):
        scores = []
        for problem, losses in some[0]["losses"].items():
            best = min(losses_of[problem][seed] for losses_of in all_)
            gap = draws[0]["losses"][problem][seed] - best
            r = (losses[seed] - best) / gap if gap > 0 else 0.0
            scores.append(100 * (1 - min(max(r, 0.0), 1.0)))
        per_seed.append(statistics.mean(scores))
    return per_seed


def _mean(values):
    if not values:
        return "not measured"
    spread = 1.96 * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} (± {spread:.2f})"


def proposal(quick):
    """Seconds of one proposal after many trials."""
    sizes = (20,) if quick else (100, 300, 1000)
    most = {"bayes": (0.15, 0.4, 1.0), "tpe": (0.005, 0.01, 0.025)}
    samplers = ["bayes", "tpe"] if quick else ["bayes", "tpe", _OPTUNA, "Optuna GPSampler", "hyperopt"]
    arms = [
        Arm(f"{sampler}, {n}", "proposals", {"sampler": sampler, "finished": n, "times": 3 if quick else 9})
        for sampler in samplers
        for n in sizes
        if n < 1000 or sampler != "Optuna GPSampler"
    ]

    def rows(found):
        made = []
        for ours, bounds in most.items():
            peers = [_OPTUNA, "hyperopt"] if ours == "tpe" else ["Optuna GPSampler"]
            for n, bound in zip(sizes, bounds, strict=False):
                for peer in peers:
                    a, b = found.get(f"{ours}, {n}") or [], found.get(f"{peer}, {n}") or []
                    what, reach = (
                        f"{ours}: a proposal after {n:,} trials",
                        Reach(1000 * bound, "ours", least=False),
                    )
                    text = reach.text("ms")
                    mine, theirs = (_seconds(side) for side in (a, b))
                    reached = "not measured"
                    if a:
                        reached = "yes" if reach.met(1000 * a[0]["seconds"], None) else "**no**"
                    ratio = number(b[0]["seconds"] / a[0]["seconds"]) if a and b else _NONE
                    made.append(Row(what, peer, mine, theirs, ratio, text, reached))
        return made

    note = """Nine parameters: four floats, of which one is logarithmic, a stepped one, two whole numbers, two
    categories. CPU time of one thread, median of 9 proposals, each with one more result than the last."""
    return Benchmark("proposal", arms, rows, note, turns=1)


def _seconds(some):
    return f"{number(1000 * some[0]['seconds'])} ms" if some else "not measured"


def conditional(quick):
    """A space with branches."""
    seeds, budget = (2, 14) if quick else (10, 50)
    arms = [
        _arm("regrets", sampler, ["conditional"], seeds, budget)
        for sampler in ("bayes", "tpe", "random", _OPTUNA, "hyperopt")
    ]

    def rows(found):
        made = []
        for ours in ("bayes", "tpe"):
            for peer in ("random", _OPTUNA, "hyperopt"):
                row = _row(found, ours, peer, "conditional")
                mine, theirs = (_of(found, side, "conditional") for side in (ours, peer))
                if peer == "random" and mine and theirs:
                    p = float(wilcoxon(mine, theirs, alternative="less").pvalue)
                    reached = "yes" if p < 0.05 else "**no**"
                    row = Row(
                        row.what, peer, row.ours, row.theirs, f"{row.ratio}, p = {p:.3f}", "p < 0.05", reached
                    )
                made.append(row)
        return made

    note = f"""A solver with three branches of their own parameters and two shared ones; which is best is
    drawn per seed. {budget} trials, 8 in flight, {seeds} seeds, one-sided signed-rank test of the pairs."""
    return Benchmark("conditional", arms, rows, note, turns=1)


def failing(quick):
    """30 % of the space fails."""
    seeds, budget = (2, 14) if quick else (10, 100)
    problems = ("hartmann6", "branin", "mixed8")[: 1 if quick else 3]
    return _changed("failing", problems, seeds, budget, {"failing": 0.3}, "without failures", 1.5)


def parallel(quick):
    """8 in flight against one after the other."""
    seeds, budget = (2, 14) if quick else (10, 100)
    problems = ("hartmann6", "levy6", "branin")[: 1 if quick else 3]
    return _changed("parallel", problems, seeds, budget, {"parallel": 1}, "8 in flight", 1.2)


def _changed(name, problems, seeds, budget, change, against, most):
    arms = [
        _arm("regrets", sampler, problems, seeds, budget, **more)
        for sampler in ("bayes", "tpe")
        for more in ({}, change)
    ]
    (key, value) = next(iter(change.items()))

    def rows(found):
        made = []
        for ours in ("bayes", "tpe"):
            for problem in problems:
                plain, changed = (_of(found, side, problem) for side in (ours, f"{ours} {key}={value}"))
                if name == "parallel":  # what is paid is paid by the many
                    mine, theirs, label = plain, changed, "1 in flight"
                    what = f"{problem}: {ours}, 8 in flight, regret"
                else:
                    mine, theirs, label = changed, plain, against
                    what = f"{problem}: {ours}, 30 % of the space fails, regret"
                text = f"at most {most:g} x"
                if not mine or not theirs:
                    made.append(
                        Row(what, label, median(mine), median(theirs), reach=text, reached="not measured")
                    )
                    continue
                times = statistics.median(mine) / max(statistics.median(theirs), 1e-12)
                made.append(
                    Row(
                        what,
                        label,
                        median(mine),
                        median(theirs),
                        f"{number(1 / times)}",
                        text,
                        "yes" if times <= most else "**no**",
                    )
                )
        return made

    note = f"{budget} evaluations, {seeds} seeds."
    if name == "failing":
        note += " All beyond a plane fails, 30 % of the space; the minimum is on the other side."
    return Benchmark(name, arms, rows, note, turns=1)
