"""One run by ask and tell: trial order, budget, and what the method may know.

With order "trial" proposal *i* knows exactly the trials before ``i - parallel + 1``, whatever has
arrived by then, so the table of a run does not depend on workers, arrival or interruption. Where
the method answers WAIT it is shown one more trial, the oldest pending one, as soon as that has
ended, and what it has been shown it never forgets. With order "async" a proposal knows all that
has ended when it is made.
"""

from __future__ import annotations

import bisect
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from runner.errors import FivefoldError, MethodError, describe
from runner.methods.base import Method
from runner.seeds import proposal_rng
from runner.space import Space
from runner.trial import DONE, WAIT, Answer, Pending, Trial

Order = Literal["trial", "async"]


@dataclass(frozen=True)
class Budget:
    """When a run ends: at whichever limit comes first.

    Attributes
    ----------
    trials : int or None
        Trials of any status.
    seconds : float or None
        Evaluation plus the method's own thinking, summed over the trials that the next
        proposal would know.
    """

    trials: int | None = None
    seconds: float | None = None


class Run:
    """One method on one space with one seed.

    Parameters
    ----------
    space : Space
    method : Method
        Prepared for the space and the budget.
    entropy : int
        Seed of the run's proposals.
    budget : Budget
    parallel : int, default 1
        Trials in flight at the most.
    order : "trial" or "async", default "trial"
    history : iterable of Trial, optional
        Trials that ended earlier, in any order; their proposals are not made again.
    known : sequence of Trial, optional
        Foreign results which the method may use from the start. They have negative numbers,
        spend no budget, and are no trials of this run.
    pending : iterable of Pending, optional
        Trials that were proposed earlier and are still being evaluated.
    """

    def __init__(
        self,
        space: Space,
        method: Method,
        entropy: int,
        budget: Budget,
        parallel: int = 1,
        order: Order = "trial",
        history: Iterable[Trial] = (),
        known: Sequence[Trial] = (),
        pending: Iterable[Pending] = (),
    ) -> None:
        self.space, self.method, self.entropy = space, method, entropy
        self.budget, self.parallel, self.order = budget, parallel, order
        self.ended: dict[int, Trial] = {trial.number: trial for trial in history}
        self.pending: dict[int, Pending] = {trial.number: trial for trial in pending}
        self.end_reason = ""
        self.failed = False
        self._foreign = list(known)
        self._shown: list[Trial] = []  # what the method knows, by number; in trial order 0, 1, ...
        self._shown_seconds = 0.0
        self._next = 0
        self._settled = 0  # trials 0 .. _settled - 1 have all ended
        self._thinking = 0.0  # seconds spent on the proposal of number _next so far
        self._incumbent: Trial | None = None
        for trial in self.ended.values():
            self._enter(trial)
        self._settle()
        self._skip_ended()

    # -- what may be asked of it --------------------------------------------------------------

    @property
    def incumbent(self) -> Trial | None:
        """The best valid trial so far; of equals the one with the lower number."""
        return self._incumbent

    @property
    def finished(self) -> bool:
        """Whether no trial is pending and none will come."""
        return bool(self.end_reason) and not self.pending

    @property
    def slots(self) -> int:
        """How many proposals could be made before another trial must end, at the most."""
        if self.end_reason:
            return 0
        limit = math.inf if self.budget.trials is None else self.budget.trials
        return max(0, int(min(self.parallel - self._ahead, limit - self._next)))

    @property
    def progress(self) -> float:
        """The share of the budget that has been proposed, or the count where it is in seconds."""
        return self._next / self.budget.trials if self.budget.trials else float(self._next)

    def add_known(self, trial: Trial) -> None:
        """Give the method a foreign result (see ``known``)."""
        self._foreign.append(trial)

    def ask(self) -> Pending | Answer:
        """The next trial to evaluate, WAIT until another has ended, or DONE.

        After DONE the reason stands in ``end_reason``. A method that raises, proposes outside
        the space or waits for nothing ends its run and sets ``failed``; nothing is raised.
        """
        while True:
            if self.end_reason:
                return DONE
            self._skip_ended()
            if self._ahead >= self.parallel:
                return WAIT
            if self.order == "trial":
                self._show(min(max(len(self._shown), self._next - self.parallel + 1), self._next))
            if reason := self._spent():
                self.end_reason = reason
                return DONE
            start = time.perf_counter()
            try:
                answer = self._propose()
            except Exception as error:  # whatever a method raises ends its own run only
                self._fail(f"the method raised {describe(error)}")
                return DONE
            self._thinking += time.perf_counter() - start
            if answer is DONE:
                self.end_reason = "the method has nothing more to propose"
                return DONE
            if answer is WAIT:
                if not self._can_wait():
                    return DONE
                if self.order == "trial" and self._settled > len(self._shown):
                    self._show(len(self._shown) + 1)
                    continue
                return WAIT
            pending = Pending(self._next, answer, self._thinking, len(self._shown))
            self._thinking = 0.0
            self.pending[self._next] = pending
            self._next += 1
            return pending

    def tell(self, trial: Trial) -> None:
        """Enter a trial that has ended; a second telling of one number is ignored."""
        if trial.number in self.ended:
            return
        self.pending.pop(trial.number, None)
        self.ended[trial.number] = trial
        self._enter(trial)
        self._settle()

    def conclude(self) -> str:
        """What the method says of the run as a whole; may be empty."""
        return self.method.conclude(self.space, [self.ended[n] for n in sorted(self.ended)])

    # -- inside -------------------------------------------------------------------------------

    @property
    def _ahead(self) -> int:
        """How many proposals count against ``parallel``.

        In trial order also the ended ones that came after a pending one: the next proposal may
        not know them yet.
        """
        return self._next - self._settled if self.order == "trial" else len(self.pending)

    def _propose(self) -> dict[str, str | int | float | bool | None] | Answer:
        if self.order == "trial":
            ahead = range(len(self._shown), self._next)
            pending = [self.pending.get(n) or self._as_pending(n) for n in ahead]
        else:
            pending = [self.pending[n] for n in sorted(self.pending)]
        answer = self.method.propose(
            self.space,
            [*self._foreign, *self._shown] if self._foreign else self._shown,
            pending,
            self._next,
            proposal_rng(self.entropy, self._next),
        )
        if isinstance(answer, Answer):
            return answer
        try:
            return self.space.canonical(answer)
        except FivefoldError as error:
            raise MethodError(f"a proposal outside the space: {error}") from None

    def _as_pending(self, number: int) -> Pending:
        trial = self.ended[number]
        return Pending(number, trial.config, trial.suggest_seconds, trial.known)

    def _skip_ended(self) -> None:
        """Pass over proposals which an earlier session made."""
        while (trial := self.ended.get(self._next) or self.pending.get(self._next)) is not None:
            self._show(max(len(self._shown), trial.known) if self.order == "trial" else 0)
            self._next += 1

    def _show(self, count: int) -> None:
        for number in range(len(self._shown), count):
            trial = self.ended[number]
            self._shown.append(trial)
            self._shown_seconds += _seconds(trial)

    def _spent(self) -> str:
        if self.budget.trials is not None and self._next >= self.budget.trials:
            return "the budget of trials is spent"
        if self.budget.seconds is not None and self._shown_seconds >= self.budget.seconds:
            return "the budget of seconds is spent"
        return ""

    def _can_wait(self) -> bool:
        waiting_for = self._next - len(self._shown) if self.order == "trial" else len(self.pending)
        if waiting_for:
            return True
        self._fail("the method waits although nothing is pending")
        return False

    def _fail(self, reason: str) -> None:
        self.end_reason, self.failed = reason, True

    def _enter(self, trial: Trial) -> None:
        if self.order == "async":
            bisect.insort(self._shown, trial, key=_number)
            self._shown_seconds += _seconds(trial)
        best = self._incumbent
        if trial.valid and (
            best is None
            or best.loss is None
            or (trial.loss is not None and (trial.loss, trial.number) < (best.loss, best.number))
        ):
            self._incumbent = trial

    def _settle(self) -> None:
        while self._settled in self.ended:
            self._settled += 1


def _number(trial: Trial) -> int:
    return trial.number


def _seconds(trial: Trial) -> float:
    """What a trial costs of a budget in seconds."""
    return trial.suggest_seconds + trial.outcome.seconds
