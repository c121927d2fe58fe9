"""What a worker does with a batch."""

import pytest

from runner.engine.batching import LONGEST_SECONDS
from runner.engine.codec import pack_request, pack_trial
from runner.engine.messages import ProposalRequest, Task
from runner.engine.worker.evaluate import evaluate_tasks
from runner.engine.worker.propose import Proposers, propose
from runner.methods import make_method
from runner.problems.base import FunctionProblem
from runner.seeds import rng_for, seed_for
from runner.space import Choice, Float, Int, Space
from runner.testing import simulate
from runner.trial import WAIT, Outcome, Pending, Status, Trial

SPACE = Space({"x": Float(-1.0, 1.0), "n": Int(1, 8, log=True), "c": Choice(["a", "b"])})


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr("runner.engine.worker.evaluate.time.perf_counter", lambda: self.now)

    def problem(self, seconds):
        def wait(config):
            self.now += seconds
            return config["x"]

        return FunctionProblem(wait, Space({"x": Float(0.0, 100.0)}), "waiting")


@pytest.mark.parametrize("seconds, begun", [(0.01, 50), (0.15, 7), (0.6, 2), (10.0, 1)])
def test_a_worker_gives_back_what_it_has_not_begun_after_a_second(monkeypatch, seconds, begun):
    clock = Clock(monkeypatch)
    tasks = [Task(0, 0, {"x": float(i)}) for i in range(50)]
    report = evaluate_tasks([clock.problem(seconds)], tasks, None, [1], "worker")
    assert len(report.outcomes) == len(report.offsets) == begun
    assert report.offsets[-1] <= LONGEST_SECONDS
    assert report.seconds == pytest.approx(begun * seconds)
    assert [outcome.loss for outcome in report.outcomes] == [float(i) for i in range(begun)]


def never(problem, seed, config):
    raise AssertionError("nothing was to be evaluated")


def outcome(config):
    loss = config["x"] ** 2 + config["n"] + (config["c"] == "a")
    gradient = {"x": 2 * config["x"]}
    return Outcome(Status.COMPLETED, loss=loss, value=loss, gradient=gradient, seconds=0.25)


@pytest.mark.parametrize("name", ["bayes", "tpe", "gradient", "random", "grid"])
def test_a_method_answers_the_same_on_a_worker(name):
    entropy = seed_for("worker", bits=128)
    method = make_method(name).prepare(SPACE, 20, 2)
    trials = simulate(method, SPACE, outcome, 20, 2, entropy)
    proposers = Proposers([(make_method("random"), SPACE), (make_method(name).prepare(SPACE, 20, 2), SPACE)])
    for number in range(2, len(trials)):
        known = trials[: number - 1]
        pending = [Pending(number - 1, trials[number - 1].config)]
        request = ProposalRequest(number, known, pending, entropy)
        text = pack_request(1, 5, request, [pack_trial(trial) for trial in known])
        (reply,) = proposers.propose(text.split("\n"), "worker", never).replies
        assert reply.answer == propose(method, SPACE, request).answer == trials[number].config
        assert reply.seconds > 0


def test_several_questions_are_answered_in_their_order():
    class Odd(type(make_method("random"))):
        def propose(self, space, completed, pending, number, rng):
            if number == 1:
                raise ZeroDivisionError("odd")
            return WAIT if pending else space.sample(rng)

    proposers = Proposers([(Odd(), SPACE)])
    trial = Trial(0, SPACE.sample(rng_for("odd")), Outcome(Status.FAILED))
    requests = [
        ProposalRequest(1, [trial], [], 7),
        ProposalRequest(2, [trial], [Pending(1, trial.config)], 7),
        ProposalRequest(2, [trial, trial], [], 7),
    ]
    text = "\n".join(
        pack_request(0, run, request, [pack_trial(t) for t in request.completed])
        for run, request in enumerate(requests)
    )
    replies = proposers.propose(text.split("\n"), "worker", never).replies
    assert replies[0].error == "the method raised ZeroDivisionError: odd"
    assert replies[1].answer is WAIT
    assert set(replies[2].answer) == {"x", "n", "c"}


def test_a_trial_that_was_told_of_before_is_the_same_object():
    proposers = Proposers([(make_method("random"), SPACE)])
    lines = [pack_trial(Trial(i, {"x": 0.5}, Outcome(Status.COMPLETED, loss=1.0))) for i in range(3)]
    first = proposers._trials(0, lines[:2])
    again = proposers._trials(0, lines)
    assert again[0] is first[0]
    assert again[1] is first[1]
    assert proposers._trials(1, lines)[0] is not first[0]
    changed = proposers._trials(0, [lines[2], lines[1]])
    assert changed[0].number == 2
    assert changed[1] is first[1]


def test_an_answer_is_evaluated_at_once_where_that_was_asked_for():
    proposers, method, seen = Proposers([(make_method("random"), SPACE)]), make_method("random"), []

    def at_once(problem, seed, config):
        seen.append((problem, seed, config))
        return outcome(config)

    requests = [
        pack_request(0, i, ProposalRequest(i, [], [], 7), [], then) for i, then in enumerate([None, (3, 9)])
    ]
    plain, evaluated = proposers.propose("\n".join(requests).split("\n"), "worker", at_once).replies
    assert plain.outcome is None
    assert seen == [(3, 9, evaluated.answer)]
    assert evaluated.outcome == outcome(evaluated.answer)
    assert evaluated.answer == propose(method, SPACE, ProposalRequest(1, [], [], 7)).answer
