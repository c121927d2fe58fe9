"""`SearchCV` beside the searches that scikit-learn's users know."""

from __future__ import annotations

import statistics

from benchmarks.measure import Arm, Benchmark, pick
from benchmarks.peers.search_cvs import PROBLEMS
from benchmarks.report import Reach, Row, compare, number

_SLOWER = 1.1
_THEIRS = {"grid": "GridSearchCV", "random": "RandomizedSearchCV"}
_PEERS = ("BayesSearchCV", "OptunaSearchCV")
_NONE = "-"


def tables(quick):
    """Grids and draws, n_jobs=2: the same candidates, so the same best; and the time that they take."""
    more = {"rows": 200} if quick else {}
    arms = [
        Arm(f"{kind}, {side}", "table", {"side": side, "kind": kind, **more})
        for kind in _THEIRS
        for side in ("SearchCV", "scikit-learn")
    ]

    def rows(found):
        made = []
        for kind, peer in _THEIRS.items():
            ours, theirs = found[f"{kind}, SearchCV"], found[f"{kind}, scikit-learn"]
            what = f'SearchCV(method="{kind}"), digits, SVC, 60 candidates, 5 folds, n_jobs=2'
            seconds = [pick(side, "seconds") for side in (ours, theirs)]
            made.append(compare(f"{what}: fit", peer, *seconds, "s", reach=Reach(1 / _SLOWER, "ratio")))
            scores = [pick(side, "score") for side in (ours, theirs)]
            equal = bool(scores[0]) and set(scores[0]) == set(scores[1])
            reached = "yes" if equal else "**no**" if all(scores) else "not measured"
            shown = [number(side[0]) if side else "not measured" for side in scores]
            made.append(Row(f"{what}: best_score_", peer, *shown, _NONE, "equal", reached))
        return made

    note = f"""Wall time of `fit`, each in a new process, workers' start included; at most {_SLOWER} times as
    long is a ratio of {1 / _SLOWER:.3g} or more."""
    return Benchmark("tables", arms, rows, note)


def learning(quick):
    """`bayes` and `tpe` with 50 trials beside scikit-optimize and Optuna."""
    seeds, trials = (1, 12) if quick else (10, 50)
    problems = list(PROBLEMS)[:1] if quick else list(PROBLEMS)
    peers = _PEERS[1:] if quick else _PEERS
    arms = [
        Arm(
            f"{side}, {problem}",
            "searches",
            {"side": side, "problem": problem, "seeds": seeds, "trials": trials},
        )
        for problem in problems
        for side in ("bayes", "tpe", *peers)
    ]

    def rows(found):
        made = []
        for ours in ("bayes", "tpe"):
            for peer in peers:
                pairs = {
                    problem: [found[f"{side}, {problem}"] for side in (ours, peer)] for problem in problems
                }
                made += [_scores(ours, peer, problem, *pair) for problem, pair in pairs.items()]
                made += [_spent(ours, peer, pairs, *what) for what in (("each", "wall"), ("cpu", "CPU"))]
        return made

    note = f"""{trials} trials, 3 folds, {seeds} seeds of the folds and of the search, one job and one thread.
    Scores are medians over the seeds of the best cross-validated score; times are the sum over the data
    sets of the median time of a `fit`."""
    return Benchmark("learning", arms, rows, note, turns=1)


def _scores(ours, peer, problem, mine, theirs):
    what = f'SearchCV(method="{ours}"), {problem}: best score'
    if not mine or not theirs:
        return Row(what, peer, _NONE, _NONE, reach="not worse", reached="not measured")
    a, b = mine[0]["scores"], theirs[0]["scores"]
    wins, losses = (sum(x > y for x, y in zip(*pair, strict=True)) for pair in ((a, b), (b, a)))
    medians = statistics.median(a), statistics.median(b)
    return Row(
        what,
        peer,
        *(f"{median:.4f}" for median in medians),
        f"better on {wins}, worse on {losses} of {len(a)}",
        "not worse",
        "yes" if medians[0] >= medians[1] else "**no**",
    )


def _spent(ours, peer, pairs, key, name):
    """One row for all data sets that both sides were measured on."""
    both = [(mine[0][key], theirs[0][key]) for mine, theirs in pairs.values() if mine and theirs]
    sums = [[sum(map(statistics.median, side))] for side in zip(*both, strict=True)] or [[], []]
    what = f'SearchCV(method="{ours}"), {len(both)} data sets: {name} time of a fit each'
    return compare(what, peer, *sums, "s", reach=Reach(1.0, "ratio") if key == "each" else None)
