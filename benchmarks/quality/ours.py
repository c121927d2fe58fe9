"""Our methods, asked as a search asks them."""

from __future__ import annotations

from benchmarks.quality.simulation import Asker
from runner.engine.runs.run import Run
from runner.methods import make_method
from runner.seeds import seed_for
from runner.trial import Answer, Budget, Outcome, Status, Trial


class Ours(Asker):
    """A method of ours, by name and settings."""

    def __init__(self, space, seed, parallel, trials, method, settings=None):
        prepared = make_method(method, settings or {}).prepare(space, trials, parallel)
        self._elsewhere = 0
        self._run = Run(
            space, prepared, seed_for("quality", seed, bits=128), Budget(trials), parallel, order="async"
        )

    def ask(self):
        answer = self._run.ask()
        if isinstance(answer, Answer):
            raise RuntimeError(f"no config: {self._run.end_reason}")
        return answer, answer.config

    def tell(self, token, config, loss):
        self._run.tell(Trial(token.number, config, _outcome(loss), known=token.known))

    def know(self, config, loss):
        self._elsewhere -= 1
        self._run.add_known(Trial(self._elsewhere, config, _outcome(loss)))


def _outcome(loss):
    if loss is None:
        return Outcome(Status.FAILED, error="It failed.")
    return Outcome(Status.COMPLETED, loss=loss, value=loss)
