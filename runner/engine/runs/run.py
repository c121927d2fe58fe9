"""One run by ask and tell: trial order, budget, and what the method may know.

With order "trial" proposal *i* knows exactly the trials before ``i - parallel + 1``, whatever has
arrived by then, so the table of a run does not depend on workers, arrival or interruption. Where
the method answers WAIT it is shown one more trial, the oldest pending one, as soon as that has
ended, and what it has been shown it never forgets. With order "async" a proposal knows all that
has ended when it is made.

A run may begin with configs that are given (`runner.study.warmstart`): they are its trials 0, 1, ... and
spend its budget. The method sees them as trials that it has not proposed, with numbers below 0, so
that its own proposals are counted from 0 as ever: a grid or an exhaustive search loses none of its
configs, and a method that uses no history proposes what it proposes without them.

A method that uses no history is asked ahead of the results, as far as the budget goes: its
proposals are the same whenever they are made.

A run whose first trials all fail alike ends there (``give_up_after``). That is decided by the first
trials as they are numbered, and no further one is proposed before it is decided, so it ends after the
same trial whatever has arrived by then.

The thinking may be done elsewhere: `Run.question` says what the method is to be asked, and
`Run.answer` enters the reply. `Run.ask` does both, and the thinking, here.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from runner.engine.requests import Question, Reply
from runner.engine.worker.propose import think
from runner.methods.base import Method
from runner.space import Space
from runner.trial import (
    DONE,
    GIVEN_UP,
    NOTHING_MORE,
    WAIT,
    Answer,
    Budget,
    Config,
    Order,
    Pending,
    Status,
    Trial,
)

_Numbered = TypeVar("_Numbered", Trial, Pending)

_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_ROUNDING = 1e-9  # of sums of shares
_MOST_SLOTS = 1_000_000


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
        Foreign results which the method may use from the start. They have numbers below those of
        ``first`` (-1 - len(first), ...), spend no budget, and are no trials of this run.
    first : sequence of dict, optional
        Configs to try before the method is asked.
    pending : iterable of Pending, optional
        Trials that were proposed earlier and are still being evaluated.
    staged : bool, default False
        Whether a scheduler may stop trials early: then the budget of trials counts full-evaluation
        equivalents (`Outcome.share`), of which a pending trial is held to need a whole one.
    give_up_after : int, default 0
        The run ends after so many trials, or ``parallel`` where that is more, if they all failed with
        one status and messages that differ in their numbers only; 0: never.

    Attributes
    ----------
    end_reason : str
        Why no further trial will be proposed; empty until then.
    failed : bool
        Whether the method failed.
    thought_seconds : float
        How long the method thinks about a proposal: the shorter of the last two times. A single one
        may have been held up, by the load of the machine or an import, and tells little.
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
        staged: bool = False,
        first: Sequence[Config] = (),
        give_up_after: int = 0,
    ) -> None:
        self.first = tuple(first)
        self.space, self.method, self.entropy = space, method, entropy
        self.budget, self.parallel, self.order, self.staged = budget, parallel, order, staged
        self.ended: dict[int, Trial] = {trial.number: trial for trial in history}
        self.pending: dict[int, Pending] = {trial.number: trial for trial in pending}
        self.end_reason = ""
        self.failed = False
        # How many trials decide whether the run goes on; 0 once they have.
        self._trial_period = max(give_up_after, parallel) if give_up_after else 0
        # Whether proposals may be made ahead of the results, because they depend on none.
        self._free = order == "trial" and not method.uses_history and not staged and budget.seconds is None
        self._foreign = list(known)
        # What the method knows, numbered as it counts; in trial order without a gap.
        self._shown: list[Trial] = []
        self._shown_seconds = self._shown_share = 0.0
        self._asked = False  # a question is out, and unanswered
        self._known = 0  # how many trials the method knew when it was asked last
        self._next = 0
        self._settled = 0  # trials 0 .. _settled - 1 have all ended
        self._thinking = 0.0  # seconds spent on the proposal of number _next so far
        self._incumbent: Trial | None = None
        self._thought = self.ended[max(self.ended)].suggest_seconds if self.ended else 0.0  # the last time
        self.thought_seconds = self._thought
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
    def ended_early(self) -> bool:
        """The run ended because its method failed, or because all its first trials did."""
        return self.failed or self.end_reason.startswith(GIVEN_UP)

    @property
    def slots(self) -> int:
        """How many proposals could be made before another trial must end, at the most."""
        period = self._trial_period - self._next if self._trial_period else math.inf
        return int(max(0, min(self._window - self._ahead, period, self.remaining)))

    @property
    def remaining(self) -> int:
        """How many proposals could be made until the run ends, at the most."""
        if self.end_reason:
            return 0
        if self.budget.trials is None:
            return _MOST_SLOTS
        return min(_MOST_SLOTS, max(0, math.ceil(self.budget.trials - self._spent_trials)))

    @property
    def progress(self) -> float:
        """The share of the budget that has been proposed, or the count where it is in seconds."""
        return self._spent_trials / self.budget.trials if self.budget.trials else float(self._next)

    def known_steps(self, known: int) -> list[tuple[float, ...]]:
        """The losses by step of the first so many trials that the method knows, in their order."""
        return [trial.outcome.steps for trial in self._shown[:known]]

    def add_known(self, trial: Trial) -> None:
        """Give the method a foreign result (see ``known``)."""
        self._foreign.append(trial)

    def ask(self) -> Pending | Answer:
        """The next trial to evaluate, WAIT until another has ended, or DONE.

        After DONE the reason stands in ``end_reason``. A method that raises, proposes outside
        the space or waits for nothing ends its run and sets ``failed``; nothing is raised.
        """
        while not isinstance(question := self.question(), Answer):
            answer = self.answer(think(self.method, self.space, question))
            if answer is not None:
                return answer
        return question

    def question(self) -> Question | Answer:
        """What the method is to be asked now; WAIT, also while a question is out; DONE."""
        if self._asked:
            return WAIT
        if self.end_reason:
            return DONE
        self._skip_ended()
        if self._ahead >= self._window:
            return WAIT
        if self.order == "trial" and not self._free:
            self._show(min(max(len(self._shown), self._next - self.parallel + 1), self._next))
        while reason := self._spent():
            if not (self.staged and self._unknown):
                self.end_reason = reason
                return DONE
            if not self._show_one_more():  # it may leave some of what was held back for it
                return WAIT
        if self._trial_period and self._next >= self._trial_period and (ended := self._judge_start()):
            return ended
        self._asked = True
        self._known = 0 if self._free else len(self._shown)
        if self._next < len(self.first):
            return Question(self._next, (), (), self.entropy, dict(self.first[self._next]))
        return Question(self._next - len(self.first), *self._history(), self.entropy)

    def answer(self, reply: Reply) -> Pending | Answer | None:
        """Enter the reply to the question that is out.

        Returns
        -------
        Pending, WAIT, DONE or None
            The trial that was proposed; None where the method is to be asked again at once.
        """
        self._asked = False
        if reply.error:
            self._fail(reply.error)
            return DONE
        self._thinking += reply.seconds
        if reply.answer is DONE:
            self.end_reason = NOTHING_MORE
            return DONE
        if reply.answer is WAIT or reply.answer is None:
            if not self._unknown:
                self._fail("the method waits although nothing is pending")
                return DONE
            return None if self._show_one_more() else WAIT
        pending = Pending(self._next, reply.answer, self._thinking, self._known)
        self.thought_seconds = min(self._thought, self._thinking)
        self._thought, self._thinking = self._thinking, 0.0
        self.pending[self._next] = pending
        self._next += 1
        return pending

    def give_up(self, reason: str) -> None:
        """End the run because its question cannot be answered."""
        self._asked = False
        self._fail(reason)

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
        return self.method.conclude(self.space, [self._told(self.ended[n]) for n in sorted(self.ended)])

    # -- inside -------------------------------------------------------------------------------

    @property
    def _window(self) -> float:
        """How many proposals may be ahead of what is known."""
        return math.inf if self._free else self.parallel

    @property
    def _ahead(self) -> int:
        """How many proposals count against the window.

        In trial order also the ended ones that came after a pending one: the next proposal may
        not know them yet.
        """
        return self._next - self._settled if self.order == "trial" else len(self.pending)

    @property
    def _unknown(self) -> int:
        """How many proposals there are whose results the method does not know."""
        return self._next - len(self._shown) if self.order == "trial" else len(self.pending)

    @property
    def _spent_trials(self) -> float:
        """How much of the budget of trials has been proposed."""
        return self._shown_share + self._unknown if self.staged else self._next

    def _history(self) -> tuple[Sequence[Trial], Sequence[Pending]]:
        """What has ended and what is pending, as far as the method may know it now."""
        if self._free:
            return self._foreign, ()
        if self.order == "trial":
            ahead = range(len(self._shown), self._next)
            pending = [self._told(self.pending.get(n) or self._as_pending(n)) for n in ahead]
        else:
            pending = [self._told(self.pending[n]) for n in sorted(self.pending)]
        return [*self._foreign, *self._shown] if self._foreign else self._shown, pending

    def _told(self, trial: _Numbered) -> _Numbered:
        """A trial with the number under which the method hears of it."""
        return dataclasses.replace(trial, number=trial.number - len(self.first)) if self.first else trial

    def _as_pending(self, number: int) -> Pending:
        trial = self.ended[number]
        return Pending(number, trial.config, trial.suggest_seconds, trial.known)

    def _skip_ended(self) -> None:
        """Pass over proposals which an earlier session made."""
        while (trial := self.ended.get(self._next) or self.pending.get(self._next)) is not None:
            known = min(trial.known, self._settled)  # a journal may say what cannot be
            self._show(max(len(self._shown), known) if self.order == "trial" else 0)
            self._next += 1

    def _show(self, count: int) -> None:
        for number in range(len(self._shown), count):
            trial = self.ended[number]
            self._shown.append(self._told(trial))
            self._count(trial)

    def _show_one_more(self) -> bool:
        """Show the oldest trial that the method does not know, where it has ended; whether it had."""
        if self.order != "trial" or self._settled <= len(self._shown):
            return False
        self._show(len(self._shown) + 1)
        return True

    def _count(self, trial: Trial) -> None:
        self._shown_seconds += _seconds(trial)
        self._shown_share += trial.outcome.share

    def _spent(self) -> str:
        if self.budget.trials is not None and self._spent_trials >= self.budget.trials - _ROUNDING:
            return "the budget of trials is spent"
        if self.budget.seconds is not None and self._shown_seconds >= self.budget.seconds:
            return "the budget of seconds is spent"
        return ""

    def _judge_start(self) -> Answer | None:
        """WAIT while the first trials may turn out to have all failed alike, DONE where they have."""
        first = [self.ended[n] for n in range(self._trial_period) if n in self.ended]
        if len(set(map(_failure, first))) > 1:
            self._trial_period = 0
            return None
        if len(first) < self._trial_period:
            return WAIT
        message = first[0].outcome.error or first[0].status.meaning
        self.end_reason = f"{GIVEN_UP} ({len(first)} of them), {first[0].status}: {message}"
        return DONE

    def _fail(self, reason: str) -> None:
        self.end_reason, self.failed = reason, True

    def _enter(self, trial: Trial) -> None:
        if trial.number < self._trial_period and trial.loss is not None:
            self._trial_period = 0
        if self.order == "async":
            bisect.insort(self._shown, self._told(trial), key=_number)
            self._count(trial)
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


def _failure(trial: Trial) -> tuple[Status, str]:
    """Reduce a failed trial to what it has in common with others that failed alike.

    Of a trial that was killed the message says how, which depends on who noticed first.
    """
    killed = trial.status in (Status.TIMEOUT, Status.CRASHED)
    return trial.status, "" if killed else _NUMBER.sub("#", trial.outcome.error)


def _number(trial: Trial) -> int:
    return trial.number


def _seconds(trial: Trial) -> float:
    """What a trial costs of a budget in seconds."""
    return trial.suggest_seconds + trial.outcome.seconds
