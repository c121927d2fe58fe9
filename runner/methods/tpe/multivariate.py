"""A multivariate tree-structured Parzen estimator, as an algorithm of hyperopt.

The branch of a proposal (the values of all its conditional categories) is that of one of the best
trials, or occasionally a random one. Within the branch, the good configs are the best of the branch
and the overall best of the other branches, weighted by 1 / rank; all others are bad, including failed,
stopped and pending trials. Among some draws from the density of the good configs, the one with the
highest density ratio to the bad ones is proposed.

References
----------
J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, NIPS 24 (2011), section 4 (eq. 2 to 5).
S. Falkner, A. Klein and F. Hutter, "BOHB", ICML 2018: one joint density instead of one for each
parameter. S. Watanabe, arXiv:2304.11127 (2023), section 3.1: the linear share of good configs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from runner.methods.encoded import Array, Cube
from runner.methods.tpe.parzen import Parzen
from runner.space import Space
from runner.space.formats import hyperopt_values

_MAX_GOOD = 25  # hyperopt's limit; a fixed share of thousands of trials would be too many
_BRANCH_SHARE = 0.15
"""Share of the completed trials, the best, that the branch is drawn from.

Better than one density over all branches at 50 trials, and equal at 100 (docs/decisions.md).
"""
_RANDOM_BRANCH_WEIGHT = 0.5
"""Weight of a random branch, in trials: half a trial, so that no branch is lost for good."""


def suggest(
    new_ids: Sequence[int],
    domain: Any,
    trials: Any,
    seed: int,
    *,
    cube: Cube,
    ended: int,
    gamma: float,
    candidates: int,
) -> list[Any]:
    """Propose a config, in the form of ``hyperopt.tpe.suggest``.

    Parameters
    ----------
    new_ids, domain, trials, seed
        As hyperopt passes them to an algorithm; a trial's ``misc`` has its row of the cube.
    ended : int
        Number of completed trials.
    gamma : float
        Share of the completed trials that are good.
    candidates : int
        Number of draws to compare.

    Returns
    -------
    list of dict
        One document for each new id; all hold the same proposal.
    """
    rng = np.random.default_rng(seed)
    rows = np.array([trial["misc"]["row"] for trial in trials.trials])
    losses = np.array([np.inf if (y := t["result"]["loss"]) is None else y for t in trials.trials])
    best = np.argsort(losses, kind="stable")[: int(np.sum(losses < np.inf))]  # good ones first
    row = _proposed(cube, rows, best, ended, gamma, candidates, rng)
    values = hyperopt_values(cube.space, cube.space.decode(row))
    miscs = [
        {
            "tid": i,
            "cmd": domain.cmd,
            "workdir": domain.workdir,
            "idxs": {label: [i] if label in values else [] for label in domain.params},
            "vals": {label: [values[label]] if label in values else [] for label in domain.params},
        }
        for i in new_ids
    ]
    return list(
        trials.new_trial_docs(new_ids, [None] * len(miscs), [domain.new_result() for _ in miscs], miscs)
    )


def _proposed(
    cube: Cube,
    rows: Array,
    best: Any,
    ended: int,
    gamma: float,
    candidates: int,
    rng: np.random.Generator,
) -> Array:
    deciding = _deciding(cube.space)
    branch = _branch(cube, rows[best[: math.ceil(_BRANCH_SHARE * ended)]], rng)[deciding]
    member = (rows[:, deciding] == branch).all(axis=1)
    inside = best[member[best]]
    # Pending trials come last.
    own = inside[: min(math.ceil(gamma * np.sum(member[:ended])), _MAX_GOOD)]
    others = best[: min(math.ceil(gamma * ended), _MAX_GOOD)]
    others = others[~member[others]]
    good = np.concatenate([own, others])
    weights = np.concatenate([_by_rank(len(own)), _by_rank(len(others))])
    likely = Parzen(cube, rows[good], weights * (len(good) / np.sum(weights)), joint=True)
    unlikely = Parzen(cube, np.delete(rows, good, axis=0))
    drawn = likely.draw(rng, candidates)
    drawn[:, deciding] = branch
    drawn = cube.snap(drawn)
    proposed: Array = drawn[int(np.argmax(likely.log_density(drawn) - unlikely.log_density(drawn)))]
    return proposed


def _branch(cube: Cube, top: Array, rng: np.random.Generator) -> Array:
    """Draw a row whose branch is to be searched: one of the best, or a random one."""
    index = int(rng.random() * (len(top) + _RANDOM_BRANCH_WEIGHT))
    drawn = cube.snap(rng.random((1, cube.space.d)))[0]
    row: Array = top[index] if index < len(top) else drawn
    return row


def _by_rank(n: int) -> Array:
    weights: Array = 1.0 / np.arange(1, n + 1)
    return weights


def _deciding(space: Space) -> list[int]:
    """List the coordinates of the categories on which other parameters are conditional."""
    return [
        column for column, (_, domain) in enumerate(space.dimensions) if getattr(domain, "conditional", False)
    ]
