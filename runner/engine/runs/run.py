"""One run by ask and tell: trial order, budget, and what the method may know.

A run may begin with given configs (`runner.study.warmstart`): they are its trials 0, 1, ... and spend its
budget. The method sees them as trials that it has not proposed, with numbers below 0, so that its own
proposals are still counted from 0: a grid or an exhaustive search loses none of its configs, and a method
that uses no history proposes the same with and without them.

A method that uses no history is asked ahead of the results, as far as the budget allows: its proposals are
the same whenever they are made.

A run whose first trials all fail alike ends there (``give_up_after``). The first trials by number decide, and
no further one is proposed before the decision, so it ends after the same trial in every order of arrival.

A method may be asked in another process: `Run.request` returns its proposal request, and `Run.answer` enters
the reply. `Run.ask` does both, and asks the method, here.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

from runner.engine.messages import ProposalRequest, Reply
from runner.engine.worker.propose import propose
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
_ROUNDING = 1e-9  # far above the rounding error of a sum of shares, far below a share
_MOST_SLOTS = 1_000_000  # stands for "no limit" where an integer is needed


class Run:
    """One method on one space with one seed.

    A trial is *pending* from its proposal to its result, then *ended*. Trials 0 .. ``_settled - 1`` have all
    ended. ``_shown`` are the trials that the method knows (plus ``known``, foreign results): it only grows,
    and with order "trial" it is always the trials 0 .. k - 1 with k <= ``_settled``. Each proposal stores in
    ``Pending.known`` how many were shown, so a resumed run shows the same. ``_asked`` is True while a request
    is unanswered; there is never more than one.

    Order "trial" guarantees: proposal *i* knows exactly the trials before ``i - parallel + 1``, or more
    where the method has answered WAIT or a staged budget seems spent: each time one more, the oldest not yet
    known. So the table of a run does not depend on workers, arrival or interruption. With order "async" it
    knows all that have ended.

    Parameters
    ----------
    method : Method
        Prepared for the space and the budget.
    entropy : int
        Seed of the run's proposals.
    parallel : int, default 1
        Largest number of trials in flight.
    order : "trial" or "async", default "trial"
    history : iterable of Trial, optional
        Trials that ended earlier, in any order; their proposals are not made again.
    known : sequence of Trial, optional
        Foreign results which the method may use from the start. They have numbers below those of
        ``first`` (-1 - len(first), ...), spend no budget, and are not trials of this run.
    first : sequence of dict, optional
        Configs to try before the method is asked.
    pending : iterable of Pending, optional
        Trials that were proposed earlier and are still being evaluated.
    staged : bool, default False
        A scheduler may stop trials early: then the budget of trials counts full-evaluation equivalents
        (`Outcome.share`), and a pending trial counts as a whole one.
    give_up_after : int, default 0
        The run ends after this number of trials, or ``parallel`` if that is more, if they all failed with
        one status and messages that differ in their numbers only; 0: never.

    Attributes
    ----------
    end_reason : str
        Reason why no further trial will be proposed; empty until then.
    failed : bool
        The method failed.
    proposal_seconds : float
        Time that the method takes for a proposal: the shorter of the last two times. A single one may have
        been delayed, by the load of the machine or an import.
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
        # The number of trials that decide if the run gives up; 0 once they have decided.
        self._trial_period = max(give_up_after, parallel) if give_up_after else 0
        # True if proposals may be made ahead of the results, because they depend on none.
        self._free = order == "trial" and not method.uses_history and not staged and budget.seconds is None
        self._foreign = list(known)
        # Numbered as the method counts.
        self._shown: list[Trial] = []
        self._shown_seconds = self._shown_share = 0.0
        self._asked = False
        self._known = 0  # number of trials that the method knew when it was asked last
        self._next = 0
        self._settled = 0
        self._elapsed = 0.0  # seconds spent so far on the proposal of number _next
        self._incumbent: Trial | None = None
        self._last_seconds = self.ended[max(self.ended)].suggest_seconds if self.ended else 0.0
        self.proposal_seconds = self._last_seconds
        for trial in self.ended.values():
            self._enter(trial)
        self._settle()
        self._skip_ended()

    # -- state ----------------------------------------------------------------------------------

    @property
    def incumbent(self) -> Trial | None:
        """The best valid trial so far; among equals the one with the lowest number."""
        return self._incumbent

    @property
    def finished(self) -> bool:
        """True if no trial is pending and none will be proposed."""
        return bool(self.end_reason) and not self.pending

    @property
    def ended_early(self) -> bool:
        """True if the run ended because its method failed, or because all its first trials did."""
        return self.failed or self.end_reason.startswith(GIVEN_UP)

    @property
    def slots(self) -> int:
        """Largest number of proposals that could be made before another trial must end."""
        period = self._trial_period - self._next if self._trial_period else math.inf
        return int(max(0, min(self._window - self._ahead, period, self.remaining)))

    @property
    def remaining(self) -> int:
        """Largest number of proposals that could be made until the run ends."""
        if self.end_reason:
            return 0
        if self.budget.trials is None:
            return _MOST_SLOTS
        return min(_MOST_SLOTS, max(0, math.ceil(self.budget.trials - self._spent_trials)))

    @property
    def progress(self) -> float:
        """Share of the budget that has been proposed; the number of proposals if the budget is in seconds."""
        return self._spent_trials / self.budget.trials if self.budget.trials else float(self._next)

    def known_steps(self, known: int) -> list[tuple[float, ...]]:
        """Losses by step of the first ``known`` trials that the method knows, in their order."""
        return [trial.outcome.steps for trial in self._shown[:known]]

    def add_known(self, trial: Trial) -> None:
        """Give the method a foreign result (see ``known``)."""
        self._foreign.append(trial)

    def ask(self) -> Pending | Answer:
        """Return the next trial to evaluate, WAIT until another has ended, or DONE.

        After DONE, ``end_reason`` holds the reason. A method that raises, proposes a config outside the
        space, or waits while nothing is pending, ends its run and sets ``failed``; nothing is raised.
        """
        while not isinstance(request := self.request(), Answer):
            answer = self.answer(propose(self.method, self.space, request))
            if answer is not None:
                return answer
        return request

    def request(self) -> ProposalRequest | Answer:
        """Return the proposal request for the method; WAIT, also while one is unanswered; DONE."""
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
            if not self._show_one_more():  # a trial that was stopped early leaves part of its whole share
                return WAIT
        if self._trial_period and self._next >= self._trial_period and (ended := self._judge_start()):
            return ended
        self._asked = True
        self._known = 0 if self._free else len(self._shown)
        if self._next < len(self.first):
            return ProposalRequest(self._next, (), (), self.entropy, dict(self.first[self._next]))
        return ProposalRequest(self._next - len(self.first), *self._history(), self.entropy)

    def answer(self, reply: Reply) -> Pending | Answer | None:
        """Enter the reply to the unanswered request.

        Returns
        -------
        Pending, WAIT, DONE or None
            The proposed trial; None if the method is to be asked again at once.
        """
        self._asked = False
        if reply.error:
            self._fail(reply.error)
            return DONE
        self._elapsed += reply.seconds
        if reply.answer is DONE:
            self.end_reason = NOTHING_MORE
            return DONE
        if reply.answer is WAIT or reply.answer is None:
            if not self._unknown:
                self._fail("the method waits although nothing is pending")
                return DONE
            return None if self._show_one_more() else WAIT
        pending = Pending(self._next, reply.answer, self._elapsed, self._known)
        self.proposal_seconds = min(self._last_seconds, self._elapsed)
        self._last_seconds, self._elapsed = self._elapsed, 0.0
        self.pending[self._next] = pending
        self._next += 1
        return pending

    def give_up(self, reason: str) -> None:
        """End the run because its request cannot be answered."""
        self._asked = False
        self._fail(reason)

    def tell(self, trial: Trial) -> None:
        """Enter a trial that has ended; a second result of one number is ignored."""
        if trial.number in self.ended:
            return
        self.pending.pop(trial.number, None)
        self.ended[trial.number] = trial
        self._enter(trial)
        self._settle()

    def conclude(self) -> str:
        """Return the method's conclusion about the whole run; may be empty."""
        return self.method.conclude(self.space, [self._renumbered(self.ended[n]) for n in sorted(self.ended)])

    # -- internals ------------------------------------------------------------------------------

    @property
    def _window(self) -> float:
        """Largest number of proposals ahead of the known results."""
        return math.inf if self._free else self.parallel

    @property
    def _ahead(self) -> int:
        """Number of proposals that count against the window.

        In trial order these include ended trials after a pending one: the next proposal may not know them.
        """
        return self._next - self._settled if self.order == "trial" else len(self.pending)

    @property
    def _unknown(self) -> int:
        """Number of proposals whose results the method does not know."""
        return self._next - len(self._shown) if self.order == "trial" else len(self.pending)

    @property
    def _spent_trials(self) -> float:
        """Part of the budget of trials that has been proposed."""
        return self._shown_share + self._unknown if self.staged else self._next

    def _history(self) -> tuple[Sequence[Trial], Sequence[Pending]]:
        """Return the ended and the pending trials that the method may know now."""
        if self._free:
            return self._foreign, ()
        if self.order == "trial":
            ahead = range(len(self._shown), self._next)
            pending = [self._renumbered(self.pending.get(n) or self._as_pending(n)) for n in ahead]
        else:
            pending = [self._renumbered(self.pending[n]) for n in sorted(self.pending)]
        return [*self._foreign, *self._shown] if self._foreign else self._shown, pending

    def _renumbered(self, trial: _Numbered) -> _Numbered:
        """Renumber a trial as the method counts."""
        return dataclasses.replace(trial, number=trial.number - len(self.first)) if self.first else trial

    def _as_pending(self, number: int) -> Pending:
        trial = self.ended[number]
        return Pending(number, trial.config, trial.suggest_seconds, trial.known)

    def _skip_ended(self) -> None:
        """Skip proposals that an earlier session made."""
        while (trial := self.ended.get(self._next) or self.pending.get(self._next)) is not None:
            known = min(trial.known, self._settled)  # a damaged journal may hold more
            self._show(max(len(self._shown), known) if self.order == "trial" else 0)
            self._next += 1

    def _show(self, count: int) -> None:
        for number in range(len(self._shown), count):
            trial = self.ended[number]
            self._shown.append(self._renumbered(trial))
            self._count(trial)

    def _show_one_more(self) -> bool:
        """Show the oldest trial that the method does not know; return False if it has not ended."""
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
        """Return WAIT while the first trials may all fail alike, DONE if they have, else None."""
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
            bisect.insort(self._shown, self._renumbered(trial), key=_number)
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

    The message of a killed trial is left out: it depends on who noticed first.
    """
    killed = trial.status in (Status.TIMEOUT, Status.CRASHED)
    return trial.status, "" if killed else _NUMBER.sub("#", trial.outcome.error)


def _number(trial: Trial) -> int:
    return trial.number


def _seconds(trial: Trial) -> float:
    """Cost of a trial in a budget of seconds."""
    return trial.suggest_seconds + trial.outcome.seconds
