"""The engine without Ray, and what Ctrl-C does."""

import os
import signal
import threading

import pytest

from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import on_interrupt, run_in_process
from runner.errors import StudyInterrupted
from runner.problems.base import FunctionProblem
from runner.space import Float, Int, Space
from runner.study.identity.plan import open_journal
from runner.trial import Status
from tests.studies import study

LINE = Space({"x": Float(0.0, 1.0)})


def interrupting(when):
    """An objective in whose n-th evaluation Ctrl-C is pressed."""
    calls = []

    def objective(config):
        calls.append(config)
        if len(calls) == when:
            signal.raise_signal(signal.SIGINT)
            threading.Event().wait(5)  # the signal arrives here
        return config["x"]

    return FunctionProblem(objective, LINE, "interrupting"), calls


def play(folder, made):
    with open_journal(folder, made) as journal:
        dispatcher = Dispatcher(made, journal)
        dispatcher.begin(1, "here")
        run_in_process(dispatcher)
        return [[(t.number, t.config, t.loss) for t in journal.history(spec.id)] for spec in made.runs]


@pytest.mark.parametrize("when", [1, 2, 7, 12])
def test_ctrl_c_within_a_trial_loses_nothing_that_had_ended(tmp_path, when):
    keys = {"methods": ["random", "tpe"], "seeds": 1, "budget": {"trials": 6}, "cache": False}
    calm, _ = interrupting(10**9)
    whole = play(tmp_path / "whole", study(problems=[calm], **keys))
    problem, calls = interrupting(when)
    made = study(problems=[problem], **keys)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(StudyInterrupted):
        play(tmp_path / "study", made)
    assert signal.getsignal(signal.SIGINT) is before
    assert play(tmp_path / "study", made) == whole
    assert len(calls) <= 12 + 1, "only what was interrupted is evaluated again"


def test_a_signal_between_trials_waits_for_a_safe_place(tmp_path):
    made = study(methods=["random"], seeds=1)
    with open_journal(tmp_path / "study", made) as journal:
        dispatcher = Dispatcher(made, journal)
        record = journal.record

        def record_and_press(*given):
            signal.raise_signal(signal.SIGTERM)
            record(*given)

        journal.record = record_and_press
        with pytest.raises(StudyInterrupted):
            run_in_process(dispatcher)
        assert sum(len(journal.history(spec.id)) for spec in made.runs) >= 1


def test_the_second_signal_is_not_ours_but_one_that_is_sent_twice_at_once_is_one(monkeypatch):
    heard = []
    left = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a Tuner of an earlier test may leave its own
    try:
        with on_interrupt(lambda: heard.append("first")):
            monkeypatch.setattr(
                "runner.engine.local._SAME_SIGNAL_SECONDS", 60.0
            )  # however slow this machine is
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            assert heard == ["first"]
            monkeypatch.setattr("runner.engine.local._SAME_SIGNAL_SECONDS", 0.0)
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert heard == ["first"]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, left)


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with on_interrupt(lambda: pytest.fail("it was heard")):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("leave", [lambda: os._exit(0), lambda: in_a_thread(lambda: os._exit(3))])
def test_a_trial_that_leaves_the_process_is_a_crash_as_on_workers(tmp_path, leave):
    def objective(config):
        if config["n"] == 5:
            leave()
        return float(config["n"])

    problem = FunctionProblem(objective, Space({"n": Int(0, 9)}), "leaving")
    made = study(problems=[problem], methods=["exhaustive"], seeds=1, budget={"trials": 10})
    with open_journal(tmp_path, made) as journal:
        run_in_process(Dispatcher(made, journal))
        trials = {trial.config["n"]: trial for trial in journal.history(made.runs[0].id)}
    assert [n for n, trial in trials.items() if not trial.valid] == [5]
    assert trials[5].status is Status.CRASHED
    assert len(trials) == 10
    assert len(trials[5].earlier) >= 2


def in_a_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_a_child_process_may_leave(tmp_path):
    def objective(config):
        child = os.fork()
        if child == 0:
            os._exit(int(config["n"]))
        return float(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    problem = FunctionProblem(objective, Space({"n": Int(0, 9)}), "forking")
    made = study(problems=[problem], methods=["exhaustive"], seeds=1, budget={"trials": 10})
    with open_journal(tmp_path, made) as journal:
        run_in_process(Dispatcher(made, journal))
        assert sorted(trial.loss for trial in journal.history(made.runs[0].id)) == list(map(float, range(10)))


def test_other_threads_handle_no_signals():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def elsewhere():
        with on_interrupt(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
