import hyperopt
import numpy as np

from runner.methods.encoded import cube_of
from runner.methods.random_search import Random
from runner.methods.tpe.method import TPE, multivariate
from runner.seeds import proposal_rng
from runner.space import Choice, Float, Int, Space
from runner.space.formats import encoded_hyperopt
from runner.testing import simulate
from runner.trial import Outcome, Status, Trial

TREE = Space(
    {
        "solver": Choice({"a": {"p": Float(0.0, 1.0)}, "b": {"q": Float(0.0, 1.0)}, "c": {"n": Int(1, 9)}}),
        "rate": Float(1e-4, 1.0, log=True),
    }
)


def ask(history, number, seed):
    return TPE().propose(TREE, history, [], number, proposal_rng(seed, number))


def loss(config):
    """Least in branch b."""
    base = {"a": 0.3, "b": 0.0, "c": 0.6}[config["solver"]]
    return base + (config.get("q", 0.4) - 0.4) ** 2 + (np.log10(config["rate"]) + 2) ** 2 / 10


def test_it_is_an_algorithm_of_hyperopt():
    """As ``fmin`` calls one: for new ids, with its own trials."""
    cube, domain = cube_of(TREE), hyperopt.Domain(dict, encoded_hyperopt(TREE), pass_expr_memo_ctrl=False)
    trials = hyperopt.trials_from_docs(
        [
            {
                "tid": i,
                "state": hyperopt.JOB_STATE_DONE,
                "spec": None,
                "result": {"loss": float(i)},
                "misc": {"row": cube.canonical(np.full(TREE.d, 0.1 * i))},
            }
            for i in range(8)
        ],
        validate=False,
    )
    found = multivariate.suggest([8, 9], domain, trials, 1, cube=cube, ended=8, gamma=0.2, candidates=16)
    again = multivariate.suggest([8, 9], domain, trials, 1, cube=cube, ended=8, gamma=0.2, candidates=16)
    assert [document["misc"]["vals"] for document in found] == [
        document["misc"]["vals"] for document in again
    ]
    assert [document["tid"] for document in found] == [8, 9]
    hyperopt.Trials().insert_trial_docs(found)  # it checks what it is given


def test_branches_share_what_they_have_in_common():
    """The rate was learnt in branch a; a first proposal in b or c knows it.

    Of random rates 0.2 are within 0.4 of the best one's logarithm; all of 10 by luck has probability 1e-7.
    """
    rates = np.logspace(-4, 0, 60)
    history = [
        Trial(i, c := {"solver": "a", "p": i / 60, "rate": float(rate)}, Outcome(Status.COMPLETED, loss(c)))
        for i, rate in enumerate(rates)
    ]
    elsewhere = [c for seed in range(600) if (c := ask(history, 60, seed))["solver"] != "a"]
    assert len(elsewhere) > 8
    near = [abs(np.log10(config["rate"]) + 2) < 0.4 for config in elsewhere]
    assert np.mean(near) > 0.7


def test_the_best_branch_is_searched_most_and_no_other_is_given_up():
    run = simulate(TPE(), TREE, loss, 80)
    tried = [trial.config["solver"] for trial in run[40:]]
    assert tried.count("b") > 20
    assert len(set(tried)) > 1


def test_better_than_random_in_a_space_with_branches():
    """A method no better than random wins 9 or more of 10 with probability 1.1 %."""
    wins = 0
    for seed in range(10):
        mine, theirs = (
            min(trial.loss for trial in simulate(method, TREE, loss, 50, entropy=seed))
            for method in (TPE(), Random())
        )
        wins += mine < theirs
    assert wins >= 9
