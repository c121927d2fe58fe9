"""The proposal of a multivariate tree-structured Parzen estimator, as an algorithm of hyperopt.

A proposal's branch, what all its conditional categories are, is that of one of the best trials,
or now and then a random one. Within the branch, the good configs are the best of the branch and
those of the best of all that lie elsewhere, weighted by 1 / rank; all the others are bad, with what
has failed, what was stopped, and what is pending. Of some draws of the good ones' density the one
that is likeliest against the bad ones' is proposed.

References
----------
J. Bergstra, R. Bardenet, Y. Bengio and B. Kegl, NIPS 24 (2011), section 4 (eq. 2 to 5).
S. Falkner, A. Klein and F. Hutter, "BOHB", ICML 2018: one joint density instead of one for each
parameter. S. Watanabe, arXiv:2304.11127 (2023), section 3.1: the linear share of good ones.
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

_MOST_GOOD = 25
_CHOOSING = 0.15
"""Share of the ended trials, the best, that the branch is taken from."""
_RANDOM_BRANCHES = 0.5
"""The weight, in trials, of a random branch."""


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
    """One proposal, in the form of ``hyperopt.tpe.suggest``.

    Parameters
    ----------
    new_ids, domain, trials, seed
        As hyperopt gives them to an algorithm; a trial's ``misc`` has its row of the cube.
    cube : Cube
        Of the space that the domain is made of.
    ended : int
        How many of the trials have ended.
    gamma : float
        The share of the ended trials that are good.
    candidates : int
        How many draws are compared.

    Returns
    -------
    list of dict
        One document for each new id; all are the same proposal.
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
    branch = _branch(cube, rows[best[: math.ceil(_CHOOSING * ended)]], rng)[deciding]
    mine = (rows[:, deciding] == branch).all(axis=1)
    inside = best[mine[best]]
    # Trials that have not ended stand last.
    own = inside[: min(math.ceil(gamma * np.sum(mine[:ended])), _MOST_GOOD)]
    others = best[: min(math.ceil(gamma * ended), _MOST_GOOD)]
    others = others[~mine[others]]
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
    """A row of the branch to be searched: of one of the best, or a random one."""
    at = int(rng.random() * (len(top) + _RANDOM_BRANCHES))
    drawn = cube.snap(rng.random((1, cube.space.d)))[0]
    row: Array = top[at] if at < len(top) else drawn
    return row


def _by_rank(n: int) -> Array:
    weights: Array = 1.0 / np.arange(1, n + 1)
    return weights


def _deciding(space: Space) -> list[int]:
    """The coordinates of the categories that decide which parameters there are."""
    return [
        column for column, (_, domain) in enumerate(space.dimensions) if getattr(domain, "conditional", False)
    ]
