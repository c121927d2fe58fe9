"""The dispatcher by pretended lanes: any order of arrival, any loss, any interruption."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.bundles import Bundle, Job, Report, evaluate_tasks, pack, unpack_report, unpack_tasks
from runner.dispatch import TARGET_SECONDS, Dispatcher, Monitor
from runner.errors import JournalError, StudyInterrupted
from runner.inprocess import run_in_process
from runner.journal import Journal
from runner.trial import DONE, WAIT, Outcome, Pending, Status
from tests.studies import HILL, MODELS, study


class Kept:
    """A journal in memory; what it holds outlives the dispatcher."""

    def __init__(self):
        self.trials, self.ends, self.said, self.batches = {}, {}, {}, []

    def history(self, run):
        return [self.trials[key] for key in sorted(self.trials) if key[0] == run]

    def record(self, ended):
        self.batches.append(len(ended))
        for run, trial in ended:
            assert (run, trial.number) not in self.trials, "recorded twice"
            self.trials[run, trial.number] = trial

    def announce(self, run, sentence):
        self.said[run] = sentence

    def end_run(self, run, reason, failed, conclusion):
        self.ends[run] = (reason, failed, conclusion)

    def table(self):
        return [
            (run, number, t.config, t.loss, t.status, t.known)
            for (run, number), t in sorted(self.trials.items())
        ]


def work(dispatcher, bundle, worker="lane"):
    """What a lane does with a bundle, by way of the text that it is sent."""
    tasks = unpack_tasks(pack([dispatcher.task(job) for job in bundle.jobs]))
    report = evaluate_tasks(dispatcher.study.problems, tasks, None, 1, worker)
    return unpack_report(pack(report))


def pretend(study, journal, lanes=3, seed=0, lost=0.0, most=10**9):
    """Lanes that answer in random order and die now and then; stops after so many bundles."""
    rng = random.Random(seed)
    dispatcher = Dispatcher(study, journal)
    dispatcher.begin(lanes, "pretended lanes")
    flying = []
    while most:
        answer = dispatcher.ask() if len(flying) < 2 * lanes else WAIT
        if isinstance(answer, Bundle):
            flying.append(answer)
            if rng.random() < 0.5:
                continue
        elif answer is DONE and not flying:
            break
        bundle = flying.pop(rng.randrange(len(flying)))
        # A job that dies alone too often is a crash; a bundle of several never is.
        if rng.random() < lost and all(job.crashes < study.trial.retries for job in bundle.jobs):
            dispatcher.lose(bundle, "crash", 0.0)
        else:
            dispatcher.tell(bundle, work(dispatcher, bundle))
            most -= 1
    return dispatcher


def whole(**keys):
    """A study and the table of its uninterrupted run in one process."""
    made = study(**keys)
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    dispatcher.begin(1, "here")
    run_in_process(dispatcher)
    return made, kept.table()


MIXED = {"methods": ["random", "tpe", "gradient", {"grid": {"points": 3}}], "budget": {"trials": 12}}
STUDIES = {parallel: whole(**MIXED, parallel=parallel) for parallel in (1, 3)}


@given(
    st.sampled_from([1, 3]),
    st.integers(1, 8),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.3]),
    st.lists(st.integers(0, 30), max_size=3),
)
@settings(max_examples=25)
def test_the_table_depends_on_nothing_but_the_study(parallel, lanes, seed, lost, stops):
    made, table = STUDIES[parallel]
    kept = Kept()
    for stop in [*stops, 10**9]:
        pretend(made, kept, lanes, seed, lost, most=stop)
    assert kept.table() == table
    assert kept.ends.keys() == {spec.id for spec in made.runs}


def ready(made=None, lanes=1, **keys):
    dispatcher = Dispatcher(made or study(**keys), Kept())
    dispatcher.begin(lanes, "here")
    return dispatcher


def finish(dispatcher, bundle, seconds):
    """Tell that each trial of a bundle took so long."""
    outcome = Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=seconds)
    n = len(bundle.jobs)
    dispatcher.tell(bundle, Report((outcome,) * n, (0.0,) * n, n * seconds, "lane"))


def test_bundles_hold_about_half_a_second_of_work():
    made = study(problems=[HILL], methods=["random"], seeds=200, budget={"trials": 4})
    for seconds, expected in ((10.0, 1), (0.1, 5), (0.001, 100)):
        dispatcher = ready(made)
        first = dispatcher.ask()
        assert len(first.jobs) == 1, "nothing is known of the problem's cost"
        finish(dispatcher, first, seconds)
        bundle = dispatcher.ask()
        assert expected - 1 <= len(bundle.jobs) <= expected
        assert (len(bundle.jobs) - 1) * seconds < TARGET_SECONDS


def test_bundles_leave_work_for_every_lane():
    made = study(problems=[HILL], methods=["random"], seeds=8, budget={"trials": 4})
    dispatcher = ready(made, lanes=2)
    finish(dispatcher, dispatcher.ask(), 1e-6)
    sizes = []
    while isinstance(bundle := dispatcher.ask(), Bundle):
        sizes.append(len(bundle.jobs))
    assert bundle is WAIT
    assert len(sizes) >= 4
    assert sum(sizes) == 8


def test_each_block_of_a_problem_sees_the_same_seed():
    dispatcher = ready(methods=["random", {"name": "again", "method": "random"}])
    seeds = {}
    for index, spec in enumerate(dispatcher.specs):
        task = dispatcher.task(Job(index, Pending(0, {}), 0.0))
        assert dispatcher.study.problems[task.problem] is spec.problem
        seeds.setdefault((spec.problem.name, spec.seed), set()).add(task.seed)
    assert all(len(found) == 1 for found in seeds.values())
    assert len({seed for found in seeds.values() for seed in found}) == len(seeds)


def test_the_journal_knows_before_the_method():
    class Full(Kept):
        def record(self, ended):
            raise JournalError("no space is left.")

    dispatcher = Dispatcher(study(), Full())
    bundle = dispatcher.ask()
    with pytest.raises(JournalError):
        dispatcher.tell(bundle, work(dispatcher, bundle))
    assert not any(run.ended for run in dispatcher.runs)


def lone(**keys):
    dispatcher = ready(problems=[HILL], methods=["random"], seeds=1, **keys)
    return dispatcher, dispatcher.ask()


def test_a_lone_trial_that_kills_its_lane_is_tried_again_and_then_a_row():
    dispatcher, bundle = lone(trial={"retries": 2})
    for _ in range(3):
        assert not dispatcher.runs[0].ended
        dispatcher.lose(bundle, "crash", 0.0)
        if not dispatcher.runs[0].ended:
            bundle = dispatcher.ask()
    trial = dispatcher.runs[0].ended[0]
    assert (trial.status, trial.attempts) == (Status.CRASHED, 3)
    assert trial.outcome.error == "the worker process died 3 times during this trial."
    assert isinstance(dispatcher.ask(), Bundle), "its run goes on"


def test_a_lone_trial_past_its_deadline_is_a_row_at_once():
    dispatcher, bundle = lone(trial={"timeout": 2.0})
    assert bundle.deadline == 2.0
    dispatcher.lose(bundle, "timeout", 2.1)
    trial = dispatcher.runs[0].ended[0]
    assert (trial.status, trial.outcome.seconds, trial.attempts) == (Status.TIMEOUT, 2.1, 1)
    assert trial.outcome.error == "killed after 2 s."


@pytest.mark.parametrize("cause", ["crash", "timeout"])
def test_of_several_jobs_each_goes_again_alone(cause):
    made = study(problems=[HILL], methods=["random"], seeds=20, trial={"timeout": 2.0})
    dispatcher = ready(made)
    finish(dispatcher, dispatcher.ask(), 1e-6)
    bundle = dispatcher.ask()
    assert len(bundle.jobs) > 1
    assert bundle.deadline > 2.0
    dispatcher.lose(bundle, cause, 2.6)
    again = [dispatcher.ask() for _ in bundle.jobs]
    assert [len(b.jobs) for b in again] == [1] * len(bundle.jobs)
    assert [b.jobs[0].pending for b in again] == [job.pending for job in bundle.jobs]
    assert {(b.jobs[0].attempts, b.jobs[0].crashes, b.deadline) for b in again} == {(2, 0, 2.0)}


def test_after_an_interrupt_nothing_more_is_handed_out():
    dispatcher, bundle = lone()
    dispatcher.interrupt()
    with pytest.raises(StudyInterrupted, match="saved"):
        dispatcher.ask()
    dispatcher.tell(bundle, work(dispatcher, bundle))  # what was on its way still counts
    assert dispatcher.runs[0].ended


def test_what_is_left_is_known_without_an_engine():
    made, kept = study(), Kept()
    dispatcher = Dispatcher(made, kept)
    assert dispatcher.anything_left()
    pretend(made, kept)
    assert not Dispatcher(made, kept).anything_left()


def test_asking_what_is_left_loses_nothing():
    made, table = STUDIES[1]
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    assert dispatcher.anything_left()
    dispatcher.begin(1, "here")
    run_in_process(dispatcher)
    assert kept.table() == table


def test_clocks_go_on_where_an_earlier_session_ended(tmp_path):
    made = study(problems=[HILL], methods=["random"], seeds=1, budget={"trials": 6})
    for most in (3, 10**9):
        with Journal.open(tmp_path / "study", made) as journal:
            pretend(made, journal, lanes=1, most=most)
            trials = journal.history(made.runs[0].id)
    assert len(trials) == 6
    assert [t.started for t in trials] == sorted(t.started for t in trials)
    assert all(t.started >= 0 and t.queue_seconds >= 0 for t in trials)


def test_a_monitor_hears_everything_once():
    class Ears(Monitor):
        def __init__(self):
            self.heard = []

        def begin(self, study, runs, where):
            self.heard.append(where)

        def note(self, text):
            self.heard.append(text)

        def ended(self, index, trial):
            assert dispatcher.runs[index].ended[trial.number] is trial
            self.heard.append((index, trial.number))

        def finished(self, index):
            self.heard.append(index)

    ears = Ears()
    made = study(
        problems=[MODELS], methods=[{"exhaustive": {"resolution": 2}}], seeds=2, budget={"trials": 3}
    )
    dispatcher = Dispatcher(made, Kept(), ears)
    dispatcher.begin(1, "here")
    run_in_process(dispatcher)
    assert ears.heard[0] == "here"
    assert isinstance(ears.heard[1], str)
    assert "configs" in ears.heard[1], "what exhaustive says of the space, once for both seeds"
    assert sorted(h for h in ears.heard if isinstance(h, tuple)) == [
        (i, n) for i in range(2) for n in range(3)
    ]
    assert sorted(h for h in ears.heard if isinstance(h, int)) == [0, 1]


def test_a_method_that_raises_at_its_end_ends_nothing_else(monkeypatch):
    from runner.methods import Random

    def burst(self, space, completed):
        raise RuntimeError("no words")

    monkeypatch.setattr(Random, "conclude", burst)
    made = study(methods=["random"])
    kept = Kept()
    pretend(made, kept)
    assert all("no words" in conclusion for _, _, conclusion in kept.ends.values())
