"""Tree-structured Parzen estimators, and annealing, by hyperopt.

TPE sorts the results by loss, fits one density to the best few configs and one to the rest, and
tries the draw of the first that is likeliest against the second. Here that is a density of all
parameters of a branch together (`runner.methods.tpe.multivariate`), as an algorithm of hyperopt; the
package's own, ``flavour: hyperopt``, has one for each parameter alone.

hyperopt sees encoded coordinates (`runner.space.formats.encoded_hyperopt`) and a history of its own form
that is rebuilt from the trials. Three habits of its algorithms are avoided by what that history
holds:

- They count running trials as results, both against the start-up and for the number of good
  configs, and so take trials without a result for good ones. Here the start-up counts trials
  that have ended, and gamma is scaled so that the number of good configs comes from those too.
- They drop failures. Here a trial that failed, or was stopped early, has no loss, like one that is
  pending, which makes it one of the rest for certain; a made-up finite loss would depend on the
  losses so far, and could be among the best where few trials succeed.
- They may propose a config again. Here a known config is drawn again a few times, and a finite
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

_MOST_CANDIDATES = 100_000
"""Of so many draws a hundred parameters take 80 MB at each proposal."""
_DRAWS = 8
"""How often a config that is known or forbidden is drawn again from the model."""


@register
@dataclass(frozen=True)
class TPE(Method):
    """Tree-structured Parzen estimators over any space, conditional ones included.

    Parameters
    ----------
    flavour : "multivariate", "hyperopt" or "anneal", default "multivariate"
        One density of all parameters; hyperopt's ``tpe.suggest``, one for each; hyperopt's
        annealing, which draws around one of the best trials, in a range that shrinks as 1 / n,
        and uses neither gamma nor candidates, nor the trials without a loss.
    startup : int, optional
        Until that many trials have ended, and while none has succeeded, configs come from a Sobol
        sequence, or, of the other flavours, are those of the random method. Default: 10; 20 of
        "hyperopt".
    gamma : float, optional
        Of n ended trials the best ``ceil(gamma * n)``, of "hyperopt" ``ceil(gamma * sqrt(n))``,
        25 at the most, are the good ones. Default: 0.1; 0.25 of "hyperopt".
    candidates : int, optional
        How many draws of the good density are compared. Default: 48; 24 of "hyperopt".

    Raises
    ------
    MethodError
        Where a setting is out of its range.
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
            given = getattr(self, setting)
            if given is not None and given < 1:
                raise MethodError(f"expected at least 1, got {shown(given)}.", where=setting)
        if self.candidates is not None and self.candidates > _MOST_CANDIDATES:
            wanted = f"expected at most {_MOST_CANDIDATES:,}, got {shown(self.candidates)}."
            raise MethodError(wanted, where="candidates")
        if self.gamma is not None and not 0 < self.gamma < math.inf:
            raise MethodError(f"expected a number above 0, got {shown(self.gamma)}.", where="gamma")

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
        """One draw from the model; it may be known, or forbidden."""
        documents, seed = history.documents, int(rng.integers(2**32))
        # The likeliest of many categories is always the same: ever fewer are compared.
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
                # hyperopt takes ceil(gamma * sqrt(all documents)); the half is against rounding.
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
        "row": space.encode(trial.config),
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
    return hyperopt.Domain(never_called, encoded_hyperopt(space), pass_expr_memo_ctrl=False)


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
