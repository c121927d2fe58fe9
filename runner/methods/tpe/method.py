"""Tree-structured Parzen estimators, and annealing, by hyperopt.

TPE sorts the results by loss, fits one density to the few best configs and one to the rest, and
proposes the draw of the first with the highest density ratio. The default is a joint density of all
parameters of a branch (`runner.methods.tpe.multivariate`), as an algorithm of hyperopt; the package's
own, ``flavour: hyperopt``, has a density for each parameter.

hyperopt sees encoded coordinates (`runner.space.formats.encoded_hyperopt`) and a history in its own form
that is rebuilt from the trials. That history avoids three habits of its algorithms:

- They count running trials as results, both against the start-up and for the number of good
  configs, and so can take trials without a result for good ones. Here the start-up counts completed
  trials, and gamma is scaled so that the number of good configs follows from those, too.
- They drop failures. Here a failed or stopped trial has no loss, like a pending one, so that it is
  always one of the rest; a made-up finite loss would depend on the losses so far, and could be among
  the best if few trials succeed.
- They may propose a config again. Here a known config is drawn again a few times, and a finite
  space ends once all of it has been proposed.
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

from runner._text import shown
from runner.errors import MethodError, SpaceError
from runner.methods.base import Method, register
from runner.methods.encoded import cube_of
from runner.methods.random_search import sobol_row
from runner.methods.tpe import multivariate
from runner.seeds import Shuffle, run_entropy
from runner.space import Space
from runner.space.formats import encoded_hyperopt, hyperopt_config, hyperopt_values
from runner.trial import DONE, Answer, Config, Pending, Trial

_MAX_CANDIDATES = 100_000
"""With a hundred parameters these draws take 80 MB at each proposal."""
_DRAWS = 8
"""Attempts to draw a new, allowed config from the model; the candidates halve each time, 48 to 1 in six."""


@register
@dataclass(frozen=True)
class TPE(Method):
    """Tree-structured Parzen estimators over any space, including conditional ones.

    Parameters
    ----------
    flavour : "multivariate", "hyperopt" or "anneal", default "multivariate"
        One joint density of all parameters; hyperopt's ``tpe.suggest``, one density per parameter;
        hyperopt's annealing, which draws around one of the best trials, in a range that shrinks as
        1 / n, and uses neither gamma nor candidates, nor the trials without a loss.
    startup : int, optional
        Until this many trials have ended, and while none has succeeded, configs come from a Sobol
        sequence; with the other flavours, they are those of the random method. Default: 10; 20 for
        "hyperopt".
    gamma : float, optional
        The best ``ceil(gamma * n)`` of n completed trials, at most 25, are the good ones;
        ``ceil(gamma * sqrt(n))`` for "hyperopt". Default: 0.1; 0.25 for "hyperopt".
    candidates : int, optional
        Number of draws from the good density to compare. Default: 48; 24 for "hyperopt".

    Raises
    ------
    MethodError
        If a setting is out of its range.
    """

    name: ClassVar[str] = "tpe"
    summary: ClassVar[str] = "Parzen densities of good and other configs; for conditional and mixed spaces"
    reference: ClassVar[str] = (
        "Bergstra, Bardenet, Bengio and Kegl, NIPS 24 (2011), section 4; multivariate: Falkner, Klein and "
        "Hutter, ICML 2018; hyperopt 0.3"
    )

    flavour: Literal["multivariate", "hyperopt", "anneal"] = "multivariate"
    startup: int | None = None
    gamma: float | None = None
    candidates: int | None = None

    def __post_init__(self) -> None:
        for setting in ("startup", "candidates"):
            value = getattr(self, setting)
            if value is not None and value < 1:
                raise MethodError(f"expected at least 1, got {shown(value)}.", where=setting)
        if self.candidates is not None and self.candidates > _MAX_CANDIDATES:
            message = f"expected at most {_MAX_CANDIDATES:,}, got {shown(self.candidates)}."
            raise MethodError(message, where="candidates")
        if self.gamma is not None and not 0 < self.gamma < math.inf:
            raise MethodError(f"expected a positive number, got {shown(self.gamma)}.", where="gamma")

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
        modelled = len(completed) >= self._startup and history.successes > 0
        for turn in range(_DRAWS):
            if modelled:
                config = self._draw(space, history, number, rng, turn)
            elif self.flavour == "multivariate":
                config = space.decode(sobol_row(space.d, number + turn, run_entropy(rng)))
            else:
                config = space.sample(rng)
            if space.allows(config) and space.key(config) not in history.keys:
                return config
        return _unknown(space, history, rng)

    def _draw(
        self, space: Space, history: _History, number: int, rng: np.random.Generator, turn: int
    ) -> Config:
        """Draw a config from the model; it may be known or forbidden."""
        documents, seed = history.documents, int(rng.integers(2**32))
        # The best of many categorical draws is always the same: further attempts compare fewer.
        candidates = max(1, self._candidates >> turn)
        if self.flavour == "anneal":
            suggest = anneal.suggest
            documents = [document for document in documents if document["result"]["loss"] is not None]
        elif self.flavour == "multivariate":
            suggest = partial(
                multivariate.suggest,
                cube=cube_of(space),
                ended=history.ended,
                gamma=self._gamma,
                candidates=candidates,
            )
        else:
            good = min(math.ceil(self._gamma * math.sqrt(history.ended)), history.successes)
            suggest = partial(
                tpe.suggest,
                n_startup_jobs=0,
                n_EI_candidates=candidates,
                # hyperopt takes ceil(gamma * sqrt(all documents)); the half guards against rounding.
                gamma=(good - 0.5) / math.sqrt(len(documents)),
                verbose=False,
            )
        trials = hyperopt.trials_from_docs(documents, validate=False)
        (proposed,) = suggest([number], _domain(space), trials, seed)
        return hyperopt_config(
            space, {label: drawn[0] for label, drawn in proposed["misc"]["vals"].items() if len(drawn)}
        )

    @property
    def _startup(self) -> int:
        return self.startup or (20 if self.flavour == "hyperopt" else 10)

    @property
    def _candidates(self) -> int:
        return self.candidates or (24 if self.flavour == "hyperopt" else 48)

    @property
    def _gamma(self) -> float:
        return self.gamma or (0.25 if self.flavour == "hyperopt" else 0.1)


@dataclass(frozen=True)
class _History:
    """A run's trials for hyperopt.

    Attributes
    ----------
    documents : list of dict
        hyperopt's record of each trial, with a loss if it succeeded.
    keys : set
        Keys of the allowed configs among them (`Space.key`).
    ended, successes : int
        Number of completed trials, and of those with a loss.
    """

    documents: list[dict[str, Any]]
    keys: set[Hashable]
    ended: int
    successes: int


@dataclass(frozen=True)
class _CachedTrial:
    """Config of a trial, the config's key (None if forbidden), and hyperopt's record of it."""

    config: Config
    key: Hashable | None
    misc: dict[str, Any]


def _read(space: Space, completed: Sequence[Trial], pending: Sequence[Pending], entropy: int) -> _History:
    cache, domain = _cache(space, entropy), _domain(space)
    documents: list[dict[str, Any]] = []
    keys: set[Hashable] = set()
    trials: list[Trial | Pending] = [*completed, *pending]
    for trial in trials:
        cached = cache.get(trial.number)
        if cached is None or cached.config is not trial.config:
            cached = cache[trial.number] = _cached(space, domain, trial)
        if cached.key is not None:
            keys.add(cached.key)
        loss = trial.loss if isinstance(trial, Trial) and trial.valid else None
        documents.append(
            {
                "tid": trial.number,
                "state": hyperopt.JOB_STATE_NEW if loss is None else hyperopt.JOB_STATE_DONE,
                "spec": None,
                "result": {"loss": loss},
                "misc": cached.misc,
            }
        )
    return _History(documents, keys, len(completed), sum(trial.valid for trial in completed))


def _cached(space: Space, domain: Any, trial: Trial | Pending) -> _CachedTrial:
    values = hyperopt_values(space, trial.config)
    misc = {
        "tid": trial.number,
        "row": space.encode(trial.config),
        "idxs": {label: [trial.number] if label in values else [] for label in domain.params},
        "vals": {label: [values[label]] if label in values else [] for label in domain.params},
    }
    return _CachedTrial(trial.config, space.key(trial.config) if space.allows(trial.config) else None, misc)


@lru_cache(maxsize=32)
def _cache(space: Space, entropy: int) -> dict[int, _CachedTrial]:
    """Return the mutable cache of a run, by trial number; encoding is the expensive part."""
    del space, entropy
    return {}


@lru_cache(maxsize=32)
def _domain(space: Space) -> Any:
    never_called = dict  # hyperopt's Domain requires an objective
    return hyperopt.Domain(never_called, encoded_hyperopt(space), pass_expr_memo_ctrl=False)


@lru_cache(maxsize=256)
def _size(space: Space) -> float:
    try:
        return space.size()
    except SpaceError:  # too many branches to list, and so to exhaust
        return math.inf


def _unknown(space: Space, history: _History, rng: np.random.Generator) -> Config:
    """Draw a config that is not known; in an infinite space possibly a known one."""
    if _size(space) == math.inf:
        draws = [space.sample(rng) for _ in range(_DRAWS)]
        return next((config for config in draws if space.key(config) not in history.keys), draws[0])
    order = Shuffle(int(_size(space)), int(rng.integers(2**63)))
    configs = (space[order[i]] for i in range(order.n))  # known ones may come first
    return next(config for config in configs if space.key(config) not in history.keys)
