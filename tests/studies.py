"""Small studies, run in this process by ask and tell, and trials of any kind."""

from hypothesis import strategies as st

from runner.engine.runs.run import Run
from runner.problems.base import FunctionProblem
from runner.problems.evaluation import evaluate
from runner.space import Choice, Float, Int, Space
from runner.study.identity.plan import open_journal
from runner.study.study import Study
from runner.trial import Origin, Outcome, Pending, Status, Trial

ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SECONDS = st.floats(0, 1e9)
TEXT = st.text(max_size=30)
SCALARS = st.none() | st.booleans() | st.integers(-(10**25), 10**25) | FINITE | TEXT


def numbers(values=ANY_FLOAT):
    return st.dictionaries(TEXT, values, max_size=3)


OUTCOMES = st.builds(
    Outcome,
    st.sampled_from(Status),
    loss=st.none() | FINITE,
    value=st.none() | FINITE,
    test=st.none() | ANY_FLOAT,
    gradient=st.none() | numbers(FINITE),
    metrics=numbers(),
    folds=st.lists(ANY_FLOAT, max_size=4).map(tuple),
    error=TEXT,
    seconds=SECONDS,
    steps=st.lists(ANY_FLOAT, max_size=3).map(tuple),
    step_seconds=st.lists(SECONDS, max_size=3).map(tuple),
    share=st.floats(0, 2),
)
# No config has an x: the runs that these trials go to have a numeric one.
TRIALS = st.builds(
    Trial,
    st.integers(0, 10**6),
    st.dictionaries(TEXT.filter("x".__ne__), SCALARS, max_size=4),
    OUTCOMES,
    st.sampled_from(Origin),
    SECONDS,
    SECONDS,
    SECONDS,
    TEXT,
    st.lists(TEXT, max_size=3).map(tuple),
    st.integers(0, 10**6),
)


def hill(config):
    """Maximised at x = 1, where it is 2; fails at small x."""
    if config["x"] < -4:
        raise RuntimeError("too small")
    return 2.0 - (config["x"] - 1.0) ** 2


def models(config):
    """Conditional parameters of every type."""
    if config["model"] == "tree":
        return {"loss": 1.0 / config["depth"], "leaves": 2.0 ** config["depth"], "test": 0.5}
    if config["model"] == "flat":
        return {"loss": float("nan")}
    return {"loss": config["C"], "folds": [config["C"], 0.0], "gradient": {"C": 1.0}}


HILL = FunctionProblem(hill, Space({"x": Float(-5.0, 5.0)}), "hill", direction="maximize", optimum=2.0)
MODELS = FunctionProblem(
    models,
    Space(
        {
            "model": Choice(
                {
                    "tree": {"depth": Int(1, 9), "prune": Choice([True, False])},
                    "linear": {"C": Float(0.1, 10.0, log=True), "penalty": Choice(["l1", None, 2])},
                    "flat": {},
                }
            )
        }
    ),
    "models",
)


def study(**keys):
    given = {
        "name": "small",
        "problems": [HILL, MODELS],
        "methods": ["random", {"name": "sobol", "method": "random", "sequence": "sobol"}],
        "seeds": 2,
        "budget": {"trials": 6},
    }
    return Study.build(**given | keys)


def play(folder, study, most=10**9):
    """Run a study into its directory, up to that many trials more; the journal is closed after it."""
    with open_journal(folder, study) as journal:
        for spec in study.runs:
            run = Run(
                spec.problem.space,
                spec.method,
                spec.entropy,
                study.budget,
                study.parallel,
                history=journal.history(spec.id),
            )
            while isinstance(pending := run.ask(), Pending):
                if not most:
                    return journal
                most -= 1
                outcome = evaluate(spec.problem, pending.config, spec.problem_seed)
                trial = Trial(
                    pending.number,
                    pending.config,
                    outcome,
                    suggest_seconds=pending.suggest_seconds,
                    known=pending.known,
                )
                journal.record([(spec.id, trial)])
                run.tell(trial)
            journal.end_run(spec.id, run.end_reason, run.failed, run.conclude())
    return journal


def made(number, loss, **outcome):
    """A trial by hand: a loss, or None for a failure."""
    if loss is None:
        return Trial(number, {"x": 0.0}, Outcome(Status.FAILED, error="It failed.", **outcome))
    return Trial(number, {"x": float(number)}, Outcome(Status.COMPLETED, loss=loss, value=loss, **outcome))


def contents(folder):
    """Every file of a directory: its bytes, and when it was changed."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def written(number):
    """What `write_on` writes."""
    return made(number, 1.0 / (number + 1), error="x" * 300)


def write_on(folder, connection):
    """Record batch after batch, and say after each how many there are; until it is killed."""
    with open_journal(folder, study()) as journal:
        number = len(journal.history("hill/random/0"))
        connection.send("open")
        while True:
            batch = [written(number + i) for i in range(number % 7 + 1)]
            journal.record([("hill/random/0", trial) for trial in batch])
            number += len(batch)
            connection.send(number)
