"""The dispatcher by pretended workers: any order of arrival, any loss, any interruption."""

import dataclasses
import random
from collections import Counter, deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.engine.batching import LONGEST_SECONDS
from runner.engine.codec import pack_report, unpack_report, unpack_tasks
from runner.engine.dispatch.dispatcher import Dispatcher
from runner.engine.local import run_in_process
from runner.engine.messages import Batch, Report, Rescued
from runner.engine.monitor import Monitor
from runner.engine.worker.evaluate import evaluate_tasks
from runner.engine.worker.propose import Proposers
from runner.errors import JournalError, StudyInterrupted
from runner.journal.begun import after_loss
from runner.problems import evaluate
from runner.problems.base import FunctionProblem
from runner.space import Choice, Float, Int, Space
from runner.study.identity.plan import open_journal
from runner.trial import DONE, GIVEN_UP, WAIT, Origin, Outcome, Status
from tests.studies import HILL, MODELS, study

GRID = FunctionProblem(
    lambda config: config["n"] + (config["c"] == "b") / 2,
    Space({"n": Int(0, 7), "c": Choice(["a", "b", 1])}),
    "grid",
)


class Kept:
    """A journal in memory; what it holds outlives the dispatcher."""

    def __init__(self):
        self.trials, self.ends, self.said, self.batches, self.begun = {}, {}, {}, [], {}
        self.suspects = {}

    def history(self, run):
        return [self.trials[key] for key in sorted(self.trials) if key[0] == run]

    def begin(self, batch, trials):
        self.begun[batch] = trials

    def lose(self, witnessed=True):
        self.suspects = after_loss(
            self.suspects, [key for keys in self.begun.values() for key in keys], witnessed
        )
        self.begun.clear()

    def record(self, ended, batches=()):
        for batch in batches:
            self.begun.pop(batch, None)
        for run, trial in ended:
            self.suspects.pop((run, trial.number), None)
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


def work(dispatcher, batch, worker="worker"):
    """What a worker does with a batch, by way of the text that it is sent."""
    text = dispatcher.message(batch)
    if batch.proposals:
        problems = dispatcher.study.problems

        def at_once(problem, seed, config):
            return evaluate(problems[problem], config, seed)

        report = Proposers(dispatcher.proposers).propose(text.split("\n"), worker, at_once)
    else:
        report = evaluate_tasks(dispatcher.study.problems, unpack_tasks(text), None, [1, 1], worker)
    return unpack_report(pack_report(report))


def pretend(study, journal, workers=3, seed=0, lost=0.0, most=10**9, apart=False):
    """Workers that answer in random order and die now and then; stops after so many batches."""
    rng = random.Random(seed)
    dispatcher = Dispatcher(study, journal)
    dispatcher.begin(workers, "pretended workers", apart)
    flying = []
    while most:
        answer = dispatcher.ask() if len(flying) < 2 * workers else WAIT
        if isinstance(answer, Batch):
            flying.append(answer)
            if rng.random() < 0.5:
                continue
        elif answer is DONE and not flying:
            break
        batch = flying.pop(rng.randrange(len(flying)))
        # A job that dies alone too often is a crash; a batch of several never is.
        members = (*batch.jobs, *batch.proposals)
        if rng.random() < lost and all(member.crashes < study.trial.retries for member in members):
            dispatcher.lose(batch, "crash", 0.0)
        else:
            report = work(dispatcher, batch)
            if len(batch.jobs) > 1 and rng.random() < 0.3:  # it took longer than was proposal
                report = dataclasses.replace(report, outcomes=report.outcomes[:1], offsets=report.offsets[:1])
            dispatcher.tell(batch, report)
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
    st.booleans(),
)
@settings(max_examples=30)
def test_the_table_depends_on_nothing_but_the_study(parallel, workers, seed, lost, stops, apart):
    made, table = STUDIES[parallel]
    kept = Kept()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "runner.engine.dispatch.dispatcher.EXPENSIVE_SECONDS", -1.0
        )  # where workers are apart, they propose of all
        for stop in [*stops, 10**9]:
            pretend(made, kept, workers, seed, lost, stop, apart)
    assert kept.table() == table
    assert kept.ends.keys() == {spec.id for spec in made.runs}


def broken(config):
    """Fails for all methods, or comes to something from the third trial of `random` on."""
    if config["x"] < 1.5:
        raise KeyError("y")
    return config["x"]


FAILING = {
    "problems": [FunctionProblem(broken, Space({"x": Float(0, high)}), f"broken{high}") for high in (1, 2)],
    "methods": ["random", "tpe", {"grid": {"points": 30}}],
    "budget": {"trials": 15},
}
ONLY_FAILING = {parallel: whole(**FAILING, parallel=parallel) for parallel in (1, 3)}


@given(
    st.sampled_from([1, 3]), st.integers(1, 8), st.integers(0, 2**32), st.lists(st.integers(0, 9), max_size=2)
)
@settings(max_examples=20)
def test_where_runs_are_given_up_depends_on_nothing_but_the_study(parallel, workers, seed, stops):
    made, table = ONLY_FAILING[parallel]
    assert 0 < sum(status is Status.COMPLETED for *_, status, _ in table) < len(table)
    kept = Kept()
    for stop in [*stops, 10**9]:
        pretend(made, kept, workers, seed, 0.1, stop)
    assert kept.table() == table
    ends = {run: reason for run, (reason, _, _) in kept.ends.items()}
    assert all(ends[run].startswith(GIVEN_UP) for run in ends if "broken1/" in run)


def ready(made=None, workers=1, **keys):
    dispatcher = Dispatcher(made or study(**keys), Kept())
    dispatcher.begin(workers, "here")
    return dispatcher


def finish(dispatcher, batch, seconds):
    """Tell that each trial of a batch took so long."""
    outcome = Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=seconds)
    n = len(batch.jobs)
    dispatcher.tell(batch, Report((outcome,) * n, (0.0,) * n, n * seconds, "worker"))


def test_batches_hold_half_a_second_to_a_second_of_work():
    made = study(problems=[HILL], methods=["random"], seeds=2, budget={"trials": 4000})
    for seconds, expected in ((10.0, 1), (0.1, 8), (0.001, 800)):
        dispatcher = ready(made)
        first = dispatcher.ask()
        assert len(first.jobs) == 1, "nothing is known of the problem's cost"
        finish(dispatcher, first, seconds)
        batch = dispatcher.ask()
        assert expected / 2 <= len(batch.jobs) <= expected, "proposing takes time, too"
        assert len(batch.jobs) == 1 or len(batch.jobs) * seconds <= LONGEST_SECONDS


def test_long_trials_are_not_mixed_with_short_ones():
    made = study(problems=[HILL, MODELS], methods=["random"], seeds=40, budget={"trials": 2})
    dispatcher = ready(made)
    measured = set()
    while isinstance(batch := dispatcher.ask(), Batch):
        names = {dispatcher.specs[job.run].problem.name for job in batch.jobs}
        if len(measured) == 2:  # before that nothing tells which is long
            assert len(batch.jobs) == 1 or names == {"hill"}
        measured |= names
        finish_each(dispatcher, batch, {"hill": 0.001, "models": 0.7})


def finish_each(dispatcher, batch, seconds):
    """Tell that the trials of each problem took so long."""
    took = [seconds[dispatcher.specs[job.run].problem.name] for job in batch.jobs]
    outcomes = tuple(Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=s) for s in took)
    dispatcher.tell(batch, Report(outcomes, (0.0,) * len(took), sum(took), "worker"))


def test_batches_leave_work_for_every_worker():
    made = study(problems=[HILL], methods=["random"], seeds=8, budget={"trials": 4})
    dispatcher = ready(made, workers=2)
    finish(dispatcher, dispatcher.ask(), 1e-6)
    sizes = []
    while isinstance(batch := dispatcher.ask(), Batch):
        sizes.append(len(batch.jobs))
    assert batch is WAIT
    assert sum(sizes) == 31
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == 7
    assert sizes[-6:] == [1] * 6


def workers_with_a_clock(dispatcher, workers, seconds):
    """Workers whose trials take what ``seconds(config)`` says; yields the workers whenever one is idle.

    A worker is what it holds: [when each of its trials ends, ...]; it gives back what it has not
    begun after a second, as real ones do.
    """
    now, running, waiting = 0.0, {}, deque()
    while True:
        while len(running) + len(waiting) < 2 * workers and isinstance(batch := dispatcher.ask(), Batch):
            waiting.append(batch)
        for worker in range(workers):
            if worker not in running and waiting:
                batch, ends, at = waiting.popleft(), [], now
                for job in batch.jobs:
                    if ends and at - now > LONGEST_SECONDS:
                        break
                    at += seconds(job.pending.config)
                    ends.append(at)
                running[worker] = (batch, now, ends)
        if not running:
            return
        if len(running) < workers:
            unstarted = [
                len(batch.jobs) - 1 - sum(end <= now for end in ends) for batch, _, ends in running.values()
            ]
            yield now, max(unstarted)
        worker = min(running, key=lambda worker: running[worker][2][-1])
        batch, begun, ends = running.pop(worker)
        now = ends[-1]
        starts = [begun, *ends[:-1]]
        outcomes = tuple(
            Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=end - start)
            for start, end in zip(starts, ends, strict=True)
        )
        dispatcher.tell(batch, Report(outcomes, tuple(s - begun for s in starts), now - begun, "worker"))


@pytest.mark.parametrize("workers", [2, 3, 8])
@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.3, 10.0])
def test_no_worker_is_idle_while_another_holds_more_than_one_unstarted_trial(workers, seconds):
    made = study(problems=[HILL], methods=["random"], seeds=3, budget={"trials": 200})
    dispatcher = ready(made, workers=workers)
    idle = list(workers_with_a_clock(dispatcher, workers, lambda config: seconds))
    assert all(len(run.ended) == 200 for run in dispatcher.runs)
    assert all(unstarted <= 1 for _, unstarted in idle)


def test_where_trials_differ_a_worker_is_idle_for_a_second_and_a_trial_at_the_most():
    made = study(problems=[HILL], methods=["random"], seeds=3, budget={"trials": 300})
    dispatcher = ready(made, workers=4)
    seconds = {True: 2.0, False: 0.001}
    since = None
    for now, unstarted in workers_with_a_clock(dispatcher, 4, lambda config: seconds[config["x"] > 4.5]):
        since = (now if since is None else since) if unstarted > 1 else None
        assert since is None or now - since <= LONGEST_SECONDS + 2.0
    assert all(len(run.ended) == 300 for run in dispatcher.runs)


def test_what_a_worker_gives_back_comes_first_and_counts_no_attempt():
    made = study(problems=[HILL], methods=["random"], seeds=40, budget={"trials": 4})
    dispatcher = ready(made)
    finish(dispatcher, dispatcher.ask(), 0.01)
    batch = dispatcher.ask()
    outcome = Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=3.0)
    dispatcher.tell(batch, Report((outcome,), (0.0,), 3.0, "worker"))
    following = []
    while len(following) < len(batch.jobs) - 1:
        following += dispatcher.ask().jobs
    assert tuple(following[: len(batch.jobs) - 1]) == batch.jobs[1:]


def evaluated(kept):
    return Counter(
        (run.split("/")[0], run.split("/")[-1], str(t.config))
        for (run, _), t in kept.trials.items()
        if t.origin is Origin.EVALUATED
    )


@pytest.mark.parametrize("workers, apart", [(1, False), (2, True), (4, True)])
def test_a_config_is_evaluated_once_per_block(workers, apart):
    keys = {
        "problems": [GRID],
        "methods": [{"exhaustive": {}}, "random", "tpe", {"grid": {"points": 4}}, "gradient"],
        "seeds": 3,
        "budget": {"trials": 24},
        "parallel": 2,
    }
    kept, alone = Kept(), Kept()
    pretend(study(**keys), kept, workers, seed=workers, lost=0.1, apart=apart)
    pretend(study(**keys, cache=False), alone, workers)
    counts = evaluated(kept)
    assert set(counts.values()) == {1}
    assert len(counts) == 3 * 24, "all configs of the space, for each seed"
    assert kept.table() == alone.table()
    assert {t.origin for t in alone.trials.values()} == {Origin.EVALUATED}
    originals = {
        (run.split("/")[-1], str(t.config)): t.outcome
        for (run, _), t in kept.trials.items()
        if t.origin is Origin.EVALUATED
    }
    for (run, _), trial in kept.trials.items():
        assert trial.outcome == originals[run.split("/")[-1], str(trial.config)], "the original's seconds too"


def test_two_who_want_one_config_at_once_wait_for_one_evaluation():
    made = study(problems=[GRID], methods=["random", {"name": "again", "method": "random"}], seeds=1)
    dispatcher = ready(made)
    batch = dispatcher.ask()
    assert [job.run for job in batch.jobs] == [0]
    finish(dispatcher, batch, 1.0)
    dispatcher.ask()
    assert dispatcher.runs[1].ended[0].origin is Origin.CACHED
    assert dispatcher.runs[1].ended[0].outcome.seconds == 1.0


def test_noisy_problems_share_nothing():
    noisy = dataclasses.replace(GRID, noisy=True)
    kept = Kept()
    pretend(study(problems=[noisy], methods=["random", "tpe"], seeds=1, budget={"trials": 10}), kept)
    assert {t.origin for t in kept.trials.values()} == {Origin.EVALUATED}


def test_an_earlier_session_is_shared_too():
    keys = {"problems": [GRID], "seeds": 1, "budget": {"trials": 24}}
    kept = Kept()
    pretend(study(methods=[{"exhaustive": {}}], **keys), kept)
    pretend(study(methods=[{"exhaustive": {}}, "random", "tpe"], **keys), kept)
    assert set(evaluated(kept).values()) == {1}
    assert len(kept.trials) == 3 * 24


def test_dear_thinking_is_handed_out_and_cheap_thinking_is_not():
    made = study(problems=[HILL], methods=["random"], seeds=1)
    for proposal, apart, goes in ((0.1, True, True), (0.0001, True, False), (0.1, False, False)):
        dispatcher = ready(made)
        dispatcher.proposes_on_workers = apart
        dispatcher.runs[0].proposal_seconds = proposal
        assert bool(dispatcher.ask().proposals) == goes


def test_a_method_that_kills_its_workers_ends_its_own_run(monkeypatch):
    made = study(problems=[HILL], methods=["random", "tpe"], seeds=1, trial={"retries": 1})
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    dispatcher.begin(1, "here", apart=True)
    dispatcher.runs[0].proposal_seconds = 1.0
    deaths = 0
    while isinstance(batch := dispatcher.ask(), Batch):
        if (
            batch.proposals and batch.proposals[0].run == 0
        ):  # on a slow machine tpe's thinking is proposal_seconds, too
            deaths += 1
            dispatcher.lose(batch, "crash", 0.1)
        else:
            dispatcher.tell(batch, work(dispatcher, batch))
    assert deaths == 2
    reason, failed, _ = kept.ends["hill/random/0"]
    assert (reason, failed) == ("the worker process died 2 times while the method computed a proposal", True)
    assert kept.ends["hill/tpe/0"][1] is False


def test_the_journal_knows_before_the_method():
    class Full(Kept):
        def record(self, ended, batches=()):
            raise JournalError("no space is left.")

    dispatcher = Dispatcher(study(), Full())
    batch = dispatcher.ask()
    with pytest.raises(JournalError):
        dispatcher.tell(batch, work(dispatcher, batch))
    assert not any(run.ended for run in dispatcher.runs)


def lone(**keys):
    dispatcher = ready(problems=[HILL], methods=["random"], seeds=1, **keys)
    return dispatcher, dispatcher.ask()


def test_a_lone_trial_that_kills_its_worker_is_tried_again_and_then_a_row():
    dispatcher, batch = lone(trial={"retries": 2})
    for _ in range(3):
        assert not dispatcher.runs[0].ended
        dispatcher.lose(batch, "crash", 0.0)
        if not dispatcher.runs[0].ended:
            batch = dispatcher.ask()
    trial = dispatcher.runs[0].ended[0]
    assert (trial.status, 1 + len(trial.earlier)) == (Status.CRASHED, 3)
    assert trial.outcome.error == "the worker process died 3 times during this trial."
    assert isinstance(dispatcher.ask(), Batch), "its run goes on"


def test_what_raised_is_tried_again_only_where_the_study_says_so():
    for retry_failed, attempts in ((False, 1), (True, 3)):
        dispatcher, batch = lone(trial={"retries": 2, "retry_failed": retry_failed})
        while not dispatcher.runs[0].ended:
            failed = tuple(Outcome(Status.FAILED, error="no luck.") for _ in batch.jobs)
            dispatcher.tell(batch, Report(failed, (0.0,) * len(failed), 0.1, "worker"))
            if not dispatcher.runs[0].ended:
                batch = dispatcher.ask()
        trial = dispatcher.runs[0].ended[0]
        assert (trial.status, 1 + len(trial.earlier)) == (Status.FAILED, attempts)
        assert trial.earlier == ("no luck.",) * (attempts - 1)


def test_a_lone_trial_past_its_deadline_is_a_row_at_once():
    dispatcher, batch = lone(trial={"timeout": 2.0})
    assert batch.deadline == 2.5, "the worker's watchdog has half a second to be first"
    dispatcher.lose(batch, "timeout", 2.1)
    trial = dispatcher.runs[0].ended[0]
    assert (trial.status, trial.outcome.seconds, 1 + len(trial.earlier)) == (Status.TIMEOUT, 2.1, 1)
    assert trial.outcome.error == "killed after 2 s."


@pytest.mark.parametrize("cause", ["crash", "timeout"])
def test_of_several_jobs_each_goes_again_alone(cause):
    made = study(problems=[HILL], methods=["random"], seeds=20, trial={"timeout": 2.0})
    dispatcher = ready(made)
    finish(dispatcher, dispatcher.ask(), 1e-6)
    batch = dispatcher.ask()
    assert len(batch.jobs) > 1
    assert batch.deadline > 2.0
    dispatcher.lose(batch, cause, 2.6)
    again = [dispatcher.ask() for _ in batch.jobs]
    assert [len(b.jobs) for b in again] == [1] * len(batch.jobs)
    assert [b.jobs[0].pending for b in again] == [job.pending for job in batch.jobs]
    assert {(len(b.jobs[0].earlier), b.jobs[0].crashes, b.deadline) for b in again} == {(1, 0, 2.5)}


def several(**trial):
    """A dispatcher with a batch of several jobs, and the report that a worker would have sent."""
    made = study(problems=[HILL], methods=["random"], seeds=20, trial=trial)
    dispatcher = ready(made)
    finish(dispatcher, dispatcher.ask(), 1e-6)
    batch = dispatcher.ask()
    assert len(batch.jobs) > 3
    return dispatcher, batch, work(dispatcher, batch)


def test_what_had_ended_when_the_worker_died_keeps_its_outcome_and_the_rest_goes_alone():
    dispatcher, batch, report = several()
    rescued = Rescued(report.outcomes[:2], report.offsets[:2], "worker")
    dispatcher.lose(batch, "crash", 1.0, rescued)
    for job, outcome in zip(batch.jobs, rescued.outcomes, strict=False):
        trial = dispatcher.runs[job.run].ended[job.pending.number]
        assert (trial.outcome, trial.worker, len(trial.earlier)) == (outcome, "worker", 0)
    again = [dispatcher.ask() for _ in batch.jobs[2:]]
    assert [b.jobs[0].pending for b in again] == [job.pending for job in batch.jobs[2:]]
    assert {len(b) for b in again} == {1}
    assert [len(b.jobs[0].earlier) for b in again] == [1] + [0] * (len(again) - 1), "others were not begun"


def test_who_was_at_it_when_the_time_was_up_is_known_and_the_others_go_on():
    dispatcher, batch, report = several(timeout=2.0)
    rescued = Rescued(report.outcomes[:1], report.offsets[:1], "worker", "timeout", "killed.", 2.1)
    dispatcher.lose(batch, "crash", 2.2, rescued)
    late = batch.jobs[1]
    trial = dispatcher.runs[late.run].ended[late.pending.number]
    assert (trial.status, trial.outcome.seconds, 1 + len(trial.earlier)) == (Status.TIMEOUT, 2.1, 1)
    following = dispatcher.ask()
    assert following.jobs[0] == batch.jobs[2], "not begun, so not to attribute, and not alone"
    assert len(following) > 1


def test_a_worker_that_died_after_all_had_ended_loses_nothing():
    dispatcher, batch, report = several()
    dispatcher.lose(batch, "crash", 1.0, Rescued(report.outcomes, report.offsets, "worker"))
    assert all(job.pending.number in dispatcher.runs[job.run].ended for job in batch.jobs)
    dispatcher, batch = lone(trial={"timeout": 2.0})
    report = work(dispatcher, batch)
    dispatcher.lose(batch, "timeout", 1.0, Rescued(report.outcomes, report.offsets, "worker"))
    assert dispatcher.runs[0].ended[0].outcome == report.outcomes[0]


def test_what_needs_too_much_memory_is_tried_once_more_at_the_most():
    dispatcher, batch = lone(trial={"retries": 5})
    for _ in range(2):
        dispatcher.lose(batch, "crash", 1.0, Rescued(cause="memory", detail="killed: too large."))
        if not dispatcher.runs[0].ended:
            batch = dispatcher.ask()
    trial = dispatcher.runs[0].ended[0]
    assert (trial.status, 1 + len(trial.earlier), trial.outcome.error) == (
        Status.CRASHED,
        2,
        "killed: too large.",
    )


def test_a_method_that_is_still_thinking_at_its_limit_ends_its_own_run():
    made = study(problems=[HILL], methods=["random", "tpe"], seeds=1, trial={"proposal_timeout": 5.0})
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    dispatcher.begin(1, "here", apart=True)
    dispatcher.runs[0].proposal_seconds = 1.0
    while isinstance(batch := dispatcher.ask(), Batch):
        if [proposal.run for proposal in batch.proposals] == [0]:
            assert batch.deadline == 5.0
            dispatcher.lose(batch, "timeout", 5.1)
        else:
            dispatcher.tell(batch, work(dispatcher, batch))
    assert kept.ends["hill/random/0"][0].startswith("the method was still computing a proposal after 5 s")
    assert kept.ends["hill/random/0"][1]
    assert kept.ends["hill/tpe/0"][1] is False


def test_after_an_interrupt_nothing_more_is_handed_out():
    dispatcher, batch = lone()
    dispatcher.interrupt()
    with pytest.raises(StudyInterrupted, match="saved"):
        dispatcher.ask()
    dispatcher.tell(batch, work(dispatcher, batch))  # what was on its way still counts
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
        with open_journal(tmp_path / "study", made) as journal:
            pretend(made, journal, workers=1, most=most)
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


@pytest.mark.parametrize("timeout, then_evaluate", [(None, True), (2.0, False)])
def test_a_short_trial_is_evaluated_by_who_has_thought_of_it_unless_it_has_a_limit(timeout, then_evaluate):
    dispatcher = ready(problems=[HILL], methods=["random"], seeds=1, trial={"timeout": timeout})
    dispatcher.proposes_on_workers = True
    finish(dispatcher, dispatcher.ask(), 0.001)
    dispatcher.runs[0].proposal_seconds = 1.0
    batch = dispatcher.ask()
    assert [proposal.then_evaluate for proposal in batch.proposals] == [then_evaluate]
    assert batch.deadline == 600.0
    before = len(dispatcher.runs[0].ended)
    dispatcher.tell(batch, work(dispatcher, batch))
    assert len(dispatcher.runs[0].ended) - before == then_evaluate


def test_problems_that_need_something_else_come_later(tmp_path):
    trial = {"problems": {"models": {"gpus": 1}}}
    made = study(trial=trial, seeds=2, budget={"trials": 5})
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    dispatcher.begin(2, "here")
    order = []
    while (needs := dispatcher.next_needs()) is not None:
        assert dispatcher.next_needs() == needs, "to ask twice loses nothing"
        while isinstance(batch := dispatcher.ask(), Batch):
            names = {dispatcher.specs[job.run].problem.name for job in batch.jobs}
            order.append((needs.gpus, *names))
            dispatcher.tell(batch, work(dispatcher, batch))
        assert batch is DONE
    assert list(dict.fromkeys(order)) == [(0.0, "hill"), (1.0, "models")]
    assert sorted(kept.ends) == sorted(spec.id for spec in made.runs)
    plain = Kept()
    pretended = Dispatcher(study(seeds=2, budget={"trials": 5}), plain)
    pretended.begin(2, "here")
    while isinstance(batch := pretended.ask(), Batch):
        pretended.tell(batch, work(pretended, batch))
    assert kept.table() == plain.table()


def test_nobody_is_blamed_for_a_lost_node():
    made = study(problems=[HILL], methods=["random"], seeds=1, budget={"trials": 2}, trial={"retries": 0})
    kept = Kept()
    dispatcher = Dispatcher(made, kept)
    dispatcher.begin(1, "here")
    for _ in range(10):
        dispatcher.lose(dispatcher.ask(), "node", 1.0)
    batch = dispatcher.ask()
    assert batch.jobs[0].earlier == ("its node was lost.",) * 10
    dispatcher.lose(batch, "node", 1.0)  # by now it is suspected itself
    dispatcher.tell(batch := dispatcher.ask(), work(dispatcher, batch))
    first, second = (kept.trials["hill/random/0", number] for number in (0, 1))
    assert (first.status, 1 + len(first.earlier)) == (Status.CRASHED, 11)
    assert (second.status, 1 + len(second.earlier)) == (Status.COMPLETED, 1)


def survive(made, kept, poison, workers, seed, witnessed):
    """Workers that all end with the whole engine when a trial of this value is evaluated; how often."""
    rng, losses = random.Random(seed), 0
    while True:
        dispatcher = Dispatcher(made, kept)
        dispatcher.begin(workers, "pretended workers", apart=True)
        flying, lost = [], False
        while not lost:
            answer = dispatcher.ask() if len(flying) < workers else WAIT
            if isinstance(answer, Batch):
                dispatcher.sending(answer)
                flying.append(answer)
                assert len(flying) == 1 or not any(batch.isolated for batch in flying)
                if rng.random() < 0.5:
                    continue
            elif answer is DONE and not flying:
                return losses
            batch = flying.pop(rng.randrange(len(flying)))
            report = work(dispatcher, batch)
            values = [outcome.value for outcome in report.outcomes]
            values += [reply.outcome.value for reply in report.replies if reply.outcome is not None]
            if lost := poison in values:
                losses += 1
                assert losses < 60, "it comes to an end"
                kept.lose(witnessed)
            else:
                dispatcher.tell(batch, report)


@given(
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.booleans(),
    st.integers(0, 2),
    st.sampled_from([["exhaustive"], ["random", "exhaustive"], ["tpe", "random"]]),
)
@settings(max_examples=30)
def test_only_the_trial_that_ends_everything_is_blamed_and_the_study_ends(
    workers, seed, witnessed, retries, methods
):
    keys = {"methods": methods, "problems": [GRID], "seeds": 2, "budget": {"trials": 12}}
    made, expected = whole(**keys)
    made = study(**keys, trial={"retries": retries})
    poison = max(loss for *_, loss, status, _ in expected if status is Status.COMPLETED)
    kept = Kept()
    losses = survive(made, kept, poison, workers, seed, witnessed)
    assert losses > retries
    culprits = [row for row in kept.table() if row[4] is Status.CRASHED]
    assert culprits
    problem = made.problems[0]
    assert {evaluate(problem, row[2], 0).value for row in culprits} == {poison}
    assert kept.suspects == kept.begun == {}
    if methods != ["tpe", "random"]:  # of which the first learns of the crash
        assert [row[:3] for row in kept.table()] == [row[:3] for row in expected]
