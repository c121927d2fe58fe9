"""A finished study as a problem: what was recorded comes back, and nothing else."""

import dataclasses
import json
import shutil
import sqlite3
import time

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runner
from runner.errors import JournalError, ProblemError
from runner.journal.entry import create_journal
from runner.journal.reader import read_journal
from runner.journal.schema import DATABASE
from runner.problems import RecordedProblem, evaluate, load_problem
from runner.problems.base import FunctionProblem
from runner.seeds import seed_for
from runner.space import Choice, Float, Int, Space
from runner.study.identity.identity import problem_identity
from runner.study.identity.plan import open_journal, plan_of
from runner.study.study import Study
from runner.testing import ProblemContract
from runner.trial import Outcome, Status, Trial
from tests.studies import HILL, MODELS, made, play, study

TABLE = FunctionProblem(
    lambda config, seed: {
        "loss": (config["n"] - 3) ** 2 + (config["k"] == "b") + seed % 7,
        "gradient": {"n": 2.0 * (config["n"] - 3)},
        "test": 1.0,
        "folds": [0.5, float(config["n"])],
    },
    Space({"n": Int(1, 5), "k": Choice(["a", "b", None])}, [{"n": 1, "k": "a"}]),
    "table",
    has_gradient=True,
)


LINE = dataclasses.replace(HILL, direction="minimize", optimum=None)


def whole(**keys):
    """Every config of the table, in two blocks."""
    given = {"name": "whole", "problems": [TABLE], "methods": ["exhaustive"], "seeds": 2, "seed": 5}
    return Study.build(**given | {"budget": {"trials": 20}} | keys)


def write(folder, problem, trials, seeds=1, methods=1):
    """A study of trials by hand: (method, seed) -> trials."""
    labels = [{"name": f"m{i}", "method": "random"} for i in range(methods)]
    by_hand = study(problems=[problem], methods=labels, seeds=seeds)
    with open_journal(folder, by_hand) as journal:
        for (method, seed), rows in trials.items():
            journal.record([(f"{problem.name}/m{method}/{seed}", row) for row in rows])
    return by_hand


def at(number, x, status=Status.COMPLETED, **outcome):
    loss = None if status in (Status.FAILED, Status.CRASHED, Status.TIMEOUT, Status.INVALID) else 1.0 * number
    error = "" if status is Status.COMPLETED else f"It is {status}."
    return Trial(number, {"x": x}, Outcome(status, loss=loss, value=loss, error=error, **outcome))


def block(spec_seed, name="hill", seed=0):
    """The seed that a study's problem is called with."""
    return seed_for(seed, name, spec_seed, "problem")


def table(folder):
    """Run -> number, config and outcome of its trials; of equal configs in a block the first outcome."""
    record, first = read_journal(folder), {}
    return {
        run.id: [
            (
                trial.number,
                trial.config,
                first.setdefault((run.problem, run.seed, repr(trial.config)), trial.outcome),
            )
            for trial in record.history(run.id)
        ]
        for run in record.runs
    }


# -- the same again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["recall", "play", "run"])
def test_a_recorded_study_run_again_gives_the_same_table(tmp_path, engine):
    play(tmp_path / "first", study(seed=3))
    given = [{"recorded": "first", "problem": name} for name in ("hill", "models")]
    again = study(seed=3, problems=given, folder=tmp_path)
    first = table(tmp_path / "first")
    assert {len(trials) for trials in first.values()} == {6}
    assert {trial[2].status for trials in first.values() for trial in trials} >= {
        Status.COMPLETED,
        Status.FAILED,
        Status.INVALID,
    }
    if engine == "recall":
        for spec in again.runs:
            for _, config, outcome in first[spec.id]:
                assert repr(spec.problem.recall(config, spec.problem_seed)) == repr(outcome)
        return
    if engine == "play":
        play(tmp_path / "again", again)
    else:
        runner.run(again, out=tmp_path / "again", workers=0)
    assert repr(table(tmp_path / "again")) == repr(first)


def test_what_is_said_of_the_problem_is_what_it_was(tmp_path):
    play(tmp_path, study())
    for original in (HILL, MODELS):
        problem = RecordedProblem(tmp_path, original.name)
        assert (problem.name, problem.space) == (original.name, original.space)
        assert (problem.direction, problem.metric) == (original.direction, original.metric)
        assert list(problem.space.params) == list(original.space.params)
        assert (problem.steps, problem.noisy, problem.default) == (1, False, None)
    assert not RecordedProblem(tmp_path, "hill").has_gradient
    assert RecordedProblem(tmp_path, "models").has_gradient  # of some configs


def test_other_methods_and_seeds_find_a_whole_record_whole(tmp_path):
    play(tmp_path / "first", whole())
    other = study(
        problems=[{"recorded": "first", "name": "other"}],
        methods=["random", "tpe", "exhaustive", "gradient"],
        seeds=[4, 11],
        seed=77,
        budget={"trials": 8},
        folder=tmp_path,
    )
    start = time.perf_counter()
    play(tmp_path / "other", other)
    assert time.perf_counter() - start < 30.0
    found = table(tmp_path / "other")
    assert set(found) >= {"other/random/4", "other/tpe/11"}
    assert {trial[2].status for trials in found.values() for trial in trials} == {Status.COMPLETED}


def test_the_direction_is_that_of_the_record(tmp_path):
    play(tmp_path, study(problems=[HILL], methods=["random"], seeds=1))
    problem = RecordedProblem(tmp_path)
    values = []
    for trial in read_journal(tmp_path).history("hill/random/0"):
        if trial.valid:
            values.append(trial.outcome.value)
            assert problem.evaluate(trial.config, block(0)) == {"loss": trial.outcome.value}
            assert trial.loss == -trial.outcome.value
        else:
            with pytest.raises(ProblemError, match="hill: RuntimeError: too small"):
                problem.evaluate(trial.config, block(0))
    assert problem.optimum == problem.optimum_for(block(0)) == max(values)


def test_an_answer_is_the_one_that_the_objective_gave(tmp_path):
    maximised = dataclasses.replace(TABLE, direction="maximize")
    play(tmp_path, whole(problems=[maximised]))
    problem, seed = RecordedProblem(tmp_path), block(1, "table", 5)
    for config in TABLE.space:
        assert problem.evaluate(config, seed) == TABLE.evaluate(config, seed)


# -- blocks -----------------------------------------------------------------------------------------


def test_a_seed_names_its_block_and_any_other_takes_one(tmp_path):
    trials = {(0, seed): [at(seed, 1.0)] for seed in (9, 2, 4)}
    write(tmp_path, LINE, trials, seeds=[9, 2, 4, 7])  # nothing is known of 7
    problem = RecordedProblem(tmp_path)
    known = {seed: block(seed) for seed in (2, 4, 9)}
    for seed, called in known.items():
        assert problem.recall({"x": 1.0}, called).loss == seed
        assert problem.optimum_for(called) == seed
    for called in set(range(20)) | {block(7)}:
        assert problem.recall({"x": 1.0}, called).loss == [2, 4, 9][called % 3]
    assert problem.optimum == 2
    assert problem.minimisers == ()


def test_the_first_of_a_block_counts_whoever_had_it(tmp_path):
    first, second = [at(8, 2.0), at(9, 3.0)], [at(5, 1.0), at(6, 2.0), at(7, 2.0)]
    rows = {(1, 0): second, (0, 0): first, (0, 1): [at(1, 1.0)]}
    write(tmp_path, LINE, rows, seeds=2, methods=2)
    problem = RecordedProblem(tmp_path)
    assert [problem.recall({"x": x}, block(0)).loss for x in (1.0, 2.0, 3.0)] == [5, 8, 9]
    assert problem.recall({"x": 1.0}, block(1)).loss == 1


def test_failures_are_outcomes_and_what_tells_nothing_of_the_config_is_left_out(tmp_path):
    rows = [
        at(0, 0.0, Status.TIMEOUT, seconds=9.0),
        at(1, 1.0, Status.INVALID),
        at(2, 2.0, Status.FAILED, seconds=0.5),
        at(3, 3.0, Status.CRASHED),
        at(4, 4.0, Status.CRASHED),
        at(5, 4.0, Status.CRASHED),
        at(6, 4.0),
        at(7, 2.0),
        at(8, 0.5, Status.STOPPED),
        at(9, 4.0),
    ]
    write(tmp_path, LINE, {(0, 0): rows})
    problem = RecordedProblem(tmp_path)
    for number in (0, 1, 2, 3, 6):
        row = rows[number]
        assert problem.recall(row.config, block(0)) == row.outcome
    stopped = problem.recall({"x": 0.5}, block(0))
    assert (stopped.status, stopped.seconds, stopped.loss) == (Status.FAILED, 0.0, None)
    assert "was not recorded. Write 'missing: nearest', or record more." in stopped.error
    assert problem.optimum == 6  # not of 7, whose config had failed before


def test_a_block_of_failures_has_no_optimum(tmp_path):
    write(tmp_path, LINE, {(0, 0): [at(0, 1.0, Status.FAILED)]})
    problem = RecordedProblem(tmp_path)
    assert (problem.optimum, problem.optimum_for(block(0)), problem.minimisers) == (None, None, ())


def test_steps_are_those_of_the_longest_whole_trial(tmp_path):
    rows = [
        at(0, 0.0, steps=(3.0, float("nan"), 1.0), step_seconds=(0.1, 0.2, 0.3)),
        at(1, 1.0, steps=(1.0,), step_seconds=(0.1,)),
        at(2, 2.0, Status.FAILED, steps=(1.0,) * 9, step_seconds=(1.0,) * 9),
    ]
    write(tmp_path, LINE, {(0, 0): rows})
    problem = RecordedProblem(tmp_path)
    assert problem.steps == 3
    assert repr(problem.recall({"x": 0.0}, 0)) == repr(rows[0].outcome)


def test_each_run_has_the_optimum_of_its_block(tmp_path):
    play(tmp_path / "first", whole())
    play(tmp_path / "again", whole(problems=[{"recorded": "first"}], folder=tmp_path))
    problem = RecordedProblem(tmp_path / "first")
    optima = [run.optimum for run in read_journal(tmp_path / "again").runs]
    assert optima == [problem.optimum_for(block(seed, "table", 5)) for seed in (0, 1)]
    assert len(set(optima)) == 2
    assert problem.optimum == min(optima)


# -- configs ----------------------------------------------------------------------------------------


def test_values_of_different_types_are_different_configs(tmp_path):
    options = [1, 1.0, True, "1", None, 0, False]
    typed = FunctionProblem(print, Space({"k": Choice(options)}), "typed")
    rows = [
        Trial(i, {"k": option}, Outcome(Status.COMPLETED, loss=float(i), value=float(i)))
        for i, option in enumerate(options)
    ]
    write(tmp_path, typed, {(0, 0): rows})
    problem = RecordedProblem(tmp_path)
    for i, option in enumerate(options):
        assert problem.recall({"k": option}, 0).loss == i
        assert evaluate(problem, {"k": option}, 0).loss == i


def test_a_config_is_found_however_it_is_written(tmp_path):
    play(tmp_path, whole())
    problem = RecordedProblem(tmp_path)
    there = problem.recall({"n": 3, "k": "a"}, 0)
    assert there.status is Status.COMPLETED
    for config in ({"k": "a", "n": 3}, {"n": np.int64(3), "k": np.str_("a")}, {"k": "a", "n": 3.0}):
        assert problem.recall(config, 0) == there
    outside = problem.recall({"n": 9, "k": "a"}, 0)
    assert outside.status is Status.FAILED
    assert "n: " in outside.error
    assert problem.recall({"n": 1, "k": "a"}, 0).status is Status.FAILED  # forbidden
    with pytest.raises(ProblemError, match="table: n: "):
        problem.evaluate({"n": 9, "k": "a"}, 0)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A record of a conditional space in two blocks, by hand, and its rows."""
    folder = tmp_path_factory.mktemp("mixed")
    rng = np.random.default_rng(0)
    rows = {
        (0, seed): [
            Trial(i, MODELS.space.sample(rng), Outcome(Status.COMPLETED, loss=float(i), value=float(i)))
            for i in range(40)
        ]
        for seed in (0, 1)
    }
    write(folder, MODELS, rows, seeds=2)
    return RecordedProblem(folder, missing="nearest"), rows


@given(
    places=st.lists(st.floats(0, 1), min_size=MODELS.space.d, max_size=MODELS.space.d),
    seed=st.sampled_from([0, 1]),
)
def test_the_nearest_is_the_first_of_the_nearest(mixed, places, seed):
    problem, rows = mixed
    config = MODELS.space.decode(places)
    place = MODELS.space.encode(config)
    distances = [np.linalg.norm(MODELS.space.encode(row.config) - place) for row in rows[0, seed]]
    first = next(i for i, distance in enumerate(distances) if distance <= min(distances) + 1e-9)
    exact = [i for i, row in enumerate(rows[0, seed]) if row.config == config]
    found = problem.recall(config, block(seed, "models"))
    assert found.loss == (exact[0] if exact else first)
    assert found == problem.recall(config, block(seed, "models"))


def test_of_two_that_are_equally_near_the_first_is_taken(tmp_path):
    for order in ([1.0, 3.0, 5.0], [3.0, 1.0, 5.0]):
        folder = tmp_path / str(order[0])
        write(folder, LINE, {(0, 0): [at(i, x) for i, x in enumerate(order)]})
        problem = RecordedProblem(folder, missing="nearest")
        assert problem.recall({"x": 2.0}, 0).loss == 0
        assert problem.recall({"x": 2.1}, 0).loss == order.index(3.0)
        assert problem.recall({"x": -5.0}, 0).loss == order.index(1.0)


# -- what it owes others ----------------------------------------------------------------------------


class TestWholeRecord(ProblemContract):
    samples = 12

    @pytest.fixture(autouse=True)
    def made(self, tmp_path):
        play(tmp_path, whole(seeds=1))
        type(self).problem = RecordedProblem(tmp_path)
        (best,) = self.problem.minimisers
        assert best in ({"n": 3, "k": "a"}, {"n": 3, "k": None})

    def test_the_gradient_is_that_of_the_loss(self):
        pytest.skip("its parameters are discrete")


@pytest.mark.parametrize("asked", [False, True])
def test_it_travels_to_another_process(tmp_path, asked):
    play(tmp_path, whole())
    problem = RecordedProblem(tmp_path, missing="nearest")
    if asked:
        problem.recall({"n": 1, "k": None}, 0)
        problem._nearest(problem._order[0], {"n": 1, "k": None})
    again = cloudpickle.loads(cloudpickle.dumps(problem))
    shutil.rmtree(tmp_path)
    for config in TABLE.space:
        for seed in problem._order:
            assert again.recall(config, seed) == problem.recall(config, seed)
    assert not again._trees
    assert again._nearest(again._order[0], {"n": 1, "k": None})
    assert problem_identity(again) == problem_identity(problem)


def test_a_study_goes_on_where_the_record_has_moved_but_not_where_it_has_changed(tmp_path):
    play(tmp_path / "first", study(problems=[HILL], seeds=1))

    def again(name):
        return study(problems=[{"recorded": name, "missing": "nearest"}], seed=1, folder=tmp_path)

    play(tmp_path / "out", again("first"), 3)
    identity = json.dumps(problem_identity(again("first").problems[0]))
    assert len(identity) < 500
    assert str(tmp_path) not in identity
    (tmp_path / "first").rename(tmp_path / "moved")
    play(tmp_path / "out", again("moved"))
    play(tmp_path / "moved", study(problems=[HILL], seeds=2))
    with pytest.raises(JournalError, match="its recorded study has changed since"):
        open_journal(tmp_path / "out", again("moved"))
    assert problem_identity(RecordedProblem(tmp_path / "moved")) != problem_identity(
        again("moved").problems[0]
    )


# -- what a study file may say ----------------------------------------------------------------------


def test_a_path_starts_at_the_study_file_and_else_where_one_stands(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    write(there / "results" / "one", LINE, {(0, 0): [at(1, 1.0)]})
    monkeypatch.chdir(there)
    here.mkdir()
    assert load_problem({"recorded": "results/one"}, here).optimum == 1
    write(here / "results" / "one", LINE, {(0, 0): [at(2, 1.0)]})
    assert load_problem({"recorded": "results/one"}, here).optimum == 2
    assert load_problem({"recorded": str(there / "results" / "one")}, here).optimum == 1
    monkeypatch.setenv("HOME", str(there))
    assert load_problem({"recorded": "~/results/one"}, tmp_path).optimum == 1


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    play(folder / "both", study(seeds=1, methods=["random"], budget={"trials": 2}))
    open_journal(folder / "empty", study(problems=[HILL])).close()
    write(folder / "stopped", LINE, {(0, 0): [at(0, 1.0, Status.STOPPED)]})
    play(folder / "changed", study(problems=[HILL, MODELS], seeds=1, budget={"trials": 1}))
    play(
        folder / "changed",
        study(
            problems=[dataclasses.replace(HILL, space=Space({"x": Float(-1.0, 1.0)})), MODELS],
            seeds=[1],
            budget={"trials": 1},
        ),
    )
    return folder


@pytest.mark.parametrize(
    "given, says",
    [
        (
            {"recorded": "both"},
            "both: the study has 2 problems: hill, models. Choose one with",
        ),
        ({"recorded": "both", "problem": "hil"}, "the study has no problem 'hil'. Did you mean 'hill'?"),
        ({"recorded": "bath"}, "bath: no such directory. Did you mean 'both'?"),
        ({"recorded": "nowhere/at/all"}, "no such directory."),
        ({"recorded": "both/study.yaml"}, "expected a study directory, got a file."),
        ({"recorded": "."}, "expected a study directory, got a directory of studies. Did you mean '"),
        ({"recorded": "empty"}, "empty: expected finished trials of 'hill', got none. Run that study first."),
        ({"recorded": "stopped"}, "stopped: expected finished trials of 'hill', got none."),
        ({"recorded": "changed", "problem": "hill"}, "differ in space, so they are of two problems."),
        ({"recorded": "both", "mising": "nearest"}, "mising: unknown key. Did you mean 'missing'?"),
        ({"recorded": "both", "missing": "nearst"}, "expected 'refuse' or 'nearest', got 'nearst'. Did you"),
        ({"recorded": "both", "missing": None}, "missing: expected a string, got None. Write refuse or"),
        ({"recorded": "both", "problem": ["hill"]}, "problem: expected a string, got ['hill']."),
        ({"recorded": 3}, "recorded: expected a string, got 3. Write the directory of a study"),
        ({"recorded": ""}, "recorded: expected a string, got ''."),
        ({"record": "both"}, "record: unknown key. Did you mean 'recorded'?"),
    ],
)
def test_what_cannot_be_recalled_is_refused(records, given, says):
    with pytest.raises(ProblemError) as caught:
        load_problem(given, records)
    assert says in str(caught.value)
    assert caught.value.exit_code == 2
    with pytest.raises(ProblemError, match=r"study: problems\[0\]: "):
        Study.build(name="s", problems=[given], methods=["random"], budget={"trials": 1}, folder=records)


def test_a_journal_that_cannot_be_read_says_so_itself(records, tmp_path):
    shutil.copytree(records / "both", tmp_path / "old")
    with sqlite3.connect(tmp_path / "old" / DATABASE) as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    with pytest.raises(JournalError, match="of an older fivefold"):
        load_problem({"recorded": "old"}, tmp_path)
    (tmp_path / "new").mkdir()
    create_journal(tmp_path / "new" / DATABASE, plan_of(study()))
    with pytest.raises(ProblemError, match="expected at least one run"):
        load_problem({"recorded": "new"}, tmp_path)


def test_a_record_may_be_of_a_study_that_goes_on(tmp_path):
    with open_journal(tmp_path, study(problems=[HILL])) as journal:
        journal.record([("hill/random/0", made(i, float(i))) for i in range(3)])
        problem = RecordedProblem(tmp_path)
        assert problem.recall({"x": 2.0}, 0).loss == 2.0
