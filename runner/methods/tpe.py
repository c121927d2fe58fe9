"""Tree-structured Parzen estimators, and annealing, by hyperopt.

TPE sorts the results by loss, fits one density to the best few configs and one to the rest,
parameter by parameter, and tries the draw of the first that is likeliest against the second.

hyperopt sees encoded coordinates (`runner.convert.to_hyperopt`) and a history of its own form
that is rebuilt from the trials. Three of its habits are avoided by what that history holds:

- It counts running trials as results, both against its start-up and for the number of good
  configs, and so takes trials without a result for good ones. Here the start-up counts trials
  that have ended, and gamma is scaled so that the number of good configs comes from those too.
- It drops failures. Here a trial that failed, or was stopped early, has no loss, like one that is
  pending, which makes it one of the rest for certain; a made-up finite loss would depend on the
  losses so far, and could be among the best where few trials succeed.
- It may propose a config again. Here a known config is drawn again a few times, and a finite
  space ends when all of it has been proposed.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

import hyperopt
import numpy as np
from hyperopt import anneal, tpe

from runner.convert import hyperopt_config, hyperopt_values, to_hyperopt
from runner.errors import MethodError, SpaceError
from runner.methods.base import Method, register
from runner.seeds import Shuffle, run_entropy
from runner.space import Space
from runner.trial import DONE, Answer, Config, Pending, Trial

_DRAWS = 8
"""How often a config that is known or forbidden is drawn again from the model."""


@register
@dataclass(frozen=True)
class TPE(Method):
    """Tree-structured Parzen estimators over any space, conditional ones included.

    Parameters
    ----------
    startup : int, default 10
        Until that many trials have ended, and while none has succeeded, configs are random; the
        same ones as the random method's.
    gamma : float, default 1.0
        The best ``ceil(gamma * sqrt(n))`` of n ended trials, 25 at the most, are the good ones.
    candidates : int, default 24
        How many draws of the good density are compared, for each parameter.
    flavour : "tpe" or "anneal", default "tpe"
        ``anneal`` draws around one of the best trials, in a range that shrinks as 1 / n; it uses
        neither gamma nor candidates, nor the trials without a loss.

    Raises
    ------
    MethodError
        Where a setting is out of its range.
    """

    name: ClassVar[str] = "tpe"
    summary: ClassVar[str] = "Parzen densities of good and other configs; for conditional and mixed spaces"
    reference: ClassVar[str] = "Bergstra, Bardenet, Bengio and Kegl, NIPS 24 (2011), section 4; hyperopt 0.3"

    startup: int = 10
    gamma: float = 1.0
    candidates: int = 24
    flavour: Literal["tpe", "anneal"] = "tpe"

    def __post_init__(self) -> None:
        for setting in ("startup", "candidates"):
            if getattr(self, setting) < 1:
                raise MethodError(f"got {getattr(self, setting)}; at least 1 was expected.", where=setting)
        if not 0 < self.gamma < math.inf:
            raise MethodError(f"got {self.gamma}; a number above 0 was expected.", where="gamma")

    def propose(
        self,
        space: Space,
        completed: Sequence[Trial],
        pending: Sequence[Pending],
        number: int,
        rng: np.random.Generator,
    ) -> Config | Answer:
        """See `Method.propose`."""
        history = _read(space, completed, pending, run_entropy(rng))
        if len(history.keys) >= _size(space):
            return DONE
        modelled = len(completed) >= self.startup and history.successes > 0
        for turn in range(_DRAWS):
            config = self._draw(space, history, number, rng, turn) if modelled else space.sample(rng)
            if space.allows(config) and space.key(config) not in history.keys:
                return config
        return _unknown(space, history, rng)

    def _draw(
        self, space: Space, history: _History, number: int, rng: np.random.Generator, turn: int
    ) -> Config:
        """One draw from the model; it may be known, or forbidden."""
        documents, seed = history.documents, int(rng.integers(2**32))
        if self.flavour == "anneal":
            suggest = anneal.suggest
            documents = [document for document in documents if document["result"]["loss"] is not None]
        else:
            good = min(math.ceil(self.gamma * math.sqrt(history.ended)), history.successes)
            suggest = partial(
                tpe.suggest,
                n_startup_jobs=0,
                # The likeliest of many categories is always the same: ever fewer are compared.
                n_EI_candidates=max(1, self.candidates >> turn),
                # hyperopt takes ceil(gamma * sqrt(all documents)); the half is against rounding.
                gamma=(good - 0.5) / math.sqrt(len(documents)),
                verbose=False,
            )
        trials = hyperopt.trials_from_docs(documents, validate=False)
        (proposed,) = suggest([number], _domain(space), trials, seed)
        return hyperopt_config(
            space, {label: drawn[0] for label, drawn in proposed["misc"]["vals"].items() if len(drawn)}
        )


@dataclass(frozen=True)
class _History:
    """A run's trials for hyperopt.

    Attributes
    ----------
    documents : list of dict
        hyperopt's record of each trial, with a loss where it succeeded.
    keys : set
        Of the allowed configs among them (`Space.key`).
    ended, successes : int
        How many trials have ended, and how many of these with a loss.
    """

    documents: list[dict[str, Any]]
    keys: set[Hashable]
    ended: int
    successes: int


@dataclass(frozen=True)
class _Seen:
    """What is remembered of one trial: its config, the config's key, hyperopt's record of it."""

    config: Config
    key: Hashable | None
    misc: dict[str, Any]


def _read(space: Space, completed: Sequence[Trial], pending: Sequence[Pending], entropy: int) -> _History:
    memo, domain = _memo(space, entropy), _domain(space)
    documents: list[dict[str, Any]] = []
    keys: set[Hashable] = set()
    trials: list[Trial | Pending] = [*completed, *pending]
    for trial in trials:
        seen = memo.get(trial.number)
        if seen is None or seen.config is not trial.config:
            seen = memo[trial.number] = _see(space, domain, trial)
        if seen.key is not None:
            keys.add(seen.key)
        loss = trial.loss if isinstance(trial, Trial) and trial.valid else None
        documents.append(
            {
                "tid": trial.number,
                "state": hyperopt.JOB_STATE_NEW if loss is None else hyperopt.JOB_STATE_DONE,
                "spec": None,
                "result": {"loss": loss},
                "misc": seen.misc,
            }
        )
    return _History(documents, keys, len(completed), sum(trial.valid for trial in completed))


def _see(space: Space, domain: Any, trial: Trial | Pending) -> _Seen:
    values = hyperopt_values(space, trial.config)
    misc = {
        "tid": trial.number,
        "idxs": {label: [trial.number] if label in values else [] for label in domain.params},
        "vals": {label: [values[label]] if label in values else [] for label in domain.params},
    }
    return _Seen(trial.config, space.key(trial.config) if space.allows(trial.config) else None, misc)


@lru_cache(maxsize=32)
def _memo(space: Space, entropy: int) -> dict[int, _Seen]:
    """What is remembered of a run, by the numbers of its trials; encoding is the dear part."""
    del space, entropy
    return {}


@lru_cache(maxsize=32)
def _domain(space: Space) -> Any:
    never_called = dict  # hyperopt's word for a space comes with a function
    return hyperopt.Domain(never_called, to_hyperopt(space), pass_expr_memo_ctrl=False)


@lru_cache(maxsize=256)
def _size(space: Space) -> float:
    try:
        return space.size()
    except SpaceError:  # too many branches to list: not to be exhausted either
        return math.inf


def _unknown(space: Space, history: _History, rng: np.random.Generator) -> Config:
    """A random config that is not known; in an infinite space perhaps a known one, after all."""
    if _size(space) == math.inf:
        draws = [space.sample(rng) for _ in range(_DRAWS)]
        return next((config for config in draws if space.key(config) not in history.keys), draws[0])
    order = Shuffle(int(_size(space)), int(rng.integers(2**63)))
    configs = (space[order[i]] for i in range(order.n))  # at most n known ones come first
    return next(config for config in configs if space.key(config) not in history.keys)
