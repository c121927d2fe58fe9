"""The verdict on the terminal: the sentence and the marked row are one decision."""

import io
import re

import numpy as np
import pytest
from rich.console import Console

from runner.cli.verdict import print_verdict
from tests.comparisons import compared, simulated


def printed(comparison, trials=None):
    text = io.StringIO()
    print_verdict(Console(file=text, width=140), comparison, trials)
    return text.getvalue()


def starred(text):
    """The methods with a star in the table."""
    return re.findall(r"^\d+ +(\S+) \*", text, re.MULTILINE)


def paired(shift, noise, seeds=8, names=("random", "bayes")):
    rng = np.random.default_rng(0)
    losses = {}
    for p in range(3):
        for s in range(seeds):
            base = rng.uniform(0.3, 0.6)
            for m, more in zip(names, (shift, 0.0), strict=True):
                losses[f"p{p}", m, s] = [1.0, 1.0, 1.0, 1.0, base + more + rng.normal(0, noise)]
    return compared(losses, optimum=0.0)


@pytest.mark.parametrize("shift, noise", [(0.2, 0.01), (0.001, 0.0), (0.01, 0.1)])
def test_the_recommended_row_is_marked_and_explained(shift, noise):
    c = paired(shift, noise)
    text, decision = printed(c), c.decision()
    assert starred(text) == [decision.recommended]
    sentence = text.strip().splitlines()[0]
    if decision.undecided:
        assert f"undecided between {decision.leader}" in sentence
        assert f"* {decision.leader}: leads; undecided: " in text
    else:
        assert f" use {decision.recommended}" in sentence
        assert f"* {decision.recommended}: recommended" in text
    assert ("equivalent to bayes, which has the lowest regret" in text) == (shift == 0.001)


def test_too_few_seeds_mark_the_leader():
    c = compared(simulated(problems=8, seeds=1, trials=20))
    text = printed(c)
    assert starred(text) == [c.decision().leader]
    assert "No verdict" in text
    assert f"{c.decision().leader}: leads; undecided" in text


def test_an_earlier_budget_has_a_decision_of_its_own():
    c = compared(simulated(problems=8, seeds=6, trials=20))
    for budget in (1, 5, 20):
        text = printed(c, budget)
        assert starred(text) == [c.decision(budget).recommended]
        assert f"after {budget} trial" in text
