"""Who is who: runs as numbers, and what travels in their names."""

from runner.engine.codec import pack_trial, unpack_tasks
from runner.engine.messages import Batch, Job, ProposalJob, ProposalRequest
from runner.engine.runs import run_table as room
from runner.engine.runs.run_table import RunTable
from runner.trial import Outcome, Pending, Status, Trial
from tests.studies import HILL, study


def run_table(history=None, **keys):
    made = study(**keys)
    return RunTable(made, made.runs, lambda run: (history or {}).get(run, []))


def trial(number=0, **keys):
    return Trial(number, {"x": 0.5}, Outcome(Status.COMPLETED, loss=1.0, value=1.0, **keys))


def test_each_block_of_a_problem_sees_the_same_seed():
    made = study(methods=["random", {"name": "again", "method": "random"}])
    found = RunTable(made, made.runs, lambda run: [])
    seeds = {}
    for index, spec in enumerate(found.specs):
        task = found.task(Job(index, Pending(0, {}), 0.0))
        assert made.problems[task.problem] is spec.problem
        assert found.problem[index] == task.problem
        seeds.setdefault((spec.problem.name, spec.seed), set()).add(task.seed)
    assert all(len(some) == 1 for some in seeds.values())
    assert len({seed for some in seeds.values() for seed in some}) == len(seeds)


def test_runs_of_a_block_share_a_key_and_others_do_not():
    found = run_table(methods=["random", "tpe"])
    keys = {}
    for index in range(len(found.specs)):
        keys.setdefault(found.block[index], set()).add(found.job(index, Pending(0, {"x": 0.5})).key)
    assert all(len(some) == 1 for some in keys.values())
    assert len(set.union(*keys.values())) == len(keys)
    alone = run_table(methods=["random", "tpe"], cache=False)
    assert {alone.job(i, Pending(0, {"x": 0.5})).key for i in range(len(alone.specs))} == {None}


def test_the_clock_of_a_run_goes_on_where_it_was():
    spec = study(problems=[HILL], methods=["random"], seeds=1).runs[0]
    before = Trial(0, {"x": 0.5}, Outcome(Status.COMPLETED, loss=1.0, value=1.0, seconds=2.0), started=100.0)
    found = run_table({spec.id: [before]}, problems=[HILL], methods=["random"], seeds=1)
    job = found.job(0, Pending(1, {"x": 0.5}, suggest_seconds=0.25))
    made = found.trial(job, Outcome(Status.COMPLETED, loss=1.0, value=1.0), job.asked + 3.0, "a worker")
    assert 105.0 <= made.started < 110.0
    assert (made.number, made.queue_seconds, made.worker) == (1, 3.0, "a worker")
    assert made.suggest_seconds == 0.25


def test_what_was_scored_on_kept_rows_is_not_shown_to_a_method(monkeypatch):
    monkeypatch.setattr(HILL, "has_test", True)
    made = study(problems=[HILL], methods=["random"], seeds=1)
    found = RunTable(made, made.runs, lambda run: [trial(test=0.25)])
    assert found.runs[0].ended[0].outcome.test is None


def test_a_batch_travels_as_lines_and_a_told_trial_is_written_once(monkeypatch):
    written = []
    monkeypatch.setattr(room, "pack_trial", lambda trial: written.append(trial.number) or pack_trial(trial))
    found = run_table(problems=[HILL], methods=["random", "tpe"], seeds=1)
    jobs = tuple(found.job(0, Pending(n, {"x": n / 4})) for n in range(3))
    assert [task.config for task in unpack_tasks(found.message(Batch(jobs)))] == [
        {"x": 0.0}, {"x": 0.25}, {"x": 0.5}
    ]  # fmt: skip
    told = trial()
    proposals = tuple(ProposalJob(1, ProposalRequest(n, [told], [], 7)) for n in (1, 2))
    first, second = (
        found.message(Batch((), proposals=proposals[:1])),
        found.message(Batch((), proposals=proposals)),
    )
    assert second.startswith(first)
    assert second.split("\n").count(pack_trial(told)) == 2
    assert written == [0]
