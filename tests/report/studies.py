"""Small studies in their directories, among them those that have little or nothing to tell."""

from runner.problems.base import FunctionProblem
from runner.results import Results
from runner.space import Choice, Float, Space
from tests.studies import play, study

EVIL = """<script>alert(1)<!--"'&"""
"""A name of a method and of a problem, which may hold no slash."""
BREAKOUT = "</script><script>alert(1)</script>"
"""A value of a parameter, and in the message of an error."""


def bowl(config):
    return (config["x"] - 1.0) ** 2 + (config["kind"] == BREAKOUT)


def failing(config):
    raise RuntimeError(f"no {BREAKOUT} today")


def constant(config):
    return 1.0


def nan_only(config):
    return float("nan")


def problem(function, name=None, **more):
    space = Space({"x": Float(-5.0, 5.0), "kind": Choice(["plain", BREAKOUT])})
    return FunctionProblem(function, space, name or function.__name__, **more)


def two_methods():
    return ["random", {"name": EVIL, "method": "random", "sequence": "sobol"}]


def made(folder, most=10**9, **keys):
    """A study run in this process, as far as wanted, and opened."""
    given = {"problems": [problem(bowl)], "methods": two_methods(), "seeds": 3, "budget": {"trials": 8}}
    play(folder, study(**given | keys), most)
    return Results.open(folder)


def comparison(folder):
    """Enough for most of the page: three problems, three methods, five seeds, failures and a test value."""

    def hard(config):
        if config["x"] < -4:
            raise RuntimeError("too small")
        return {"loss": abs(config["x"] - 2) + 0.1, "test": abs(config["x"] - 2) + 0.2}

    problems = [
        problem(bowl, f"bowl {EVIL}", optimum=0.0),
        problem(hard),
        problem(bowl, "hill", direction="maximize"),
    ]
    methods = [*two_methods(), {"grid": {"points": 4}}]
    return made(folder, problems=problems, methods=methods, seeds=5, budget={"trials": 12})
