import math
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.runs.run import Run
from runner.engine.runs.run_set import RunSet
from runner.engine.worker.propose import propose
from runner.methods import make_method
from runner.methods.base import Method
from runner.space import Choice, Float, Int, Space
from runner.testing.simulation import simulate
from runner.trial import DONE, GIVEN_UP, WAIT, Budget, Outcome, Pending, Status, Trial

SPACE = Space({"x": Float(0, 1), "n": Int(0, 9), "c": Choice(["a", "b"])})
PARALLEL = [1, 2, 5]


def loss(config):
    return (config["x"] - 0.3) ** 2 + config["n"] / 9 + (config["c"] == "a") / 3


def outcome(config, seconds=0.0):
    """Losses, and now and then a failure: it spends its budget and is told as any other."""
    if config["n"] == 4:
        return Outcome(Status.FAILED, error="four.", seconds=seconds)
    return Outcome(Status.COMPLETED, loss=loss(config), value=loss(config), seconds=seconds)


def ended(pending, seconds=0.0):
    return Trial(
        pending.number,
        pending.config,
        outcome(pending.config, seconds),
        suggest_seconds=pending.suggest_seconds,
        known=pending.known,
    )


def table(run):
    return [(n, run.ended[n].config, run.ended[n].outcome, run.ended[n].known) for n in sorted(run.ended)]


class Stub(Method):
    name = "stub"
    summary = "for tests"
    reference = "none"


@dataclass(frozen=True)
class Chaotic(Stub):
    """Every proposal depends on all that is known, in its order, and on what is pending."""

    waits: int = 0  # proposals that need all trials but so many; 0 for none

    def propose(self, space, completed, pending, number, rng):
        if self.waits and number % 3 == 2 and len(pending) >= self.waits:
            return WAIT
        x = float(rng.random())
        for trial in completed:
            x = math.fmod(x * 3.7 + (trial.loss or 0.77) + 0.1 * trial.number, 1.0)
        for other in pending:
            x = math.fmod(x * 2.3 + other.config["x"] + 0.01 * other.number, 1.0)
        n = (len(completed) * 3 + len(pending) + number) % 10
        return {"x": x, "n": n, "c": "ab"[int(x * 100) % 2]}


@dataclass(frozen=True)
class Scripted(Stub):
    """Answers what a function answers."""

    answer: object = None

    def propose(self, space, completed, pending, number, rng):
        return self.answer(completed, pending, number)


def plain(number=0):
    return {"x": 0.5, "n": number % 10, "c": "a"}


def make(method=None, trials=12, parallel=1, **options):
    return Run(SPACE, method or Chaotic(), 2**100 + 7, Budget(trials), parallel, **options)


def play(run, choose, stop=10**9):
    """Ask as long as it gives trials; let ``choose`` say which pending one ends next."""
    pending = {}
    for _ in range(stop):
        while isinstance(answer := run.ask(), Pending):
            pending[answer.number] = answer
        if not pending:
            break
        number = choose(sorted(pending))
        run.tell(ended(pending.pop(number)))
    return run


def oldest(numbers):
    return numbers[0]


# -- the same table ------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", PARALLEL)
@given(data=st.data(), waits=st.integers(0, 3))
@settings(max_examples=40)
def test_the_table_does_not_depend_on_the_order_of_arrival(parallel, data, waits):
    method = Chaotic(waits)
    expected = table(play(make(method, parallel=parallel), oldest))
    assert len(expected) == 12
    found = play(make(method, parallel=parallel), lambda numbers: data.draw(st.sampled_from(numbers)))
    assert table(found) == expected


@pytest.mark.parametrize("parallel", PARALLEL)
@given(data=st.data(), waits=st.integers(0, 3))
@settings(max_examples=40)
def test_the_table_does_not_depend_on_interruptions(parallel, data, waits):
    method = Chaotic(waits)
    expected = table(play(make(method, parallel=parallel), oldest))
    history = []
    for _ in range(data.draw(st.integers(1, 4))):  # sessions that end after some trials
        run = make(method, parallel=parallel, history=data.draw(st.permutations(history)))
        play(run, lambda numbers: data.draw(st.sampled_from(numbers)), data.draw(st.integers(0, 6)))
        history = list(run.ended.values())
    run = make(method, parallel=parallel, history=history)
    assert table(play(run, oldest)) == expected


@pytest.mark.parametrize("parallel", PARALLEL)
@pytest.mark.parametrize("name", ["random", "bayes", "tpe", "gradient", "grid"])
def test_real_methods_have_one_table_too(name, parallel):
    method = make_method(name).prepare(SPACE, 14, parallel)
    expected = table(play(make(method, 14, parallel), oldest))
    rng = np.random.default_rng(3)
    run = play(make(method, 14, parallel), lambda numbers: int(rng.choice(numbers)), stop=6)
    # Another instance, as in another process: a memo of the first must not be needed.
    again = make_method(name).prepare(SPACE, 14, parallel)
    run = play(make(again, 14, parallel, history=run.ended.values()), lambda numbers: numbers[-1])
    assert table(run) == expected
    simulated = simulate(make_method(name), SPACE, outcome, 14, parallel, 2**100 + 7)
    assert [(trial.number, trial.config, trial.known) for trial in simulated] == [
        (number, config, known) for number, config, _, known in expected
    ]


@pytest.mark.parametrize("parallel", PARALLEL)
def test_proposal_i_knows_exactly_the_trials_before_i_minus_parallel_plus_1(parallel):
    seen = []

    def answer(completed, pending, number):
        seen.append(([t.number for t in completed], [p.number for p in pending]))
        return plain(number)

    play(make(Scripted(answer), 10, parallel), lambda numbers: numbers[-1])
    for number, (known, waiting) in enumerate(seen):
        first = max(0, number - parallel + 1)
        assert (known, waiting) == (list(range(first)), list(range(first, number)))


# -- WAIT and DONE -------------------------------------------------------------------------------


def test_a_waiting_method_is_shown_the_oldest_pending_trial_and_never_forgets():
    seen = []

    def answer(completed, pending, number):
        seen.append((number, len(completed)))
        return WAIT if number == 3 and len(completed) < 2 else plain(number)

    run = make(Scripted(answer), 6, parallel=4)
    trials = [run.ask() for _ in range(3)]
    assert run.ask() is WAIT
    run.tell(ended(trials[1]))  # not the oldest: it may not be seen yet
    assert run.ask() is WAIT
    run.tell(ended(trials[0]))
    assert run.ask().known == 2
    assert seen == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 0), (3, 0), (3, 1), (3, 2)]
    assert run.ask().known == 2  # 4 - parallel + 1 is 1


def test_a_full_run_waits_without_asking_its_method():
    run = make(Scripted(lambda completed, pending, number: plain(number)), 9, parallel=2)
    trials = [run.ask(), run.ask()]
    assert (run.ask(), run.slots) == (WAIT, 0)
    run.tell(ended(trials[1]))  # a free worker, but trial 2 must know trial 0
    assert (run.ask(), run.slots) == (WAIT, 0)
    run.tell(ended(trials[0]))
    assert run.slots == 2
    assert run.ask().number == 2


@pytest.mark.parametrize("order", ["trial", "async"])
def test_to_wait_for_nothing_ends_the_run(order):
    run = make(Scripted(lambda *_: WAIT), order=order)
    assert run.ask() is DONE
    assert (run.failed, run.end_reason) == (True, "the method waits although nothing is pending")


def test_done_is_for_ever_and_pending_trials_still_count():
    def answer(completed, pending, number):
        return DONE if number == 2 else plain(number)

    run = make(Scripted(answer), 9, parallel=3)
    trials = [run.ask(), run.ask()]
    assert run.ask() is DONE
    assert (run.end_reason, run.failed, run.finished) == (
        "the method has nothing more to propose",
        False,
        False,
    )
    for trial in trials:
        run.tell(ended(trial))
        assert run.ask() is DONE
    assert run.finished
    assert len(run.ended) == 2


# -- budgets and failures ------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["trial", "async"])
@pytest.mark.parametrize("parallel", PARALLEL)
def test_the_budget_of_trials_is_spent_by_trials_of_any_status(order, parallel):
    run = play(make(trials=13, parallel=parallel, order=order), lambda numbers: numbers[-1])
    assert sorted(run.ended) == list(range(13))
    assert not all(trial.valid for trial in run.ended.values())
    assert (run.end_reason, run.failed) == ("the budget of trials is spent", False)
    assert (run.progress, run.slots) == (1.0, 0)


@pytest.mark.parametrize("parallel, trials", [(1, 5), (2, 6), (4, 8)])
def test_the_budget_of_seconds_counts_what_the_next_proposal_would_know(parallel, trials):
    run = Run(SPACE, make_method("random"), 7, Budget(seconds=10.0), parallel)
    while isinstance(pending := run.ask(), Pending):
        waiting = [pending]
        while isinstance(more := run.ask(), Pending):
            waiting.append(more)
        for one in waiting:
            run.tell(Trial(one.number, one.config, outcome(one.config, 2.0), known=one.known))
    assert (len(run.ended), run.end_reason) == (trials, "the budget of seconds is spent")


def test_thinking_spends_seconds_too():
    def answer(completed, pending, number):
        time.sleep(0.02)
        return plain(number)

    run = Run(SPACE, Scripted(answer), 7, Budget(trials=100, seconds=0.05))
    play(run, oldest)
    assert len(run.ended) <= 3
    assert all(trial.suggest_seconds >= 0.02 for trial in run.ended.values())


def test_thinking_of_an_answer_that_had_to_wait_is_counted_whole():
    def answer(completed, pending, number):
        time.sleep(0.01)
        return WAIT if pending else plain(number)

    run = make(Scripted(answer), 3, parallel=2)
    first = run.ask()
    assert run.ask() is WAIT
    run.tell(ended(first))
    assert run.ask().suggest_seconds >= 0.03  # refused, refused again with nothing new, then made


@pytest.mark.parametrize(
    "answer, says",
    [
        (lambda completed, *_: 1 / (2 - len(completed)) and plain(), "ZeroDivisionError: "),
        (lambda c, p, number: plain(number) | ({"x": 2.0} if number == 2 else {}), "outside the space: "),
        (lambda c, p, number: {"x": 0.5} if number == 2 else plain(number), "a proposal outside the space: "),
        (lambda c, p, number: None if number == 2 else plain(number), "the method raised "),
    ],
)
def test_a_method_that_fails_ends_its_own_run_only(answer, says):
    bad, good = make(Scripted(answer), 8), make(trials=8)
    runs = RunSet([bad, good])
    finished = []
    while (answer := runs.ask()) is not DONE:
        index, pending = answer
        runs.tell(index, ended(pending))
        finished += runs.take_finished()
    assert (len(bad.ended), len(good.ended)) == (2, 8)
    assert bad.failed
    assert not good.failed
    assert says in bad.end_reason
    assert sorted(finished + runs.take_finished()) == [0, 1]


# -- a run whose objective only fails ------------------------------------------------------------

LOST = Outcome(Status.FAILED, error="KeyError: 'y' (objective.py, line 3, in loss)")
OTHER = Outcome(Status.FAILED, error="ValueError: no")
NAN = Outcome(Status.INVALID, error="metric 'loss': expected a finite number, got nan.")
HALT = Outcome(Status.STOPPED, loss=1.0, value=1.0)
GOOD = Outcome(Status.COMPLETED, loss=1.0, value=1.0)


def fails(run, outcomes, choose=oldest, stop=10**9):
    """Play a run whose trial *i* has the *i*-th outcome, and later ones the last."""
    pending = {}
    for _ in range(stop):
        while isinstance(answer := run.ask(), Pending):
            pending[answer.number] = answer
        if not pending:
            break
        number = choose(sorted(pending))
        one = pending.pop(number)
        outcome = outcomes[min(number, len(outcomes) - 1)]
        run.tell(Trial(number, one.config, outcome, known=one.known))
    return run


@pytest.mark.parametrize("parallel, ends", [(1, 4), (3, 4), (6, 6)])
@pytest.mark.parametrize("order", ["trial", "async"])
@pytest.mark.parametrize("name", ["random", "grid", "tpe"])
def test_a_run_that_only_fails_ends_after_its_first_trials_and_says_why(name, order, parallel, ends):
    method = make_method(name).prepare(SPACE, 12, parallel)
    run = fails(make(method, parallel=parallel, order=order, give_up_after=4), [LOST])
    assert sorted(run.ended) == list(range(ends))
    assert (run.failed, run.finished, run.slots) == (False, True, 0)
    assert run.end_reason.startswith(f"{GIVEN_UP} ({ends} of them), FAILED: KeyError: 'y' (objective.py")


@pytest.mark.parametrize(
    "outcomes, ends",
    [
        ([LOST], 4),
        ([NAN], 4),
        ([replace(LOST, error=f"ValueError: x is {x} at 0x7f{x}") for x in range(9)], 4),
        ([Outcome(Status.TIMEOUT, error=f"late {how}") for how in "abcdefghi"], 4),
        ([Outcome(Status.CRASHED, error="the worker process died 3 times during this trial.")], 4),
        ([LOST, LOST, LOST, GOOD, LOST], 12),
        ([GOOD, LOST], 12),
        ([HALT, LOST], 12),
        ([LOST, LOST, OTHER, LOST], 12),
        ([LOST, LOST, LOST, NAN, LOST], 12),
    ],
)
def test_only_alike_failures_and_nothing_else_end_a_run(outcomes, ends):
    assert len(fails(make(give_up_after=4), outcomes).ended) == ends
    assert len(fails(make(), outcomes).ended) == 12  # by default never


def test_a_budget_that_is_spent_before_is_what_ends_it():
    assert fails(make(trials=4, give_up_after=4), [LOST]).end_reason == "the budget of trials is spent"


@pytest.mark.parametrize("free", [False, True])
@given(
    outcomes=st.lists(st.sampled_from([LOST, LOST, LOST, OTHER, NAN, GOOD]), min_size=1, max_size=9),
    parallel=st.sampled_from(PARALLEL),
    stop=st.integers(0, 12),
    data=st.data(),
)
@settings(max_examples=60)
def test_where_it_ends_depends_on_no_order_of_arrival_and_no_interruption(
    free, outcomes, parallel, stop, data
):
    def run(history=()):
        method = make_method("random") if free else Chaotic()
        return make(method, parallel=parallel, give_up_after=4, history=history)

    def any_of(numbers):
        return data.draw(st.sampled_from(numbers))

    expected = fails(run(), outcomes)
    interrupted = fails(run(), outcomes, any_of, stop)
    found = fails(run(interrupted.ended.values()), outcomes, any_of)
    assert table(found) == table(expected)
    assert found.end_reason == expected.end_reason


def test_a_number_told_twice_counts_once():
    run = make(trials=3)
    trial = ended(run.ask())
    run.tell(trial)
    run.tell(Trial(0, plain(5), Outcome(Status.CRASHED, error="late")))
    assert run.ended == {0: trial}


def test_the_incumbent_is_the_best_valid_trial_and_the_first_of_equals():
    run = make(trials=20, parallel=5)
    assert run.incumbent is None
    play(run, lambda numbers: numbers[-1])
    valid = [trial for trial in run.ended.values() if trial.valid]
    assert run.incumbent == min(valid, key=lambda trial: (trial.loss, trial.number))
    tied = make(Scripted(lambda c, p, number: plain()), 5, parallel=5)
    play(tied, lambda numbers: numbers[-1])
    assert tied.incumbent.number == 0
    assert make(trials=20, history=run.ended.values()).incumbent == run.incumbent


def test_foreign_results_are_known_and_are_no_trials():
    seen = []

    def answer(completed, pending, number):
        seen.append([trial.number for trial in completed])
        return plain(number)

    foreign = Trial(-1, plain(9), outcome(plain(9)))
    run = make(Scripted(answer), 3, known=[foreign])
    first = run.ask()
    run.tell(ended(first))
    run.add_known(Trial(-2, plain(8), outcome(plain(8))))
    run.tell(ended(run.ask()))
    run.tell(ended(run.ask()))
    assert seen == [[-1], [-1, -2, 0], [-1, -2, 0, 1]]
    assert sorted(run.ended) == [0, 1, 2]
    assert run.ask() is DONE


def test_async_knows_all_that_has_ended_and_waits_for_no_straggler():
    seen = []

    def answer(completed, pending, number):
        seen.append(([t.number for t in completed], [p.number for p in pending]))
        return plain(number)

    run = make(Scripted(answer), 5, parallel=3, order="async")
    trials = [run.ask() for _ in range(3)]
    assert (run.ask(), run.slots) == (WAIT, 0)
    run.tell(ended(trials[2]))
    assert run.slots == 1
    trials.append(run.ask())
    assert seen[-1] == ([2], [0, 1])
    run.tell(ended(trials[3]))
    run.tell(ended(trials[1]))
    assert run.slots == 1  # two workers are free, and one trial of the budget is left
    run.ask()
    assert seen[-1] == ([1, 2, 3], [0])
    assert run.ask() is DONE


@pytest.mark.parametrize("order", ["trial", "async"])
def test_async_or_not_a_resumed_run_goes_on_where_it_was(order):
    history = play(make(trials=20, parallel=3, order=order), oldest, stop=7).ended
    run = make(trials=20, parallel=3, order=order, history=history.values())
    assert run.progress == 7 / 20
    assert run.slots == 3
    assert run.ask().number == 7
    del history[4]
    run = make(trials=20, parallel=3, order=order, history=history.values())
    assert run.progress == 4 / 20
    assert [run.ask().number, run.pending[4].number] == [4, 4]


@given(st.permutations(range(6)))
def test_async_shows_what_has_ended_by_number_and_counts_it(order):
    seen = []

    @dataclass(frozen=True)
    class Curious(Stub):
        def propose(self, space, completed, pending, number, rng):
            seen.append([trial.number for trial in completed])
            return plain(number)

    run = make(Curious(), trials=7, parallel=6, order="async")
    pending = [run.ask() for _ in range(6)]
    for n in order:
        run.tell(ended(pending[n], seconds=1.0))
    last = run.ask()
    assert seen[-1] == list(range(6))
    assert [p.known for p in pending] == [0] * 6
    assert last.known == 6


def test_a_method_whose_error_has_no_text_ends_its_own_run_only():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")

    def burst(*_):
        raise Mute

    run = make(Scripted(burst))
    assert run.ask() is DONE
    assert run.end_reason == "the method raised Mute: its message cannot be read"


def test_one_proposal_that_was_held_up_does_not_make_a_method_dear():
    run = Run(SPACE, make_method("random"), 1, Budget(trials=9))
    for seconds, proposal in [(5.0, 0.0), (0.001, 0.001), (3.0, 0.001), (2.0, 2.0), (4.0, 2.0)]:
        request = run.request()
        reply = propose(run.method, run.space, request)
        run.answer(replace(reply, seconds=seconds))
        assert run.proposal_seconds == proposal
