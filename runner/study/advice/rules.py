"""Rules of the advice: a few decisions in order, each justified by measurements."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner._text import duration, listed
from runner.study.advice.evidence import SIGNIFICANCE, Evidence
from runner.study.advice.facts import Facts
from runner.study.advice.measured import Figure, after, in_all, proposal_seconds, regrets

FEW = 10
"""Below this number of trials `bayes` and `tpe` still draw their initial trials and have no model."""
_UNKNOWN_BUDGET = 100  # trials; the budget of most measured comparisons
_MANY = 1_000  # trials, from which on the proposals of bayes take minutes
_MOST_SHARE = 0.5  # of a run's time for proposals; above it, tpe has twice the trials in the same time
_PATIENCE = 60.0  # seconds of proposals per run that are acceptable where only trials are counted
_MOST_LISTED = 3  # studies, which a reader still compares


@dataclass(frozen=True)
class Advice:
    """A method, and the reasons for it.

    Attributes
    ----------
    settings : mapping
        Those that differ from its defaults.
    because : tuple of str
        Reasons; the first one decided.
    used : tuple of str
        Facts and evidence that were used.
    answers : tuple of str
        Common rules that are wrong here, with what was measured.
    """

    method: str
    because: tuple[str, ...]
    used: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    answers: tuple[str, ...] = ()

    @property
    def entry(self) -> str:
        """Entry of a study file's ``methods:``."""
        if not self.settings:
            return self.method
        inner = ", ".join(f"{key}: {value}" for key, value in self.settings.items())
        return f"{{{self.method}: {{{inner}}}}}"


def advise(facts: Facts, evidence: Sequence[Evidence] = ()) -> Advice:
    """Choose the method for a problem.

    Parameters
    ----------
    evidence : sequence of Evidence
        From the user's own studies; those of the same space can overrule what was measured
        elsewhere, where their seeds agree (two-sided sign test, 5 %).
    """
    method, settings, because = _decided(facts)
    messages: list[str] = []
    for one in evidence:
        message, overrules = _weighed(one, method)
        messages.append(message)
        if overrules and facts.space.size() > (facts.budget or 0):
            method, settings, because = one.best, {}, [message, *because]
    used = (*_used(facts), *messages[:_MOST_LISTED])
    if len(messages) > _MOST_LISTED:
        used = (*used, f"And {len(messages) - _MOST_LISTED} more results of these studies.")
    return Advice(method, tuple(because), used, settings, tuple(_answers(facts, method)))


def _decided(facts: Facts) -> tuple[str, dict[str, Any], list[str]]:
    """Method, settings and reasons, by what was measured on this code."""
    n = facts.budget if facts.budget is not None else _UNKNOWN_BUDGET
    size = facts.space.size()
    if size <= n:
        return "exhaustive", {}, [f"All {size:,.0f} configs fit into {n:,} trials, so none can be missed."]
    sobol = {"sequence": "sobol"}
    if n < FEW:
        return "random", sobol, [_few(n)]
    if facts.parallel * 2 > n:
        rounds = math.ceil(n / facts.parallel)
        why = f"With {facts.parallel} of {n} trials in flight, results arrive only {_times(rounds)}"
        return "random", sobol, [f"{why}, so there is hardly anything to learn from."]
    if facts.gradient and facts.smooth and (reason := _gradient(facts, n)):
        return "gradient", {}, [reason]
    return _model(facts, n)


def _model(facts: Facts, n: int) -> tuple[str, dict[str, Any], list[str]]:
    """Choose `bayes` where its proposals are affordable, else `tpe`."""
    better = _bayes_over_tpe(facts)
    cost, light = proposal_seconds("bayes", n), proposal_seconds("tpe", n)
    costs = f"bayes would spend about {duration(cost)} on proposals in {n:,} trials, tpe {duration(light)}"
    timed = facts.seconds is not None and facts.trial_seconds is not None and n != facts.trials
    if not timed and cost <= _PATIENCE:
        return "bayes", {}, [better, f"Its proposals take about {duration(cost)} in {n:,} trials."]
    if facts.trial_seconds is None:
        if n <= _MANY:
            return "bayes", {}, [better, f"{costs}; where the trials take less than that, use tpe."]
        return "tpe", {}, [f"{costs}, and the duration of a trial is unknown."]
    work = facts.trial_seconds * n
    share = cost / (cost + work)
    reason = (
        f"{costs}; the trials take {duration(work)}, so with bayes {share:.0%} of a run would be proposals"
    )
    return ("bayes", {}, [better, f"{reason}."]) if share <= _MOST_SHARE else ("tpe", {}, [f"{reason}."])


def _bayes_over_tpe(facts: Facts) -> str:
    name = "conditional" if facts.space.conditional else "functions"
    bayes, tpe = regrets(name, "bayes"), regrets(name, "tpe")
    lower = sum(a.ours < b.ours for a, b in zip(bayes, tpe, strict=True))
    won, runs = in_all(bayes)
    what = f"{_names(bayes)} ({'50 trials' if facts.space.conditional else '100 trials'}, 8 in flight)"
    return (
        f"On {what} the median regret of bayes was below that of tpe on {lower} of {len(bayes)}, and it beat"
        f" random search in {won} of {runs} runs, by {_ratios(bayes)} in the median."
    )


def _few(n: int) -> str:
    found = [(name, after("small data", name, 10)) for name in ("bayes", "tpe")]
    parts = []
    for name, figures in found:
        won, runs = in_all(figures)
        parts.append(f"{name} in {won} of {runs} runs")
    return (
        f"{n} trials are too few to learn from: bayes and tpe draw their first {FEW} or so as random search"
        f" does. After 10 trials better than random search on small data sets were {' and '.join(parts)}."
        " A Sobol sequence spreads them evenly."
    )


def _gradient(facts: Facts, n: int) -> str:
    """Justify gradient descents, where they were best on the measured problems of similar size."""
    budget = max([b for b in (10, 30, 50) if b <= n] or [10])
    rivals = {name: after("gradients", name, budget) for name in ("gradient", "bayes", "tpe")}
    sizes = {"logistic_l2_groups": 3, "rosenbrock_gradient": 4, "sphere": 10}
    sizes |= {"quadratic20": 20, "logistic_l2_features": 30}
    near = sorted(sizes, key=lambda name: abs(math.log(sizes[name] / facts.space.d)))[:2]
    of = {name: {f.problem: f for f in figures} for name, figures in rivals.items()}
    if not all(name in of["gradient"] for name in near):
        return ""
    if any(of["gradient"][name].ours > min(of[m][name].ours for m in ("bayes", "tpe")) for name in near):
        return ""
    shown = "; ".join(
        f"{name} ({sizes[name]} parameters) {of['gradient'][name].ours:g}, bayes {of['bayes'][name].ours:g},"
        f" random {of['gradient'][name].other:g}"
        for name in near
    )
    return (
        f"Trials report gradients, and on the problems of about this size that do, after {budget}: {shown}."
    )


def _weighed(finding: Evidence, advised: str) -> tuple[str, bool]:
    """Describe a piece of evidence; True where it overrules the advice."""
    where = f"Your study '{finding.study}', {finding.problem}"
    kind = "the same space" if finding.same_space else "another space"
    seeds = len(finding.losses[finding.best])
    if finding.best == advised:
        return f"{where} ({kind}): {advised} had the best median there too, over {seeds} seeds.", False
    if advised not in finding.losses:
        return (
            f"{where} ({kind}): {finding.best} was best of {listed(finding.losses)}; no {advised} there.",
            False,
        )
    won, pairs, p = finding.beats(advised)
    result = (
        f"{where} ({kind}): {finding.best} was better than {advised} on {won} of {pairs} seeds (p = {p:.2g})"
    )
    if finding.same_space and p < SIGNIFICANCE:
        return f"{result}, which outweighs what was measured elsewhere.", True
    why = "not significant" if p >= SIGNIFICANCE else "but that is another problem"
    return f"{result}: {why}.", False


def _used(facts: Facts) -> list[str]:
    space = facts.space
    parts = [
        f"{space.d} parameters, {len(space.continuous)} of them continuous and {facts.categories} categorical"
    ]
    size = space.size()
    parts.append("infinitely many configs" if math.isinf(size) else f"{size:,.0f} configs")
    parts.append("some parameters only under others" if facts.space.conditional else "no conditions")
    limits = [f"{facts.trials:,} trials"] if facts.trials is not None else []
    limits += [duration(facts.seconds)] if facts.seconds is not None else []
    seconds = "seconds per trial unknown"
    if facts.trial_seconds is not None:
        how = "measured here" if facts.measured else "given"
        seconds = f"{duration(facts.trial_seconds)} per trial ({how})"
    more = [
        f"{facts.parallel} in flight",
        "gradients reported" if facts.gradient else "no gradients",
        "noisy" if facts.noisy else "not declared noisy",
    ]
    lines = [
        f"Space: {', '.join(parts)}.",
        f"Budget: {' or '.join(limits)} per run; {seconds}; {', '.join(more)}.",
    ]
    if facts.noisy:
        lines.append(
            "Which method is best under noise was not measured; all but exhaustive and grid allow for it."
        )
    if facts.steps > 1:
        lines.append(
            f"An evaluation has {facts.steps} steps, so scheduler: asha can stop hopeless ones early."
        )
    return lines


def _answers(facts: Facts, method: str) -> list[str]:
    """Answer common rules with what was measured."""
    bayes, tpe = regrets("functions", "bayes"), regrets("functions", "tpe")
    size = facts.space.size()
    few = "infinitely many" if math.isinf(size) else f"{size:,.0f}"
    small = {name: in_all(after("small data", name, 30)) for name in ("grid", "tpe", "bayes")}
    shown = ", ".join(f"{name} in {won} of {runs}" for name, (won, runs) in small.items())
    lines = [
        f"'Random or grid search for small data': on data sets of 178 to 569 rows, 2 or 3 parameters and 30"
        f" trials, better than random search were {shown} runs: there it does little harm. But it is not the"
        " rows that decide; see the next line for more parameters and trials.",
        "'Bayesian search where compute is plentiful': it pays when trials are scarce. With 100 trials of"
        f" {_names(bayes)} the regret of random search was {_ratios(bayes)} that of bayes and"
        f" {_ratios(tpe)} that of tpe.",
    ]
    if method != "exhaustive":
        lines.insert(
            0,
            f"'Exhaustive search for simple models': what decides is the number of configs, here {few},"
            " not the model.",
        )
    return lines


def _ratios(figures: Sequence[Figure]) -> str:
    ratios = [figure.ratio for figure in figures]
    if len(ratios) == 1:
        return f"{ratios[0]:.3g} times"
    return f"{min(ratios):.2g} to {max(ratios):.3g} times (median {statistics.median(ratios):.2g})"


def _names(figures: Sequence[Figure]) -> str:
    return listed([figure.problem for figure in figures])


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"
